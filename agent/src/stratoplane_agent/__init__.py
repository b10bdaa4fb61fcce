# SPDX-License-Identifier: Apache-2.0
"""The Stratoplane agent, one per cluster."""
