# SPDX-License-Identifier: Apache-2.0
"""Python SDK of Stratoplane and the stratoplane command."""
