"""Probabilities that are some: finite, in [0, 1] and, of all classes together, one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tasks.exceptions import EstimatorError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["check_probabilities"]


def check_probabilities(scores: npt.NDArray[np.float64], who: str) -> None:
    """Refuse scores that are no probabilities: missing, infinite or outside [0, 1]."""
    import numpy as np

    # A comparison with NaN is False.
    wrong = ~((scores >= 0) & (scores <= 1))
    wrong = wrong if wrong.ndim == 1 else wrong.any(axis=-1).reshape(len(wrong))
    if wrong.any():
        first = int(np.argmax(wrong))
        raise EstimatorError(
            f"{who}: {int(wrong.sum())} of {len(scores)} scores are no probabilities in [0, 1], "
            f"the first is {scores[first]} in row {first}; let the "
            "estimator's predict_proba return probabilities, for example by CalibratedClassifierCV"
        )
