# SPDX-License-Identifier: Apache-2.0
"""Agents' keys: enrolment, admission of requests, rotation, locking, revocation; and the installation's key."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from stratoplane.signatures import WINDOW_SECONDS
from stratoplane_engine.db.connection import Connection
from stratoplane_engine.db.operations import OPERATION_CHANNEL
from stratoplane_engine.db.statement import Statement
from stratoplane_engine.model.cluster import Refusal, Rotation, wake_name

_PAST_PROCESSES: Final = 20
_NONCE_SECONDS: Final = 2 * WINDOW_SECONDS + 5
GRACE_SECONDS: Final = 10
"""How long after the first use of a key requests by the one before may be signed: clocks differ a little."""

_USE_TOKEN: Final = Statement("""
WITH asked AS (
    SELECT t.id, t.cluster_id, c.name, t.used_at IS NULL AND t.expires_at > clock_timestamp() AND c.deleted_at IS NULL
        AS good, t.replaces
    FROM join_token t JOIN cluster c ON c.id = t.cluster_id WHERE t.secret_hash = :secret_hash
),
used AS (
    UPDATE join_token t SET used_at = clock_timestamp() FROM asked a
    WHERE t.id = a.id AND a.good AND t.used_at IS NULL RETURNING t.id
)
SELECT a.cluster_id, a.name AS cluster, a.replaces, (SELECT i.id FROM installation i LIMIT 1) AS installation_id,
    EXISTS (SELECT FROM used) AS accepted FROM asked a
""")
_SERVING: Final = Statement("""
SELECT a.id, a.name, a.seen_at FROM agent a
WHERE a.cluster_id = :cluster AND a.revoked_at IS NULL AND a.locked_at IS NULL FOR UPDATE
""")
_INSERT: Final = Statement("""
WITH made AS (
    INSERT INTO agent (id, cluster_id, name, version, protocol) VALUES (:id, :cluster, :name, :version, :protocol)
    RETURNING id
)
INSERT INTO agent_key (agent_id, generation, public_key) SELECT id, 1, :public_key FROM made
""")
# One statement for who it is, whether it still may, whether the time fits, that the nonce was not used before, and that
# no later process of the agent was heard of. A process that is new takes the place of the one before it.
_ADMIT: Final = Statement(f"""
WITH found AS MATERIALIZED (
    SELECT a.id, a.name, a.cluster_id, c.name AS cluster, k.public_key, a.seen_at, a.process, k.used_at,
        a.revoked_at IS NOT NULL OR c.deleted_at IS NOT NULL AS revoked, a.locked_at IS NOT NULL AS locked,
        abs(extract(epoch FROM clock_timestamp()) - :created) <= :window AS timely,
        k.generation < a.generation AND coalesce(extract(epoch FROM n.used_at) + :grace < :created, false) AS outdated,
        CAST(:process AS text) NOT IN ('', a.process) AND CAST(:process AS text) = ANY(a.past_processes) AS replaced,
        coalesce(extract(epoch FROM a.process_since) + :grace < :created, false) AS outlived
    FROM agent a JOIN cluster c ON c.id = a.cluster_id
        JOIN agent_key k ON k.agent_id = a.id AND k.generation = :generation
        JOIN agent_key n ON n.agent_id = a.id AND n.generation = a.generation
    WHERE a.id = :agent
),
welcome AS (SELECT * FROM found f WHERE f.timely AND NOT (f.revoked OR f.locked OR f.outdated OR f.replaced)),
fresh AS (
    INSERT INTO agent_nonce (agent_id, nonce, expires_at)
    SELECT w.id, :nonce, clock_timestamp() + make_interval(secs => :keep) FROM welcome w
    ON CONFLICT DO NOTHING RETURNING agent_id
),
used AS (
    UPDATE agent_key k SET used_at = clock_timestamp() FROM welcome w, fresh
    WHERE w.used_at IS NULL AND k.agent_id = w.id AND k.generation = :generation
),
heard AS (
    UPDATE agent a SET seen_at = clock_timestamp(), process = n.process,
        process_since = CASE WHEN a.process = n.process THEN a.process_since ELSE clock_timestamp() END,
        past_processes = CASE WHEN a.process = n.process THEN a.past_processes
            ELSE (array_prepend(a.process, a.past_processes))[1:{_PAST_PROCESSES}] END
    FROM welcome w CROSS JOIN fresh
        CROSS JOIN LATERAL (SELECT coalesce(nullif(CAST(:process AS text), ''), w.process) AS process) AS n
    WHERE a.id = w.id AND (coalesce(w.seen_at < clock_timestamp() - interval '10 seconds', true)
        OR a.process <> n.process) RETURNING a.cluster_id
),
online AS (UPDATE cluster c SET seen_at = clock_timestamp() FROM heard h WHERE c.id = h.cluster_id)
SELECT f.id, f.name, f.cluster_id, f.cluster, f.public_key, f.revoked, f.locked, f.timely, f.outdated, f.replaced,
    f.outlived, EXISTS (SELECT FROM fresh) AS fresh FROM found f
""")
_IS_BLOCKED: Final = Statement("""
SELECT EXISTS (
    SELECT FROM agent a JOIN cluster c ON c.id = a.cluster_id
    WHERE a.id = :agent AND (a.revoked_at IS NOT NULL OR a.locked_at IS NOT NULL OR c.deleted_at IS NOT NULL)
)
""")
_ROTATE: Final = Statement("""
WITH moved AS (
    UPDATE agent a SET generation = :generation
    WHERE a.id = :agent AND a.generation = :generation - 1 AND a.locked_at IS NULL AND a.revoked_at IS NULL
    RETURNING a.id
),
added AS (
    INSERT INTO agent_key (agent_id, generation, public_key) SELECT id, :generation, :public_key FROM moved
    RETURNING public_key
)
SELECT coalesce(
    (SELECT 'ROTATED' FROM added),
    (SELECT CASE WHEN k.public_key = :public_key AND k.used_at IS NULL THEN 'REPEATED' ELSE 'TAKEN' END
        FROM agent_key k WHERE k.agent_id = :agent AND k.generation = :generation),
    'REFUSED')
""")
_LOCK: Final = Statement("""
WITH locked AS (
    UPDATE agent a SET locked_at = clock_timestamp() WHERE a.id = :agent AND a.locked_at IS NULL
    RETURNING a.id
)
SELECT id, pg_notify(:channel, :name) FROM locked
""")
_REVOKE: Final = Statement("""
WITH asked AS MATERIALIZED (SELECT a.id, a.revoked_at FROM agent a WHERE a.id = :agent FOR UPDATE),
revoked AS (
    UPDATE agent a SET revoked_at = clock_timestamp() FROM asked q WHERE a.id = q.id AND q.revoked_at IS NULL
    RETURNING a.id
)
SELECT r.id, pg_notify(:channel, :name) FROM revoked r
""")
_FIRST_REFUSAL: Final = Statement("""
INSERT INTO agent_nonce (agent_id, nonce, expires_at)
SELECT :agent, 'refusal:' || :reason || ':' || CAST(floor(extract(epoch FROM clock_timestamp()) / 60) AS text),
    clock_timestamp() + interval '2 minutes'
ON CONFLICT DO NOTHING
""")
_FORGET_NONCES: Final = Statement("""
DELETE FROM agent_nonce n WHERE (n.agent_id, n.nonce) IN (
    SELECT x.agent_id, x.nonce FROM agent_nonce x WHERE x.expires_at < clock_timestamp()
    ORDER BY x.expires_at LIMIT :limit FOR UPDATE SKIP LOCKED)
""")
_FORGET_KEYS: Final = Statement("""
DELETE FROM agent_key k USING agent a WHERE a.id = k.agent_id AND k.generation < a.generation - 1
    AND k.created_at < clock_timestamp() - interval '90 days'
""")
_KEEP_KEY: Final = Statement("""
INSERT INTO installation_key (installation_id, private_key) SELECT i.id, :fresh FROM installation i LIMIT 1
ON CONFLICT DO NOTHING
""")
_INSTALLATION_KEY: Final = Statement("""
SELECT k.installation_id, k.private_key FROM installation_key k ORDER BY k.created_at LIMIT 1
""")
_CLUSTER: Final = Statement("SELECT a.cluster_id FROM agent a WHERE a.id = :agent")
_PUBLIC_KEY: Final = Statement("""
SELECT k.public_key FROM agent a JOIN cluster c ON c.id = a.cluster_id
    JOIN agent_key k ON k.agent_id = a.id AND k.generation = :generation
WHERE a.id = :agent AND a.revoked_at IS NULL AND a.locked_at IS NULL AND c.deleted_at IS NULL
""")


@dataclass(frozen=True, kw_only=True, slots=True)
class JoinTokenUse:
    """The cluster of a join token; ``accepted`` is false when the token was used before or has expired.

    ``replaces`` tells whether it was made to take the place of the cluster's agent.
    """

    cluster_id: UUID
    cluster: str
    installation_id: UUID
    replaces: bool
    accepted: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class ServingAgent:
    """The agent that a cluster has, and when it was heard of last."""

    id: UUID
    name: str
    seen_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class AdmissionFacts:
    """The agent of a key, and what speaks for and against its request.

    Attributes:
        revoked: whether the agent or its cluster has lost its access.
        timely: whether the request's time is near enough to this clock.
        outdated: whether the key's successor was in use before the request was signed.
        replaced: whether a later process of the agent was heard of than the one that signed.
        outlived: with that, whether the request was signed when the later one had been running for a while: both run.
        fresh: whether the nonce was not used before; it is used up now.
    """

    id: UUID
    name: str
    cluster_id: UUID
    cluster: str
    public_key: str
    revoked: bool
    locked: bool
    timely: bool
    outdated: bool
    replaced: bool
    outlived: bool
    fresh: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredKey:
    """The installation's private key, base64."""

    installation_id: UUID
    private_key: str = field(repr=False)


def use_join_token(connection: Connection, secret_hash: str) -> JoinTokenUse | None:
    """Use up a join token; return its cluster, None if there is no such token."""
    return connection.first(JoinTokenUse, _USE_TOKEN, {"secret_hash": secret_hash})


def serving(connection: Connection, cluster_id: UUID) -> ServingAgent | None:
    """Return the agent that a cluster has, which stays as it is until the transaction ends; None if it has none."""
    return connection.first(ServingAgent, _SERVING, {"cluster": cluster_id})


def insert(
    connection: Connection,
    *,
    agent_id: UUID,
    cluster_id: UUID,
    name: str,
    version: str,
    protocol: int,
    public_key: str,
) -> None:
    """Add an agent with its first key."""
    parameters = {
        "id": agent_id,
        "cluster": cluster_id,
        "name": name,
        "version": version,
        "protocol": protocol,
        "public_key": public_key,
    }
    connection.run(_INSERT, parameters)


def admit(
    connection: Connection, *, agent_id: UUID, generation: int, process: str, created: int, nonce: str
) -> AdmissionFacts | None:
    """Return the agent of a key with what speaks for and against its request, and use up the nonce; None if unknown.

    ``process`` is what the agent calls the process that signed, empty for agents that name none. The signature is not
    looked at here: the caller takes the transaction back if the key does not verify it. That the
    agent was seen is written at most once in ten seconds.
    """
    parameters = {
        "agent": agent_id,
        "generation": generation,
        "process": process,
        "created": created,
        "nonce": nonce,
        "window": WINDOW_SECONDS,
        "grace": GRACE_SECONDS,
        "keep": _NONCE_SECONDS,
    }
    return connection.first(AdmissionFacts, _ADMIT, parameters)


def is_blocked(connection: Connection, agent_id: UUID) -> bool:
    """Tell whether an agent that was admitted has been revoked or locked since."""
    return bool(connection.value(bool, _IS_BLOCKED, {"agent": agent_id}))


def rotate(connection: Connection, agent_id: UUID, generation: int, public_key: str) -> Rotation:
    """Give an agent its next key."""
    parameters = {"agent": agent_id, "generation": generation, "public_key": public_key}
    return connection.value(Rotation, _ROTATE, parameters) or Rotation.REFUSED


def lock(connection: Connection, agent_id: UUID) -> bool:
    """Lock an agent and cut its polls; tell whether it was not locked before."""
    parameters = {"agent": agent_id, "channel": OPERATION_CHANNEL, "name": wake_name(agent_id)}
    return connection.value(UUID, _LOCK, parameters) is not None


def revoke(connection: Connection, agent_id: UUID) -> bool:
    """Revoke an agent and cut its polls; tell whether there is one that was not revoked before."""
    parameters = {"agent": agent_id, "channel": OPERATION_CHANNEL, "name": wake_name(agent_id)}
    return connection.value(UUID, _REVOKE, parameters) is not None


def cluster_of(connection: Connection, agent_id: UUID) -> UUID | None:
    """Return the cluster of an agent, None if there is no such agent."""
    return connection.value(UUID, _CLUSTER, {"agent": agent_id})


def is_first_refusal(connection: Connection, agent_id: UUID, reason: Refusal) -> bool:
    """Tell whether an agent was not refused for the same reason within this minute: a flood is one event a minute."""
    return connection.run(_FIRST_REFUSAL, {"agent": agent_id, "reason": reason}) == 1


def sweep(connection: Connection, limit: int) -> int:
    """Forget nonces whose window has passed, and keys of long ago; return how many nonces."""
    connection.run(_FORGET_KEYS)
    return connection.run(_FORGET_NONCES, {"limit": limit})


def installation_key(connection: Connection, fresh: str) -> StoredKey:
    """Return the installation's key; ``fresh`` (base64) is kept if there is none yet."""
    kept = connection.first(StoredKey, _INSTALLATION_KEY)
    if kept is not None:
        return kept
    connection.run(_KEEP_KEY, {"fresh": fresh})
    return connection.one(StoredKey, _INSTALLATION_KEY)


def public_key(connection: Connection, agent_id: UUID, generation: int) -> str | None:
    """Return the public key of an agent that may work, None if there is none of that generation."""
    return connection.value(str, _PUBLIC_KEY, {"agent": agent_id, "generation": generation})
