# SPDX-License-Identifier: Apache-2.0
"""The sealed audit trail: a tree of hashes, signed checkpoints, and their verification."""
