# SPDX-License-Identifier: Apache-2.0
"""Desired state against observed state."""
