"""Shares that are small without drift, and of which only a growth is drift."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from mlops_tasks.drift.gauges import Readings, SplitGauge
from mlops_tasks.drift.movement import told_days

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlops_tasks.drift.gauges import Aspect, Gauge
    from mlops_tasks.profiles import Profile

__all__ = ["RareShares", "at_least"]


class RareShares:
    """Scale of one aspect whose shares are small without drift.

    Parameters
    ----------
    aspect : str
        The aspect.
    names : tuple of str
        Its columns.
    own : Readings
        Of the days of the reference, each as if it was none of it.
    """

    def __init__(self, aspect: Aspect, names: tuple[str, ...], own: Readings) -> None:
        gauge, reference = _gauge_of(own)
        self.names: dict[Aspect, tuple[str, ...]] = {aspect: names}
        self.gauges: dict[Aspect, Gauge] = {aspect: gauge}
        self.own: dict[Aspect, Readings] = {aspect: own}
        self.reference: dict[Aspect, Readings] = {aspect: reference}

    def read(self, profiles: Sequence[Profile]) -> dict[Aspect, Readings]:
        """Read profiles that are none of the days; less than expected is no drift."""
        found = self.read_new(profiles)
        return {aspect: at_least(expected, found) for aspect, expected in self.reference.items()}

    def read_new(self, profiles: Sequence[Profile]) -> Readings:
        """Read profiles that are none of the days."""
        raise NotImplementedError


def _gauge_of(own: Readings) -> tuple[Gauge, Readings]:
    """Set up the gauge by what the days read, and say what a new day would read on average."""
    # Days with too few rows count only if there are no others.
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
