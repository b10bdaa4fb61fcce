# SPDX-License-Identifier: Apache-2.0
"""Whom a token stands for is kept for a moment: never past a change, its end, a lost connection, or a bound."""

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta

import psycopg
import pytest

from stratoplane.errors import AuthenticationFailedError
from stratoplane_engine.access.context import RequestContext
from stratoplane_engine.db import identity as rows
from stratoplane_engine.db.connection import Database
from stratoplane_engine.db.identity import IDENTITY_CHANNEL
from stratoplane_engine.db.listen import Heard, notifications
from stratoplane_engine.db.statement import Statement
from stratoplane_engine.model.identity import RoleBindingDraft, TokenKind, UserDraft
from stratoplane_engine.services import credentials, identity, organizations, projects, role_bindings, users
from stratoplane_engine.services.authentication import Authenticator
from stratoplane_engine.services.credentials import TokenPrefix

PATIENCE = 20.0


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def authenticator(database, clock) -> Authenticator:
    """One whose listener is connected."""
    made = Authenticator(database, clock=clock)
    made.hear(Heard())
    return made


def add_token(database, user, lifetime=None) -> str:
    """Add a token of a user and return its secret."""
    secret = credentials.new_token(TokenPrefix.API)
    with database.system() as connection:
        rows.insert_token(
            connection,
            token_id=uuid.uuid4(),
            organization_id=user.organization_id,
            user_id=user.id,
            kind=TokenKind.API,
            secret_hash=credentials.token_hash(secret),
            lifetime=lifetime,
        )
    return secret


@pytest.fixture
def user(database, tenant):
    with database.system() as connection:
        return rows.insert_user(
            connection,
            user_id=uuid.uuid4(),
            organization_id=tenant.organization_id,
            username=f"user-{uuid.uuid4().hex}",
            display_name="",
            password_hash="",
        )


@pytest.fixture
def token(database, user) -> str:
    return add_token(database, user)


def test_a_second_request_within_a_second_asks_nobody(authenticator, token, clock, statements):
    first = authenticator.authenticate(token)
    statements.clear()
    clock.now += 0.9

    assert authenticator.authenticate(token) == first
    assert statements == []


def test_after_a_second_the_database_is_asked_again(authenticator, token, clock, statements):
    authenticator.authenticate(token)
    statements.clear()
    clock.now += 1.1
    authenticator.authenticate(token)

    assert len(statements) == 1


def test_nothing_is_kept_before_notifications_arrive(database, token, statements):
    deaf = Authenticator(database)
    for _ in range(2):
        statements.clear()
        deaf.authenticate(token)
        assert len(statements) == 1

    assert len(deaf) == 0


def test_a_lost_connection_empties_the_cache_and_nothing_is_kept_until_it_is_back(authenticator, token):
    authenticator.authenticate(token)
    authenticator.hear(Heard(connected=False))
    assert len(authenticator) == 0

    authenticator.authenticate(token)
    assert len(authenticator) == 0

    authenticator.hear(Heard())
    authenticator.authenticate(token)
    assert len(authenticator) == 1


def test_every_notification_empties_the_cache(authenticator, token):
    authenticator.authenticate(token)
    authenticator.hear(Heard(payloads=frozenset({""})))

    assert len(authenticator) == 0


def test_an_answer_does_not_outlive_the_token(database, authenticator, user, clock):
    short = add_token(database, user, timedelta(seconds=0.4))
    authenticator.authenticate(short)
    clock.now += 0.5

    assert len(authenticator) == 0


def test_refusals_are_not_kept(authenticator):
    for secret in (credentials.new_token(TokenPrefix.API), "no token", ""):
        with pytest.raises(AuthenticationFailedError):
            authenticator.authenticate(secret)

    assert len(authenticator) == 0


def test_a_flood_of_unknown_tokens_keeps_nothing(authenticator):
    for _ in range(300):
        with pytest.raises(AuthenticationFailedError):
            authenticator.authenticate(credentials.new_token(TokenPrefix.API))

    assert len(authenticator) == 0


def test_a_flood_of_valid_tokens_keeps_a_bounded_number(database, user):
    small = Authenticator(database, most=8)
    small.hear(Heard())
    for _ in range(40):
        small.authenticate(add_token(database, user))

    assert len(small) == 8


def test_zero_seconds_keep_nothing(database, token, statements):
    careful = Authenticator(database, longest=0.0)
    careful.hear(Heard())
    careful.authenticate(token)

    assert len(careful) == 0


def test_what_was_asked_before_a_change_is_not_kept_after_it(database_url, token):
    """The answer comes back when the change has been made and heard of: it may be of before."""
    heard: list[Authenticator] = []
    asked = Database(database_url, pool_size=1, watch=lambda _: heard[0].hear(Heard(payloads=frozenset({""}))))
    slow = Authenticator(asked)
    heard.append(slow)
    slow.hear(Heard())
    slow.authenticate(token)
    asked.close()

    assert len(slow) == 0


def test_many_threads_share_one_authenticator(authenticator, database, user):
    tokens = [add_token(database, user) for _ in range(4)]
    wrong: list[object] = []

    def ask() -> None:
        for turn in range(50):
            found = authenticator.authenticate(tokens[turn % 4])
            if found.id != user.id:
                wrong.append(found)
            if turn % 10 == 0:
                authenticator.forget()

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(PATIENCE)

    assert wrong == []
    assert not any(each.is_alive() for each in threads)


@pytest.fixture
def other_process(database) -> Iterator[Authenticator]:
    """The authenticator of another process: it hears of changes by its own connection alone."""
    made = Authenticator(database, clock=lambda: 0.0)  # its time stands still: only notifications empty it
    ready, over = threading.Event(), threading.Event()

    def listen() -> None:
        with closing(notifications(database.url, [IDENTITY_CHANNEL], idle_seconds=PATIENCE)) as all_heard:
            for heard in all_heard:
                made.hear(heard)
                ready.set()
                if over.is_set():
                    return

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    assert ready.wait(PATIENCE)
    yield made
    over.set()
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute(f"NOTIFY {IDENTITY_CHANNEL}")
    thread.join(PATIENCE)
    assert not thread.is_alive()


def wait_until_empty(authenticator) -> None:
    until = time.monotonic() + PATIENCE
    pause = threading.Event()
    while len(authenticator) and time.monotonic() < until:
        pause.wait(0.005)
    assert len(authenticator) == 0, "the change was not heard of"


def log_out(database, operator, context) -> None:
    identity.log_out(database, context)


def delete_token(database, operator, context) -> None:
    identity.delete_token(database, context, context.actor.credential_id)


def delete_user(database, operator, context) -> None:
    users.delete_any_user(database, operator, context.actor.id)


def delete_organization(database, operator, context) -> None:
    with database.system() as connection:
        statement = Statement("UPDATE project SET deleted_at = now() WHERE organization_id = :id")
        connection.run(statement, {"id": context.organization_id})
    organizations.delete_organization(database, operator, context.organization_id)


def by_hand(database, operator, context) -> None:
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute("UPDATE user_account SET enabled = false WHERE id = %s", [context.actor.id])


@pytest.mark.parametrize("end", [log_out, delete_token, delete_user, delete_organization, by_hand])
def test_what_ends_a_token_reaches_other_processes_at_once(database, operator, other_process, token, end):
    actor = other_process.authenticate(token)
    assert len(other_process) == 1
    end(database, operator, RequestContext(actor=actor, organization_id=actor.organization_id))
    wait_until_empty(other_process)

    with pytest.raises(AuthenticationFailedError):
        other_process.authenticate(token)


def test_roles_that_are_given_and_taken_reach_other_processes_at_once(database, tenant, other_process, user, token):
    def grants() -> int:
        return len(other_process.authenticate(token).grants)

    assert grants() == 0
    draft = RoleBindingDraft(user_id=user.id, role="project-reader", project_id=tenant.project_id)
    role_bindings.create_role_binding(database, tenant.context, draft)
    wait_until_empty(other_process)
    assert grants() == 1

    projects.delete_project(database, tenant.context, tenant.project_id)
    wait_until_empty(other_process)
    assert grants() == 0


def test_a_role_that_changes_reaches_other_processes_at_once(database, other_process, token):
    other_process.authenticate(token)
    with database.system() as connection:
        connection.run(Statement("UPDATE role SET description = description WHERE name = 'project-reader'"))
    wait_until_empty(other_process)


def test_a_login_and_a_new_user_are_not_notified(database, passwords, tenant):
    """Nobody can have kept anything of them yet: a busy morning must not empty the caches."""
    with psycopg.connect(database.url, autocommit=True) as listening:
        listening.execute(f"LISTEN {IDENTITY_CHANNEL}")
        listening.execute("LISTEN afterwards")
        draft = UserDraft(username=f"user-{uuid.uuid4().hex}", password="a long pass phrase")
        users.create_user(database, passwords, tenant.context, draft)
        identity.log_in(database, passwords, draft.username, draft.password)
        listening.execute("NOTIFY afterwards")
        heard = [each.channel for each in listening.notifies(timeout=PATIENCE, stop_after=1)]

    assert heard == ["afterwards"]
