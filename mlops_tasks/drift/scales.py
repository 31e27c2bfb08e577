"""The gauges of a reference, and what they read from any number of profiles at once."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pyarrow as pa

from mlops_tasks.drift.gauges import LevelGauge, Readings, SplitGauge
from mlops_tasks.drift.movement import told_days
from mlops_tasks.drift.repeats import RepeatedNumbers
from mlops_tasks.profiles.arrays import COUNTS, MOMENTS, TEXTS
from mlops_tasks.profiles.bridge import valid, view
from mlops_tasks.profiles.stacking import matching, places, stacked

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy.typing as npt

    from mlops_tasks.drift.columns import Floats
    from mlops_tasks.drift.gauges import Aspect, Gauge
    from mlops_tasks.drift.repeats import Singles
    from mlops_tasks.profiles import Profile
    from mlops_tasks.profiles.arrays import CategoryArrays, NumberArrays

    Counts = npt.NDArray[Any]
    Integers = npt.NDArray[np.int64]

__all__ = ["Scale", "scales_of"]

# Cuts of a column of numbers: at 31 quantiles, below its minimum and at its maximum.
_N_CUTS = 32
_MAX_CATEGORIES = 64
_BLOCK = 32
# `rank_error` is the largest error of a share; errors up to it are about equally likely.
_SD_PER_RANK_ERROR = 1 / math.sqrt(3)

_N, _FINITE = COUNTS.index("n"), COUNTS.index("n_finite")
_MEAN, _SECOND, _SLACK = (MOMENTS.index(name) for name in ("mean", "second", "slack"))
_N_TEXTS, _NULLS, _EXACT = (TEXTS.index(name) for name in ("n", "n_null", "is_exact"))


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
    whole: Profile, days: Sequence[Profile] = (), known: Mapping[str, Singles] | None = None
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
        Missing values for every column; shape and level of numbers, unseen ones where numbers
        repeat; shares of categories and, if the reference counted them all, unseen categories.
        Instants move on by themselves, so only their missing values are looked at; the same holds
        for a column without any value in the reference.
    """
    numbers, texts = whole.numbers, whole.categories
    of_numbers = (numbers.counts[:, _FINITE] > 0) & ~numbers.is_time
    of_texts = texts.counts[:, _N_TEXTS] > texts.counts[:, _NULLS]
    days = days or (whole,)
    return (
        _Presence(whole, days),
        *(_Numbers(whole, days, names) for names in _blocks(numbers.names, of_numbers)),
        *([RepeatedNumbers(known, days)] if known else []),
        *(_Categories(whole, days, names) for names in _blocks(texts.names, of_texts)),
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
        shares = self.reference["shape"].values[0]
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


class _Categories:
    """Shares of the categories that the reference has most of, and of those it never had.

    Notes
    -----
    A category has a cut because of rows of the reference's own days: none of them has unseen ones,
    and each has more rows of those that just made it among the frequent ones than the next day will
    have. So of its days, rows count among "all others" unless the other days alone give their
    category a cut. With days of one row each this is the estimate of Good (1953).
    """

    def __init__(self, whole: Profile, days: Sequence[Profile], names: tuple[str, ...]) -> None:
        own = whole.categories
        have = np.array(matching(own.names, names)[0], np.intp)
        spans = list(zip(*(one[0].tolist() for one in places([own], names)), strict=True))
        exact = own.counts[have, _EXACT] > 0
        self._known = [own.values.slice(begin, size) for begin, size in spans]
        self._rows = [own.rows[begin : begin + size] for begin, size in spans]
        last = [_least(all_, rows) for all_, rows in zip(exact, self._rows, strict=True)]
        self._least = np.array(last)
        self._exact = np.flatnonzero(exact)
        unseen = tuple(names[i] for i in self._exact)
        self.names: dict[Aspect, tuple[str, ...]] = {"shares": names, "unseen": unseen}
        # Cuts: the first categories, and all others.
        has_cut = [_has_cut(rows, least) for rows, least in zip(self._rows, last, strict=True)]
        self._n_cuts = np.array([np.sum(one) for one in has_cut], int) + 1
        self.reference = self._read([whole], is_own=False)
        shares = self.reference["shares"]
        exists = np.arange(shares.values.shape[2]) < self._n_cuts[:, None]
        weights = np.where(exists, shares.values[0] / 2 + 0.5 / self._n_cuts[:, None], 0.0)
        # Good (1953): as many rows are new as there are rows of categories that were seen once.
        once = np.array([np.sum(rows == 1) for rows in self._rows])[self._exact]
        n = shares.n[0, self._exact]
        self.reference["unseen"] = replace(
            self.reference["unseen"], values=(once / np.maximum(n, 1))[None, :, None]
        )
        new = ((once + 0.5) / (n + 1))[:, None]  # half a row, after Jeffreys, to vary at all
        self.gauges: dict[Aspect, Gauge] = {
            "shares": SplitGauge(weights, shares.values[0]),
            "unseen": SplitGauge(np.ones_like(new), new),
        }
        self.own = self._read(days, is_own=True)
        self._expect_others()

    def read(self, profiles: Sequence[Profile]) -> dict[Aspect, Readings]:
        found = self._read(profiles, is_own=False)
        # Fewer new categories than expected are no drift.
        unseen, expected = found["unseen"], self.reference["unseen"].values
        found["unseen"] = replace(unseen, values=np.maximum(unseen.values, expected))
        return found

    def _expect_others(self) -> None:
        """Take from the days what a new day would have of categories without a cut."""
        none = np.zeros(len(self._exact), int)
        last: dict[Aspect, Integers] = {"shares": self._n_cuts - 1, "unseen": none}
        for aspect, at in last.items():
            old, new = self.reference[aspect], self.own[aspect]
            is_day, values = told_days(new.n), old.values.copy()
            pooled = self.gauges[aspect].pooled(replace(new, n=np.where(is_day, new.n, 0.0)))
            columns = np.flatnonzero(is_day.any(axis=0))
            values[0, columns, at[columns]] = pooled.values[columns, at[columns]]
            self.reference[aspect] = replace(old, values=values)

    def _read(self, profiles: Sequence[Profile], *, is_own: bool) -> dict[Aspect, Readings]:
        names, parts = self.names["shares"], [one.categories for one in profiles]
        counts = stacked(parts, names, "counts")
        n = (counts[:, :, _N_TEXTS] - counts[:, :, _NULLS]).astype(float)
        rows = np.maximum(n, 1)
        shares = np.zeros((*n.shape, int(self._n_cuts.max(initial=1))))
        unseen = np.zeros_like(n)
        for i, (table, new) in enumerate(self._counted(parts)):
            last = self._n_cuts[i] - 1
            shares[:, i, :last] = table[:, :last]
            named, unseen[:, i] = table[:, :last].sum(axis=1), new
            if is_own:
                others = self._rows[i] - table
                named = np.sum(table, axis=1, where=_has_cut(others, self._least[i]))
                unseen[:, i] = np.sum(table, axis=1, where=others < 1)
            shares[:, i, last] = rows[:, i] - named
        known, none = self._exact, np.zeros_like(n)
        return {
            "shares": Readings(shares / rows[:, :, None], n, none),
            "unseen": Readings((unseen / rows)[:, known, None], n[:, known], none[:, known]),
        }

    def _counted(
        self, parts: Sequence[CategoryArrays]
    ) -> Iterator[tuple[npt.NDArray[Any], npt.NDArray[Any]]]:
        """Count rows per profile and known category, and those of all that are not known."""
        import pyarrow.compute as pc

        begins, sizes = places(parts, self.names["shares"])
        for i, (begin, size) in enumerate(zip(begins.T.tolist(), sizes.T.tolist(), strict=True)):
            own = list(zip(parts, begin, size, strict=True))
            values = pa.concat_arrays([part.values.slice(a, n) for part, a, n in own])
            rows = np.concatenate([part.rows[a : a + n] for part, a, n in own])
            place = _indices(pc.index_in(values, value_set=self._known[i]))
            width, profile = len(self._known[i]) + 1, np.repeat(np.arange(len(parts)), size)
            cells = np.where(place < 0, width - 1, place) + profile * width
            table = np.bincount(cells, rows, len(parts) * width).reshape(len(parts), width)
            yield table[:, :-1], table[:, -1]


def _least(is_exact: bool, rows: npt.NDArray[Any]) -> int:
    # Of the categories that were not counted, some may have as many rows as the last that was.
    return 1 if is_exact else int(min(rows, default=1))


def _has_cut(rows: npt.NDArray[Any], least: int) -> npt.NDArray[np.bool_]:
    """Tell which categories, along the last axis, have more rows than the next; of a tie none."""
    if rows.shape[-1] > _MAX_CATEGORIES:
        at = rows.shape[-1] - _MAX_CATEGORIES - 1
        next_one = np.partition(rows, at, axis=-1)[..., at : at + 1]
        return np.asarray(rows >= np.maximum(next_one + 1, least))
    return np.asarray(rows >= least)


def _indices(found: pa.Array) -> npt.NDArray[np.int32]:
    """Return indices as an array, -1 for null; to fill nulls itself, Arrow would import pandas."""
    indices = view(found, np.int32)
    return np.where(valid(found), indices, -1) if found.null_count else indices


def _cuts(whole: Profile, names: tuple[str, ...]) -> Floats:
    """Return where the columns are cut, in order; cuts may coincide."""
    levels = np.arange(1, _N_CUTS) / _N_CUTS
    columns: list[Any] = [whole.columns[name] for name in names]
    inner = [column.quantiles(levels) for column in columns]
    ends = np.array([[column.minimum, column.maximum] for column in columns]).reshape(-1, 2)
    with np.errstate(over="ignore"):  # below the smallest double lies infinity, as it should
        below = np.nextafter(ends[:, :1], -np.inf)
    return np.concatenate([below, np.reshape(inner, (-1, _N_CUTS - 1)), ends[:, 1:]], axis=1)


def _weights(cuts: Floats) -> Floats:
    """Weigh all cuts alike; of those that coincide, the first stands for all."""
    is_first = np.ones(cuts.shape, bool)
    is_first[:, 1:] = cuts[:, 1:] != cuts[:, :-1]
    first = np.maximum.accumulate(np.where(is_first, np.arange(cuts.shape[1]), 0), axis=1)
    counts = np.zeros(cuts.shape)
    np.add.at(counts, (np.arange(len(cuts))[:, None], first), 1.0)
    return np.asarray(counts / cuts.shape[1])


def _shares_below(parts: Sequence[NumberArrays], names: tuple[str, ...], cuts: Floats) -> Floats:
    found, (begins, sizes) = np.zeros((len(parts), *cuts.shape)), places(parts, names)
    for d, part in enumerate(parts):
        where = zip(cuts, begins[d].tolist(), sizes[d].tolist(), found[d], strict=True)
        for at, begin, size, below in where:
            below[:] = part.points[begin : begin + size].searchsorted(at, side="right")
    return found / np.maximum(sizes, 1)[:, :, None]
