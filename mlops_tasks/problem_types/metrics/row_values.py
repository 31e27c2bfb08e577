"""What a row says of a prediction: of most metrics the mean is the metric."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from mlops_tasks.problem_types.outcomes import Outcomes

    Floats = npt.NDArray[np.float64]

__all__ = [
    "absolute_errors",
    "brier_losses",
    "hits",
    "log_losses",
    "pinball_losses",
    "poisson_deviances",
    "squared_errors",
    "top_k_hits",
]

_EPSILON = 2.0**-52


def hits(outcomes: Outcomes) -> Floats:
    """Return 1 for each row that is decided to have its own class, else 0."""
    right: Floats = (outcomes.decided == outcomes.y_true) * 1.0
    return right


def top_k_hits(outcomes: Outcomes, k: int) -> Floats:
    """Return 1 for each row of which at most k - 1 classes come before its own, else 0.

    Of equally probable ones the later in `classes` come first, as in scikit-learn.
    """
    import numpy as np

    y_true, y_pred = outcomes.y_true, outcomes.y_pred
    own = y_pred[np.arange(len(y_true)), y_true][:, None]
    later = np.arange(y_pred.shape[1]) > y_true[:, None]
    before = (y_pred > own) | ((y_pred == own) & later)
    right: Floats = ((before.sum(axis=1) < k) & (y_true >= 0)) * 1.0
    return right


def log_losses(outcomes: Outcomes) -> Floats:
    """Return the log loss of each row, in nats; what was held for impossible counts as 2.2e-16.

    That of a class which the version has never seen is held for impossible.
    """
    import numpy as np

    y_true, y_pred = outcomes.y_true, outcomes.y_pred
    if y_pred.ndim == 1:
        likely = np.where(y_true == 1, y_pred, 1 - y_pred)
    else:
        likely = np.where(y_true >= 0, y_pred[np.arange(len(y_true)), y_true], 0.0)
    losses: Floats = -np.log(np.maximum(likely, _EPSILON))
    return losses


def brier_losses(outcomes: Outcomes) -> Floats:
    """Return the squared distance of each row's probabilities from 0 and 1.

    Binary: of the probability of true, in [0, 1]. Multiclass: the sum over the classes, in [0, 2].
    """
    y_true, y_pred = outcomes.y_true, outcomes.y_pred
    if y_pred.ndim == 1:
        losses: Floats = (y_pred - y_true) ** 2
        return losses
    squares = (y_pred**2).sum(axis=1)
    known = y_true >= 0
    squares[~known] += 1  # the probability of its class is 0
    rows = known.nonzero()[0]
    squares[rows] += 1 - 2 * y_pred[rows, y_true[rows]]
    losses = squares
    return losses


def absolute_errors(outcomes: Outcomes) -> Floats:
    """Return by how much each prediction is off, whichever way."""
    errors: Floats = abs(outcomes.y_pred - outcomes.y_true)
    return errors


def squared_errors(outcomes: Outcomes) -> Floats:
    """Return the square of how much each prediction is off."""
    errors: Floats = (outcomes.y_pred - outcomes.y_true) ** 2
    return errors


def pinball_losses(outcomes: Outcomes, quantile: float) -> Floats:
    """Return what predictions of a quantile cost: `quantile` for each unit that they are too low.

    And ``1 - quantile`` for each that they are too high. Koenker, Bassett (1978), Regression
    quantiles, Econometrica 46.
    """
    import numpy as np

    missing = outcomes.y_true - outcomes.y_pred
    losses: Floats = np.maximum(quantile * missing, (quantile - 1) * missing)
    return losses


def poisson_deviances(outcomes: Outcomes) -> Floats:
    """Return the deviance of each count from a predicted mean: ``2 (y ln(y / m) - y + m)``.

    McCullagh, Nelder (1989), Generalized linear models.
    """
    from scipy.special import xlogy

    y_true, y_pred = outcomes.y_true, outcomes.y_pred
    deviances: Floats = 2 * (xlogy(y_true, y_true / y_pred) - y_true + y_pred)
    return deviances
