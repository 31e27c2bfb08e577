"""A metric on given rows, made ready to be calculated again and again with other weights."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.int64]

__all__ = ["Constant", "Difference", "Statistic", "Weighted"]


class Statistic(ABC):
    """A metric on given rows, as a function of their weights.

    Few rows show too little of what there is: with one positive row, or ten rows that all are
    right, there is nothing to resample. Where the worst that a row can be is known, each stratum of
    the rows has one more, of the worst kind for the bound that is asked for.

    Attributes
    ----------
    strata : array of shape (n_samples,)
        Stratum of each row, from 0: rows of a stratum share an extra row.
    n_extra : int
        Extra rows, one for each stratum; 0 where the worst is not known.
    expanded : bool
        Whether the extra rows are not enough, or none: the fewer the rows, the further out are the
        quantiles that are taken as bounds.
    """

    strata: Ints
    n_extra: int
    expanded: bool = False

    @abstractmethod
    def seen(self, weights: Floats) -> float:
        """Calculate the metric on the rows alone."""

    def ends(self, weights: Floats, extra: Floats) -> tuple[float, float]:
        """Calculate it with the extra rows, of these weights, at its lower and its upper end."""
        seen = self.seen(weights)
        return seen, seen

    def influence(self, weights: Floats) -> Floats | None:
        """Return by how much each row's weight moves it, times the weight; None if unknown.

        They add up to 0: all weights times a factor change nothing.
        """
        return None

    def against(self, rival: Any) -> Statistic:
        """Return what it is above a rival's, on the same rows."""
        return Difference(self, rival)


class Weighted(Statistic):
    """Any function of weights; without an extra row, unless it is known what a row does to it."""

    def __init__(
        self,
        n_samples: int,
        function: Callable[[Floats], float],
        influence: Callable[[Floats], Floats] | None = None,
    ) -> None:
        """Take the function and, if it is known, by how much each row moves it, see `influence`."""
        import numpy as np

        self.strata, self.expanded, self._function = np.zeros(n_samples, np.int64), True, function
        self._influence = influence
        effects = None if influence is None else influence(np.ones(n_samples))
        self._rows = [] if effects is None else [int(effects.argmin()), int(effects.argmax())]
        self.n_extra = 1 if self._rows else 0

    def seen(self, weights: Floats) -> float:
        """Calculate the metric on the rows alone."""
        return float(self._function(weights))

    def ends(self, weights: Floats, extra: Floats) -> tuple[float, float]:
        """Calculate it with the row once more that lowers it most, and with the opposite one."""
        if not self._rows:
            return super().ends(weights, extra)
        low, high = (self._with(weights, row, float(extra[0])) for row in self._rows)
        return low, high

    def influence(self, weights: Floats) -> Floats | None:
        """Return what the function is known to be moved by."""
        return None if self._influence is None else self._influence(weights)

    def _with(self, weights: Floats, row: int, extra: float) -> float:
        own = weights.copy()
        own[row] += extra
        return self.seen(own)


class Constant(Statistic):
    """What is known whatever the rows: what two scores differ by that rank all rows the same."""

    def __init__(self, strata: Ints, value: float) -> None:
        self.strata, self.n_extra, self._value = strata, int(strata.max()) + 1, value

    def seen(self, weights: Floats) -> float:
        """Return it."""
        return self._value


class Difference(Statistic):
    """What one statistic is above another one of the same rows; the rival's is taken as seen."""

    def __init__(self, ours: Statistic, rival: Statistic) -> None:
        self.ours, self.rival = ours, rival
        self.strata, self.n_extra, self.expanded = ours.strata, ours.n_extra, ours.expanded

    def seen(self, weights: Floats) -> float:
        """Calculate the difference on the rows alone."""
        return self.ours.seen(weights) - self.rival.seen(weights)

    def ends(self, weights: Floats, extra: Floats) -> tuple[float, float]:
        """Calculate it with our extra rows at both ends."""
        rival = self.rival.seen(weights)
        low, high = self.ours.ends(weights, extra)
        return low - rival, high - rival

    def influence(self, weights: Floats) -> Floats | None:
        """Return by how much each row moves the difference."""
        ours = self.ours.influence(weights)
        theirs = None if ours is None else self.rival.influence(weights)
        return None if ours is None or theirs is None else ours - theirs
