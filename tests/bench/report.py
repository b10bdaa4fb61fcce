# SPDX-License-Identifier: Apache-2.0
"""Figures and their table."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """One measured value, the mark it should reach and the floor it is compared with.

    Attributes:
        mark: what is aimed at, with its direction: ``">= 100"`` or ``"<= 15"``; empty for a floor itself.
        floor: name of the floor's figure.
        ratio: what the ratio to the floor should reach, as ``mark``.
    """

    name: str
    value: float
    unit: str
    mark: str = ""
    floor: str = ""
    ratio: str = ""

    def reached(self, floor: float | None) -> bool | None:
        """Tell whether the marks are reached; None when there is none."""
        ratio = None if floor is None else self.value / floor
        marks = [(self.value, self.mark)] if self.mark else []
        marks += [(ratio, self.ratio)] if self.ratio and ratio is not None else []
        return all(_is_reached(value, mark) for value, mark in marks) if marks else None

    def document(self, floor: float | None) -> dict[str, object]:
        """Return the figure as JSON values; ``floor`` is the value of its floor, where that was measured."""
        return {
            "name": self.name,
            "value": round(self.value, 3),
            "unit": self.unit,
            "mark": self.mark,
            "reached": self.reached(floor),
            "floor": self.floor,
            "to_floor": None if floor is None else round(self.value / floor, 4),
            "ratio_mark": self.ratio,
        }


def _is_reached(value: float, mark: str) -> bool:
    direction, bound = mark.split()
    return value >= float(bound) if direction == ">=" else value <= float(bound)


def documents(figures: Sequence[Figure]) -> list[dict[str, object]]:
    """Return the figures as JSON values, each with the ratio to its floor where that was measured."""
    values = {figure.name: figure.value for figure in figures}
    return [figure.document(values.get(figure.floor)) for figure in figures]


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which ``share`` (0 to 1) of ``values`` lie, the nearest one that was measured."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def latencies(name: str, seconds: Sequence[float], *, mark: str = "", floor: str = "", ratio: str = "") -> list[Figure]:
    """Return median and 99th percentile of ``seconds`` in milliseconds; marks and ``floor`` go with the median."""
    milliseconds = [each * 1000 for each in seconds]
    floor_median = f"{floor}, median" if floor else ""
    return [
        Figure(
            name=f"{name}, median",
            value=statistics.median(milliseconds),
            unit="ms",
            mark=mark,
            floor=floor_median,
            ratio=ratio,
        ),
        Figure(name=f"{name}, p99", value=percentile(milliseconds, 0.99), unit="ms"),
    ]


def table(figures: Sequence[Figure]) -> str:
    """Return the figures as text in columns; the last one is the ratio to the floor."""
    values = {figure.name: figure.value for figure in figures}
    rows = [("figure", "value", "unit", "mark", "reached", "to floor")]
    for figure in figures:
        base = values.get(figure.floor)
        reached = {True: "yes", False: "NO", None: ""}[figure.reached(base)]
        ratio = f"{figure.value / base:.3f} x" if base else ""
        marks = ", ".join([*([figure.mark] if figure.mark else []), *([f"{figure.ratio} x"] if figure.ratio else [])])
        rows.append((figure.name, f"{figure.value:,.1f}", figure.unit, marks, reached, ratio))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(_cell(row, column, widths) for column in range(len(row))).rstrip() for row in rows)


def _cell(row: tuple[str, ...], column: int, widths: Sequence[int]) -> str:
    return row[column].rjust(widths[column]) if column in (1, 5) else row[column].ljust(widths[column])
