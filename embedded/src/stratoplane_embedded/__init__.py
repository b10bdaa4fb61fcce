# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL and Valkey from wheels, run in a folder of your own, for evaluation and for tests."""
