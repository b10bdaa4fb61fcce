# SPDX-License-Identifier: Apache-2.0
"""Answers of views: what presentation has rendered becomes bytes and headers here."""

from collections.abc import Callable, Mapping
from typing import TypeVar
from urllib.parse import urlencode

from flask import Response, request

from stratoplane_api import cursors, etag, json_body
from stratoplane_api.idempotency import REPLAYED_HEADER
from stratoplane_api.presentation.changes import plan
from stratoplane_api.presentation.jobs import job, tenants_job
from stratoplane_engine.model.change import ChangePlan, ChangeResult, JobResult
from stratoplane_engine.model.listing import Listing

JSON = "application/json"
ItemT = TypeVar("ItemT")


def content(body: object, status: int = 200) -> Response:
    """Return ``body`` as JSON."""
    return Response(json_body.encode(body), status=status, mimetype=JSON)


def empty() -> Response:
    """Return the answer 204."""
    return Response(status=204)


def created(body: Mapping[str, object], location: str) -> Response:
    """Return the answer 201 with the new object, and its ``ETag`` if it has a version."""
    response = item(body, 201) if "version" in body else content(body, 201)
    response.headers["Location"] = location
    return response


def item(body: Mapping[str, object], status: int = 200) -> Response:
    """Return one object with its ``ETag``; 304 without content if the caller says that it has this version."""
    tag = etag.entity_tag(body)
    known = request.headers.get("If-None-Match")
    if request.method == "GET" and known is not None and etag.matches(known, tag):
        response = Response(status=304)
    else:
        response = content(body, status)
    response.headers["ETag"] = tag
    return response


def page(listing: Listing[Mapping[str, object]]) -> Response:
    """Return one page; ``Link`` leads to the next with the same filters."""
    following = None if listing.next is None else cursors.mark(listing.next)
    response = content({"items": listing.items, "next": following})
    if following is not None:
        query = {**request.args.to_dict(), "cursor": following}
        response.headers["Link"] = f'<{request.path}?{urlencode(query)}>; rel="next"'
    return response


def page_of(listing: Listing[ItemT], render: Callable[[ItemT], Mapping[str, object]]) -> Response:
    """Return one page of values, each in the wire form that ``render`` gives it; ``Link`` leads to the next."""
    return page(Listing(items=tuple(map(render, listing.items)), next=listing.next))


def accepted(kind: str, resource: Mapping[str, object], outcome: ChangeResult, job_path: str) -> Response:
    """Return the answer to a change: 202 with resource and job; 201 or 200 with no job when nothing is left to do.

    Args:
        kind: member that holds the resource, as ``virtual_machine``.
        resource: the resource in its wire form.
        outcome: what the service did.
        job_path: where jobs of this project are, for ``Location``.
    """
    finished = 201 if request.method == "POST" else 200
    shown = None if outcome.job is None else tenants_job(outcome.job)
    response = content({kind: resource, "job": shown}, finished if outcome.job is None else 202)
    response.headers["ETag"] = etag.entity_tag(resource)
    if outcome.job is not None:
        response.headers["Location"] = f"{job_path}/{outcome.job.id}"
    return _replayed(response, outcome)


def accepted_job(outcome: ChangeResult | JobResult, job_path: str, *, dry_run: bool) -> Response:
    """Return the answer to a change that is known to operators by its job alone: 202, and 200 to ``?dry_run=true``."""
    response = content(None if outcome.job is None else job(outcome.job), 200 if dry_run else 202)
    if outcome.job is not None and not dry_run:
        response.headers["Location"] = f"{job_path}/{outcome.job.id}"
    return _replayed(response, outcome)


def planned(kind: str, resource: Mapping[str, object], change: ChangePlan) -> Response:
    """Return the answer 200 to ``?dry_run=true``: the resource as it would be, and what it would take."""
    return content({kind: resource, "dry_run": True, **plan(kind, change)})


def _replayed(response: Response, outcome: ChangeResult | JobResult) -> Response:
    if outcome.replayed:
        response.headers[REPLAYED_HEADER] = "true"
    return response
