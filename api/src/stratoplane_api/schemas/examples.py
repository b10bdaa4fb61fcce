# SPDX-License-Identifier: Apache-2.0
"""Examples for the document; a test holds each to its schema."""

from typing import Any, Final

from stratoplane_engine.kinds.catalogue import BUILTIN_KINDS, Kinds
from stratoplane_engine.workflows.catalogue import step_names

ORGANIZATION_ID: Final = "0199d2a4-7c10-7a3e-9b51-3f0f6a1b2c01"
PROJECT_ID: Final = "0199d2a4-7c12-7d11-8c62-5a1e0b7d3e02"
USER_ID: Final = "0199d2a4-7c14-7b20-a1d3-6c2f1c8e4f03"
NETWORK_ID: Final = "0199d2a5-0c20-7a00-8000-7d3e2d9f5a04"
VOLUME_ID: Final = "0199d2a5-0c24-7a00-8000-8e4f3ea06b05"
MACHINE_ID: Final = "0199d2a5-0c28-7a00-8000-9f504fb17c06"
IMAGE_ID: Final = "0199d2a4-7d00-7a00-8000-a06150c28d07"
KEY_PAIR_ID: Final = "0199d2a5-0c30-7a00-8000-b17261d39e08"
BUCKET_ID: Final = "0199d2a5-0c34-7a00-8000-c28372e4af09"
JOB_ID: Final = "0199d2a5-0c29-7a00-8000-d39483f5b00a"
PUBLIC_KEY: Final = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJqfMMYtQKbzYbqPTxMm1wwUJC2FnzcdIIRq0Gk0c7nL alice@laptop"

_EARLIER: Final = "2026-11-23T08:00:00.125000Z"
_LATER: Final = "2026-11-23T08:00:01.250000Z"


def _resource(identifier: str, name: str, status: str, **members: Any) -> dict[str, Any]:
    return {
        "id": identifier,
        "name": name,
        "labels": {"env": "prod"},
        "status": status,
        "detail": "",
        "project_id": PROJECT_ID,
        "organization_id": ORGANIZATION_ID,
        "differences": [],
        "cluster": "rack-1",
        "used_by": [],
        "provider_reference": "",
        "version": 3,
        "generation": 1,
        "observed_generation": 1,
        "created_at": _EARLIER,
        "updated_at": _LATER,
        **members,
    }


VIRTUAL_MACHINE: Final = _resource(
    MACHINE_ID,
    "web-1",
    "RUNNING",
    flavor="small",
    vcpus=1,
    memory_mib=1024,
    disk_gib=10,
    image_id=IMAGE_ID,
    image="debian-12",
    boot_volume_id=None,
    network_ids=[NETWORK_ID],
    volume_ids=[VOLUME_ID],
    key_pair_id=KEY_PAIR_ID,
    power="RUNNING",
    addresses=[{"network_id": NETWORK_ID, "mac": "02:5f:1c:9a:07:e2", "address": "10.20.0.7"}],
    host="host-3",
)
VIRTUAL_MACHINE_CREATE: Final = {
    "name": "web-1",
    "flavor": "small",
    "image": "debian-12",
    "network_ids": [NETWORK_ID],
    "volume_ids": [VOLUME_ID],
    "key_pair": "alice",
    "labels": {"env": "prod"},
}
NETWORK: Final = _resource(
    NETWORK_ID, "front", "ACTIVE", cidr="10.20.0.0/24", gateway="10.20.0.1", mode="NAT", used_by=[MACHINE_ID]
)
VOLUME: Final = _resource(VOLUME_ID, "data-1", "ACTIVE", size_gib=20, image_id=None, used_by=[MACHINE_ID])
BUCKET: Final = _resource(BUCKET_ID, "backups", "ACTIVE", endpoint="https://objects.example/backups")
KEY_PAIR: Final = _resource(
    KEY_PAIR_ID,
    "alice",
    "ACTIVE",
    cluster=None,
    provider_reference="",
    public_key=PUBLIC_KEY,
    fingerprint="SHA256:9xBv0Vb0o1lO3HyKxuhEZ3gkxFVUqFyEVVCBXPQ0mmg",
)


def job(kind: str, resource_id: str, resource_name: str, kinds: Kinds = BUILTIN_KINDS) -> dict[str, Any]:
    """Return a job under way: all of its workflow's steps are done but the last."""
    names = step_names(kind, kinds)
    return {
        "id": JOB_ID,
        "kind": kind,
        "state": "RUNNING",
        "organization_id": ORGANIZATION_ID,
        "project_id": PROJECT_ID,
        "resource_id": resource_id,
        "resource_kind": kind.split(".", maxsplit=1)[0],
        "resource_name": resource_name,
        "progress": {"done": len(names) - 1, "total": len(names), "step": names[-1]},
        "attempts": 1,
        "priority": 0,
        "cancelled_by": "",
        "error": None,
        "output": {},
        "created_by": "user:alice",
        "request_id": "4f0c6f0e9e4b4a1c9f3c1b8d2a7e6d55",
        "trace_id": "0af7651916cd43dd8448eb211c80319c",
        "created_at": _EARLIER,
        "started_at": _EARLIER,
        "finished_at": None,
        "deadline_at": "2026-11-23T09:00:00.125000Z",
        "next_run_at": None,
        "cancel_requested_at": None,
        "steps": [*(_step(name, "DONE", _LATER) for name in names[:-1]), _step(names[-1], "RUNNING", None)],
    }


def _step(name: str, state: str, finished_at: str | None) -> dict[str, Any]:
    return {
        "name": name,
        "state": state,
        "attempts": 1,
        "started_at": _EARLIER,
        "finished_at": finished_at,
        "waits_for": "",
        "error": None,
    }


JOB_OPERATION: Final = {
    "id": "0199d2a4-7d10-7a00-8000-d3f4f3448b0a",
    "step": "provision",
    "verb": "create",
    "state": "DONE",
    "epoch": 1,
    "observe_first": False,
    "cluster": "rack-1",
    "agent": "agent-1",
    "outcome": "transient",
    "code": "unreachable",
    "detail": "the hypervisor does not answer",
    "provider_text": "Failed to connect socket to '/var/run/libvirt/libvirt-sock': Connection refused",
    "provider_reference": "",
    "created_at": _EARLIER,
    "acknowledged_at": _EARLIER,
    "finished_at": _LATER,
    "deadline_at": "2026-11-23T08:11:00.125000Z",
}
LEAK: Final = {
    "id": "0199d2a4-7d20-7a00-8000-d3f4f3448b0b",
    "organization_id": ORGANIZATION_ID,
    "project_id": PROJECT_ID,
    "resource_id": MACHINE_ID,
    "kind": "virtual_machine",
    "name": "web-1",
    "cluster": "rack-1",
    "job_id": JOB_ID,
    "step": "provision",
    "detail": "no capacity",
    "found_at": _LATER,
    "resolved_at": None,
    "resolved_by": "",
    "note": "",
}

TOKEN_ID: Final = "0199d2a4-7e00-7a00-8000-e4a594060c0b"  # noqa: S105  # an id, no secret
BINDING_ID: Final = "0199d2a4-7e10-7a00-8000-f5b6a5171d0c"
ROLE_ID: Final = "0199d2a4-7a00-7a00-8000-06c7b6282e0d"
CLUSTER_ID: Final = "0199d2a4-7b00-7a00-8000-17d8c7393f0e"
FLAVOR_ID: Final = "0199d2a4-7b10-7a00-8000-28e9d84a400f"
EVENT_ID: Final = "0199d2a5-0c2a-7a00-8000-39fae95b5110"
SECRET: Final = "spt_api_3kTMd9pXcQvR2aWz0yBnE7sLhGfUj5oV1iDxKt8rYm6CwS2PqA"  # noqa: S105  # shows the form, opens nothing

_STAMPS: Final = {"version": 1, "created_at": _EARLIER, "updated_at": _EARLIER}
ORGANIZATION: Final = {
    "id": ORGANIZATION_ID,
    "name": "acme",
    "display_name": "Acme Ltd",
    "labels": {},
    **_STAMPS,
}
PROJECT: Final = {
    "id": PROJECT_ID,
    "organization_id": ORGANIZATION_ID,
    "name": "shop",
    "display_name": "",
    "labels": {"env": "prod"},
    **_STAMPS,
}
USER: Final = {
    "id": USER_ID,
    "username": "alice@example.org",
    "display_name": "Alice",
    "enabled": True,
    "organization_id": ORGANIZATION_ID,
    **_STAMPS,
}
USER_CREATE: Final = {"username": "alice@example.org", "display_name": "Alice", "password": "a long pass phrase"}
ROLE: Final = {
    "id": ROLE_ID,
    "name": "project-member",
    "description": "Make, change and delete resources of one project.",
    "scope": "PROJECT",
    "permissions": ["resource:read", "resource:write"],
}
ROLE_BINDING: Final = {
    "id": BINDING_ID,
    "user_id": USER_ID,
    "username": "alice@example.org",
    "role": "project-member",
    "scope": "PROJECT",
    "organization_id": ORGANIZATION_ID,
    "project_id": PROJECT_ID,
    "created_at": _EARLIER,
}
ROLE_BINDING_CREATE: Final = {"user_id": USER_ID, "role": "project-member", "project_id": PROJECT_ID}
TOKEN: Final = {
    "id": TOKEN_ID,
    "name": "ci",
    "kind": "api",
    "created_at": _EARLIER,
    "expires_at": "2026-12-23T08:00:00.125000Z",
}
SESSION: Final = {
    "token": SECRET.replace("_api_", "_ses_"),
    "token_id": TOKEN_ID,
    "expires_at": "2026-11-23T20:00:00.125000Z",
    "user": USER,
}
ME: Final = {
    "user": USER,
    "organization": ORGANIZATION,
    "grants": [
        {
            "scope": "PROJECT",
            "organization_id": ORGANIZATION_ID,
            "project_id": PROJECT_ID,
            "permissions": ["resource:read", "resource:write"],
        }
    ],
}
QUOTAS: Final = {
    "organization": [{"key": "vcpus", "limit": 200, "used": 12}],
    "project": [{"key": "vcpus", "limit": -1, "used": 4}],
}
AUDIT_EVENT: Final = {
    "id": EVENT_ID,
    "action": "tenant:resource:create-accepted",
    "outcome": "accepted",
    "actor": "user:alice@example.org",
    "organization_id": ORGANIZATION_ID,
    "project_id": PROJECT_ID,
    "subject_id": MACHINE_ID,
    "subject_name": "web-1",
    "request_id": "4f0c6f0e9e4b4a1c9f3c1b8d2a7e6d55",
    "trace_id": "0af7651916cd43dd8448eb211c80319c",
    "detail": {"kind": "virtual_machine", "cluster": "rack-1"},
    "occurred_at": _EARLIER,
}
_ROOT: Final = "50d858e0985ecc7f60418aaf0cc5ab587f42c2570a884095a9e8ccacd0f6545c"
AUDIT_CHECKPOINT: Final = {
    "size": 128,
    "root": _ROOT,
    "sealed_at": _EARLIER,
    "note": "stratoplane/0199d2a4-7a00-7a00-8000-a0c1c0115d07/audit\n128\n"
    "UNhY4JhezH9gQYqvDMWrWH9CwlcKiECVqejMrND2VFw=\nsealed 2026-11-23T08:00:00+00:00\n\n"
    "\N{EM DASH} stratoplane/0199d2a4-7a00-7a00-8000-a0c1c0115d07/audit uLedVb3RY4d3+RBsFu7ng+wn9p87Mnm0rZLiCNkbtH7j"
    "OrAl1iFuQPrQQ2N3oG4EK244pnzGjkpMlyGjfeDzQaoZtQA=\n",
}
FLAVOR: Final = {"id": FLAVOR_ID, "name": "small", "vcpus": 1, "memory_mib": 1024, "disk_gib": 10, **_STAMPS}
_DEBIAN: Final = {"name": "debian-12", "description": "Debian 12", "format": "qcow2", "minimum_disk_gib": 2}
IMAGE: Final = {"id": IMAGE_ID, **_DEBIAN, "clusters": ["rack-1"], **_STAMPS}
OPERATOR_IMAGE: Final = {**IMAGE, "source": "debian-12.qcow2", "sha256": ""}
CLUSTER: Final = {
    "id": CLUSTER_ID,
    "name": "rack-1",
    "description": "First rack",
    "state": "ENABLED",
    "online": True,
    "features": ["compute", "network", "storage", "resize"],
    "labels": {"zone": "a"},
    "vcpus_total": 128,
    "vcpus_claimed": 12,
    "memory_mib_total": 524_288,
    "memory_mib_claimed": 49_152,
    "storage_gib_total": 20_000,
    "storage_gib_claimed": 640,
    "seen_at": _LATER,
    **_STAMPS,
}
CLUSTER_NAME: Final = {"name": "rack-1", "features": ["compute", "network", "storage", "resize"], "online": True}
JOIN_TOKEN: Final = {
    "id": TOKEN_ID,
    "cluster_id": CLUSTER_ID,
    "token": f"{SECRET.replace('_api_', '_join_')}_{64 * '5'}",
    "expires_at": "2026-11-23T09:00:00.125000Z",
}
AGENT: Final = {
    "id": "0193534c-7a55-7d0e-8f4b-3f1d1c2b7a10",
    "cluster_id": CLUSTER_ID,
    "cluster": "rack-1",
    "name": "rack-1-agent",
    "version": "0.1.0",
    "protocol": 3,
    "generation": 2,
    "state": "ACTIVE",
    "created_at": _EARLIER,
    "seen_at": _EARLIER,
    "revoked_at": None,
    "locked_at": None,
}
PROVIDER: Final = {
    "cluster_id": CLUSTER_ID,
    "cluster": "rack-1",
    "interface": "compute",
    "driver": "libvirt",
    "version": "0.1.0",
    "contract": "1.0",
    "status": "READY",
    "reason": "",
    "features": ["resize", "console"],
    "production_ready": True,
    "reported_at": _EARLIER,
    "images": ["debian-12.qcow2"],
    "listings": [{"name": "virtual_machine", "answered_at": _EARLIER, "error": ""}],
}
PLUGIN: Final = {
    "name": "naming",
    "distribution": "stratoplane-naming",
    "version": "0.1.0",
    "state": "LOADED",
    "reason": "",
}
DELIVERY: Final = {
    "id": "0199d2a4-7d40-7a00-8000-d3f4f3448b0d",
    "plugin": "webhook",
    "event": "opened",
    "state": "DELIVERED",
    "attempts": 1,
    "error": "",
    "created_at": _LATER,
    "next_attempt_at": None,
    "finished_at": _LATER,
}
INCIDENT: Final = {
    "id": "0199d2a4-7d30-7a00-8000-d3f4f3448b0c",
    "kind": "agent-lost",
    "severity": "CRITICAL",
    "status": "OPEN",
    "title": "nothing was heard from the agent of cluster rack-1; what runs there runs on",
    "detail": {"seen_at": _EARLIER},
    "occurrences": 3,
    "assignee": "",
    "escalation": 0,
    "escalates_at": _LATER,
    "organization_id": None,
    "cluster_id": "0199d2a4-7c50-7a00-8000-c2e3e2337f09",
    "cluster": "rack-1",
    "resource_id": None,
    "opened_at": _EARLIER,
    "seen_at": _LATER,
    "acknowledged_at": None,
    "resolved_at": None,
}
INCIDENT_STORY: Final = INCIDENT | {
    "events": [{"action": "opened", "actor": "platform", "note": "", "detail": {}, "occurred_at": _EARLIER}],
    "deliveries": [DELIVERY],
}
DRIFT: Final = {
    "id": "0199d2a4-7d50-7a00-8000-d3f4f3448b0e",
    "organization_id": ORGANIZATION_ID,
    "project_id": PROJECT_ID,
    "resource_id": MACHINE_ID,
    "kind": "virtual_machine",
    "name": "web-1",
    "cluster": "rack-1",
    "field": "power",
    "desired": "RUNNING",
    "observed": "STOPPED",
    "policy": "correct",
    "corrections": 1,
    "job_id": JOB_ID,
    "found_at": _EARLIER,
    "ended_at": _LATER,
}
