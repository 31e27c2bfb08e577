"""Draw references and days from one month, with or without drift.

Runs in every virtual environment of the benchmark, so it needs nothing but NumPy, and every method
sees the very same rows: `fingerprint` proves it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Rows = dict[str, Floats]

__all__ = ["KINDS", "Month", "Plan", "Scores", "score_all"]

#: ``mix``: the same values in other proportions. ``offset``: numbers move as a whole, as after a
#: change of unit or sensor; in categories a new value appears.
KINDS = ("mix", "offset")


@dataclass(frozen=True)
class Plan:
    """How much is drawn at one number of rows a day.

    Parameters
    ----------
    n : int
        Rows a day.
    sizes : tuple of float
        Sizes of the drift, in standard deviations.
    n_references, n_still, n_drifted : int
        References; for each, days without drift and days with each drift.
    n_shared : int
        Number of references, the first ones, that the peers judge too; only they have days
        with drift: peers take seconds for a large day.
    n_days : int
        Days of a reference.
    seed : int
        Of everything drawn.
    """

    n: int
    sizes: tuple[float, ...]
    n_references: int
    n_still: int
    n_drifted: int
    n_shared: int
    n_days: int = 28
    seed: int = 47

    @property
    def variants(self) -> list[tuple[str, float]]:
        """Every kind and size of drift."""
        return [(kind, size) for kind in KINDS for size in self.sizes]


@dataclass(frozen=True)
class Month:
    """The rows that everything is drawn from: numbers, and categories as whole numbers.

    Parameters
    ----------
    rows : dict of str to array
        Columns of equal length; NaN where a value is missing.
    categories : tuple of str
        Names of the columns that hold categories.
    """

    rows: Rows
    categories: tuple[str, ...]

    @classmethod
    def load(cls, path: Path) -> Month:
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as stored:
            names = [name for name in stored.files if name != "_categories"]
            return cls({n: stored[n] for n in names}, tuple(stored["_categories"].tolist()))

    def save(self, path: Path) -> None:
        """Write the month to a file."""
        np.savez(path, allow_pickle=False, _categories=np.array(self.categories), **self.rows)

    @property
    def names(self) -> list[str]:
        """Columns, in order."""
        return list(self.rows)

    def day(self, n: int, random: np.random.Generator) -> Rows:
        """Draw whole rows: columns stay related as they are."""
        at = random.integers(0, len(next(iter(self.rows.values()))), n)
        return {name: column[at] for name, column in self.rows.items()}

    def drifted(self, day: Rows, kind: str, size: float, random: np.random.Generator) -> Rows:
        """Draw every column of a day again, with drift; missing values stay where they were."""
        return {name: self._drift(name, day[name], kind, size, random) for name in day}

    def _drift(
        self, name: str, old: Floats, kind: str, size: float, random: np.random.Generator
    ) -> Floats:
        new, there = old.copy(), ~np.isnan(old)
        if kind == "mix":
            values, cumulated = self._tilted[name, size]
            at = np.searchsorted(cumulated, random.random(int(there.sum())) * cumulated[-1])
            new[there] = values[np.minimum(at, len(values) - 1)]
        elif name in self.categories:
            new[there & (random.random(len(old)) < size / 4)] = -1.0
        else:
            new += size * np.nanstd(self.rows[name])
        return new

    @cached_property
    def _tilted(self) -> _Tilts:
        return _Tilts(self)


class _Tilts(dict[tuple[str, float], tuple["Floats", "Floats"]]):
    """Values of a column with cumulated weights that move it by some standard deviations."""

    def __init__(self, month: Month) -> None:
        super().__init__()
        self._month = month

    def __missing__(self, key: tuple[str, float]) -> tuple[Floats, Floats]:
        name, size = key
        column = self._month.rows[name]
        values, counts = np.unique(column[~np.isnan(column)], return_counts=True)
        if name in self._month.categories:
            weights = _grown(counts / counts.sum(), size)
        else:
            weights = _tilted(values, counts / counts.sum(), size)
        self[key] = values, np.cumsum(weights)
        return self[key]


def _grown(shares: Floats, size: float) -> Floats:
    """Let the category nearest to a tenth of the rows grow by Cohen's w = size."""
    chosen = int(np.argmin(np.abs(shares - 0.1)))
    moved = min(size / np.sqrt((1 - shares[chosen]) / shares[chosen]), 1.0)
    grown = shares * (1 - moved)
    grown[chosen] += moved
    return np.asarray(grown)


def _tilted(values: Floats, shares: Floats, size: float) -> Floats:
    """Weigh values by exp(t * value), with t such that the mean rises by `size` deviations."""
    mean = float(values @ shares)
    z = (values - mean) / np.sqrt((values - mean) ** 2 @ shares)
    low, high = 0.0, 10.0
    for _ in range(60):
        middle = (low + high) / 2
        weights = shares * np.exp(middle * (z - z.max()))
        low, high = (middle, high) if z @ weights < size * weights.sum() else (low, middle)
    return np.asarray(shares * np.exp(low * (z - z.max())))


@dataclass(frozen=True)
class Scores:
    """What one method said: one score per column and draw, and whether it alarms by default.

    Parameters
    ----------
    still, still_alarms : array of shape (n_draws, n_columns)
        Days without drift.
    drifted, drifted_alarms : array of shape (n_draws, n_variants, n_columns)
        Days with drift in every column; the first draws of `still` are the same days without.
    same_day : array of shape (n_draws,)
        Which row of `still` each row of `drifted` belongs to.
    fingerprint : str
        Digest of the rows drawn for the shared references.
    """

    still: Floats
    still_alarms: npt.NDArray[np.bool_]
    drifted: Floats
    drifted_alarms: npt.NDArray[np.bool_]
    same_day: npt.NDArray[np.int64]
    fingerprint: str

    def save(self, path: Path) -> None:
        """Write the scores to a file."""
        np.savez(path, allow_pickle=False, **vars(self))

    @classmethod
    def load(cls, path: Path) -> Scores:
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        return cls(**{**arrays, "fingerprint": str(arrays["fingerprint"])})


class Method:
    """A way to detect drift, as `score_all` drives it."""

    def fit(self, month: Month, days: list[Rows]) -> None:
        """Take the days of a reference."""
        raise NotImplementedError

    def score(self, day: Rows) -> tuple[Floats, npt.NDArray[np.bool_]]:
        """Return a score per column, higher for more drift, and whether it alarms by default."""
        raise NotImplementedError


def score_all(month: Month, plan: Plan, method: Method, *, is_peer: bool) -> Scores:
    """Let a method judge the draws of a plan.

    Parameters
    ----------
    month : Month
        The rows to draw from.
    plan : Plan
        What to draw.
    method : Method
        What judges.
    is_peer : bool
        Whether it judges the shared references only.

    Returns
    -------
    Scores
        In the order of the draws.
    """
    digest = hashlib.blake2b(digest_size=8)
    still: list[Any] = []
    drifted: list[Any] = []
    same_day: list[int] = []
    for reference, days, day, variants in _draws(month, plan, is_peer=is_peer):
        if days is not None:
            method.fit(month, days)
        for column in day.values() if reference < plan.n_shared else ():
            digest.update(column[:16].tobytes())
        if variants:
            same_day.append(len(still))
            drifted.append([method.score(variant) for variant in variants])
        still.append(method.score(day))
    return Scores(
        np.array([score for score, _ in still]),
        np.array([alarms for _, alarms in still]),
        np.array([[score for score, _ in row] for row in drifted]),
        np.array([[alarms for _, alarms in row] for row in drifted]),
        np.array(same_day),
        digest.hexdigest(),
    )


def _draws(
    month: Month, plan: Plan, *, is_peer: bool
) -> Iterator[tuple[int, list[Rows] | None, Rows, list[Rows]]]:
    for reference in range(plan.n_shared if is_peer else plan.n_references):
        random = np.random.default_rng([plan.seed, plan.n, reference])
        days: list[Rows] | None = [month.day(plan.n, random) for _ in range(plan.n_days)]
        for i in range(plan.n_still):
            day = month.day(plan.n, random)
            variants = []
            if i < plan.n_drifted and reference < plan.n_shared:
                variants = [month.drifted(day, *variant, random) for variant in plan.variants]
            yield reference, days, day, variants
            days = None
