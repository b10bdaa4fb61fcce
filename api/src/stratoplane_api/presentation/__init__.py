# SPDX-License-Identifier: Apache-2.0
"""The wire form of the engine's values: what the API shows of each; JSON makes text of ids, times and enumerations."""
