"""Specs: everything that is unique to a dataset or a model, checked before any Dag is built."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from mlops_tasks.clock_times import check_clock, check_daily, check_timezone
from mlops_tasks.exceptions import SpecError
from mlops_tasks.history_spec import HistorySpec
from mlops_tasks.source_spec import DeltaSource, Source
from mlops_tasks.spec_model import Column
from mlops_tasks.spec_model import SpecModel as _Spec

__all__ = [
    "COLUMN_TYPES",
    "PARTITION_FORMAT",
    "RESERVED_COLUMNS",
    "DatasetSpec",
    "DriftSpec",
    "GateSpec",
    "InputSpec",
    "LabelSpec",
    "ModelSpec",
    "PerformanceSpec",
    "RetrainSpec",
    "check_name",
]

PARTITION_FORMAT = "%Y-%m-%d"
COLUMN_TYPES = ("string", "int64", "float64", "bool", "timestamp", "date")

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
# Added to a dataset's columns in the lake, and to a model's key in its own tables.
RESERVED_COLUMNS = {"partition_key", "reasons"}
_CONVERTED = {"decimal": {"float64", "int64", "string"}, "date": {"timestamp"}}
_MODEL_RESERVED = {"model_version", "score", "y"}
_ESTIMATOR = re.compile(r"\w+(\.\w+)*:\w+")


def _importable(estimator: str) -> str:
    if not _ESTIMATOR.fullmatch(estimator):
        raise ValueError(
            "must name a function as 'package.module:function', as 'flight_delays.model:build'"
        )
    return estimator


# Tables are made of names and a suffix like `__quarantine`, so these are shorter and lack `__`.
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(_[a-z0-9]+)*$", max_length=48)]
Cron = Annotated[str, AfterValidator(check_daily)]
Estimator = Annotated[str, AfterValidator(_importable)]
ColumnType = Annotated[str, StringConstraints(pattern=rf"^({'|'.join(COLUMN_TYPES)})\??$")]
Days = Annotated[int, Field(ge=0, le=3650)]


def check_name(name: str) -> str:
    """Return `name` if it is safe as a table, folder and SQL name.

    Parameters
    ----------
    name : str
        Lower-case letters, digits and underscores, a letter first, at most 63 characters.

    Returns
    -------
    str
        The same name.

    Raises
    ------
    SpecError
        If the name could leave its folder or its quotes.

    Examples
    --------
    >>> check_name("flights")
    'flights'
    """
    if not _NAME.fullmatch(name):
        raise SpecError(
            f"name {name!r} is not allowed: use lower-case letters, digits and underscores, "
            "a letter first, at most 63 characters"
        )
    return name


class DatasetSpec(_Spec):
    """One dataset: where its rows come from and what they must look like.

    Attributes
    ----------
    name : str
        Table name in the lake; also the asset's name.
    source : SqlSource, FileSource or DeltaSource
        Where the rows of a day come from.
    columns : dict of str to str
        The contract: name to type, one of ``string int64 float64 bool timestamp date``; a trailing
        ``?`` allows nulls. Timestamps are instants in UTC.
    key : tuple of str
        Columns that together identify a row.
    timezone : str or None
        Name of the zone that days begin in and that times without a zone are in, as
        ``Europe/Berlin``. Without it days begin at midnight UTC and such times are refused.
    duplicates : str
        Rows with the same key: ``quarantine`` all of them, ``fail`` the partition, or
        ``keep_last``, the one with the largest `order_by`.
    order_by : str or None
        Column that says which of two rows is the later one.
    extra_columns : str
        Columns beyond the contract: ``keep`` them, nullable, or ``ignore`` them.
    convert : dict of str to str
        Columns that the source has in another type, which is to be converted: from ``decimal`` to
        float64 (the nearest), int64 or string (exactly), from ``date`` to timestamp (midnight in
        `timezone`).
    expectations : Path
        Great Expectations suite, JSON.
    start, end : date
        First day there is, and the last one if the source has ended.
    delay_days : int
        Nights between a day and its ingestion: 0 takes the day that has just ended.
    refresh_after_days : int or None
        Take the day again that many nights later, for rows recorded late.
    cron : str
        When the nightly run starts, by the clock of `timezone`: one time of every day, as
        ``30 4 * * *``.
    max_quarantined_share : float
        Above this share of bad rows the whole partition is refused.
    history : HistorySpec
        Checks against the partitions before this one.
    """

    name: Name
    description: str
    owner: str = "mlops"
    source: Source
    columns: dict[Column, ColumnType] = Field(min_length=1)
    key: tuple[str, ...] = Field(min_length=1)
    timezone: str | None = None
    duplicates: Literal["fail", "keep_last", "quarantine"] = "quarantine"
    order_by: str | None = None
    extra_columns: Literal["keep", "ignore"] = "keep"
    convert: dict[Column, Literal["date", "decimal"]] = Field(default_factory=dict)
    expectations: Path
    start: dt.date
    end: dt.date | None = None
    cron: Cron = "0 1 * * *"
    delay_days: Days = 0
    refresh_after_days: Days | None = None
    max_quarantined_share: float = Field(default=0.05, ge=0, le=1)
    history: HistorySpec = HistorySpec()

    @model_validator(mode="after")
    def _check(self) -> Self:
        unknown = [column for column in self.key if column not in self.columns]
        if unknown:
            raise ValueError(f"key names {unknown}, which the contract `columns` does not have")
        if len(set(self.key)) != len(self.key):
            raise ValueError(f"key names a column twice: {list(self.key)}")
        if reserved := sorted(RESERVED_COLUMNS & set(self.columns)):
            raise ValueError(f"columns {reserved} are added by the lake; rename them in the query")
        if self.end is not None and self.end < self.start:
            raise ValueError(f"end {self.end} lies before start {self.start}")
        if self.refresh_after_days is not None and self.refresh_after_days <= self.delay_days:
            raise ValueError("refresh_after_days must be larger than delay_days")
        if not self.expectations.is_file():
            raise ValueError(f"expectations: no such file {self.expectations.name}")
        return self

    @model_validator(mode="after")
    def _check_rows(self) -> Self:
        if self.timezone is not None:
            check_timezone(self.timezone)
            check_clock(self.cron, self.timezone)
        if (self.duplicates == "keep_last") != (self.order_by is not None):
            raise ValueError("order_by belongs to duplicates='keep_last', which needs it")
        if self.order_by is not None and self.order_by not in self.columns:
            raise ValueError(f"order_by {self.order_by!r} is no column of the contract `columns`")
        for column, given in self.convert.items():
            wanted = self.columns.get(column, "").rstrip("?")
            if wanted not in _CONVERTED[given]:
                raise ValueError(f"convert: {given} cannot become {wanted or 'nothing'} ({column})")
            if given == "date" and self.timezone is None:
                raise ValueError(f"convert: {column} is midnight of where? declare `timezone`")
        return self

    @model_validator(mode="after")
    def _check_day(self) -> Self:
        column = self.source.time_column
        declared = self.columns.get(column or "", "").rstrip("?")
        selects = isinstance(self.source, DeltaSource) or getattr(self.source, "table", None)
        if column is not None and not selects and declared not in ("timestamp", "date"):
            raise ValueError(
                f"source.time_column {column!r} must be a timestamp or date of the contract "
                "`columns`: rows of other days are told by it"
            )
        return self

    @model_validator(mode="after")
    def _check_history(self) -> Self:
        fresh, growth = self.history.freshness, self.history.categories
        if fresh and self.columns.get(fresh.column, "").rstrip("?") != "timestamp":
            raise ValueError(f"history.freshness: {fresh.column!r} is no timestamp of the contract")
        unknown = [name for name in (growth.columns if growth else ()) if name not in self.columns]
        if unknown:
            raise ValueError(f"history.categories names {unknown}, which `columns` does not have")
        return self

    def nullable(self, column: str) -> bool:
        """Tell whether the contract lets `column` be null."""
        return self.columns[column].endswith("?")


class InputSpec(_Spec):
    """A dataset that features read.

    Attributes
    ----------
    dataset : DatasetSpec
        The dataset.
    lookback_days : int
        So many days before the scored day are needed, too; 0 for a model's first input.
    timeless : str
        Why a join with it cannot see the future, such as ``"airports do not move"``. Without a
        reason the query must give the moment of each joined fact, see `ModelSpec.observed_at`.
    """

    dataset: DatasetSpec
    lookback_days: Days = 0
    timeless: str = ""


class LabelSpec(_Spec):
    """Where the truth comes from, and how it becomes a target.

    Attributes
    ----------
    dataset : DatasetSpec
        The label dataset. None of its columns but the key may ever be a feature.
    positive : str
        SQL condition over its columns that is true for the positive class; null means unknown.
    """

    dataset: DatasetSpec
    positive: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class GateSpec(_Spec):
    """When a challenger may replace the champion.

    Attributes
    ----------
    metric : str
        Metric of the comparison.
    min_value : float
        A first champion must be above this with its whole confidence interval.
    confidence : float
        Confidence of the bootstrap interval, in (0, 1).
    n_bootstrap : int
        Resamples of the paired bootstrap.
    max_worse_log_loss : float
        A challenger may not lose more than this in log loss, in nats: the whole confidence interval
        of the gap must lie below it.
    min_class_rows : int
        With fewer rows of either class in the evaluation window the verdict is "cannot_tell".
    """

    metric: Literal["roc_auc"] = "roc_auc"
    min_value: float = Field(default=0.5, ge=0, lt=1)
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    n_bootstrap: int = Field(default=500, ge=50, le=20_000)
    max_worse_log_loss: float = Field(default=0.01, ge=0)
    min_class_rows: int = Field(default=10, ge=1)


class DriftSpec(_Spec):
    """Drift of inputs and predictions: a trailing window against a reference.

    Attributes
    ----------
    window_days : int
        Length of the current window.
    reference : str
        ``training``, the data that the champion was made from; ``trailing``, the scored days
        before the window; or ``season``, the scored days of the same season a year before.
    reference_days : int
        Days of a trailing or seasonal reference; 28 or more keep the level of false alarms.
    level : float
        Chance of any alarm on a day without drift, over all columns; inputs, predictions and labels
        get a third of it each.
    min_effect : float
        Smallest effect that matters, Cohen's h; movements that chance and the reference's own
        days explain are added to it.
    min_rows : int
        Below this the answer is "too few rows to tell".
    max_domain_auc : float, optional
        Alarm when a classifier tells the rows of the window from those of the training with a
        larger ROC AUC; days of one season reach 0.6 or so, 0.8 is much. It sees what moves between
        columns. Not asked by default: it reads rows and takes seconds, and `level` does not cover
        it.
    """

    window_days: int = Field(default=7, ge=1, le=3650)
    reference: Literal["training", "trailing", "season"] = "training"
    reference_days: int = Field(default=28, ge=5, le=366)
    level: float = Field(default=0.01, gt=0, le=0.5)
    min_effect: float = Field(default=0.1, ge=0, le=2)
    min_rows: int = Field(default=500, ge=30)
    max_domain_auc: float | None = Field(default=None, gt=0.5, lt=1)

    @property
    def level_of_part(self) -> float:
        """Chance of a false alarm of each part: inputs, predictions, and labels."""
        return self.level / 3


class PerformanceSpec(_Spec):
    """Realised performance on labels that have arrived.

    Attributes
    ----------
    window_days : int
        Length of the trailing window of labelled days.
    max_auc_loss : float
        Alarm when the ROC AUC lies this far below the champion's at its gate, beyond its own
        sampling error.
    max_calibration_gap : float
        Alarm when mean predicted and observed share differ by more, beyond sampling error.
    min_rows : int
        Below this the answer is "too few rows to tell".
    min_class_rows : int
        With fewer labelled rows of either class there is no answer on the ROC AUC.
    min_coverage : float
        A day's labels are compared with those of the training once so large a share of its
        predictions has one: labels that come first often differ from those that come last.
    """

    window_days: int = Field(default=7, ge=1, le=3650)
    max_auc_loss: float = Field(default=0.05, ge=0)
    max_calibration_gap: float = Field(default=0.03, ge=0)
    min_rows: int = Field(default=500, ge=1)
    min_class_rows: int = Field(default=10, ge=1)
    min_coverage: float = Field(default=0.8, ge=0, le=1)


class RetrainSpec(_Spec):
    """The one place that decides: alarms with memory, a cool-down and an age limit.

    Attributes
    ----------
    windows, of_last : int
        A check is a cause when it alarmed in at least `windows` of its `of_last` newest days,
        the newest one included.
    min_drifted : int
        So many drifted columns at once make a drift cause; the scores count as one, the classes
        cut from them do not count.
    cooldown_days : int
        No alarm retrains sooner than this after the last training.
    max_age_days : int
        Train at this age of the champion's data at the latest; 1 means every night.
    """

    windows: int = Field(default=2, ge=1)
    of_last: int = Field(default=3, ge=1)
    min_drifted: int = Field(default=3, ge=1)
    cooldown_days: Days = 7
    max_age_days: int = Field(default=30, ge=1)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.windows > self.of_last:
            raise ValueError("windows must not be larger than of_last")
        return self


class ModelSpec(_Spec):
    """One model project: data, features, estimator, gate, monitoring and policy.

    Attributes
    ----------
    name : str
        Registered model, prefix of its Dag ids and tables.
    inputs : tuple of InputSpec
        Datasets that ``features.sql`` may read, under their names. The first one gives the rows
        to score.
    label : LabelSpec
        The truth, known later.
    features_sql : Path
        Query over the inputs: the key, `as_of`, `observed_at` columns and all features.
    as_of : str
        Column of the query with the moment at which the prediction is asked for.
    observed_at : tuple of str
        Columns with the moments at which joined facts became known; each must lie before `as_of`.
        One at least for each input after the first that is not `InputSpec.timeless`.
    categorical, numeric : tuple of str
        The features. Nothing else the query returns reaches the estimator.
    estimator : str
        Import path ``"package.module:function"``; called with ``categorical=``, ``numeric=`` and
        ``random_state=``, returns an unfitted scikit-learn classifier. Categorical features come
        as text, numeric ones as ``float64``, both with NaN for what is missing.
    threshold : float
        A row with a higher score counts as predicted positive. Monitoring watches the share of
        such rows.
    random_state : int
        Seed of the estimator, the gate and the importance of features, below 2^32.
    train_days, evaluation_days : int
        At most so many days to train on, and the days after them to evaluate on.
    cron : str
        When the nightly decision is taken, by the clock of the datasets' `timezone`.
    """

    name: Name
    description: str
    owner: str = "mlops"
    inputs: tuple[InputSpec, ...] = Field(min_length=1)
    label: LabelSpec
    features_sql: Path
    as_of: str
    observed_at: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    numeric: tuple[str, ...] = ()
    estimator: Estimator
    random_state: int = Field(default=0, ge=0, lt=2**32)
    threshold: float = Field(default=0.5, ge=0, lt=1)
    train_days: int = Field(default=60, ge=1)
    evaluation_days: int = Field(default=7, ge=1)
    gate: GateSpec = GateSpec()
    drift: DriftSpec = DriftSpec()
    performance: PerformanceSpec = PerformanceSpec()
    retrain: RetrainSpec = RetrainSpec()
    cron: Cron = "0 3 * * *"

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.features:
            raise ValueError("categorical and numeric are both empty: name at least one feature")
        if len(set(self.features)) != len(self.features):
            raise ValueError("a feature is named twice")
        if keys := sorted(set(self.features) & set(self.key)):
            raise ValueError(f"{keys} are the key; as features, select them under second names")
        if reserved := sorted(_MODEL_RESERVED & {*self.features, *self.key}):
            raise ValueError(f"{reserved} are names of the model's own columns; rename them")
        names = [dataset.name for dataset in self.datasets]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(
                f"{twice} stand twice among inputs and label; each input is named once, and the "
                "label dataset, known only afterwards, is never an input"
            )
        if not self.features_sql.is_file():
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
        if self.inputs[0].lookback_days:
            raise ValueError(
                f"{first.name!r} is the first input and gives the rows to score, so it cannot have "
                "lookback_days: rows of days before would be scored again; to use earlier rows as "
                "facts, take the same source as a second dataset and let that look back"
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

    @model_validator(mode="after")
    def _check_moments(self) -> Self:
        joined = [i.dataset.name for i in self.inputs[1:] if not i.timeless.strip()]
        if len(set(self.observed_at)) < len(joined):
            raise ValueError(
                f"{joined} are joined, but observed_at names {len(set(self.observed_at))} moments: "
                "for each of them select in features.sql when the joined fact became known, and "
                "name that column in observed_at, so that no row sees the future; or say in "
                "InputSpec(timeless='...') why its rows are known at any time"
            )
        return self

    @property
    def rows(self) -> DatasetSpec:
        """The dataset whose rows are scored."""
        return self.inputs[0].dataset

    @property
    def key(self) -> tuple[str, ...]:
        """The key of a row to score."""
        return self.rows.key

    @property
    def features(self) -> tuple[str, ...]:
        """All features, categorical first."""
        return (*self.categorical, *self.numeric)

    @property
    def timezone(self) -> str:
        """The zone that the days of all datasets begin in."""
        return self.rows.timezone or "UTC"

    @property
    def known_later(self) -> frozenset[str]:
        """Columns that exist only once the label does."""
        return frozenset(self.label.dataset.columns) - frozenset(self.key)

    @property
    def predictions_table(self) -> str:
        """Table of the scored partitions."""
        return f"{self.name}__predictions"

    @property
    def datasets(self) -> tuple[DatasetSpec, ...]:
        """Every dataset of the project, the label last."""
        return (*(item.dataset for item in self.inputs), self.label.dataset)
