# SPDX-License-Identifier: Apache-2.0
"""Keys of agents and of the installation where they are kept."""

import base64
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from stratoplane.join_tokens import read_join_token
from stratoplane_engine import signing_keys as keys
from stratoplane_engine.db import agent_keys
from stratoplane_engine.db.statement import Statement
from stratoplane_engine.installation_key import read_installation_key
from stratoplane_engine.model.cluster import ClusterDraft
from stratoplane_engine.services import clusters, enrolment


def execute(database, statement, **parameters):
    """Run a statement and return the first column of its rows."""
    with database.system() as connection:
        return connection.values(object, Statement(statement), parameters)


def test_the_installations_key_is_made_once_however_many_ask_first(database):
    execute(database, "DELETE FROM installation_key RETURNING 1")
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: read_installation_key(database).private_key, range(16)))

    assert len(found) == 1


def test_a_join_token_names_the_installations_key_and_a_certificate_if_there_is_one(database, operator):
    name = f"rack-{uuid.uuid4().hex[:8]}"
    cluster = clusters.create_cluster(database, operator, ClusterDraft(name=name)).id
    plain = read_join_token(clusters.create_join_token(database, operator, cluster).token)
    made = clusters.create_join_token(database, operator, cluster, certificate_pin="a" * 64)

    assert plain.server_pin == read_installation_key(database).pin
    assert read_join_token(made.token).certificate_pin == "a" * 64


def test_sweeping_forgets_nonces_whose_window_has_passed(database):
    agent, nonce = (
        uuid.uuid4(),
        "INSERT INTO agent_nonce VALUES (:agent, :nonce, now() + :after * interval '1 s') RETURNING 1",
    )
    execute(database, nonce, agent=agent, nonce="old", after=-1)
    execute(database, nonce, agent=agent, nonce="new", after=60)
    with database.system() as connection:
        agent_keys.sweep(connection, 1_000_000)

    assert execute(database, "SELECT nonce FROM agent_nonce WHERE agent_id = :agent", agent=agent) == ["new"]


@pytest.mark.parametrize("text_", ["", "AAAA", "not base64 at all", base64.b64encode(b"x" * 33).decode()])
def test_what_is_not_a_key_verifies_nothing(text_):
    assert keys.raw_key(text_) is None
    assert not keys.verifies(text_, b"x" * 64, b"message")


def test_a_credential_of_another_database_is_not_known(database):
    assert not enrolment.is_known(database, uuid.uuid4(), 1, keys.new_private_key())
