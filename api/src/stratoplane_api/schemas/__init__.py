# SPDX-License-Identifier: Apache-2.0
"""What requests may hold and what answers hold, as marshmallow schemas; the OpenAPI document is made of them."""
