# SPDX-License-Identifier: Apache-2.0
"""What a job that ended badly leaves to people: entries of the leak register, and what calls for an incident."""

from collections.abc import Mapping
from functools import partial
from typing import Any
from uuid import UUID

from stratoplane.ids import new_id
from stratoplane.incidents import Finding, IncidentKind, Severity
from stratoplane.jobs import TERMINAL
from stratoplane_engine.jobs.runner import QUARANTINED, Verdict


def leaks(verdict: Verdict) -> list[dict[str, Any]]:
    """Return a row of the register for each step that could not be taken back."""
    error, resource = _error(verdict), verdict.job.context.resource
    return [
        {
            "id": new_id(),
            "organization_id": resource.organization_id,
            "project_id": resource.project_id,
            "cluster_id": resource.cluster_id,
            "resource_id": resource.id,
            "kind": resource.kind,
            "name": resource.name,
            "job_id": verdict.job.id,
            "step": step,
            "detail": error.get("detail", ""),
        }
        for step in error.get("leaks", ())
    ]


def findings(verdict: Verdict) -> list[Finding]:
    """Return what somebody must see to."""
    error, resource = _error(verdict), verdict.job.context.resource
    words = f"{resource.kind.replace('_', ' ')} {resource.name}"
    see = partial(
        Finding,
        organization_id=resource.organization_id,
        cluster_id=resource.cluster_id,
        resource_id=resource.id,
        detail={"job_id": str(verdict.job.id), "job": verdict.job.kind, "error": dict(error)},
    )
    seen = []
    if error.get("code") == QUARANTINED:
        title = f"{verdict.job.kind} of {words} is quarantined: several workers died while they moved it"
        key = f"{IncidentKind.JOB_QUARANTINED}:{verdict.job.id}"
        seen.append(see(kind=IncidentKind.JOB_QUARANTINED, severity=Severity.CRITICAL, key=key, title=title))
    if error.get("leaks"):
        title = f"{words} may have left something at its provider: {verdict.job.kind} could not be taken back"
        seen.append(see(kind=IncidentKind.LEAK, severity=Severity.WARNING, key=leak_key(resource.id), title=title))
    return seen


def leak_key(resource_id: UUID) -> str:
    """Return the key of the incident about what a resource left behind."""
    return f"{IncidentKind.LEAK}:{resource_id}"


def circuit_key(cluster_id: UUID) -> str:
    """Return the key of the incident about a cluster whose provider keeps failing."""
    return f"{IncidentKind.REPEATED_FAILURES}:{cluster_id}"


def open_circuit(cluster_id: UUID, trips: int) -> Finding:
    """Return the finding of a circuit that has opened ``trips`` times in a row."""
    return Finding(
        kind=IncidentKind.REPEATED_FAILURES,
        severity=Severity.WARNING,
        key=circuit_key(cluster_id),
        title="the cluster's provider keeps failing; it is sent one operation at a time until one succeeds",
        detail={"trips": trips},
        cluster_id=cluster_id,
    )


def _error(verdict: Verdict) -> Mapping[str, Any]:
    return (verdict.error or {}) if verdict.state in TERMINAL else {}
