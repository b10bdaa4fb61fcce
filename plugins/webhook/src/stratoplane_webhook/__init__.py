# SPDX-License-Identifier: Apache-2.0
"""Stratoplane plugin that tells of incidents by signed webhooks."""
