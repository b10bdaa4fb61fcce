# SPDX-License-Identifier: Apache-2.0
"""Stratoplane plugin that refuses names which break an operator's naming policy."""
