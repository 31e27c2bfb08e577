"""The oracle: which trainings would have been best, had all labels been known beforehand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["OraclePath", "cheapest_path"]


@dataclass(frozen=True, slots=True)
class OraclePath:
    """The cheapest path over candidate trainings.

    Attributes
    ----------
    used : tuple of int
        By period, the candidate that serves it: the number of the period that it is new to.
    cost : float
        Loss of all periods, and the cost of the trainings.
    """

    used: tuple[int, ...]
    cost: float

    @property
    def n_trainings(self) -> int:
        """How many candidates are trained; the first one is given."""
        return len(set(self.used) - {0})


def cheapest_path(losses: Sequence[Sequence[float]], training_cost: float) -> OraclePath:
    """Find the path of least loss and trainings: by dynamic programming, so that none is cheaper.

    Parameters
    ----------
    losses : sequence of sequence of float
        By period, the loss of each candidate that there is by then: candidate 0 is the first
        model, candidate k can be trained before period k.
    training_cost : float
        Cost of a training, in units of the loss of one period.

    Returns
    -------
    OraclePath
        Which candidate serves each period. A model that was left is not returned to: nobody would
        have kept it.

    Examples
    --------
    >>> cheapest_path([[0.1], [0.4, 0.1], [0.4, 0.1, 0.1]], training_cost=0.2)
    OraclePath(used=(0, 1, 1), cost=0.5)
    """
    best: list[tuple[float, tuple[int, ...]]] = [(losses[0][0], (0,))]
    for number, period in enumerate(losses[1:], start=1):
        kept = [(cost + period[used[-1]], (*used, used[-1])) for cost, used in best]
        if len(period) > number:
            cost, used = min(best)
            kept.append((cost + training_cost + period[number], (*used, number)))
        best = kept
    cost, used = min(best)
    return OraclePath(used, round(cost, 12))
