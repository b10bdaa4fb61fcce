# SPDX-License-Identifier: Apache-2.0
"""What tenants are told of errors: what drivers and providers say names hosts and paths, and is for operators only."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final, TypeVar

from stratoplane_engine.model.job import JobError, StepError

_ELSE: Final = "the provider could not do it; try again later, and give an operator the job's id if it stays so"
_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "transient": "the provider is unavailable for now; it is tried again by itself, if the job failed try later",
        "busy": "the provider is busy with it; it is tried again by itself, if the job has failed try again later",
        "unreachable": "the provider was not reached; it is tried again by itself, if the job has failed try later",
        "provider_rate_limited": "the provider takes fewer requests now; it is tried again by itself",
        "uncertain": "the provider gave no clear answer; what has happened is looked up before anything is repeated",
        "not_found_at_provider": "something that it needs, such as its image, is missing at the provider;"
        " choose another, or give an operator the job's id",
        "conflict_at_provider": "something at the provider is in the way; look at what uses it, or give an operator"
        " the job's id",
        "unsupported_by_provider": "the provider does not support this; choose another cluster or do without it",
        "no_capacity_at_provider": "the provider has not enough room; choose a smaller size or another cluster",
        "misconfigured": "the provider is not set up for it; give an operator the job's id",
    }
)
ErrorT = TypeVar("ErrorT", StepError, JobError)


def for_tenants(error: ErrorT) -> ErrorT:
    """Return the error as tenants may see it: with its code, and words that say what they can do."""
    if error.own:
        return replace(error, provider_text="")
    return replace(error, detail=_WORDS.get(error.code, _ELSE), provider_text="")
