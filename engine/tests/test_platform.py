# SPDX-License-Identifier: Apache-2.0
"""What operators keep: clusters, flavors, images; and what a first start makes."""

import threading
import time
import uuid
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from stratoplane.errors import (
    AuthenticationFailedError,
    InUseError,
    InvalidSpecError,
    NameTakenError,
    PermissionDeniedError,
    ResourceNotFoundError,
    StateConflictError,
    VersionMismatchError,
)
from stratoplane.join_tokens import read_join_token
from stratoplane.messages import EnrolRequest, Hello, ProviderReport
from stratoplane.signatures import Message, read_request, sign_request
from stratoplane_engine import signing_keys as keys
from stratoplane_engine.access.permissions import BUILTIN_ROLES, Permission
from stratoplane_engine.db.catalogue import Offer
from stratoplane_engine.model.identity import Scope
from stratoplane_engine.model.listing import Page
from stratoplane_engine.services import (
    agent_authentication,
    agents,
    audit,
    bootstrap,
    catalogue,
    clusters,
    enrolment,
    identity,
    role_bindings,
)

FLAVOR = {"vcpus": 2, "memory_mib": 2048, "disk_gib": 20}
IMAGE = {"source": "debian.qcow2", "sha256": "a" * 64}


def new_name(prefix="it"):
    return f"{prefix}-{uuid.uuid4().hex[:12]}"


def identify(document):
    return uuid.UUID(document["id"])


def sign(key, key_id, path="/hello"):
    message = Message(method="POST", path=path)
    made = sign_request(message, b"", key_id=key_id, created=int(time.time()), sign=lambda base: keys.sign(key, base))
    return read_request(message, made)


def enrol(database, token, key=None):
    key = key or keys.new_private_key()
    request = EnrolRequest(
        join_token=read_join_token(token).secret, name="agent-1", version="0.1.0", public_key=keys.public_key_of(key)
    )
    return enrolment.enrol(database, request, sign(key, enrolment.ENROLMENT_KEY_ID))


def authenticate(database, made, key):
    return agent_authentication.authenticate(database, sign(key, f"{made.agent_id}:1"))


def events_of(database, subject_id):
    with database.system() as connection:
        statement = "SELECT action FROM audit_event WHERE subject_id = :id ORDER BY id"
        return [row.action for row in connection.execute(text(statement), {"id": subject_id})]


@pytest.fixture
def cluster(database, operator):
    """A cluster without an agent."""
    return clusters.create_cluster(database, operator, {"name": new_name("rack")})


@pytest.mark.parametrize(("offer", "body"), [(Offer.FLAVOR, FLAVOR), (Offer.IMAGE, IMAGE)])
def test_an_offer_is_made_changed_and_withdrawn(database, operator, offer, body):
    made = catalogue.create_offer(database, operator, offer, {"name": new_name(), **body})
    changed = catalogue.update_offer(database, operator, offer, identify(made), {"name": new_name()})

    assert catalogue.get_offer(database, operator, offer, identify(made)) == changed
    assert (changed["version"], changed["created_at"]) == (2, made["created_at"])
    assert {**changed, **{name: made[name] for name in ("name", "version", "updated_at")}} == made
    with pytest.raises(NameTakenError):
        catalogue.create_offer(database, operator, offer, {"name": changed["name"], **body})
    with pytest.raises(VersionMismatchError):
        catalogue.delete_offer(database, replace(operator, if_version=1), offer, identify(made))

    catalogue.delete_offer(database, operator, offer, identify(made))

    with pytest.raises(ResourceNotFoundError):
        catalogue.get_offer(database, operator, offer, identify(made))
    assert [each.split(":")[-1] for each in events_of(database, identify(made))] == ["created", "updated", "deleted"]


def test_tenants_see_offers_without_where_they_come_from(database, operator, tenant, context_of):
    made = catalogue.create_offer(database, operator, Offer.IMAGE, {"name": new_name(), **IMAGE})
    member = context_of(tenant.organization_id, "project-member", project_id=tenant.project_id)
    shown = catalogue.list_offers(database, member, Offer.IMAGE, Page(limit=200)).items
    whole = catalogue.list_offers_whole(database, operator, Offer.IMAGE, Page(limit=200)).items

    assert made in whole
    (seen,) = (each for each in shown if each["id"] == made["id"])
    assert set(made) - set(seen) == {"source", "sha256"}


def test_tenants_change_nothing_of_the_platform(database, tenant, cluster):
    context, nowhere = tenant.context, identify(cluster)
    for call in (
        lambda: catalogue.create_offer(database, context, Offer.FLAVOR, {"name": new_name(), **FLAVOR}),
        lambda: catalogue.update_offer(database, context, Offer.FLAVOR, nowhere, {}),
        lambda: catalogue.delete_offer(database, context, Offer.FLAVOR, nowhere),
        lambda: catalogue.list_offers_whole(database, context, Offer.IMAGE, Page()),
        lambda: clusters.create_cluster(database, context, {"name": new_name()}),
        lambda: clusters.list_clusters(database, context, Page()),
        lambda: clusters.get_cluster(database, context, nowhere),
        lambda: clusters.update_cluster(database, context, nowhere, {"state": "DISABLED"}),
        lambda: clusters.delete_cluster(database, context, nowhere),
        lambda: clusters.create_join_token(database, context, nowhere),
        lambda: clusters.list_providers(database, context, Page()),
    ):
        with pytest.raises(PermissionDeniedError):
            call()


def test_an_agent_joins_once_with_its_token(database, operator, cluster):
    made = clusters.create_join_token(database, operator, identify(cluster))
    joined = enrol(database, made["token"])

    assert made["token"].startswith("spt_join_")
    assert joined.cluster_id == identify(cluster)
    with pytest.raises(AuthenticationFailedError):
        enrol(database, made["token"])
    with pytest.raises(AuthenticationFailedError):
        identity.authenticate(database, made["token"])


def test_a_join_token_ends(database, operator, cluster):
    made = clusters.create_join_token(database, operator, identify(cluster), timedelta(seconds=60))
    with database.system() as connection:
        statement = "UPDATE join_token SET expires_at = now() - interval '1 second' WHERE id = :id"
        connection.execute(text(statement), {"id": made["id"]})

    with pytest.raises(AuthenticationFailedError):
        enrol(database, made["token"])


def test_the_database_keeps_no_join_token(database, operator, cluster):
    made = clusters.create_join_token(database, operator, identify(cluster))
    with database.system() as connection:
        kept = connection.execute(text("SELECT t.* FROM join_token t")).all()
        events = connection.execute(text("SELECT e.* FROM audit_event e")).all()

    assert read_join_token(made["token"]).secret not in repr(kept) + repr(events)


def test_tenants_see_of_a_cluster_its_name_and_abilities(database, operator, tenant, cluster):
    made = clusters.create_join_token(database, operator, identify(cluster))
    key = keys.new_private_key()
    agent = authenticate(database, enrol(database, made["token"], key), key)
    report = ProviderReport(interface="compute", driver="mock", version="1", contract="1", features=("resize",))
    agents.hello(database, agent, Hello(version="0.1.0", providers=(report,)), inventory_seconds=30)
    names = clusters.list_cluster_names(database, tenant.context, Page(limit=200)).items
    reported = clusters.list_providers(database, operator, Page(limit=200)).items

    assert {"name": cluster["name"], "features": ["compute", "resize"], "online": True} in names
    (found,) = (each for each in reported if each["cluster_id"] == cluster["id"])
    assert (found["cluster"], found["driver"], found["features"]) == (cluster["name"], "mock", ["resize"])


def test_a_cluster_with_resources_stays(database, operator, tenant, cluster):
    with database.system() as connection:
        connection.execute(
            text(
                "INSERT INTO resource (id, organization_id, project_id, kind, name, cluster_id) VALUES (:id, :home,"
                " :project, 'network', 'front', :cluster)"
            ),
            {
                "id": uuid.uuid4(),
                "home": tenant.organization_id,
                "project": tenant.project_id,
                "cluster": cluster["id"],
            },
        )
    with pytest.raises(InUseError) as refused:
        clusters.delete_cluster(database, operator, identify(cluster))

    assert refused.value.used_by == ("network front",)


def test_agents_of_a_deleted_cluster_are_out(database, operator, cluster):
    first = clusters.create_join_token(database, operator, identify(cluster))
    second = clusters.create_join_token(database, operator, identify(cluster))
    key = keys.new_private_key()
    joined = enrol(database, first["token"], key)
    clusters.delete_cluster(database, operator, identify(cluster))

    with pytest.raises(AuthenticationFailedError):
        authenticate(database, joined, key)
    with pytest.raises(AuthenticationFailedError):
        enrol(database, second["token"])
    assert clusters.create_cluster(database, operator, {"name": cluster["name"]})["id"] != cluster["id"]


def test_a_cluster_is_drained(database, operator, cluster):
    changed = clusters.update_cluster(database, operator, identify(cluster), {"state": "DRAINING"})

    assert (changed["state"], changed["version"]) == ("DRAINING", 2)
    stale = replace(operator, if_version=1)
    with pytest.raises(VersionMismatchError):
        clusters.update_cluster(database, stale, identify(cluster), {"state": "ENABLED"})


def test_the_local_cluster_is_made_once_and_gives_a_token_each_time(database):
    name = new_name("local")
    first, one = clusters.ensure_local_cluster(database, name)
    second, other = clusters.ensure_local_cluster(database, name)

    assert first == second
    assert one != other
    assert enrol(database, one).cluster_id == first
    assert enrol(database, other).cluster_id == first


def test_the_local_cluster_and_its_tokens_are_on_record(database):
    cluster_id, _ = clusters.ensure_local_cluster(database, new_name("local"))

    assert events_of(database, cluster_id) == ["operations:cluster:created", "operations:join-token:created"]


def everything(database):
    names = ("installation", "organization", "role", "flavor", "image", "quota")
    with database.system() as connection:
        return {
            name: sorted(map(repr, connection.execute(text(f"SELECT * FROM {name}")).all()))  # noqa: S608  # our tables
            for name in names
        }


def test_doing_the_bootstrap_again_changes_nothing(database):
    images = [{"name": "debian-12", "source": "debian-12.qcow2"}]
    first = bootstrap.bootstrap(database, images)
    before = everything(database)

    assert bootstrap.bootstrap(database, images) == first
    assert everything(database) == before


def test_bootstraps_at_once_make_one_installation(database_url, database):
    before = everything(database)
    made = []
    threads = [threading.Thread(target=lambda: made.append(bootstrap.bootstrap(database))) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(30)

    assert len(made) == 4
    assert len(set(made)) == 1
    assert everything(database) == before


def test_the_builtin_roles_are_as_this_version_has_them(database, tenant):
    with database.system() as connection:
        connection.execute(text("UPDATE role SET permissions = '{}', description = 'x' WHERE name = 'project-member'"))
    bootstrap.bootstrap(database)
    found = {each["name"]: each for each in role_bindings.list_roles(database, tenant.context).items}

    for name, role in BUILTIN_ROLES.items():
        assert found[name]["permissions"] == sorted(role.permissions)
        assert (found[name]["scope"], found[name]["description"]) == (role.scope, role.description)


def test_what_operators_withdrew_does_not_come_back_with_a_restart(database, operator):
    def names():
        return {each["name"] for each in catalogue.list_offers(database, operator, Offer.FLAVOR, Page(limit=200)).items}

    (tiny,) = (
        each
        for each in catalogue.list_offers(database, operator, Offer.FLAVOR, Page(limit=200)).items
        if each["name"] == "tiny"
    )
    catalogue.delete_offer(database, operator, Offer.FLAVOR, identify(tiny))
    bootstrap.bootstrap(database)

    assert "tiny" not in names()
    assert "small" in names()


def test_an_administrator_may_do_everything(database):
    name = new_name("root")
    made = bootstrap.create_administrator(database, name, "a long pass phrase")
    actor = identity.authenticate(database, identity.log_in(database, name, "a long pass phrase")["token"])

    assert actor.id == made
    assert all(actor.may(permission) for permission in Permission)
    assert {grant.scope for grant in actor.grants} == {Scope.PLATFORM}
    assert events_of(database, made)[0] == "identity:user:created"
    with database.system() as connection:
        bound = "SELECT e.action FROM audit_event e WHERE e.detail ->> 'user_id' = :id"
        actions = [row.action for row in connection.execute(text(bound), {"id": str(made)})]
    assert actions == ["identity:role-binding:created"]
    with pytest.raises(NameTakenError):
        bootstrap.create_administrator(database, name, "a long pass phrase")


def test_what_the_bootstrap_made_is_on_record(database):
    with database.system() as connection:
        statement = "SELECT action, subject_name FROM audit_event WHERE actor = 'operator' ORDER BY id"
        made = [tuple(row) for row in connection.execute(text(statement))]

    assert made[:5] == [
        ("identity:organization:created", "provider"),
        *[("operations:flavor:created", name) for name in ("tiny", "small", "medium", "large")],
    ]


def test_a_database_that_was_never_prepared_gets_no_administrator(bare_database):
    with pytest.raises(StateConflictError, match="stratoplane-server up"):
        bootstrap.create_administrator(bare_database, "root", "a long pass phrase")


def test_the_name_of_a_disabled_user_is_taken_too(database):
    name = new_name("root")
    bootstrap.create_administrator(database, name, "a long pass phrase")
    with database.system() as connection:
        connection.execute(text("UPDATE user_account SET enabled = false WHERE username = :name"), {"name": name})

    with pytest.raises(NameTakenError):
        bootstrap.create_administrator(database, name, "a long pass phrase")


@pytest.mark.parametrize(
    ("username", "password"),
    [
        ("", "a long pass phrase"),
        ("two words", "a long pass phrase"),
        ("root\n", "a long pass phrase"),
        ("r00t", "short"),
    ],
)
def test_an_administrator_gets_a_proper_name_and_password(database, username, password):
    with pytest.raises(InvalidSpecError):
        bootstrap.create_administrator(database, username, password)


def test_audit_reads_of_operators_are_of_everybody(database, operator, tenant):
    everybody = audit.list_all_audit_events(database, operator, Page(limit=200)).items

    assert str(tenant.organization_id) in {each["organization_id"] for each in everybody}
