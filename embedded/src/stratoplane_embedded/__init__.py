# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL and Valkey from wheels, run in a state folder of your own, for first steps and for tests."""
