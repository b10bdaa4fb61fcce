# SPDX-License-Identifier: Apache-2.0
"""What a person must look at, and who is told."""
