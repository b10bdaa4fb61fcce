# SPDX-License-Identifier: Apache-2.0
"""Quotas on the wire."""

from stratoplane_engine.model.quota import QuotaLine, Quotas


def quotas(value: Quotas) -> dict[str, object]:
    """Return the wire form of the limits of an organization, and of a project where one was asked for."""
    return {"organization": list(map(_line, value.organization)), "project": list(map(_line, value.project))}


def _line(value: QuotaLine) -> dict[str, object]:
    return {"key": value.key, "limit": value.limit, "used": value.used}
