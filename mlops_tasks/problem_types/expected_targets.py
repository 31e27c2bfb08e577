"""Targets that nobody knows yet, drawn as predictions whose targets are known let expect them.

They are right while a prediction means what it has meant. That it does not, a change of concept, is
not seen before labels show it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    from mlops_tasks.problem_types.outcomes import Outcomes

    Floats = npt.NDArray[np.float64]
    Array = npt.NDArray[Any]
    Draw = Callable[[np.random.Generator], Array]

__all__ = ["CalibratedClasses", "ExpectedTargets", "ScaledResiduals"]

#: Of a probability, or of all others together: below it a score is as good as sure.
_SURE = 1e-9
#: Rows of a class, and of all others, without which its probability is left as it is.
_FEW = 5
#: So weak that it only keeps a class that scores tell apart perfectly from a slope without end.
_PENALTY = 100.0
_N_FOLDS, _N_TREES, _N_LEAVES, _LEAST_LEAF = 5, 40, 8, 20


class ExpectedTargets(ABC):
    """What rows with known targets let expect of the targets of others.

    Parameters
    ----------
    known : Outcomes
        Rows with known targets, none of which the model was trained on.
    features : DataFrame or None
        What the model was told about them; None where the predictions say enough.
    """

    @abstractmethod
    def fitted(self, weights: Floats, rows: Outcomes, features: pd.DataFrame | None) -> Draw:
        """Weigh the known rows, and return what draws targets of others."""


class CalibratedClasses(ExpectedTargets):
    """Classes with their calibrated probabilities (CBPE, confidence-based estimation).

    Each class is calibrated against all others by a logistic regression on its log odds (Platt),
    two numbers that few rows suffice for; then all are brought to the sum of one.
    """

    def __init__(self, known: Outcomes, features: pd.DataFrame | None = None) -> None:
        self._y_true, self._binary = known.y_true, known.y_pred.ndim == 1
        self._log_odds = _log_odds(known.y_pred)

    def fitted(self, weights: Floats, rows: Outcomes, features: pd.DataFrame | None) -> Draw:
        """Calibrate, and return what draws a class for each row."""
        import numpy as np

        log_odds = _log_odds(rows.y_pred)
        shares = np.column_stack(
            [
                self._calibrated(code, weights, log_odds[:, code])
                for code in range(log_odds.shape[1])
            ]
        )
        if self._binary:
            shares = np.column_stack([1 - shares, shares])
        limits = shares.cumsum(axis=1)
        limits /= limits[:, -1:]

        def draw(random: np.random.Generator) -> Array:
            drawn: Array = (random.random((len(limits), 1)) > limits[:, :-1]).sum(axis=1)
            return drawn

        return draw

    def _calibrated(self, code: int, weights: Floats, log_odds: Floats) -> Floats:
        import numpy as np
        from scipy.special import expit
        from sklearn.linear_model import LogisticRegression

        own = self._y_true == (1 if self._binary else code)
        if min(own.sum(), (~own).sum()) < _FEW:
            return np.asarray(expit(log_odds), np.float64)
        model = LogisticRegression(C=_PENALTY, solver="newton-cholesky")
        model.fit(self._log_odds[:, code : code + 1], own, sample_weight=weights)
        return np.asarray(model.predict_proba(log_odds.reshape(-1, 1))[:, 1], np.float64)


class ScaledResiduals(ExpectedTargets):
    """Predictions with the errors of known rows, as large as errors of such rows are.

    How large they are is learnt from prediction and features by boosted trees (direct loss
    estimation). What the errors are beside that is kept as it is: its sign, its tails, its bias.
    """

    def __init__(self, known: Outcomes, features: pd.DataFrame | None) -> None:
        import numpy as np
        from sklearn.model_selection import KFold, cross_val_predict

        errors = known.y_true - known.y_pred
        self._sizes, self._encoder = np.abs(errors), _encoder(features)
        self._rows = self._matrix(known, features)
        self._errors = errors
        if self._sizes.any():
            folds = KFold(_N_FOLDS)  # in order: rows of one day are not on both sides
            scale = cross_val_predict(_trees(), self._rows, self._sizes, cv=folds)
            self._errors = errors / np.maximum(scale, self._least)

    def fitted(self, weights: Floats, rows: Outcomes, features: pd.DataFrame | None) -> Draw:
        """Learn how large errors are, and return what draws a target for each row."""
        import numpy as np

        scale: Any = 1.0
        if self._sizes.any():
            model = _trees().fit(self._rows, self._sizes, sample_weight=weights)
            scale = np.maximum(model.predict(self._matrix(rows, features)), self._least)
        shares = weights / weights.sum()

        def draw(random: np.random.Generator) -> Array:
            errors = random.choice(self._errors, len(rows), p=shares)
            drawn: Array = rows.y_pred + scale * errors
            return drawn

        return draw

    @property
    def _least(self) -> float:
        return float(self._sizes.mean()) * 1e-3

    def _matrix(self, rows: Outcomes, features: pd.DataFrame | None) -> Floats:
        import numpy as np

        if features is None:
            return rows.y_pred.reshape(-1, 1)
        return np.column_stack([rows.y_pred, self._encoder.transform(features)])


def _log_odds(y_pred: Floats) -> Floats:
    """Return the log odds of each class, a column for each; of two classes one."""
    import numpy as np
    from scipy.special import logit

    sure = np.clip(y_pred, _SURE, 1 - _SURE)
    return np.asarray(logit(sure), np.float64).reshape(len(sure), -1)


def _trees() -> Any:
    from sklearn.ensemble import HistGradientBoostingRegressor

    return HistGradientBoostingRegressor(
        loss="poisson",  # a mean that is above 0
        max_iter=_N_TREES,
        max_leaf_nodes=_N_LEAVES,
        min_samples_leaf=_LEAST_LEAF,
        early_stopping=False,
        random_state=0,
    )


def _encoder(features: pd.DataFrame | None) -> Any:
    """Return what makes numbers of features: texts by their order, which trees can cut anywhere."""
    import numpy as np
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.preprocessing import OrdinalEncoder

    if features is None:
        return None
    codes = OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=np.nan, encoded_missing_value=np.nan
    )
    words = make_column_selector(dtype_exclude=np.number)
    found = make_column_transformer((codes, words), remainder="passthrough")
    return found.fit(features)
