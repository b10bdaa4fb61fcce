# SPDX-License-Identifier: Apache-2.0
"""Whatever roles there are and whoever gives them to whom, nobody comes to hold what the giver did not hold.

What a user holds is counted here in another way than the platform decides it: as pairs of permission and place, where
a grant on the platform stands for every place and one on an organization for its projects too.
"""

import uuid
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stratoplane.errors import StratoplaneError
from stratoplane_engine.access.context import RequestContext
from stratoplane_engine.access.permissions import Permission
from stratoplane_engine.db import identity as rows
from stratoplane_engine.db import organizations as organization_rows
from stratoplane_engine.db.statement import Statement
from stratoplane_engine.model.identity import OwnerDraft, Role, RoleBindingDraft, Scope, TokenKind
from stratoplane_engine.services import credentials, role_bindings, users
from stratoplane_engine.services.authentication import authenticate
from stratoplane_engine.services.credentials import TokenPrefix

USERS = 4
PERMISSIONS = (
    Permission.SELF,
    Permission.RESOURCE_READ,
    Permission.RESOURCE_WRITE,
    Permission.ROLE_GRANT,
    Permission.USER_WRITE,
)


@dataclass(frozen=True)
class World:
    """Two organizations with two projects each, and some users at home in each; none has a role yet."""

    organizations: tuple[uuid.UUID, ...]
    projects: dict[uuid.UUID, tuple[uuid.UUID, ...]]
    users: tuple[tuple[uuid.UUID, uuid.UUID], ...]  # user, home
    tokens: dict[uuid.UUID, str]

    def places(self, scope, home, project):
        """Return every place that a grant covers."""
        if scope == Scope.PROJECT:
            return {project}
        covered = self.organizations if scope == Scope.PLATFORM else (home,)
        inside = {place for each in covered for place in (each, *self.projects[each])}
        return inside | ({"platform"} if scope == Scope.PLATFORM else set())


@pytest.fixture(scope="module")
def world(database):
    organizations = tuple(uuid.uuid4() for _ in range(2))
    projects = {each: tuple(uuid.uuid4() for _ in range(2)) for each in organizations}
    people, tokens = [], {}
    with database.system() as connection:
        for home in organizations:
            organization_rows.insert(connection, home, OwnerDraft(name=f"o-{home.hex[:12]}"))
            for project in projects[home]:
                draft = OwnerDraft(name=f"p-{project.hex[:12]}")
                organization_rows.insert_project(connection, project, home, draft)
            for _ in range(USERS // 2):
                user, token = add_user(connection, home)
                people.append((user, home))
                tokens[user] = token
    return World(organizations=organizations, projects=projects, users=tuple(people), tokens=tokens)


def add_user(connection, home):
    """Add a user with a token; return the user's id and the token's secret."""
    user, token = uuid.uuid4(), credentials.new_token(TokenPrefix.SESSION)
    name = f"u-{user.hex}"
    rows.insert_user(connection, user_id=user, organization_id=home, username=name, display_name="", password_hash="")
    rows.insert_token(
        connection,
        token_id=uuid.uuid4(),
        organization_id=home,
        user_id=user,
        kind=TokenKind.SESSION,
        secret_hash=credentials.token_hash(token),
    )
    return user, token


def held(database, world):
    """Return what every user holds, read from the tables."""
    statement = Statement("""
        SELECT b.user_id, b.scope, b.organization_id, b.project_id, r.permissions
        FROM role_binding b JOIN role r ON r.id = b.role_id
    """)
    found: dict[uuid.UUID, set[tuple[str, object]]] = {user: set() for user, _ in world.users}
    with database.system() as connection:
        for row in connection.documents(statement):
            places = world.places(row["scope"], row["organization_id"], row["project_id"])
            found[row["user_id"]] |= {(permission, place) for permission in row["permissions"] for place in places}
    return found


# Half of the permissions or more: with fewer, nearly every call is refused and shows nothing.
role = st.tuples(st.sampled_from(list(Scope)), st.frozensets(st.sampled_from(PERMISSIONS), min_size=3))
# A binding: which role, to whom, and which project of the target's home if the role counts in one.
binding = st.tuples(st.integers(0, 5), st.integers(0, USERS - 1), st.integers(0, 1))
attempt = st.tuples(st.integers(0, USERS - 1), binding, st.sampled_from(["bind", "bind anywhere", "unbind", "delete"]))


def make_roles(connection, drawn):
    made = [
        Role(id=uuid.uuid4(), name=f"role-{uuid.uuid4().hex}", description="", scope=scope, permissions=held)
        for scope, held in drawn
    ]
    rows.sync_roles(connection, made)
    return made


def begin(database, world, roles, bindings):
    """Write the roles and who has them, without asking anybody."""
    with database.system() as connection:
        connection.run(Statement("DELETE FROM role_binding"))
        connection.run(Statement("UPDATE user_account SET enabled = true, deleted_at = NULL"))
        connection.run(Statement("UPDATE api_token SET revoked_at = NULL"))
        made = make_roles(connection, roles)
        seen = set()
        for which, to, at in bindings:
            chosen, (user, home) = made[which % len(made)], world.users[to]
            project = world.projects[home][at] if chosen.scope is Scope.PROJECT else None
            if (chosen.id, user, project) not in seen:
                seen.add((chosen.id, user, project))
                rows.insert_binding(
                    connection,
                    binding_id=uuid.uuid4(),
                    organization_id=home,
                    user_id=user,
                    role_id=chosen.id,
                    scope=chosen.scope,
                    project_id=project,
                )
    return made


def try_it(database, world, roles, who, what, how):
    """Let a user try something; return whether it was allowed."""
    which, to, at = what
    chosen, (target, home) = roles[which % len(roles)], world.users[to]
    project = world.projects[home][at] if chosen.scope is Scope.PROJECT else None
    draft = RoleBindingDraft(user_id=target, role=chosen.name, project_id=project)
    try:
        actor = authenticate(database, world.tokens[world.users[who][0]])
        context = RequestContext(actor=actor, organization_id=actor.organization_id)
        if how == "bind":
            role_bindings.create_role_binding(database, context, draft)
        elif how == "bind anywhere":
            role_bindings.create_any_role_binding(database, context, draft)
        elif how == "unbind":
            with database.system() as connection:
                found = rows.bindings(connection, user_id=target, after=None, limit=1)
            if not found:
                return False
            role_bindings.delete_role_binding(database, context, found[0].id)
        else:
            users.delete_user(database, context, target)
    except StratoplaneError:
        return False
    return True


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    roles=st.lists(role, min_size=3, max_size=6),
    bindings=st.lists(binding, min_size=4, max_size=8),
    attempts=st.lists(attempt, min_size=6, max_size=12),
)
def test_no_series_of_calls_raises_anybody_above_the_giver(database, world, roles, bindings, attempts):
    made = begin(database, world, roles, bindings)
    before = held(database, world)
    for who, what, how in attempts:
        actor, target = world.users[who][0], world.users[what[1]][0]
        allowed = try_it(database, world, made, who, what, how)
        after = held(database, world)

        assert after[target] <= before[target] | before[actor], "given more than the giver holds"
        assert before[target] - after[target] <= before[actor], "taken more than the taker holds"
        others = [user for user, _ in world.users if user != target]
        assert all(after[each] == before[each] for each in others), "somebody else was touched"
        assert allowed or after == before, "refused, and yet something changed"
        before = after


def test_the_series_are_not_all_refused(database, world):
    """Without a call that is allowed the property above would hold for nothing."""
    everything = (Scope.ORGANIZATION, frozenset(PERMISSIONS))
    made = begin(database, world, [everything, (Scope.PROJECT, frozenset({Permission.SELF}))], [(0, 0, 0)])

    assert try_it(database, world, made, 0, (0, 1, 0), "bind")
    assert try_it(database, world, made, 1, (1, 0, 1), "bind")
    assert try_it(database, world, made, 1, (1, 0, 1), "unbind")
    assert not try_it(database, world, made, 1, (1, 2, 1), "bind"), "another organization's user"
