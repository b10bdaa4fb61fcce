# SPDX-License-Identifier: Apache-2.0
"""The platform on simulated time: a store in memory, the product's own runner and agent, and faults from a seed."""
