# SPDX-License-Identifier: Apache-2.0
"""Stratoplane plugin that sends notifications of incidents as signed webhooks."""
