# SPDX-License-Identifier: Apache-2.0
"""The operations: each view parses, calls one service and shapes the answer."""
