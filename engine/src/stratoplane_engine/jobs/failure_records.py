# SPDX-License-Identifier: Apache-2.0
"""What a job that ended badly leaves to people: entries of the leak register, and findings for incidents."""

from collections.abc import Iterator
from functools import partial
from uuid import UUID

from stratoplane.ids import new_id
from stratoplane.incidents import Finding, IncidentKind, Severity
from stratoplane.jobs import TERMINAL, JobState
from stratoplane.kinds import display_name
from stratoplane_engine.jobs.runner import QUARANTINED, JobUpdate
from stratoplane_engine.model.job import JobError, Leak


def leaks(update: JobUpdate) -> list[Leak]:
    """Return an entry of the register for each step that could not be undone."""
    error, resource = _error(update), update.job.context.resource
    if error is None:
        return []
    return [
        Leak(
            id=new_id(),
            organization_id=resource.organization_id,
            project_id=resource.project_id,
            cluster_id=resource.cluster_id,
            resource_id=resource.id,
            kind=resource.kind,
            name=resource.name,
            job_id=update.job.id,
            step=step,
            detail=error.detail,
        )
        for step in error.leaks or ()
    ]


def findings(update: JobUpdate) -> Iterator[Finding]:
    """Yield what somebody must see to."""
    error, job, resource = _error(update), update.job, update.job.context.resource
    if error is None:
        return
    noun = f"{display_name(resource.kind)} {resource.name}"
    finding = partial(
        Finding,
        organization_id=resource.organization_id,
        cluster_id=resource.cluster_id,
        resource_id=resource.id,
        detail={"job_id": str(job.id), "job": job.kind, "error": error.members()},
    )
    if error.code == QUARANTINED:
        title = f"{job.kind} of {noun} is quarantined: several workers died while they moved it"
        key = f"{IncidentKind.JOB_QUARANTINED}:{job.id}"
        yield finding(kind=IncidentKind.JOB_QUARANTINED, severity=Severity.CRITICAL, key=key, title=title)
    if error.leaks:
        title = f"{noun} may have left something at its provider: {job.kind} could not be undone"
        yield finding(kind=IncidentKind.LEAK, severity=Severity.WARNING, key=leak_key(resource.id), title=title)


def leak_key(resource_id: UUID) -> str:
    """Return the key of the incident about what a resource left behind."""
    return f"{IncidentKind.LEAK}:{resource_id}"


def orphan_key(cluster_id: UUID, uid: UUID) -> str:
    """Return the key of the incident about an object of a cluster that belongs to no resource."""
    return f"{IncidentKind.ORPHAN}:{cluster_id}:{uid}"


def cleared(update: JobUpdate) -> Iterator[str]:
    """Yield the keys of incidents that end with the job: it has deleted or adopted an orphan."""
    resource, verb = update.job.context.resource, update.job.kind.partition(".")[2]
    if update.state is JobState.SUCCEEDED and verb in ("clear", "recover") and resource.cluster_id is not None:
        yield orphan_key(resource.cluster_id, resource.id)


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


def _error(update: JobUpdate) -> JobError | None:
    return update.error if update.state in TERMINAL else None
