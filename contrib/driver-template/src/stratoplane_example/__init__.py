# SPDX-License-Identifier: Apache-2.0
"""Stratoplane driver for an example provider: a folder that keeps volumes as sparse files."""
