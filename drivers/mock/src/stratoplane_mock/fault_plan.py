# SPDX-License-Identifier: Apache-2.0
"""The fault plan: stored in the region's file, so that it applies at once in every process that uses the region."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from stratoplane_mock.rules import Call, FaultRule, rule_from_json
from stratoplane_mock.store import Row, Store, Transaction

FROM_COMMAND: Final = "command"
FROM_SETTINGS: Final = "settings"


@dataclass(frozen=True, kw_only=True, slots=True)
class FaultCount:
    """A rule of the plan with the number of calls that matched it, and of those that went wrong."""

    rule: FaultRule
    origin: str
    calls: int
    hits: int


class FaultPlan:
    """Reads and writes the plan, and decides for each call."""

    def __init__(self, store: Store) -> None:
        self._store: Final = store

    def show(self) -> Sequence[FaultCount]:
        """Return every rule with its counts."""
        with self._store.reading() as transaction:
            return [
                FaultCount(rule=_rule(row["rule"]), origin=row["origin"], calls=row["calls"], hits=row["hits"])
                for row in _rows(transaction)
            ]

    def add(self, *rules: FaultRule) -> None:
        """Append rules; the first that hits a call decides."""
        with self._store.writing() as transaction:
            _insert(transaction, FROM_COMMAND, rules)

    def set(self, *rules: FaultRule) -> None:
        """Replace the whole plan, including the rules of the settings, and reset the counts."""
        with self._store.writing() as transaction:
            transaction.run("DELETE FROM fault_rule")
            _insert(transaction, FROM_COMMAND, rules)

    def clear(self) -> None:
        """Remove all rules."""
        self.set()

    def configure(self, rules: Sequence[FaultRule]) -> None:
        """Apply the rules of the settings; the counts of unchanged rules continue."""
        wanted = [rule.to_json() for rule in rules]
        with self._store.writing() as transaction:
            present = [row["rule"] for row in _rows(transaction) if row["origin"] == FROM_SETTINGS]
            if present != wanted:
                transaction.run("DELETE FROM fault_rule WHERE origin = ?", FROM_SETTINGS)
                _insert(transaction, FROM_SETTINGS, rules)

    def draw(self, call: Call, *, changing: bool) -> FaultRule | None:
        """Return the rule that applies to ``call`` and count it; None when no rule does."""
        with self._store.reading() as transaction:
            if not any(_rule(row["rule"]).matches(call, changing=changing) for row in _rows(transaction)):
                return None
        with self._store.writing() as transaction:
            for row in _rows(transaction):
                rule = _rule(row["rule"])
                if rule.matches(call, changing=changing) and not _is_expired(
                    rule, row["hits"], row["set_at"], transaction
                ):
                    hit = rule.hits(row["calls"] + 1)
                    transaction.run(
                        "UPDATE fault_rule SET calls = calls + 1, hits = hits + ? WHERE position = ?",
                        int(hit),
                        row["position"],
                    )
                    if hit:
                        return rule
        return None


def _rows(transaction: Transaction) -> list[Row]:
    return transaction.rows("SELECT * FROM fault_rule ORDER BY position")


def _rule(text: str) -> FaultRule:
    return rule_from_json(json.loads(text))


def _is_expired(rule: FaultRule, hits: int, set_at: float, transaction: Transaction) -> bool:
    used_up = rule.times is not None and hits >= rule.times
    return used_up or (rule.seconds is not None and transaction.now > set_at + rule.seconds)


def _insert(transaction: Transaction, origin: str, rules: Iterable[FaultRule]) -> None:
    for rule in rules:
        transaction.run(
            "INSERT INTO fault_rule (origin, rule, set_at) VALUES (?, ?, ?)", origin, rule.to_json(), transaction.now
        )
