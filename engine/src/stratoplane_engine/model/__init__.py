# SPDX-License-Identifier: Apache-2.0
"""The platform's nouns as values; nothing else walks between rooms."""
