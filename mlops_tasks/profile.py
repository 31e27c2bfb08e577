"""Profiles: what a column looked like in the data a model was made from, small enough to keep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlops_tasks.drift import population_stability_index

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    Counts = npt.NDArray[np.int64]

__all__ = ["Binning", "ColumnProfile", "profile_frame"]

_MAX_CATEGORIES = 30


@dataclass(frozen=True)
class Binning:
    """The bins of one column, cut on its reference sample.

    Attributes
    ----------
    edges : tuple of float
        Inner edges of a numeric column; empty for a categorical one.
    categories : tuple of str
        The most frequent categories; all others share one bin.

    Notes
    -----
    The last bin always counts missing values.

    Examples
    --------
    >>> import pandas as pd
    >>> bins = Binning.of(pd.Series([1.0, 2.0, 3.0, 4.0]), n_bins=2)
    >>> bins.count(pd.Series([1.0, 9.0, None])).tolist()
    [1, 1, 1]
    """

    edges: tuple[float, ...] = ()
    categories: tuple[str, ...] = ()

    @classmethod
    def of(cls, reference: pd.Series[Any], *, n_bins: int = 10) -> Binning:
        """Cut bins on a reference sample: quantiles of numbers, or the most frequent categories.

        Parameters
        ----------
        reference : Series of shape (n_reference,)
            Missing values are ignored here.
        n_bins : int, default 10
            Quantile bins of a numeric column; ties may leave fewer.
        """
        import numpy as np
        from pandas.api.types import is_numeric_dtype

        if not is_numeric_dtype(reference):
            frequent = reference.value_counts().index[:_MAX_CATEGORIES]
            return cls(categories=tuple(str(value) for value in frequent))
        values = reference.dropna().to_numpy(dtype=float)
        cuts = np.quantile(values, np.linspace(0, 1, n_bins + 1)[1:-1]) if len(values) else []
        return cls(edges=tuple(float(cut) for cut in np.unique(cuts)))

    def count(self, sample: pd.Series[Any]) -> Counts:
        """Count a sample into the bins.

        Parameters
        ----------
        sample : Series of shape (n_samples,)
            Values of the same column.

        Returns
        -------
        array of int
            One count per bin, missing values last.
        """
        import numpy as np

        present = sample.dropna()
        if self.categories:
            index = {value: i for i, value in enumerate(self.categories)}
            codes = present.astype(str).map(index).fillna(len(index)).to_numpy(dtype=int)
            n_bins = len(index) + 1
        else:
            codes = np.searchsorted(self.edges, present.to_numpy(dtype=float), side="left")
            n_bins = len(self.edges) + 1
        counts = np.bincount(codes, minlength=n_bins)
        return np.append(counts, len(sample) - len(present))


@dataclass(frozen=True)
class ColumnProfile:
    """A column of a reference sample: bins, counts, and how much it moves by itself.

    Attributes
    ----------
    bins : Binning
        Bins cut on the reference.
    counts : tuple of int
        Reference rows per bin, missing values last.
    typical : float
        Largest population stability index of any block of the reference against the whole, in
        nats. Weather comes in spells: a week differs from its month without any drift.
    """

    bins: Binning
    counts: tuple[int, ...]
    typical: float

    @property
    def n_rows(self) -> int:
        """Rows of the reference."""
        return sum(self.counts)

    def as_json(self) -> dict[str, Any]:
        """Return the profile as plain JSON types."""
        return {
            "edges": list(self.bins.edges),
            "categories": list(self.bins.categories),
            "counts": list(self.counts),
            "typical": self.typical,
        }

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> ColumnProfile:
        """Rebuild a profile from `as_json`."""
        bins = Binning(tuple(raw["edges"]), tuple(raw["categories"]))
        return cls(bins, tuple(raw["counts"]), float(raw["typical"]))


def profile_frame(frame: pd.DataFrame, blocks: pd.Series[Any]) -> dict[str, ColumnProfile]:
    """Profile every column of a reference sample.

    Parameters
    ----------
    frame : DataFrame of shape (n_reference, n_columns)
        Numeric or text columns; missing values are counted apart.
    blocks : Series of shape (n_reference,)
        Block of each row, for example its week: the unit in which drift is measured later.

    Returns
    -------
    dict of str to ColumnProfile
        By column.

    Examples
    --------
    >>> import pandas as pd
    >>> sample = pd.DataFrame({"x": [1.0, 2.0, 1.0, 2.0]})
    >>> profile_frame(sample, pd.Series([0, 0, 1, 1]))["x"].typical
    0.0
    """
    return {str(name): _profile(frame[name], blocks) for name in frame.columns}


def _profile(reference: pd.Series[Any], blocks: pd.Series[Any]) -> ColumnProfile:
    bins = Binning.of(reference)
    counts = bins.count(reference)
    moves = [
        population_stability_index(counts, bins.count(block))
        for _, block in reference.groupby(blocks.to_numpy())
    ]
    return ColumnProfile(bins, tuple(int(n) for n in counts), round(max(moves), 4))
