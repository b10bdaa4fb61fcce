# SPDX-License-Identifier: Apache-2.0
"""What the contract server has from the start."""

from client.tests.contract_server.document import Json, document, new_id, now


def organization() -> Json:
    """Return the tenant's organization."""
    return document().blank("Organization", id=new_id(), name="acme", display_name="Acme", version=1)


def stored(tenant: Json) -> dict[str, list[Json]]:
    """Return the objects of each collection that is kept without jobs."""
    blank = document().blank
    return {
        "organizations": [tenant],
        "projects": [],
        "users": [],
        "role-bindings": [],
        "tokens": [],
        "clusters": [],
        "flavors": [],
        "images": [],
        "roles": [
            blank(
                "Role",
                id=new_id(),
                name="organization-admin",
                description="Everything here.",
                scope="ORGANIZATION",
                permissions=["resource:read", "resource:write"],
            ),
            blank(
                "Role",
                id=new_id(),
                name="project-member",
                description="One project.",
                scope="PROJECT",
                permissions=["resource:read"],
            ),
        ],
        "plugins": [
            blank("Plugin", name="naming", distribution="stratoplane-naming", version="0.1.0", state="LOADED"),
        ],
        **_of_clusters(),
        **_findings(),
    }


def _of_clusters() -> dict[str, list[Json]]:
    blank = document().blank
    return {
        "agents": [
            blank("Agent", id=new_id(), cluster="rack-1", name="rack-1-agent", version="0.1.0", generation=2),
        ],
        "providers": [
            blank(
                "Provider",
                cluster="rack-1",
                interface="compute",
                driver="mock",
                status="BROKEN",
                reason="no such folder",
            ),
        ],
        "operations": [
            blank(
                "JobOperation",
                id=new_id(),
                step="provision",
                verb="create",
                state="DONE",
                outcome="transient",
                cluster="rack-1",
                agent="agent-1",
                provider_text="connection refused",
            ),
        ],
        "foreign-objects": [
            blank(
                "ForeignObject",
                cluster="rack-1",
                kind="volume",
                reference="vol-0c1d2e3f",
                name="old-backup",
                status={"size_gib": 40},
            ),
        ],
        "audit-checkpoints": [blank("AuditCheckpoint", size=12, root="ab" * 32, note="stratoplane/audit\n12\n")],
    }


def _findings() -> dict[str, list[Json]]:
    blank = document().blank
    delivery = blank("Delivery", id=new_id(), plugin="webhook", event="opened", state="FAILED", attempts=12)
    return {
        "leaks": [
            blank("Leak", id=new_id(), kind="volume", name="data", cluster="rack-1", step="provision", detail="no"),
        ],
        "incidents": [
            blank(
                "IncidentStory",
                id=new_id(),
                kind="agent-lost",
                severity="CRITICAL",
                title="rack-1 is silent",
                cluster="rack-1",
                detail={"seen_at": now()},
                escalates_at=now(),
                events=[blank("IncidentEvent", action="opened", actor="platform")],
                deliveries=[delivery],
            ),
        ],
        "drift": [
            blank(
                "Drift",
                id=new_id(),
                kind="virtual_machine",
                name="web-1",
                cluster="rack-1",
                field="power",
                desired="RUNNING",
                observed="STOPPED",
                policy="correct",
            ),
        ],
        "drift-policies": [
            blank(
                "Policy",
                kind="virtual_machine",
                field="power",
                driver="*",
                policy="correct",
                allowed=["correct", "adopt", "alert"],
            ),
        ],
        "orphans": [blank("Orphan", uid=new_id(), kind="volume", name="data", cluster="rack-1")],
    }
