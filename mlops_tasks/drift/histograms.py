"""Both distributions of each column as bars to draw."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mlops_tasks.drift.decision import Picture
from mlops_tasks.drift.formatting import instant, short_name, short_number

if TYPE_CHECKING:
    from mlops_tasks.drift.samples import ContingencyTable, Floats, NumberSamples, TwoSamples

__all__ = ["draw_all"]

_N_BINS = 24
_N_BARS = 12
# The outermost bins hold all that lies beyond these shares of either side.
_DRAWN = np.array([0.005, 0.995])


def draw_all(samples: TwoSamples) -> dict[str, Picture]:
    """Draw both sides of every column."""
    found = {name: _draw_categories(table) for name, table in samples.tables.items()}
    return found | _draw_numbers(samples.numbers)


def _draw_categories(table: ContingencyTable) -> Picture:
    """Draw the 12 largest categories, and the rest."""
    shares = table.shares
    largest = shares[:, : table.n_named].max(axis=0)
    order = np.argsort(-largest, kind="stable").tolist()
    order += range(table.n_named, len(table.labels))  # all others come last
    drawn, others = order[:_N_BARS], order[_N_BARS:]
    labels = [short_name(table.labels[i]) for i in drawn]
    bars = shares[:, drawn]
    if others:
        labels.append(f"{len(others)} more")
        bars = np.column_stack([bars, shares[:, others].sum(axis=1)])
    return _picture(labels, bars, is_ordered=False)


def _draw_numbers(numbers: NumberSamples) -> dict[str, Picture]:
    """Draw 24 bins of equal width between the values that 0.5 % of either side are beyond.

    There are fewer where edges coincide.
    """
    ends = np.concatenate(list(numbers.quantiles(_DRAWN)), axis=1)
    low, high = np.fmin.reduce(ends, axis=1)[:, None], np.fmax.reduce(ends, axis=1)[:, None]
    # Weighed rather than stepped: ends may be too far apart to be subtracted.
    part = np.arange(_N_BINS) / _N_BINS
    edges = low * (1 - part) + high * part
    shares = numbers.histogram(edges) / np.maximum(numbers.n_present, 1)[:, :, None]
    exists = np.ones((len(edges), _N_BINS + 1), bool)
    exists[:, 1:-1] = edges[:, 1:] != edges[:, :-1]
    found = {}
    for i, name in enumerate(numbers.names):
        write = instant if numbers.is_time[0, i] else short_number
        own = exists[i, 1:] if numbers.n_present[:, i].any() else np.zeros(_N_BINS, bool)
        names = [write(edge) for edge in edges[i, own].tolist()]
        labels = [f"up to {name}" for name in names[:1]] + [f"above {name}" for name in names]
        found[name] = _picture(labels, shares[:, i, exists[i]], is_ordered=True)
    return found


def _picture(labels: list[str], shares: Floats, *, is_ordered: bool) -> Picture:
    old, new = (tuple(side.round(5).tolist()) if side.any() else () for side in shares)
    return Picture(tuple(labels), old, new, is_ordered)
