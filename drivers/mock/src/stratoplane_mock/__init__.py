# SPDX-License-Identifier: Apache-2.0
"""A simulated region for Stratoplane with capacity, latencies and faults on request; never for production."""
