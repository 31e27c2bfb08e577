"""What differs between kinds of targets: the questions that every problem type answers."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import numpy.typing as npt
    import pandas as pd
    import pyarrow as pa

    from mlops_tasks.problem_types.curves import Confusion, Curve
    from mlops_tasks.problem_types.expected_targets import ExpectedTargets
    from mlops_tasks.problem_types.outcomes import Outcomes
    from mlops_tasks.profiles import Profile
    from mlops_tasks.specs import EstimatorSpec

    Array = npt.NDArray[Any]

__all__ = ["LABEL", "TARGET", "ProblemType"]

#: The target beside the rows, and the column of its profile.
TARGET, LABEL = "y", "label"


class ProblemType(ABC):
    """One kind of target: how it is read, predicted, measured and compared.

    Attributes
    ----------
    name : str
        As a spec names it.
    target_form : str
        What the target expression must give, for errors.
    estimator_kind : str
        What the project's function must return, for errors.
    method : str
        The method of the estimator that gives what is published.
    metric : str
        Judged by the gate unless the spec names another.
    guard : str
        Metric in which a challenger may not be worse by more than the gate allows; empty: none.
    max_loss : float or str
        What monitoring lets the metric lose unless the spec says otherwise.
    max_relative_gap : float
        The same for the relative gap of calibration.
    smallest_change : float
        The smallest change that matters, unless the spec says otherwise: a share of the odds of a
        class, or of the mean absolute target.
    reported : tuple of str
        Metrics that are shown beside it.
    profiled : tuple of str
        Columns of the predictions that a profile has.
    derived_columns : frozenset of str
        Columns of the predictions that follow from another one: they do not count twice.
    expected_by_features : bool
        Whether features say more of an unknown target than the prediction does.
    """

    name: ClassVar[str]
    target_form: ClassVar[str]
    estimator_kind: ClassVar[str]
    method: ClassVar[str]
    metric: ClassVar[str]
    guard: ClassVar[str]
    max_loss: ClassVar[float | str] = "10%"
    max_relative_gap: ClassVar[float] = 0.25
    smallest_change: ClassVar[float] = 0.5
    reported: ClassVar[tuple[str, ...]]
    profiled: ClassVar[tuple[str, ...]]
    derived_columns: ClassVar[frozenset[str]] = frozenset()
    expected_by_features: ClassVar[bool] = False

    # --- the target

    @abstractmethod
    def target_cast(self, sql_type: str) -> str | None:
        """Return the SQL type that a target of `sql_type` is kept in; None if it is no target."""

    @abstractmethod
    def wrong_target(self, expression: str) -> str:
        """Return the SQL condition of targets that cannot be, over a known one; empty: none."""

    @abstractmethod
    def learnable(self, spec: EstimatorSpec, target: Array) -> str:
        """Return why nothing can be learnt from these targets; empty if something can."""

    @abstractmethod
    def describe_target(self, target: Array) -> dict[str, float]:
        """Return the figures of a target that a person asks for first."""

    @abstractmethod
    def target_classes(self, target: Array) -> Array:
        """Return the class of each row, from 0; of numbers the fifth that they are in."""

    @abstractmethod
    def target_numbers(self, target: Array) -> list[Array]:
        """Return what columns could sum to: the target, or each large class against the others."""

    # --- the estimator

    @abstractmethod
    def fits(self, model: Any) -> bool:
        """Return whether an estimator is of this kind."""

    @abstractmethod
    def fields(self, model: Any) -> list[pa.Field]:
        """Return the columns that a fitted model publishes beside key and version."""

    @abstractmethod
    def predict(self, spec: EstimatorSpec, model: Any, frame: pd.DataFrame) -> dict[str, pa.Array]:
        """Ask a fitted model for those columns, checked, in the order of `fields`."""

    def classes(self, model: Any) -> tuple[str, ...]:
        """Return the classes that a fitted model knows, in its order; none of a number."""
        return ()

    # --- what predictions were worth

    @abstractmethod
    def outcomes(
        self,
        spec: EstimatorSpec,
        target: pa.ChunkedArray,
        predictions: Mapping[str, Any],
        days: Array | None = None,
    ) -> Outcomes:
        """Put targets beside predictions, columns of Arrow as `predict` gave them."""

    @abstractmethod
    def check_predictions(self, outcomes: Outcomes, who: str) -> None:
        """Refuse predictions that cannot be, such as no probabilities."""

    @abstractmethod
    def naive(self, outcomes: Outcomes) -> Outcomes:
        """Return the same rows predicted by one constant, the best that knows no feature."""

    def expected_targets(self, known: Outcomes, features: pd.DataFrame | None) -> ExpectedTargets:
        """Return what rows with known targets let expect of those of others."""
        from mlops_tasks.problem_types.expected_targets import CalibratedClasses

        return CalibratedClasses(known, features)

    @abstractmethod
    def too_few(self, outcomes: Outcomes, min_class_rows: int) -> str:
        """Return why there are too few rows to tell; empty if there are enough."""

    def least(self, min_class_rows: int) -> str:
        """Return in words what `too_few` asks for."""
        return f"{min_class_rows} of each"

    def describe_outcomes(self, outcomes: Outcomes) -> dict[str, float]:
        """Return figures beside the metrics, such as mean prediction and mean target."""
        return {}

    def note(self, outcomes: Outcomes) -> str:
        """Return what a person must know of these rows beside their metrics; mostly nothing."""
        return ""

    def allowed_gap(self, outcomes: Outcomes, observed: float, share: float, most: float) -> float:
        """Return by how much a prediction may be off on average.

        At most `most` of all rows, and no more than the `share` of the rarer one of class and rest.
        """
        return min(most, share * min(observed, 1 - observed))

    def as_shift(self, change: float) -> float:
        """Return a change as a shift, see `problem_types.shifts`: that of odds as their log."""
        return math.log1p(change)

    def change_words(self, change: float) -> str:
        """Say a change in words."""
        return f"odds × {1 + change:g}"

    @abstractmethod
    def importance_rows(self, target: Array, random: np.random.Generator) -> Array:
        """Draw the rows that features are shuffled on; none if nothing can be lost."""

    @abstractmethod
    def importance_scorer(self, model: Any) -> Any:
        """Return what a feature's importance is a loss of, a scorer for scikit-learn."""

    # --- explanations

    @abstractmethod
    def explained(self, model: Any, frame: pd.DataFrame) -> Array:
        """Return the numbers that are explained of rows, (n_rows, 1) or one for each class."""

    @abstractmethod
    def changed(self, ours: Outcomes, rival: Outcomes) -> Array:
        """Return for each row whether two models decide otherwise."""

    @abstractmethod
    def curves(self, outcomes: Outcomes) -> tuple[Curve, ...]:
        """Return how good predictions are along their values."""

    def confusion(self, outcomes: Outcomes) -> Confusion | None:
        """Return rows by true and decided class; None of numbers."""
        return None

    # --- profiles

    def compared(self, predictions: Profile, threshold: float) -> Profile:
        """Return what drift compares of a profile of predictions, and nothing else."""
        return predictions.only(self.profiled)

    @abstractmethod
    def profile_labels(self, targets: pa.ChunkedArray) -> Profile:
        """Profile targets as the column ``label``."""

    @abstractmethod
    def describe_labels(self, profiles: tuple[Profile, Profile]) -> str:
        """Say in a few words how labels were in a reference and are now."""

    @abstractmethod
    def describe_predictions(self, predictions: Profile, threshold: float) -> str:
        """Say in a few words what was predicted."""
