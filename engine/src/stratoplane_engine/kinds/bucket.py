# SPDX-License-Identifier: Apache-2.0
"""Buckets: places for objects, on clusters whose storage driver keeps them."""

from typing import Final

from stratoplane.drivers import Feature, Interface
from stratoplane.quota import Amount, QuotaKey
from stratoplane_engine.kinds.draft import Draft, Gathered, Json, Kind, References, ResourceSnapshot


def _references(body: Json, _present: Json | None) -> References:
    return References(cluster=body.get("cluster", ""))


def _draft(_body: Json, _gathered: Gathered) -> Draft:
    return Draft(spec={}, features=frozenset({Feature.BUCKETS.value}))


def _redraft(present: Json, _patch: Json, _gathered: Gathered) -> Draft:
    return Draft(spec=present)


def _quota_usage(_spec: Json) -> Amount:
    return {QuotaKey.BUCKETS: 1}


def _driver_spec(resource: ResourceSnapshot) -> Json:
    return {"uid": str(resource.id), "project_id": str(resource.project_id), "name": resource.name}


def _describe(_spec: Json, observed: Json) -> Json:
    return {"endpoint": observed.get("endpoint", "")}


BUCKET: Final = Kind(
    name="bucket",
    interface=Interface.STORAGE,
    count=QuotaKey.BUCKETS,
    references=_references,
    draft=_draft,
    redraft=_redraft,
    quota_usage=_quota_usage,
    driver_spec=_driver_spec,
    describe=_describe,
)
