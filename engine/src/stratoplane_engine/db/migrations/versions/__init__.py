# SPDX-License-Identifier: Apache-2.0
"""Revisions, in the order of their numbers."""
