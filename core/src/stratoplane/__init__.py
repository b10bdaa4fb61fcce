# SPDX-License-Identifier: Apache-2.0
"""Contracts of the Stratoplane private cloud."""
