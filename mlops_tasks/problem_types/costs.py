"""What wrong decisions cost, and the decisions that cost least."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlops_tasks.exceptions import SpecError
from mlops_tasks.spelling import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import numpy.typing as npt

    from mlops_tasks.problem_types.outcomes import Outcomes

    Floats = npt.NDArray[np.float64]

__all__ = ["Costs", "best_threshold", "cheapest_classes", "costs_of_rows"]

_BINARY = ("false", "true")


@dataclass(frozen=True, slots=True)
class Costs:
    """What it costs to decide one class where another one is true, in a unit of the project's own.

    Attributes
    ----------
    by_class : mapping of str to mapping of str to float
        Costs by true class, then by decided class. Of two classes their names are ``"true"`` and
        ``"false"``. What is right costs 0 unless it is named.
    """

    by_class: Mapping[str, Mapping[str, float]]

    @classmethod
    def of(cls, raw: Mapping[str, Any], problem_type: str) -> Costs:
        """Read costs as written: ``{"false_alarm": 1, "miss": 20}``, or by true and decided class.

        Parameters
        ----------
        raw : mapping
            What each mistake costs.
        problem_type : str
            ``"binary"`` or ``"multiclass"``.

        Returns
        -------
        Costs
            Checked: finite numbers, and what is wrong costs more than what is right.

        Raises
        ------
        SpecError
            If it is something else.
        """
        if problem_type == "regression":
            raise SpecError("costs belong to classes: a regression has none, leave them out")
        if problem_type == "binary" and {"false_alarm", "miss"} & set(raw):
            raw = _two_mistakes(raw)
        costs = cls({true: _row(true, row) for true, row in raw.items()})
        costs._rows(_BINARY if problem_type == "binary" else tuple(raw))
        return costs

    @property
    def low(self) -> float:
        """The least that a decision costs."""
        return min(0.0, *(min(row.values()) for row in self.by_class.values()))

    @property
    def high(self) -> float:
        """The most that a decision costs."""
        return max(max(row.values()) for row in self.by_class.values())

    def matrix(self, classes: Sequence[str]) -> Floats:
        """Return the costs by true class (down) and decided class (across).

        Parameters
        ----------
        classes : sequence of str
            The classes that a version knows, in its order.

        Returns
        -------
        array of shape (n_classes + 1, n_classes)
            The last row is that of a class which the version does not know: to decide for another
            one costs as much as that can cost.

        Raises
        ------
        SpecError
            If a pair of classes has no cost, or being wrong costs no more than being right.
        """
        import numpy as np

        costs = np.array(self._rows(classes))
        return np.vstack([costs, costs.max(axis=0)])

    def _rows(self, classes: Sequence[str]) -> list[list[float]]:
        """Return the costs by true and decided class, checked; it needs no numpy, as parsing."""
        costs = [[self._cost(true, decided) for decided in classes] for true in classes]
        for true, row in zip(classes, costs, strict=True):
            right = self._cost(true, true)
            for decided, cost in zip(classes, row, strict=True):
                if decided != true and cost <= right:
                    raise SpecError(
                        f"costs: to decide {decided!r} where {true!r} is true costs {cost:g}, no "
                        "more than to be right; a mistake must cost more"
                    )
        return costs

    def _cost(self, true: str, decided: str) -> float:
        if true not in self.by_class:
            raise SpecError(f"costs name no class {true!r}; {did_you_mean(true, self.by_class)}")
        row = self.by_class[true]
        if decided not in row and decided != true:
            raise SpecError(
                f"costs[{true!r}] does not say what it costs to decide {decided!r}; "
                f"{did_you_mean(decided, row)}"
            )
        return row.get(decided, 0.0)


def _two_mistakes(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    if set(raw) != {"false_alarm", "miss"}:
        raise SpecError(
            f"costs of two classes are false_alarm and miss, both, and are {', '.join(raw)}; what "
            'is right may cost something, too: {"true": {"true": …, "false": …}, "false": {…}}'
        )
    return {"true": {"false": raw["miss"]}, "false": {"true": raw["false_alarm"]}}


def _row(true: str, row: Any) -> dict[str, float]:
    if not hasattr(row, "items"):
        raise SpecError(
            f"costs[{true!r}] is {row!r} and must name the cost of each decided class, as "
            f"{{{true!r}: {{'<decided class>': 1}}}}"
        )
    for decided, cost in row.items():
        if isinstance(cost, bool) or not isinstance(cost, int | float) or not math.isfinite(cost):
            raise SpecError(f"costs[{true!r}][{decided!r}] is {cost!r} and must be a finite number")
    return {str(decided): float(cost) for decided, cost in row.items()}


def cheapest_classes(probabilities: Floats, costs: Floats) -> npt.NDArray[np.int64]:
    """Return the class of each row that costs least on average, if the probabilities are right.

    Parameters
    ----------
    probabilities : array of shape (n_samples, n_classes)
        Of each class.
    costs : array of shape (n_classes, n_classes)
        By true and decided class.

    Returns
    -------
    array of shape (n_samples,)
        Index of the class.

    References
    ----------
    Elkan (2001), The foundations of cost-sensitive learning, IJCAI 17.
    """
    import numpy as np

    return np.asarray((probabilities @ costs).argmin(axis=1), np.int64)


def costs_of_rows(outcomes: Outcomes, costs: Costs) -> Floats:
    """Return what the decision for each row costs.

    Parameters
    ----------
    outcomes : Outcomes
        Rows of classes. Of two classes it is decided by the threshold, of more for the class that
        costs least on average: whoever has these costs would.
    costs : Costs
        By true and decided class.

    Returns
    -------
    array of shape (n_samples,)
        In the unit of the costs.
    """
    y_true, y_pred = outcomes.y_true, outcomes.y_pred
    if y_pred.ndim == 1:
        paid: Floats = costs.matrix(_BINARY)[y_true, outcomes.decided]
        return paid
    matrix = costs.matrix(outcomes.classes)
    paid = matrix[y_true, cheapest_classes(y_pred, matrix[:-1])]
    return paid


def best_threshold(outcomes: Outcomes, costs: Costs) -> float:
    """Return the threshold at which decisions of two classes cost least.

    Parameters
    ----------
    outcomes : Outcomes
        Rows of two classes that the model was not fitted on.
    costs : Costs
        By true and decided class.

    Returns
    -------
    float
        In [0, 1]: a row is decided to be true where its score is above it.

    Notes
    -----
    Of calibrated scores it is known beforehand (Elkan), ``(c01 - c00) / (c01 - c00 + c10 - c11)``
    with the cost cij of deciding j where i is true: 1/21 where a miss costs 20 false alarms. Scores
    are calibrated more or less, so the threshold that cost least on these rows is looked for. With
    few rows of a class that one is mostly luck: taken are, of all thresholds that cost no more than
    one standard error above it (Breiman et al.), those nearest to Elkan's. So the answer is Elkan's
    unless the rows speak against it, and the empirical one where they are many.
    O(n_samples · log n_samples).

    References
    ----------
    Elkan (2001), The foundations of cost-sensitive learning, IJCAI 17.
    Breiman, Friedman, Olshen, Stone (1984), Classification and regression trees, section 3.4.3.

    Examples
    --------
    >>> import numpy as np
    >>> from mlops_tasks.problem_types.outcomes import Outcomes
    >>> costs = Costs.of({"false_alarm": 1, "miss": 3}, "binary")
    >>> rows = Outcomes(np.array([0, 1, 0, 1]), np.array([0.2, 0.4, 0.6, 0.8]))
    >>> best_threshold(rows, costs)
    0.25
    """
    import numpy as np

    matrix = costs.matrix(_BINARY)
    alarm, miss = matrix[0, 1] - matrix[0, 0], matrix[1, 0] - matrix[1, 1]
    known = float(alarm / (alarm + miss))
    scores, group = np.unique(outcomes.y_pred, return_inverse=True)
    # What a row adds to the cost when the threshold moves above its score.
    added = outcomes.sample_weights * np.where(outcomes.y_true == 1, miss, -alarm)
    cost, squares = (
        np.concatenate([[0.0], np.cumsum(np.bincount(group, part))]) for part in (added, added**2)
    )
    lower, upper = np.append(0.0, scores), np.append(scores, 1.0)
    # Below a score of 0 there is no threshold.
    there = (lower < upper) | (lower == 1)
    lower, upper, cost, squares = lower[there], upper[there], cost[there], squares[there]
    least = int(cost.argmin())
    above = cost - cost[least]
    error = np.sqrt(np.maximum(abs(squares - squares[least]) - above**2 / len(outcomes), 0))
    fit = np.flatnonzero(above <= error)
    inside = (lower[fit] <= known) & (known < upper[fit])
    if inside.any():
        return known
    middle = (lower[fit] + upper[fit]) / 2
    return float(middle[abs(middle - known).argmin()])
