# SPDX-License-Identifier: Apache-2.0
"""What the platform says about itself."""

from marshmallow import INCLUDE

from stratoplane_api.schemas import members as m
from stratoplane_api.schemas.strict import Answer


class Version(Answer):
    """Which platform this is."""

    version = m.text(required=True)
    api = m.text("Newest version of the API that is served.", required=True)


class HealthCheck(Answer):
    """One part of the platform."""

    name = m.text(required=True)
    status = m.choice(("ok", "failed"), required=True)
    detail = m.text(required=True)


class Health(Answer):
    """Whether requests can be served."""

    status = m.choice(("ok", "degraded"), required=True)
    checks = m.several(HealthCheck, required=True)


class Probe(Answer):
    """What a load balancer asks for."""

    status = m.choice(("ok",), required=True)


class Document(Answer):
    """An OpenAPI document."""

    class Meta:
        unknown = INCLUDE

    openapi = m.text(required=True)
