# SPDX-License-Identifier: Apache-2.0
"""Quotas: limits of an organization or project, and what is used of them."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class QuotaLine:
    """One limit and what is used of it; a limit of -1 means unlimited."""

    key: str
    limit: int
    used: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Quotas:
    """Every line of an organization, and of one of its projects where one was asked for."""

    organization: tuple[QuotaLine, ...]
    project: tuple[QuotaLine, ...] = ()
