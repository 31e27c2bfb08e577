"""A model project: data, features, estimator, gate, monitoring and policy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

from pydantic import (
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)

from mlops_tasks.exceptions import PartitionKeyError
from mlops_tasks.partitions import (
    DAY,
    GRAINS,
    HOUR,
    Duration,
    Grain,
    Partition,
    Schedule,
    check_clock,
    check_cron,
    check_past,
)
from mlops_tasks.specs.base import Channels, Importable, Length, SpecModel, Window, renamed
from mlops_tasks.specs.dataset import DatasetSpec
from mlops_tasks.specs.estimator import EstimatorSpec
from mlops_tasks.specs.intended_use import IntendedUseSpec
from mlops_tasks.specs.monitoring import DriftSpec, PerformanceSpec
from mlops_tasks.specs.policy import AfterPromotionSpec, RetrainSpec
from mlops_tasks.specs.selection import CandidateSpec, Search

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

__all__ = ["InputSpec", "LabelSpec", "ModelSpec"]

# Two hours after the rows are taken; a decision is as of a day, so it is never taken every hour.
_DECISION_CRONS = {"day": "0 3 * * *", "week": "0 3 * * 1", "month": "0 3 1 * *"}


def _decided_by(fields: Mapping[str, Any]) -> Grain:
    """Return how often a decision is taken: by the grain of the first input, at most every day."""
    inputs = fields.get("inputs")
    grain = GRAINS[inputs[0].dataset.grain] if inputs else DAY
    return DAY if grain is HOUR else grain


def _label_delay(fields: Mapping[str, Any]) -> Duration:
    """Return how long a label takes, which keeps the training from the evaluation."""
    label: LabelSpec | None = fields.get("label")
    if label is None or fields.get("split") == "random":
        return Duration(0, "d")
    return label.dataset.delay


class InputSpec(SpecModel):
    """A dataset that features read.

    Attributes
    ----------
    dataset : DatasetSpec
        The dataset.
    lookback : Duration
        How far before the scored partition rows are needed, too, as ``"1d"``; none for a model's
        first input.
    timeless : str
        Why a join with it cannot see the future, such as ``"airports do not move"``. Without a
        reason the query must give the moment of each joined fact, see `ModelSpec.observed_at`.
    snapshot : bool
        Each partition is the whole state of a table, as of when it is taken. The features see the
        newest one before each row's moment, by ``valid_from`` and ``valid_until``, and no scoring
        waits for it. A dataset of a coarser grain than the model's always is one, and so is one
        whose source is a snapshot.
    """

    dataset: DatasetSpec
    lookback: Length = Duration(0, "d")
    timeless: str = ""
    snapshot: bool = False

    in_days: ClassVar = {"lookback_days": ("lookback", 0)}


class LabelSpec(SpecModel):
    """Where the truth comes from, and how it becomes a target.

    Attributes
    ----------
    dataset : DatasetSpec
        The label dataset. None of its columns but the key may ever be a feature.
    target : str
        SQL expression over its columns; null means unknown. A condition (or 0 and 1) for a binary
        model, a text or an integer that names the class for a multiclass one, a finite number for
        a regression.
    max_classes : int
        A training with more classes is refused: its target is rather an identifier.
    """

    dataset: DatasetSpec
    target: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
    max_classes: int = Field(default=100, ge=2, le=1000)

    @model_validator(mode="before")
    @classmethod
    def _take_old_names(cls, fields: Any) -> Any:
        return renamed(cls, fields, {"positive": "target"})


class ModelSpec(EstimatorSpec):
    """One model project: data, features, estimator, gate, monitoring and policy.

    Attributes
    ----------
    name : str
        Registered model, prefix of its Dag ids and tables.
    inputs : tuple of InputSpec
        Datasets that the features may read, under their names. The first one gives the rows to
        score.
    label : LabelSpec
        The truth, known later.
    problem_type : str
        ``binary``, ``multiclass`` or ``regression``: what the target is, and so what is predicted,
        measured and monitored.
    features_sql : Path or None
        Query of DuckDB over the inputs: the key, `as_of`, `observed_at` columns and all features.
    features_python : str or None
        Instead of a query, the import path ``"package.module:function"`` of a function that
        returns these columns as one frame. Its parameters are named like the inputs; each comes as
        an Arrow table, or as the pandas or Polars frame that it is annotated as.
    as_of : str
        Column of the features with the moment at which the prediction is asked for.
    observed_at : tuple of str
        Columns with the moments at which joined facts became known; each must lie before `as_of`.
        One at least for each input after the first that is not `InputSpec.timeless`.
    categorical, numeric, text : tuple of str
        The features. No other column reaches the estimator.
    allow_leak_suspects : tuple of str
        Features that may nearly give the label, because they really are known at the row's moment;
        any others that look like a leak keep a challenger from being promoted.
    weight : str or None
        Column of the features with the weight of each row in the fit, at least 0. Metrics and
        monitoring count every row as one.
    estimator : str
        Import path ``"package.module:function"``; called with ``categorical=``, ``numeric=`` and
        ``random_state=``, and with ``text=`` if there are such features; returns an unfitted
        scikit-learn estimator, a classifier or, for a regression, a regressor. Categorical features
        come as text, numeric ones as ``float64``, both with NaN for what is missing; free texts as
        text, with ``""`` for it.
    estimator_params : dict
        Parameters that are set on what it returns, by ``set_params``, as
        ``{"model__max_depth": 3}``.
    costs : dict or None
        What mistakes cost, for the metric ``expected_cost``: ``{"false_alarm": 1, "miss": 20}`` of
        a binary model, by true and then by decided class of a multiclass one.
    threshold : float
        Of a binary model: a row with a higher score counts as predicted positive. Metrics of
        classes are measured with it, and monitoring watches the share of such rows. By default
        that which costs least if the scores are right, ``false_alarm / (false_alarm + miss)``
        (Elkan 2001, The foundations of cost-sensitive learning, IJCAI), or 0.5 without costs.
    random_state : int
        Seed of the estimator, the gate and the importance of features, below 2^32.
    train, evaluation : Duration
        How long a training window is at most, as ``"60d"``, ``"36h"``, ``"8w"`` or ``"3mo"``, and
        the window after it to evaluate on. By the calendar; every partition that lies in it counts.
    embargo : Duration
        Gap between the two, which neither uses. By default the label's delay: the label of a row
        that is trained on may be decided until then, which would be within the evaluation, and in
        production the newest labels are as old. ``"0d"`` where a label is decided at its row's
        moment.
    split : str
        ``"time"``: the evaluation is later than the training. ``"random"`` only for rows without
        an order in time: of both windows together one row in five, by a hash of its key, is
        evaluated on; there is no embargo.
    candidates : tuple of CandidateSpec
        Parameters or estimators of which the best one inside the training window is trained.
    search : SearchSpec or None
        In place of candidates: where to look for the parameters. A dict or an import path is its
        `SearchSpec.space`.
    cron : str
        When the decision is taken, by the clock of the datasets' `timezone`: once a day, or once
        a week or month if the first input has that grain. By default two hours after the rows are.
    intended_use : IntendedUseSpec
        What it is for, for people who read its evidence pack.
    after_promotion : AfterPromotionSpec or None
        The watch window after each promotion; None for none.
    notify : tuple of str or None
        Who is told of its incidents: ids of Airflow connections (mail, or a webhook), or import
        paths ``"package.module:name"`` of Airflow notifiers. By default those of ``[mlops]
        notify``; ``()`` tells nobody.
    deadline : Duration or None
        Predictions of a partition must be there this long after its rows are due.
    """

    description: str
    owner: str = "mlops"
    intended_use: IntendedUseSpec = IntendedUseSpec()
    inputs: tuple[InputSpec, ...] = Field(min_length=1)
    label: LabelSpec
    features_sql: Path | None = None
    features_python: Importable | None = None
    observed_at: tuple[str, ...] = ()
    train: Window = Duration(60, "d")
    evaluation: Window = Duration(7, "d")
    embargo: Length = Field(default_factory=lambda fields: _label_delay(fields))
    candidates: tuple[CandidateSpec, ...] = ()
    search: Search = None
    drift: DriftSpec = DriftSpec()
    performance: PerformanceSpec = PerformanceSpec()
    retrain: RetrainSpec = RetrainSpec()
    after_promotion: AfterPromotionSpec | None = AfterPromotionSpec()
    notify: Channels = None
    deadline: Window | None = None
    cron: str = Field(default_factory=lambda fields: _DECISION_CRONS[_decided_by(fields).name])

    in_days: ClassVar = {"train_days": ("train", 1), "evaluation_days": ("evaluation", 1)}

    @field_validator("cron")
    @classmethod
    def _check_cron(cls, cron: str, info: ValidationInfo) -> str:
        return check_cron(cron, _decided_by(info.data))

    @model_validator(mode="after")
    def _check(self) -> Self:
        if keys := sorted(set(self.features) & set(self.key)):
            raise ValueError(f"{keys} are the key; as features, select them under second names")
        names = [dataset.name for dataset in self.datasets]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(
                f"{twice} stand twice among inputs and label; each input is named once, and the "
                "label dataset, known only afterwards, is never an input"
            )
        if (self.features_sql is None) == (self.features_python is None):
            both = "neither is given" if self.features_sql is None else "both are given"
            raise ValueError(
                f"features_sql and features_python: {both}; name the query or the function that "
                "makes the features, exactly one of the two"
            )
        if self.features_sql is not None and not self.features_sql.is_file():
            raise ValueError(f"features_sql: no such file {self.features_sql.name}")
        if not set(self.key) <= set(self.label.dataset.columns):
            raise ValueError(f"label dataset lacks the key {list(self.key)} of {self.rows.name!r}")
        if leaks := sorted(set(self.features) & self.known_later):
            raise ValueError(
                f"{leaks} belong to the label dataset {self.label.dataset.name!r} and are known "
                "only afterwards; remove them from the features"
            )
        return self

    @model_validator(mode="after")
    def _check_selection(self) -> Self:
        if self.split == "random" and self.embargo:
            raise ValueError(
                f"embargo: {self.embargo} is a gap in time, and split='random' knows no time; "
                "leave out one of the two"
            )
        if self.candidates and self.search:
            raise ValueError("candidates and search are both given; choose one of the two")
        if len(self.candidates) == 1:
            raise ValueError(
                "candidates: a single one leaves nothing to choose; write its parameters as "
                "estimator_params, or name a second one"
            )
        names = [one.name for one in self.candidates]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(
                f"candidates: {twice} are there twice; give them other parameters, or a name each"
            )
        return self

    @model_validator(mode="after")
    def _check_datasets(self) -> Self:
        first = self.rows
        for other in self.datasets[1:]:
            zones = [dataset.timezone or "UTC" for dataset in (first, other)]
            if zones[0] != zones[1]:
                raise ValueError(
                    f"days begin in {zones[0]} for {first.name!r} and in {zones[1]} for "
                    f"{other.name!r}: one `timezone` must hold for all datasets of a model, or the "
                    "same key names different hours"
                )
        check_clock(self.cron, self.timezone)
        self._check_snapshots()
        if self.inputs[0].lookback:
            raise ValueError(
                f"{first.name!r} is the first input and gives the rows to score, so it cannot have "
                "lookback (lookback_days): rows of days before would be scored again; to use "
                "earlier rows as facts, take the same source as a second dataset and let that "
                "look back"
            )
        label = self.label.dataset
        kinds = {key: (first.columns[key], label.columns[key]) for key in self.key}
        for key, (ours, theirs) in kinds.items():
            if ours.rstrip("?") != theirs.rstrip("?"):
                raise ValueError(
                    f"the key {key!r} is {ours} in {first.name!r} and {theirs} in {label.name!r}: "
                    "rows find their labels by it, so declare one type"
                )
        return self

    def _check_snapshots(self) -> None:
        if self.inputs[0].snapshot:
            raise ValueError(f"{self.rows.name!r} gives the rows to score and is no snapshot")
        label = self.label.dataset
        if label.source.snapshot:
            raise ValueError(
                f"the source of the labels {label.name!r} is a snapshot, which has every row on "
                "every day: select the labels of each partition"
            )
        if label.calendar.period > self.calendar.period:
            raise ValueError(
                f"labels come by the {label.grain} in {label.name!r}, rows by the "
                f"{self.rows.grain} in {self.rows.name!r}: declare the label dataset by the "
                f"{self.rows.grain}, or a finer grain"
            )
        for item in self.inputs:
            taken = sorted({"valid_from", "valid_until"} & set(item.dataset.columns))
            if self.is_snapshot(item) and item.lookback:
                raise ValueError(
                    f"{item.dataset.name!r} is a snapshot, the newest one before each row's moment "
                    "is read: remove lookback"
                )
            if self.is_snapshot(item) and taken:
                raise ValueError(f"{item.dataset.name!r} is a snapshot, which adds {taken}; rename")

    @model_validator(mode="after")
    def _check_moments(self) -> Self:
        joined = [i.dataset.name for i in self.inputs[1:] if not i.timeless.strip()]
        if len(set(self.observed_at)) < len(joined):
            select = "select in features.sql" if self.features_sql else "return"
            raise ValueError(
                f"{joined} are joined, but observed_at names {len(set(self.observed_at))} moments: "
                f"for each of them {select} when the joined fact became known, and "
                "name that column in observed_at, so that no row sees the future; or say in "
                "InputSpec(timeless='...') why its rows are known at any time"
            )
        return self

    def check_as_of(self, as_of: str) -> str:
        """Return `as_of` if a training or a decision can be taken as of it.

        Raises
        ------
        PartitionKeyError
            If it is no day, lies in the future, before the first rows or after the last news of
            datasets that have ended.
        """
        check_past(as_of, self.timezone, what=f"model {self.name!r}: as_of")
        ends = [one.last_as_of(one.last) for one in self.datasets if one.last is not None]
        first, last = self.rows.start.isoformat(), max(ends, default=None)
        if as_of < first or (last and len(ends) == len(self.datasets) and as_of > last):
            raise PartitionKeyError(
                f"model {self.name!r}: as_of {as_of} is outside of its data, which begin on "
                f"{first} and bring their last news on {last or 'no day yet'}; choose a day "
                "between"
            )
        return as_of

    @property
    def rows(self) -> DatasetSpec:
        """The dataset whose rows are scored."""
        return self.inputs[0].dataset

    @property
    def selects(self) -> bool:
        """Whether a training chooses what it fits: among candidates, or by a search."""
        return bool(self.candidates) or self.search is not None

    @property
    def key(self) -> tuple[str, ...]:
        """The key of a row to score."""
        return self.rows.key

    @property
    def target_sql(self) -> str:
        """The expression of its target."""
        return self.label.target

    @property
    def target_columns(self) -> Collection[str]:
        """The columns that it may read."""
        return self.label.dataset.columns

    @property
    def max_classes(self) -> int:
        """How many classes its target may have."""
        return self.label.max_classes

    @property
    def labels_table(self) -> str:
        """Table of the rows that its target is an expression over."""
        return self.label.dataset.name

    @property
    def features_from(self) -> str:
        """Where its features are written, for errors."""
        return self.features_sql.name if self.features_sql else f"features {self.features_python!r}"

    def partition(self, key: str) -> Partition:
        """Return one of its partitions, which are those of the rows to score."""
        return self.rows.partition(key)

    def check_partition(self, partition: str) -> str:
        """Return `partition` if the rows to score have it, or will have had it by now."""
        return self.rows.check_partition(partition)

    @property
    def calendar(self) -> Grain:
        """The arithmetic of its partition keys, which are those of the rows to score."""
        return self.rows.calendar

    @property
    def schedule(self) -> Schedule:
        """When its decisions are taken."""
        return Schedule(self.cron, _decided_by({"inputs": self.inputs}), self.timezone)

    def is_snapshot(self, item: InputSpec) -> bool:
        """Whether an input is read as of each row's moment, and not waited for."""
        if item == self.inputs[0]:
            return False
        dataset = item.dataset
        coarser = dataset.calendar.period > self.calendar.period
        return item.snapshot or dataset.source.snapshot or coarser

    @property
    def triggers(self) -> tuple[DatasetSpec, ...]:
        """The datasets whose partitions a scoring waits for, that of the rows first."""
        return tuple(item.dataset for item in self.inputs if not self.is_snapshot(item))

    @property
    def timezone(self) -> str:
        """The zone that the days of all datasets begin in."""
        return self.rows.timezone or "UTC"

    @property
    def known_later(self) -> frozenset[str]:
        """Columns that exist only once the label does."""
        return frozenset(self.label.dataset.columns) - frozenset(self.key)

    @property
    def has_personal(self) -> bool:
        """Whether any dataset has columns with values of people."""
        return any(dataset.has_personal for dataset in self.datasets)

    def hides(self, column: str) -> bool:
        """Return whether the values of a column, or of a feature of its name, must not be shown."""
        own = (one for one in self.datasets if column in one.columns)
        return any(dataset.hides(column) for dataset in own)

    @property
    def predictions_table(self) -> str:
        """Table of the scored partitions."""
        return f"{self.name}__predictions"

    @property
    def shadow_table(self) -> str:
        """Table of what the champion before this one predicts while a watch window lasts."""
        return f"{self.name}__shadow"

    @property
    def datasets(self) -> tuple[DatasetSpec, ...]:
        """Every dataset of the project, the label last."""
        return (*(item.dataset for item in self.inputs), self.label.dataset)
