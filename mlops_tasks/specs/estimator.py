"""What of a model does not depend on where its rows come from: features, estimator, gate."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, model_validator

from mlops_tasks.specs.base import Importable, Name, SpecModel
from mlops_tasks.specs.gate import GateSpec
from mlops_tasks.specs.selection import Parameters, Split

if TYPE_CHECKING:
    from collections.abc import Collection

    from mlops_tasks.partitions import Grain, Partition

__all__ = ["EstimatorSpec"]

_RESERVED = re.compile(
    r"model_version|y|score|predicted_class|confidence|prediction(_lower|_upper)?|probability_.*"
)


class EstimatorSpec(SpecModel):
    """What is fitted, on which features, and how it is judged: of a project, or of one table.

    Attributes
    ----------
    name : str
        Registered model.
    problem_type : str
        ``binary``, ``multiclass`` or ``regression``.
    as_of : str
        Column with the moment at which the prediction is asked for.
    categorical, numeric, text : tuple of str
        The features.
    allow_leak_suspects : tuple of str
        Features that look like leaks of the label and are none.
    weight : str or None
        Column with the weight of each row in the fit.
    estimator : str
        Import path ``"package.module:function"``.
    estimator_params : dict
        Parameters that are set on what it returns, by ``set_params``.
    random_state : int
        Seed.
    split : str
        How rows for the evaluation are kept from the training: the later ones, ``"time"``, or one
        in five by a hash of its key, ``"random"``.
    costs : dict or None
        What mistakes cost.
    threshold : float
        Of a binary model: a row with a higher score counts as predicted positive.
    gate : GateSpec
        When a challenger may replace the champion.
    """

    name: Name
    problem_type: Literal["binary", "multiclass", "regression"] = "binary"
    as_of: str
    categorical: tuple[str, ...] = ()
    numeric: tuple[str, ...] = ()
    text: tuple[str, ...] = ()
    allow_leak_suspects: tuple[str, ...] = ()
    weight: str | None = None
    estimator: Importable
    estimator_params: Parameters = Field(default_factory=dict)
    random_state: int = Field(default=0, ge=0, lt=2**32)
    split: Split = "time"
    costs: dict[str, float | dict[str, float]] | None = None
    threshold: float = Field(default=0.5, ge=0, lt=1)
    gate: GateSpec = GateSpec()

    if TYPE_CHECKING:  # what each kind of model says in its own way

        @property
        def key(self) -> tuple[str, ...]:
            """Columns that identify a row."""

        @property
        def target_sql(self) -> str:
            """The expression of its target."""

        @property
        def target_columns(self) -> Collection[str]:
            """The columns that it may read."""

        @property
        def max_classes(self) -> int:
            """How many classes its target may have."""

        @property
        def calendar(self) -> Grain:
            """The arithmetic of its partition keys."""

        @property
        def timezone(self) -> str:
            """The zone that its days begin in."""

        @property
        def features_from(self) -> str:
            """Where its features are written, for errors."""

        @property
        def labels_table(self) -> str:
            """Table of the rows that its target is over."""

        @property
        def predictions_table(self) -> str:
            """Where its predictions go."""

        @property
        def has_personal(self) -> bool:
            """Whether any column holds values of people."""

        def hides(self, column: str) -> bool:
            """Return whether the values of a column must not be shown."""

        def partition(self, key: str) -> Partition:
            """Return one of its partitions."""

        def check_partition(self, partition: str) -> str:
            """Return `partition` if it can have rows by now."""

    @model_validator(mode="before")
    @classmethod
    def _cut_where_it_costs_least(cls, fields: Any) -> Any:
        costs = fields.get("costs") or {}
        if "threshold" in fields or {"false_alarm", "miss"} - set(costs):
            return fields
        alarm, miss = costs["false_alarm"], costs["miss"]
        return fields | {"threshold": alarm / (alarm + miss)}

    @model_validator(mode="after")
    def _check_features(self) -> Self:
        if not self.features:
            raise ValueError(
                "categorical and numeric are both empty: name at least one feature, or a text"
            )
        if len(set(self.features)) != len(self.features):
            raise ValueError("a feature is named twice")
        if reserved := sorted(filter(_RESERVED.fullmatch, {*self.features, *self.key})):
            raise ValueError(f"{reserved} are names of the model's own columns; rename them")
        measured = {f"{name}.{what}" for name in self.text for what in ("length", "unseen_tokens")}
        if taken := sorted(measured & set(self.features)):
            raise ValueError(
                f"{taken} are measures of text features; name these features otherwise"
            )
        return self

    @model_validator(mode="after")
    def _check_leak_suspects(self) -> Self:
        if unknown := sorted(set(self.allow_leak_suspects) - set(self.features)):
            raise ValueError(
                f"allow_leak_suspects: {unknown} are no features; it allows some of "
                f"{list(self.features)}"
            )
        return self

    @property
    def features(self) -> tuple[str, ...]:
        """All features, categorical first and free texts last."""
        return (*self.categorical, *self.numeric, *self.text)

    @property
    def package(self) -> str:
        """Top-level package of the project: its classes and functions may be part of a model."""
        return self.estimator.split(":")[0].split(".")[0]
