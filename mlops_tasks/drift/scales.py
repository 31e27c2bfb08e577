"""The gauges of a reference, and what they read from any number of profiles at once."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from mlops_tasks.drift.category_scales import MAX_CATEGORIES, CategoryShares, Concentration
from mlops_tasks.drift.code_scales import CodeShares, coded_columns
from mlops_tasks.drift.gauges import LevelGauge, Readings, SplitGauge, never_certain
from mlops_tasks.drift.movement import MIN_DAYS
from mlops_tasks.drift.ranges import NumbersBeyond
from mlops_tasks.drift.repeats import RepeatedNumbers
from mlops_tasks.profiles.alignment import places, stacked
from mlops_tasks.profiles.categories import CATEGORY_COUNTS
from mlops_tasks.profiles.numeric import COUNTS, MOMENTS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from mlops_tasks.drift.columns import Floats
    from mlops_tasks.drift.gauges import Aspect, Gauge
    from mlops_tasks.profiles import Profile
    from mlops_tasks.profiles.numeric import NumericColumns


__all__ = ["Scale", "scales_of"]

# Cuts of a column of numbers: at 31 quantiles, below its minimum and at its maximum.
_N_CUTS = 32
_BLOCK = 32
# `rank_error` is the largest error of a share; errors up to it are about equally likely.
_SD_PER_RANK_ERROR = 1 / math.sqrt(3)

_N, _FINITE = COUNTS.index("n"), COUNTS.index("n_finite")
_MEAN, _SECOND, _SLACK = (MOMENTS.index(name) for name in ("mean", "second", "slack"))
_N_TEXTS, _NULLS, _EXACT = (CATEGORY_COUNTS.index(name) for name in ("n", "n_null", "is_exact"))


class Scale(Protocol):
    """Gauges of columns of one kind.

    Attributes
    ----------
    gauges : dict of str to Gauge
        By aspect.
    names : dict of str to tuple of str
        The columns of each aspect, in the order of its arrays.
    reference : dict of str to Readings
        What a new day of the reference would read on average, with one profile.
    own : dict of str to Readings
        What each day of the reference would read, were it none of it.
    """

    gauges: dict[Aspect, Gauge]
    names: dict[Aspect, tuple[str, ...]]
    reference: dict[Aspect, Readings]
    own: dict[Aspect, Readings]

    def read(self, profiles: Sequence[Profile]) -> dict[Aspect, Readings]:
        """Read profiles; axes are profiles, columns and cuts. What one lacks has no rows there."""


def scales_of(
    whole: Profile, days: Sequence[Profile] = (), known: Mapping[str, Floats] | None = None
) -> tuple[Scale, ...]:
    """Set up every gauge that the kinds of the columns of a reference have.

    Parameters
    ----------
    whole : Profile
        Of the whole reference.
    days : sequence of Profile, optional
        Of its days; by default the whole is taken for a single one.
    known : mapping of str to array, optional
        Numbers that the days had, as `known_numbers` finds them.

    Returns
    -------
    tuple of Scale
        Missing values for every column; shape and level of numbers, shares of those that are few
        as codes are, and of enough days unseen ones: new where numbers repeat, beyond the range
        where not; shares of categories, and unseen ones if the reference counted them all; the
        concentration on one of many. Instants move on by themselves, so only their missing values
        are looked at; the same holds for a column without any value in the reference.
    """
    numbers, texts = whole.numbers, whole.categories
    of_numbers = (numbers.counts[:, _FINITE] > 0) & ~numbers.is_time
    of_codes = of_numbers & coded_columns(numbers)
    of_texts = texts.counts[:, _N_TEXTS] > texts.counts[:, _NULLS]
    too_many = of_texts & ((texts.counts[:, _EXACT] == 0) | (texts.sizes > MAX_CATEGORIES))
    others = [name not in (known or {}) for name in numbers.names]
    beyond = of_numbers & (len(days) >= MIN_DAYS) & np.array(others, bool)
    days = days or (whole,)
    return (
        _Presence(whole, days),
        *(_Numbers(whole, days, names) for names in _blocks(numbers.names, of_numbers)),
        *(CodeShares(whole, days, names) for names in _blocks(numbers.names, of_codes)),
        *([RepeatedNumbers(known, days)] if known else []),
        *(NumbersBeyond(days, names) for names in _blocks(numbers.names, beyond)),
        *(CategoryShares(whole, days, names) for names in _blocks(texts.names, of_texts)),
        *(Concentration(days, names) for names in _blocks(texts.names, too_many)),
    )


def _blocks(names: tuple[str, ...], wanted: npt.NDArray[np.bool_]) -> list[tuple[str, ...]]:
    """Cut the wanted columns into parts of a size that stays in a processor's cache."""
    own = [name for name, want in zip(names, wanted.tolist(), strict=True) if want]
    return [tuple(own[i : i + _BLOCK]) for i in range(0, len(own), _BLOCK)]


class _Presence:
    """Missing values of all columns."""

    def __init__(self, whole: Profile, days: Sequence[Profile]) -> None:
        self._numbers, self._categories = whole.numbers.names, whole.categories.names
        self.names: dict[Aspect, tuple[str, ...]] = {"missing": self._numbers + self._categories}
        n, present = self._rows([whole])
        # Half a row, after Jeffreys: that none was seen is no proof that there is none.
        shares = ((n - present + 0.5) / (n + 1))[0, :, None]
        self.gauges: dict[Aspect, Gauge] = {"missing": SplitGauge(np.ones_like(shares), shares)}
        self.reference, self.own = self.read([whole]), self.read(days)

    def read(self, profiles: Sequence[Profile]) -> dict[Aspect, Readings]:
        n, present = self._rows(profiles)
        values = 1 - present / np.maximum(n, 1)
        return {"missing": Readings(values[:, :, None], n, np.zeros_like(n))}

    def _rows(self, profiles: Sequence[Profile]) -> tuple[Floats, Floats]:
        numbers = stacked([one.numbers for one in profiles], self._numbers, "counts")
        texts = stacked([one.categories for one in profiles], self._categories, "counts")
        n = np.concatenate([numbers[:, :, _N], texts[:, :, _N_TEXTS]], axis=1)
        present = [numbers[:, :, _FINITE], texts[:, :, _N_TEXTS] - texts[:, :, _NULLS]]
        return n.astype(float), np.concatenate(present, axis=1).astype(float)


class _Numbers:
    """Shape and level of columns of numbers that have any."""

    def __init__(self, whole: Profile, days: Sequence[Profile], names: tuple[str, ...]) -> None:
        self.names: dict[Aspect, tuple[str, ...]] = {"shape": names, "level": names}
        self._cuts = _cuts(whole, names)
        self.reference = self.read([whole])
        shares = never_certain(self.reference["shape"])
        shape = SplitGauge(_weights(self._cuts), shares, is_ordered=True)
        self.gauges: dict[Aspect, Gauge] = {"shape": shape, "level": LevelGauge()}
        self.own = self.read(days)

    def read(self, profiles: Sequence[Profile]) -> dict[Aspect, Readings]:
        names, parts = self.names["shape"], [one.numbers for one in profiles]
        moments = stacked(parts, names, "moments")
        n = stacked(parts, names, "counts")[:, :, _FINITE].astype(float)
        rows = np.maximum(n, 1)
        rank_error = np.minimum(moments[:, :, _SLACK] / rows, 1.0)
        shares = _shares_below(parts, names, self._cuts)
        return {
            "shape": Readings(shares, n, (rank_error * _SD_PER_RANK_ERROR) ** 2),
            "level": Readings(moments[:, :, _MEAN, None], n, moments[:, :, _SECOND] / rows),
        }


def _cuts(whole: Profile, names: tuple[str, ...]) -> Floats:
    """Return where the columns are cut, in order; cuts may coincide."""
    levels = np.arange(1, _N_CUTS) / _N_CUTS
    columns: list[Any] = [whole.columns[name] for name in names]
    inner = [column.quantiles(levels) for column in columns]
    ends = np.array([[column.minimum, column.maximum] for column in columns], float)
    ends = ends.reshape(-1, 2)
    with np.errstate(over="ignore"):  # below the smallest double lies infinity, as it should
        below = np.nextafter(ends[:, :1], -np.inf)
        upper = np.concatenate([np.reshape(inner, (-1, _N_CUTS - 1)), ends[:, 1:]], axis=1)
        return np.concatenate([below - _last_digits(below), upper + _last_digits(upper)], axis=1)


def _last_digits(values: Floats) -> Floats:
    """Return how far the same number may be off when it is computed another way; whole ones not."""
    return np.where(np.rint(values) == values, 0.0, np.abs(values) * 2.0**-22)


def _weights(cuts: Floats) -> Floats:
    """Weigh all cuts alike; of those that coincide, the first stands for all."""
    is_first = np.ones(cuts.shape, bool)
    is_first[:, 1:] = cuts[:, 1:] != cuts[:, :-1]
    first = np.maximum.accumulate(np.where(is_first, np.arange(cuts.shape[1]), 0), axis=1)
    counts = np.zeros(cuts.shape)
    np.add.at(counts, (np.arange(len(cuts))[:, None], first), 1.0)
    return np.asarray(counts / cuts.shape[1])


def _shares_below(parts: Sequence[NumericColumns], names: tuple[str, ...], cuts: Floats) -> Floats:
    found, (begins, sizes) = np.zeros((len(parts), *cuts.shape)), places(parts, names)
    for d, part in enumerate(parts):
        where = zip(cuts, begins[d].tolist(), sizes[d].tolist(), found[d], strict=True)
        for at, begin, size, below in where:
            below[:] = part.points[begin : begin + size].searchsorted(at, side="right")
    return found / np.maximum(sizes, 1)[:, :, None]
