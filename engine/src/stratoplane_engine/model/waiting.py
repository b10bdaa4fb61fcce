# SPDX-License-Identifier: Apache-2.0
"""What a job waits for: every reason that there is, how it is known, and the words for people."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from stratoplane.jobs import LIVE, JobState, StepState
from stratoplane_engine.model.job import Job, JobStep, OperationState

_ENDED: Final = frozenset({StepState.DONE, StepState.UNDONE})


class WaitReason(StrEnum):
    """Why a job does not go on; each value is the sentence that people read after "waiting for"."""

    CLUSTER_DISABLED = "cluster {cluster}, which is disabled; an operator must enable it"
    JOB_AHEAD = "the {kind} {id} before it"
    WORKER_ENDED = "another worker, since the one that moved it ended; it is moved alone"
    RETRY = "its next attempt at {until}"
    CLUSTER_SILENT = "the agent of cluster {cluster}, which is silent"
    CIRCUIT_OPEN = "cluster {cluster}, whose provider keeps failing; nothing is sent to it until {until}"
    CIRCUIT_TRIAL = "cluster {cluster}, whose provider kept failing; one call at a time tries whether it answers"
    AGENT_TURN = "its turn at the agent of cluster {cluster}"
    CALL_ENDS = "the end of the call that the agent of cluster {cluster} executes; it stops after that"
    STEP = "{note}"
    TURN = "its turn among the jobs of all organizations"


@dataclass(frozen=True, kw_only=True, slots=True)
class Waiting:
    """Why a job does not go on.

    Attributes:
        cluster: the name of the one that is waited for.
        kind, id: of the job that is waited for.
        until: when it goes on at the latest.
        note: the step's own words.
    """

    reason: WaitReason
    cluster: str = ""
    kind: str = ""
    id: UUID | None = None
    until: datetime | None = None
    note: str = ""

    def __str__(self) -> str:
        """Return it in words for people."""
        until = "" if self.until is None else f"{self.until.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
        return self.reason.format(cluster=self.cluster, kind=self.kind, id=self.id, until=until, note=self.note)


def current_step(job: Job) -> JobStep | None:
    """Return the step that a job is at: the one that runs, else the first that has not ended."""
    running = (each for each in job.steps if each.state is StepState.RUNNING)
    first = (each for each in job.steps if each.state not in _ENDED)
    return next(running, None) or next(first, None)


def waiting_of(job: Job) -> Waiting | None:
    """Return what a live job waits for; None when it has ended, or is being worked on."""
    if job.state not in LIVE:
        return None
    if job.disabled_cluster:
        return Waiting(reason=WaitReason.CLUSTER_DISABLED, cluster=job.disabled_cluster)
    if job.ahead:
        return Waiting(reason=WaitReason.JOB_AHEAD, kind=job.ahead.kind, id=job.ahead.id)
    if job.worker_ended:
        return Waiting(reason=WaitReason.WORKER_ENDED)
    if job.state is JobState.RETRYING:
        return Waiting(reason=WaitReason.RETRY, until=job.next_run_at)
    return _at_cluster(job) or _by_itself(job)


def _at_cluster(job: Job) -> Waiting | None:
    """Return why the job's driver call has no result yet, None while its agent executes it."""
    call = job.call
    if call is None:
        return None
    if job.silent_cluster:
        return Waiting(reason=WaitReason.CLUSTER_SILENT, cluster=job.silent_cluster)
    if call.state is OperationState.RUNNING:
        return Waiting(reason=WaitReason.CALL_ENDS, cluster=call.cluster) if job.cancelled_by else None
    if call.open_until is not None:
        return Waiting(reason=WaitReason.CIRCUIT_OPEN, cluster=call.cluster, until=call.open_until)
    reason = WaitReason.CIRCUIT_TRIAL if call.on_trial else WaitReason.AGENT_TURN
    return Waiting(reason=reason, cluster=call.cluster)


def _by_itself(job: Job) -> Waiting | None:
    step = current_step(job)
    note = str(step.output.get("reason", "")) if step is not None and step.state is StepState.RUNNING else ""
    if note:
        return Waiting(reason=WaitReason.STEP, note=note)
    if job.silent_cluster:
        return Waiting(reason=WaitReason.CLUSTER_SILENT, cluster=job.silent_cluster)
    return Waiting(reason=WaitReason.TURN) if job.state is JobState.PENDING else None


def waiting_in_words(first: Job, last: Job) -> str:
    """Return why a resource is still in its status, for people; empty while its job is worked on.

    Args:
        first: the first of the resource's live jobs, which the others wait for.
        last: the last, which the status tells of.
    """
    found = waiting_of(last)
    if found is None:
        return ""
    behind = waiting_of(first) if found.reason is WaitReason.JOB_AHEAD else None
    return f"waiting for {found}" + (f", which is waiting for {behind}" if behind else "")
