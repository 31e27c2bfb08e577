"""Shares that are small without drift, and of which only a growth is drift."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from mlops_tasks.drift.gauges import Readings, SplitGauge
from mlops_tasks.drift.movement import told_days

if TYPE_CHECKING:
    from mlops_tasks.drift.gauges import Gauge

__all__ = ["at_least", "rare_share"]


def rare_share(own: Readings) -> tuple[Gauge, Readings]:
    """Set up a gauge by what the days of a reference read of themselves.

    Parameters
    ----------
    own : Readings
        One share per day and column. Days with too few rows count only if there are no others.

    Returns
    -------
    tuple of Gauge and Readings
        The gauge, and what a new day of the reference would read.
    """
    is_told = told_days(own.n)
    counts = is_told | ~is_told.any(axis=0)
    n = np.where(counts, own.n, 0.0)
    n_all = np.where(counts, own.rows, 0.0).sum(axis=0)
    total, hits = n.sum(axis=0), np.sum(own.values[:, :, 0] * n, axis=0)
    # Half a row, after Jeffreys: that no day had one is no proof that none will.
    share = ((hits + 0.5) / (total + 1))[:, None]
    expected = (hits / np.maximum(total, 1))[None, :, None]
    reference = Readings(expected, total[None], np.zeros_like(total)[None], n_all[None])
    return SplitGauge(np.ones_like(share), share), reference


def at_least(expected: Readings, found: Readings) -> Readings:
    """Read no less than is expected: less of it is no drift.

    Parameters
    ----------
    expected : Readings
        Of the reference.
    found : Readings
        Of any profiles.

    Returns
    -------
    Readings
        As found, with larger values where less was found.
    """
    return replace(found, values=np.maximum(found.values, expected.values))
