# SPDX-License-Identifier: Apache-2.0
"""Jobs and more as the API shows them: JSON values, from rows of the database."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any, Final

from stratoplane.wire import to_json
from stratoplane_engine.model.job import Job, JobError, StepError


def instant(moment: datetime | str | None) -> str | None:
    """Return a time as RFC 3339 in UTC; text that the database already formatted passes through."""
    if moment is None or isinstance(moment, str):
        return moment
    return moment.isoformat().replace("+00:00", "Z")


def job_value(value: Job) -> dict[str, Any]:
    """Return the wire form of a job, for services that still answer with JSON values."""
    row = {each.name: getattr(value, each.name) for each in fields(value)}
    steps = [{each.name: getattr(step, each.name) for each in fields(step)} for step in value.steps]
    shown = [{**step, "error": _error(step["error"])} for step in steps]
    return job({**row, "error": _error(value.error), "silent": value.silent_cluster}, shown)


def _error(value: StepError | JobError | None) -> dict[str, Any] | None:
    return None if value is None else {name: each for name, each in to_json(value).items() if each is not None}


_JOB_TIMES: Final = ("created_at", "started_at", "finished_at", "deadline_at", "cancel_requested_at")


def job(row: Mapping[str, Any], steps: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the wire form of a job's row (with ``silent``, the cluster that does not answer) and its steps' rows."""
    done = sum(step["state"] == "DONE" for step in steps)
    at_work = next((step["name"] for step in steps if step["state"] not in ("DONE", "UNDONE")), None)
    return {
        "id": str(row["id"]),
        "kind": row["kind"],
        "state": row["state"],
        "organization_id": str(row["organization_id"]),
        "project_id": str(row["project_id"]),
        "resource_id": str(row["resource_id"]),
        "resource_kind": row["resource_kind"],
        "resource_name": row["resource_name"],
        "progress": {"done": done, "total": len(steps), "step": at_work},
        "attempts": row.get("attempts", 0),
        "priority": row.get("priority", 0),
        "cancelled_by": row.get("cancelled_by", ""),
        "error": row.get("error"),
        "output": row.get("output") or {},
        "created_by": row["actor"],
        "request_id": row["request_id"],
        "trace_id": trace_id(row["trace_parent"]),
        **{name: instant(row.get(name)) for name in _JOB_TIMES},
        "next_run_at": instant(row.get("next_run_at")) if row["state"] in ("RUNNING", "RETRYING") else None,
        "steps": [_step(step, row.get("silent")) for step in steps],
    }


def _step(row: Mapping[str, Any], silent: str | None) -> dict[str, Any]:
    return {
        "name": row["name"],
        "state": row["state"],
        "attempts": row.get("attempts", 0),
        "started_at": instant(row.get("started_at")),
        "finished_at": instant(row.get("finished_at")),
        "waits_for": _reason(row, silent) if row["state"] == "RUNNING" else "",
        "error": row.get("error"),
    }


def _reason(row: Mapping[str, Any], silent: str | None) -> str:
    own: str = (row.get("output") or {}).get("reason", "")
    return own or (f"the agent of cluster {silent} is silent" if silent else "")


_OPERATION_TIMES: Final = ("created_at", "acknowledged_at", "finished_at", "deadline_at")


def operation(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the wire form of a driver call's row."""
    result = row["result"] or {}
    return {
        "id": str(row["id"]),
        "step": row["step"] or "",
        "verb": row["verb"],
        "state": row["state"],
        "epoch": row["epoch"],
        "observe_first": row["observe_first"],
        "cluster": row["cluster"],
        "agent": row["agent"] or "",
        "outcome": result.get("outcome", ""),
        "code": result.get("code", ""),
        "detail": result.get("detail", ""),
        "provider_text": result.get("provider_text", ""),
        **{name: instant(row[name]) for name in _OPERATION_TIMES},
    }


def leak(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the wire form of an entry of the leak register."""
    ids = ("id", "organization_id", "project_id", "resource_id", "job_id")
    words = ("kind", "name", "cluster", "step", "detail", "resolved_by", "note")
    return {
        **{name: str(row[name]) for name in ids},
        **{name: row[name] or "" for name in words},
        "found_at": instant(row["found_at"]),
        "resolved_at": instant(row["resolved_at"]),
    }


def trace_id(trace_parent: str) -> str:
    """Return the trace id inside a W3C ``traceparent``, empty when there is none."""
    return trace_parent.split("-")[1] if trace_parent.count("-") >= 3 else ""  # noqa: PLR2004  # version-trace-span-flags
