# SPDX-License-Identifier: Apache-2.0
"""A kind of resources for Stratoplane: load balancers."""
