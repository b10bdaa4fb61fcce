# SPDX-License-Identifier: Apache-2.0
"""Rules of the platform switched off, each in the processes that keep it: a checker that stays silent is broken."""

import sys
from collections.abc import Callable, Sequence
from typing import Any, Final

_COPY: Final = "made-twice-"


def apply(names: Sequence[str]) -> None:
    """Switch off the named rules in this process, if it keeps them."""
    words = " ".join(sys.orig_argv)
    for name in names:
        role, mutate = _MUTATIONS[name]
        if role in words:
            mutate()


def _replaced(module: Any, name: str, *pairs: tuple[str, str]) -> None:
    statement = getattr(module, name)
    sql: str = statement.sql.decode()
    for old, new in pairs:
        if old not in sql:
            raise RuntimeError(f"{module.__name__}.{name} has no {old!r} any more; mend the mutation")
        sql = sql.replace(old, new)
    statement.sql = sql.encode()


def _no_fence() -> None:
    """Whoever writes what became of a job is believed, whatever was claimed since."""
    from stratoplane_engine.db import job_states, job_updates

    _replaced(job_updates, "_MOVE", (f"AND j.epoch = v.epoch AND j.state IN {job_states.LIVE_STATES}", ""))


def _no_lease_check() -> None:
    """A job is claimed although another worker holds it."""
    from stratoplane_engine.db import claims

    _replaced(claims, "_CLAIM", ("j.lease_until < clock_timestamp()", "j.lease_until IS NOT NULL"))


def _no_outbox() -> None:
    """An accepted job tells nobody."""
    from stratoplane_engine.db import changes

    told = "SELECT 'job', jsonb_build_object('job_id', id) FROM job_written"
    for name in ("_CREATE", "_CHANGE"):
        _replaced(changes, name, (told, f"{told} WHERE false"))


def _no_observe_first() -> None:
    """What may have been made is made again without a look."""
    from stratoplane_agent.attempt import Attempt

    def begin(self: Any) -> Any:
        return self.resume()

    def resolved(_self: Any, uncertain: Any) -> Any:
        return uncertain

    setattr(Attempt, "begin", begin)  # noqa: B010  # a method is replaced on purpose
    setattr(Attempt, "_resolved", resolved)  # noqa: B010  # as above


def _forgetful_provider() -> None:
    """No rule of ours: a provider that makes another object for the same order, as those without client tokens do."""
    from stratoplane.ids import new_id
    from stratoplane_mock import machines, ownership
    from stratoplane_mock.rules import Kind

    real = machines.create

    def create(transaction: Any, tenancy: Any, spec: Any) -> Any:
        if ownership.own_row(transaction, tenancy, Kind.MACHINE, spec.uid) is not None:
            copy, status = str(new_id()), real(transaction, tenancy, spec)
            columns = [row["name"] for row in transaction.rows("PRAGMA table_info(machine)") if row["name"] != "uid"]
            listed = ", ".join(columns)
            transaction.run(
                f"INSERT INTO machine (uid, {listed}) SELECT ?, {listed} FROM machine WHERE uid = ?",  # noqa: S608
                copy,
                str(spec.uid),
            )
            return status
        return real(transaction, tenancy, spec)

    machines.create = create


_MUTATIONS: Final[dict[str, tuple[str, Callable[[], None]]]] = {
    "fence": ("stratoplane_engine.roles.worker", _no_fence),
    "lease": ("stratoplane_engine.roles.worker", _no_lease_check),
    "outbox": ("create_application", _no_outbox),
    "observe-first": ("stratoplane_agent", _no_observe_first),
    "forgetful-provider": ("stratoplane_agent", _forgetful_provider),
}
