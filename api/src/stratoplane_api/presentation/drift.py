# SPDX-License-Identifier: Apache-2.0
"""Drift, its policies and orphans on the wire."""

from stratoplane_engine.model.drift import Drift, Orphan, PolicyLine


def drift(value: Drift) -> dict[str, object]:
    """Return the wire form of a difference."""
    return {
        "id": value.id,
        "organization_id": value.organization_id,
        "project_id": value.project_id,
        "resource_id": value.resource_id,
        "kind": value.kind,
        "name": value.name,
        "field": value.field,
        "desired": value.desired,
        "observed": value.observed,
        "policy": value.policy,
        "corrections": value.corrections,
        "cluster": value.cluster,
        "job_id": value.job_id,
        "found_at": value.found_at,
        "ended_at": value.ended_at,
    }


def policy(line: PolicyLine) -> dict[str, object]:
    """Return the wire form of the policy for one field."""
    return {
        "kind": line.kind,
        "field": line.field,
        "driver": line.driver,
        "policy": line.policy,
        "is_set": line.is_set,
        "allowed": line.allowed,
    }


def orphan(value: Orphan) -> dict[str, object]:
    """Return the wire form of an object that belongs to no resource."""
    return {
        "uid": value.uid,
        "kind": value.kind,
        "name": value.name,
        "status": value.status,
        "cluster_id": value.cluster_id,
        "cluster": value.cluster,
        "first_seen_at": value.first_seen_at,
    }
