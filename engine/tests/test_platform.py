# SPDX-License-Identifier: Apache-2.0
"""What operators keep: clusters, flavors, images; and what a first start makes."""

import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

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
from stratoplane_engine.db.statement import Statement
from stratoplane_engine.model.catalogue import FlavorDraft, FlavorPatch, ImageDraft, ImagePatch
from stratoplane_engine.model.cluster import ClusterDraft, ClusterPatch, ClusterState
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
from stratoplane_engine.services.authentication import authenticate as authenticate_token


def new_name(prefix="it"):
    return f"{prefix}-{uuid.uuid4().hex[:12]}"


def flavor_draft(name=""):
    return FlavorDraft(name=name or new_name(), vcpus=2, memory_mib=2048, disk_gib=20)


def image_draft(name=""):
    return ImageDraft(name=name or new_name(), source="debian.qcow2", sha256="a" * 64)


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
    statement = Statement("SELECT action FROM audit_event WHERE subject_id = :id ORDER BY id")
    with database.system() as connection:
        return connection.values(str, statement, {"id": subject_id})


@pytest.fixture
def cluster(database, operator):
    """A cluster without an agent."""
    return clusters.create_cluster(database, operator, ClusterDraft(name=new_name("rack")))


def test_a_flavor_is_made_changed_and_withdrawn(database, operator):
    made = catalogue.create_flavor(database, operator, flavor_draft())
    changed = catalogue.update_flavor(database, operator, made.id, FlavorPatch(name=new_name()))

    assert catalogue.get_flavor(database, operator, made.id) == changed
    assert changed == replace(made, name=changed.name, version=2, updated_at=changed.updated_at)
    with pytest.raises(NameTakenError):
        catalogue.create_flavor(database, operator, flavor_draft(changed.name))
    with pytest.raises(VersionMismatchError):
        catalogue.delete_flavor(database, replace(operator, if_version=1), made.id)

    catalogue.delete_flavor(database, operator, made.id)

    with pytest.raises(ResourceNotFoundError):
        catalogue.get_flavor(database, operator, made.id)
    assert [each.split(":")[-1] for each in events_of(database, made.id)] == ["created", "updated", "deleted"]


def test_an_image_is_made_changed_and_withdrawn(database, operator):
    made = catalogue.create_image(database, operator, image_draft())
    changed = catalogue.update_image(database, operator, made.id, ImagePatch(name=new_name()))

    assert catalogue.get_image(database, operator, made.id) == changed
    assert changed == replace(made, name=changed.name, version=2, updated_at=changed.updated_at)
    with pytest.raises(NameTakenError):
        catalogue.create_image(database, operator, image_draft(changed.name))
    with pytest.raises(VersionMismatchError):
        catalogue.delete_image(database, replace(operator, if_version=1), made.id)

    catalogue.delete_image(database, operator, made.id)

    with pytest.raises(ResourceNotFoundError):
        catalogue.get_image(database, operator, made.id)
    assert [each.split(":")[-1] for each in events_of(database, made.id)] == ["created", "updated", "deleted"]


def test_a_name_is_not_taken_from_another_entry(database, operator):
    first, second = (catalogue.create_flavor(database, operator, flavor_draft()) for _ in range(2))

    with pytest.raises(NameTakenError, match=first.name):
        catalogue.update_flavor(database, operator, second.id, FlavorPatch(name=first.name))


def test_tenants_change_nothing_of_the_platform(database, tenant, cluster):
    context, nowhere = tenant.context, cluster.id
    for call in (
        lambda: catalogue.get_flavor(database, context, nowhere),
        lambda: catalogue.create_flavor(database, context, flavor_draft()),
        lambda: catalogue.update_flavor(database, context, nowhere, FlavorPatch()),
        lambda: catalogue.delete_flavor(database, context, nowhere),
        lambda: catalogue.get_image(database, context, nowhere),
        lambda: catalogue.create_image(database, context, image_draft()),
        lambda: catalogue.update_image(database, context, nowhere, ImagePatch()),
        lambda: catalogue.delete_image(database, context, nowhere),
        lambda: clusters.create_cluster(database, context, ClusterDraft(name=new_name())),
        lambda: clusters.list_clusters(database, context, Page()),
        lambda: clusters.get_cluster(database, context, nowhere),
        lambda: clusters.update_cluster(database, context, nowhere, ClusterPatch(state=ClusterState.DISABLED)),
        lambda: clusters.delete_cluster(database, context, nowhere),
        lambda: clusters.create_join_token(database, context, nowhere),
        lambda: clusters.list_providers(database, context, Page()),
    ):
        with pytest.raises(PermissionDeniedError):
            call()


def test_an_agent_joins_once_with_its_token(database, operator, cluster):
    made = clusters.create_join_token(database, operator, cluster.id)
    joined = enrol(database, made.token)

    assert made.token.startswith("spt_join_")
    assert joined.cluster_id == cluster.id
    with pytest.raises(AuthenticationFailedError):
        enrol(database, made.token)
    with pytest.raises(AuthenticationFailedError):
        authenticate_token(database, made.token)


def test_a_join_token_ends(database, operator, cluster):
    made = clusters.create_join_token(database, operator, cluster.id, timedelta(seconds=60))
    with database.system() as connection:
        statement = "UPDATE join_token SET expires_at = now() - interval '1 second' WHERE id = :id"
        connection.run(Statement(statement), {"id": made.id})

    with pytest.raises(AuthenticationFailedError):
        enrol(database, made.token)


def test_the_database_keeps_no_join_token(database, operator, cluster):
    made = clusters.create_join_token(database, operator, cluster.id)
    with database.system() as connection:
        kept = connection.documents(Statement("SELECT t.* FROM join_token t"))
        events = connection.documents(Statement("SELECT e.* FROM audit_event e"))

    assert read_join_token(made.token).secret not in repr(kept) + repr(events)


def test_a_cluster_is_what_its_agent_reported(database, operator, cluster):
    made = clusters.create_join_token(database, operator, cluster.id)
    key = keys.new_private_key()
    agent = authenticate(database, enrol(database, made.token, key), key)
    report = ProviderReport(interface="compute", driver="mock", version="1", contract="1", features=("resize",))
    agents.hello(database, agent, Hello(version="0.1.0", providers=(report,)), inventory_seconds=30)
    named = {each.name: each for each in clusters.list_cluster_names(database, Page(limit=200)).items}
    reported = clusters.list_providers(database, operator, Page(limit=200)).items

    assert (named[cluster.name].features, named[cluster.name].online) == (("compute", "resize"), True)
    (found,) = (each for each in reported if each.cluster_id == cluster.id)
    assert (found.cluster, found.driver, found.features) == (cluster.name, "mock", ("resize",))


def test_a_cluster_with_resources_stays(database, operator, tenant, cluster):
    with database.system() as connection:
        connection.run(
            Statement(
                "INSERT INTO resource (id, organization_id, project_id, kind, name, cluster_id) VALUES (:id, :home,"
                " :project, 'network', 'front', :cluster)"
            ),
            {
                "id": uuid.uuid4(),
                "home": tenant.organization_id,
                "project": tenant.project_id,
                "cluster": cluster.id,
            },
        )
    with pytest.raises(InUseError) as refused:
        clusters.delete_cluster(database, operator, cluster.id)

    assert refused.value.used_by == ("network front",)


def test_agents_of_a_deleted_cluster_are_out(database, operator, cluster):
    first = clusters.create_join_token(database, operator, cluster.id)
    second = clusters.create_join_token(database, operator, cluster.id)
    key = keys.new_private_key()
    joined = enrol(database, first.token, key)
    clusters.delete_cluster(database, operator, cluster.id)

    with pytest.raises(AuthenticationFailedError):
        authenticate(database, joined, key)
    with pytest.raises(AuthenticationFailedError):
        enrol(database, second.token)
    assert clusters.create_cluster(database, operator, ClusterDraft(name=cluster.name)).id != cluster.id


def test_a_cluster_is_drained(database, operator, cluster):
    changed = clusters.update_cluster(database, operator, cluster.id, ClusterPatch(state=ClusterState.DRAINING))

    assert (changed.state, changed.version) == (ClusterState.DRAINING, 2)
    stale = replace(operator, if_version=1)
    with pytest.raises(VersionMismatchError):
        clusters.update_cluster(database, stale, cluster.id, ClusterPatch(state=ClusterState.ENABLED))


def test_the_local_cluster_is_made_once_and_gives_a_token_each_time(database):
    name = new_name("local")
    first = clusters.ensure_local_cluster(database, name)
    second = clusters.ensure_local_cluster(database, name)

    assert first.cluster_id == second.cluster_id
    assert first.token != second.token
    assert enrol(database, first.token).cluster_id == first.cluster_id
    assert enrol(database, second.token).cluster_id == first.cluster_id


def test_the_local_cluster_and_its_tokens_are_on_record(database):
    cluster_id = clusters.ensure_local_cluster(database, new_name("local")).cluster_id

    assert events_of(database, cluster_id) == ["operations:cluster:created", "operations:join-token:created"]


def everything(database):
    names = ("installation", "organization", "role", "flavor", "image", "quota")
    with database.system() as connection:
        return {
            name: sorted(map(repr, connection.documents(Statement(f"SELECT * FROM {name}"))))  # noqa: S608  # our tables
            for name in names
        }


def test_doing_the_bootstrap_again_changes_nothing(database):
    images = [ImageDraft(name="debian-12", source="debian-12.qcow2")]
    first = bootstrap.bootstrap(database, images)
    before = everything(database)

    assert bootstrap.bootstrap(database, images) == first
    assert everything(database) == before


def test_bootstraps_at_once_make_one_installation(database):
    before = everything(database)
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: bootstrap.bootstrap(database), range(4)))

    assert len(set(made)) == 1
    assert everything(database) == before


def test_the_builtin_roles_are_as_this_version_has_them(database):
    with database.system() as connection:
        spoil = "UPDATE role SET permissions = '{}', description = 'x' WHERE name = 'project-member'"
        connection.run(Statement(spoil))
    bootstrap.bootstrap(database)
    found = {each.name: each for each in role_bindings.list_roles(database).items}

    for name, role in BUILTIN_ROLES.items():
        assert found[name].permissions == role.permissions
        assert (found[name].scope, found[name].description) == (role.scope, role.description)


def test_what_operators_withdrew_does_not_come_back_with_a_restart(database, operator):
    def offered():
        return {each.name: each for each in catalogue.list_flavors(database, Page(limit=200)).items}

    catalogue.delete_flavor(database, operator, offered()["tiny"].id)
    bootstrap.bootstrap(database)

    assert "tiny" not in offered()
    assert "small" in offered()


def test_an_administrator_may_do_everything(database, passwords):
    name = new_name("root")
    made = bootstrap.create_administrator(database, passwords, name, "a long pass phrase")
    session = identity.log_in(database, passwords, name, "a long pass phrase")
    actor = authenticate_token(database, session.issued.secret)

    assert actor.id == made
    assert all(actor.may(permission) for permission in Permission)
    assert {grant.scope for grant in actor.grants} == {Scope.PLATFORM}
    assert events_of(database, made)[0] == "identity:user:created"
    with database.system() as connection:
        bound = "SELECT e.action FROM audit_event e WHERE e.detail ->> 'user_id' = :id"
        actions = connection.values(str, Statement(bound), {"id": str(made)})
    assert actions == ["identity:role-binding:created"]
    with pytest.raises(NameTakenError):
        bootstrap.create_administrator(database, passwords, name, "a long pass phrase")


def test_what_the_bootstrap_made_is_on_record(database):
    with database.system() as connection:
        statement = "SELECT action, subject_name FROM audit_event WHERE actor = 'operator' ORDER BY id"
        made = [tuple(row.values()) for row in connection.documents(Statement(statement))]

    assert made[:5] == [
        ("identity:organization:created", "provider"),
        *[("operations:flavor:created", name) for name in ("tiny", "small", "medium", "large")],
    ]


def test_a_database_that_was_never_prepared_gets_no_administrator(bare_database, passwords):
    with pytest.raises(StateConflictError, match="stratoplane-server up"):
        bootstrap.create_administrator(bare_database, passwords, "root", "a long pass phrase")


def test_the_name_of_a_disabled_user_is_taken_too(database, passwords):
    name = new_name("root")
    bootstrap.create_administrator(database, passwords, name, "a long pass phrase")
    with database.system() as connection:
        connection.run(Statement("UPDATE user_account SET enabled = false WHERE username = :name"), {"name": name})

    with pytest.raises(NameTakenError):
        bootstrap.create_administrator(database, passwords, name, "a long pass phrase")


@pytest.mark.parametrize(
    ("username", "password"),
    [
        ("", "a long pass phrase"),
        ("two words", "a long pass phrase"),
        ("root\n", "a long pass phrase"),
        ("r00t", "short"),
    ],
)
def test_an_administrator_gets_a_proper_name_and_password(database, passwords, username, password):
    with pytest.raises(InvalidSpecError):
        bootstrap.create_administrator(database, passwords, username, password)


def test_audit_reads_of_operators_are_of_everybody(database, operator, tenant):
    everybody = audit.list_all_audit_events(database, operator, Page(limit=200)).items

    assert tenant.organization_id in {each.organization_id for each in everybody}
