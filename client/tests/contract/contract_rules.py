# SPDX-License-Identifier: Apache-2.0
"""The contract as data: which members requests take, which parameters lists take, and what refusals look like."""

from dataclasses import dataclass, field
from typing import Any

PAGE = {"limit", "cursor"}
RESOURCES = {"status", "labels", "name~", "sort", *PAGE}
JOBS = {"status", "resource_id", *PAGE}
AUDIT = {"subject_id", *PAGE}
LARGEST_PAGE = 200
HAPPENED = {"acknowledge": "acknowledged", "resolve": "resolved", "reopen": "reopened", "note": "noted"}


@dataclass(frozen=True, kw_only=True)
class KindRule:
    """One kind of resource: its member in answers, what requests take, how it is when it is ready."""

    member: str
    required: set[str]
    optional: set[str]
    update: set[str]
    ready: str = "ACTIVE"
    quota: str = ""
    deferred: bool = True


KINDS = {
    "virtual-machines": KindRule(
        member="virtual_machine",
        required={"name", "flavor"},
        optional={
            *("image", "boot_volume_id", "network_ids", "volume_ids", "key_pair", "user_data", "labels", "cluster"),
            "power",
        },
        update={"name", "labels", "power", "flavor", "volume_ids"},
        ready="RUNNING",
        quota="virtual_machines",
    ),
    "networks": KindRule(
        member="network",
        required={"name", "cidr"},
        optional={"mode", "labels", "cluster"},
        update={"name", "labels"},
        quota="networks",
    ),
    "volumes": KindRule(
        member="volume",
        required={"name", "size_gib"},
        optional={"image", "labels", "cluster"},
        update={"name", "labels", "size_gib"},
        quota="volumes",
    ),
    "buckets": KindRule(
        member="bucket",
        required={"name"},
        optional={"labels", "cluster"},
        update={"name", "labels"},
        quota="buckets",
    ),
    "key-pairs": KindRule(
        member="key_pair",
        required={"name", "public_key"},
        optional={"labels"},
        update={"name", "labels"},
        quota="key_pairs",
        deferred=False,
    ),
}


@dataclass(frozen=True, kw_only=True)
class NounRule:
    """A noun without jobs: its path, what requests take, what a new one has by default."""

    required: set[str]
    optional: set[str] = field(default_factory=set)
    update: set[str] = field(default_factory=set)
    defaults: dict[str, Any] = field(default_factory=dict)


NAMED = {"display_name", "labels"}
NOUNS = {
    "/api/tenant/v1/projects": NounRule(
        required={"name"}, optional=NAMED, update={"name", *NAMED}, defaults={"display_name": "", "labels": {}}
    ),
    "/api/tenant/v1/users": NounRule(required={"username", "password"}, optional={"display_name"}),
    "/api/tenant/v1/role-bindings": NounRule(required={"user_id", "role"}, optional={"project_id"}),
    "/api/common/v1/tokens": NounRule(required={"name"}, optional={"expires_in"}),
    "/api/ops/v1/organizations": NounRule(
        required={"name"}, optional=NAMED, update={"name", *NAMED}, defaults={"display_name": "", "labels": {}}
    ),
    "/api/ops/v1/users": NounRule(required={"organization_id", "username", "password"}, optional={"display_name"}),
    "/api/ops/v1/role-bindings": NounRule(required={"user_id", "role"}, optional={"project_id"}),
    "/api/ops/v1/clusters": NounRule(
        required={"name"},
        optional={"description", "labels"},
        update={"description", "labels", "state"},
        defaults={"description": "", "labels": {}, "state": "ENABLED", "online": False, "features": []},
    ),
    "/api/ops/v1/flavors": NounRule(
        required={"name", "vcpus", "memory_mib", "disk_gib"}, update={"name", "vcpus", "memory_mib", "disk_gib"}
    ),
    "/api/ops/v1/images": NounRule(
        required={"name", "source"},
        optional={"format", "sha256", "description", "minimum_disk_gib"},
        update={"name", "description", "minimum_disk_gib"},
        defaults={"format": "qcow2", "sha256": "", "description": "", "minimum_disk_gib": 1},
    ),
}
# What everybody sees of what operators keep.
SHOWN = {
    "/api/common/v1/flavors": "/api/ops/v1/flavors",
    "/api/common/v1/images": "/api/ops/v1/images",
    "/api/common/v1/clusters": "/api/ops/v1/clusters",
}


class Refusal(Exception):  # noqa: N818  # it is an answer
    """A request that is answered by a problem document."""

    def __init__(self, status: int, code: str, detail: str, *, errors: Any = None, **more: Any) -> None:
        super().__init__(detail)
        self.status = status
        headers = more.pop("headers", {})
        self.headers: dict[str, str] = headers
        self.document = {"status": status, "code": code, "detail": detail, "title": code, **more}
        if errors is not None:
            self.document["errors"] = errors


def checked_body(body: Any, required: set[str], optional: set[str]) -> dict[str, Any]:
    """Return a request's body; refuse unknown and missing members as the API does."""
    if not isinstance(body, dict):
        raise Refusal(400, "malformed_json", "this operation needs a JSON object as its body")
    errors = [
        {"pointer": f"/{name}", "detail": "is not known here"} for name in sorted(body.keys() - required - optional)
    ]
    errors += [{"pointer": f"/{name}", "detail": "is required"} for name in sorted(required - body.keys())]
    if errors:
        raise Refusal(422, "invalid_spec", "the content cannot be accepted", errors=errors)
    return body


def checked_query(query: dict[str, str], known: set[str]) -> dict[str, str]:
    """Return a query; refuse what the operation does not know, and pages that are too large."""
    unknown = sorted(query.keys() - known)
    if unknown:
        errors = [{"pointer": f"/{name}", "detail": "is not known here"} for name in unknown]
        raise Refusal(422, "invalid_query", "the query cannot be accepted", errors=errors)
    if not 1 <= int(query.get("limit", "50")) <= LARGEST_PAGE:
        raise Refusal(422, "invalid_query", "limit must be 1 to 200")
    return query
