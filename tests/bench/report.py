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
    """

    name: str
    value: float
    unit: str
    mark: str = ""
    floor: str = ""

    def reached(self) -> bool | None:
        """Tell whether the mark is reached; None when there is none."""
        if not self.mark:
            return None
        direction, bound = self.mark.split()
        return self.value >= float(bound) if direction == ">=" else self.value <= float(bound)

    def document(self) -> dict[str, object]:
        """Return the figure as JSON values."""
        return {
            "name": self.name,
            "value": round(self.value, 3),
            "unit": self.unit,
            "mark": self.mark,
            "reached": self.reached(),
            "floor": self.floor,
        }


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which ``share`` (0 to 1) of ``values`` lie, the nearest one that was measured."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def latencies(name: str, seconds: Sequence[float], *, mark: str = "", floor: str = "") -> list[Figure]:
    """Return median and 99th percentile of ``seconds`` in milliseconds; ``mark`` and ``floor`` go with the median."""
    milliseconds = [each * 1000 for each in seconds]
    floor_median = f"{floor}, median" if floor else ""
    return [
        Figure(name=f"{name}, median", value=statistics.median(milliseconds), unit="ms", mark=mark, floor=floor_median),
        Figure(name=f"{name}, p99", value=percentile(milliseconds, 0.99), unit="ms"),
    ]


def table(figures: Sequence[Figure]) -> str:
    """Return the figures as text in columns; the last one is the ratio to the floor."""
    values = {figure.name: figure.value for figure in figures}
    rows = [("figure", "value", "unit", "mark", "reached", "to floor")]
    for figure in figures:
        reached = {True: "yes", False: "NO", None: ""}[figure.reached()]
        base = values.get(figure.floor)
        ratio = f"{figure.value / base:.2f} x" if base else ""
        rows.append((figure.name, f"{figure.value:,.1f}", figure.unit, figure.mark, reached, ratio))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(_cell(row, column, widths) for column in range(len(row))).rstrip() for row in rows)


def _cell(row: tuple[str, ...], column: int, widths: Sequence[int]) -> str:
    return row[column].rjust(widths[column]) if column in (1, 5) else row[column].ljust(widths[column])
