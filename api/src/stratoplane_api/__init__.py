# SPDX-License-Identifier: Apache-2.0
"""The Stratoplane REST gateway."""
