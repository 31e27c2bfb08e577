"""A dataset: where its rows come from, and the contract they must keep."""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, StringConstraints, ValidationInfo, field_validator, model_validator

from mlops_tasks.exceptions import PartitionKeyError
from mlops_tasks.partitions import (
    DEFAULT_CRONS,
    GRAINS,
    Duration,
    Grain,
    GrainName,
    Partition,
    Schedule,
    check_begun,
    check_clock,
    check_cron,
    check_timezone,
)
from mlops_tasks.specs.base import Channels, Column, Length, Name, Place, SpecModel, written_at
from mlops_tasks.specs.history import HistorySpec
from mlops_tasks.specs.source import SourceSpec

__all__ = ["COLUMN_TYPES", "RESERVED_COLUMNS", "DatasetSpec"]

COLUMN_TYPES = ("string", "int64", "float64", "bool", "timestamp", "date")
# Added to a dataset's columns in the lake, and to a model's key in its own tables.
RESERVED_COLUMNS = {"partition_key", "reasons"}
# What of a partition's beginning a path must say, by grain.
_NUMBERS = {
    "hour": ("year", "month", "day", "hour"),
    "day": ("year", "month", "day"),
    "week": ("year", "month", "day"),
    "month": ("year", "month"),
}
_CONVERTED = {"decimal": {"float64", "int64", "string"}, "date": {"timestamp"}}

ColumnType = Annotated[str, StringConstraints(pattern=rf"^({'|'.join(COLUMN_TYPES)})\??$")]


class DatasetSpec(SpecModel):
    """One dataset: where its rows come from and what they must look like.

    Attributes
    ----------
    name : str
        Table name in the lake; also the asset's name.
    source : SqlSource, FileSource or DeltaSource
        Where the rows of a partition come from.
    grain : str
        How long a partition is: ``hour``, ``day``, ``week`` or ``month``. Its key is the hour in
        UTC (``2024-03-31T05``), the day (``2024-03-31``), the Monday of the week (``2024-03-25``)
        or the month (``2024-03``); days, weeks and months begin in `timezone`.
    columns : dict of str to str
        The contract: name to type, one of ``string int64 float64 bool timestamp date``; a trailing
        ``?`` allows nulls. Timestamps are instants in UTC.
    rename : dict of str to str
        The source's name of a column to that of the contract, where they differ:
        ``{"Order ID": "order_id"}``. A query names its columns itself.
    key : tuple of str
        Columns that together identify a row.
    timezone : str or None
        Name of the zone that days begin in and that times without a zone are in, as
        ``Europe/Berlin``. Without it days begin at midnight UTC and such times are refused.
    ambiguous : str
        A time without a zone that was twice, when clocks were put back: ``refuse`` it, or take the
        ``earlier`` or the ``later`` instant.
    subject : str or None
        Column that says whom a row is about, such as ``customer_id``. Personal, too.
    personal : tuple of str
        Columns whose values are of people: no log, report, error or XCom shows them.
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
    expectations : Path or None
        Great Expectations suite, JSON; None checks the contract alone.
    start, end : date
        First day there is, and the last one if the source has ended.
    delay : Duration
        Nights between a day and its ingestion: 0 takes the day that has just ended.
    refresh_after : Duration or None
        Take the day again that many nights later, for rows recorded late.
    cron : str
        When a run takes the partition that has just ended, by the clock of `timezone`: one time
        of every day, as ``30 4 * * *``, of every hour, ``5 * * * *``, of every week, ``0 1 * * 1``,
        or of every month, ``0 1 1 * *``, as the grain is. By default soon after its end.
    max_quarantined_share : float
        Above this share of bad rows the whole partition is refused.
    history : HistorySpec
        Checks against the partitions before this one.
    notify : tuple of str or None
        Who is told of its incidents, see `ModelSpec.notify`.
    """

    name: Name
    description: str
    owner: str = "mlops"
    source: SourceSpec
    grain: GrainName = "day"
    columns: dict[Column, ColumnType] = Field(min_length=1)
    rename: dict[str, str] = Field(default_factory=dict)
    key: tuple[str, ...] = Field(min_length=1)
    subject: str | None = None
    personal: tuple[str, ...] = ()
    timezone: str | None = None
    ambiguous: Literal["refuse", "earlier", "later"] = "refuse"
    duplicates: Literal["fail", "keep_last", "quarantine"] = "quarantine"
    order_by: str | None = None
    extra_columns: Literal["keep", "ignore"] = "keep"
    convert: dict[Column, Literal["date", "decimal"]] = Field(default_factory=dict)
    expectations: Path | None = None
    start: dt.date
    end: dt.date | None = None
    cron: str = Field(default_factory=lambda fields: DEFAULT_CRONS[fields.get("grain", "day")])
    delay: Length = Duration(0, "d")
    refresh_after: Length | None = None
    max_quarantined_share: float = Field(default=0.05, ge=0, le=1)
    history: HistorySpec = HistorySpec()
    notify: Channels = None

    def __init__(self, **fields: Any) -> None:
        super().__init__(**fields)
        # No field: a spec says the same wherever it is written.
        self.__dict__["_place"] = written_at() or Place("<nowhere>", 0)

    @field_validator("cron")
    @classmethod
    def _check_cron(cls, cron: str, info: ValidationInfo) -> str:
        return check_cron(cron, GRAINS[info.data.get("grain", "day")])

    @model_validator(mode="after")
    def _check(self) -> Self:
        unknown = [column for column in self.key if column not in self.columns]
        if unknown:
            raise ValueError(f"key names {unknown}, which the contract `columns` does not have")
        named = (*self.personal, *((self.subject,) if self.subject else ()))
        if unknown := [column for column in named if column not in self.columns]:
            raise ValueError(
                f"personal and subject name {unknown}, which the contract `columns` does not have"
            )
        if len(set(self.key)) != len(self.key):
            raise ValueError(f"key names a column twice: {list(self.key)}")
        if reserved := sorted(RESERVED_COLUMNS & set(self.columns)):
            raise ValueError(f"columns {reserved} are added by the lake; rename them in the query")
        if self.end is not None and self.end < self.start:
            raise ValueError(f"end {self.end} lies before start {self.start}")
        for name, length in (("delay", self.delay), ("refresh_after", self.refresh_after)):
            if length is not None and not length.fits(self.calendar):
                raise ValueError(f"{name} {length} is no whole number of {self.grain}s")
        if self.refresh_steps is not None and self.refresh_steps <= self.delay_steps:
            raise ValueError("refresh_after (refresh_after_days) must be larger than delay_days")
        if self.expectations is not None and not self.expectations.is_file():
            raise ValueError(f"expectations: no such file {self.expectations.name}")
        return self

    @model_validator(mode="after")
    def _check_rows(self) -> Self:
        if self.timezone is not None:
            check_timezone(self.timezone)
            check_clock(self.cron, self.timezone)
        elif self.ambiguous != "refuse":
            raise ValueError("ambiguous: which local times are twice? declare `timezone`")
        if self.source.snapshot and self.refresh_after is not None:
            raise ValueError(
                "refresh_after takes a day again, and a snapshot shows no day but the newest; "
                "remove it"
            )
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
    def _check_names(self) -> Self:
        if not self.rename:
            return self
        if self.source.names_columns:
            raise ValueError("rename: the source's query names its columns; write AS <name> there")
        wanted = list(self.rename.values())
        if unknown := [name for name in wanted if name not in self.columns]:
            raise ValueError(f"rename gives {unknown}, which the contract `columns` does not have")
        if twice := sorted({name for name in wanted if wanted.count(name) > 1}):
            raise ValueError(f"rename gives {twice} more than once")
        return self

    @model_validator(mode="after")
    def _check_inputs(self) -> Self:
        for item in self.source.reads:
            other, zones = item.dataset, [one.timezone or "UTC" for one in (self, item.dataset)]
            if other.grain != self.grain or zones[0] != zones[1]:
                raise ValueError(
                    f"source: the input {other.name!r} has {other.grain}s of {zones[1]}, and this "
                    f"dataset {self.grain}s of {zones[0]}: its partitions are those of its inputs"
                )
            if other.name == self.name:
                raise ValueError(f"source: {self.name!r} cannot be its own input")
        if self.source.reads and (self.delay or self.refresh_after is not None):
            raise ValueError(
                "delay and refresh_after belong to the inputs: what is derived from them "
                "is computed whenever they are published"
            )
        return self

    @model_validator(mode="after")
    def _check_day(self) -> Self:
        column = self.source.time_column
        declared = self.columns.get(column or "", "").rstrip("?")
        if column is None or self.source.selects_by_time:
            return self
        if declared not in ("timestamp", "date"):
            raise ValueError(
                f"source.time_column {column!r} must be a timestamp or date of the contract "
                "`columns`: it says which rows are of other days"
            )
        return self

    @model_validator(mode="after")
    def _check_selection(self) -> Self:
        found, numbers = self.source.selectors, _NUMBERS[self.grain]
        if "year" in found and "partition" not in found and not set(numbers) <= found:
            written = ", ".join(f"{{{name}}}" for name in numbers)
            raise ValueError(
                f"source: path must name one {self.grain}: use {{partition}}, or {written}"
            )
        if beyond := sorted(found & {"day", "hour"} - set(numbers)):
            raise ValueError(f"source: path names {beyond}, which {self.calendar.one} does not say")
        if self.grain == "hour":
            self._check_local_time(found)
        return self

    def _check_local_time(self, selectors: set[str]) -> None:
        if selectors & {"local_start", "local_end"} and self.timezone not in (None, "UTC"):
            raise ValueError(
                f"source: a local time of {self.timezone} may be two hours, and hours are in UTC; "
                "bind :start and :end"
            )
        if self.columns.get(self.source.time_column or "", "").rstrip("?") == "date":
            raise ValueError(f"source.time_column {self.source.time_column!r} is a date, no hour")

    @model_validator(mode="after")
    def _check_history(self) -> Self:
        fresh, growth = self.history.freshness, self.history.categories
        if fresh and self.columns.get(fresh.column, "").rstrip("?") != "timestamp":
            raise ValueError(f"history.freshness: {fresh.column!r} is no timestamp of the contract")
        unknown = [name for name in (growth.columns if growth else ()) if name not in self.columns]
        if unknown:
            raise ValueError(f"history.categories names {unknown}, which `columns` does not have")
        return self

    @property
    def place(self) -> Place:
        """Where the spec is written."""
        place: Place = self.__dict__["_place"]
        return place

    @property
    def digest(self) -> str:
        """SHA-256 of what the spec says, wherever it is written and its suite is kept."""
        return hashlib.sha256(repr(self._without_place()).encode()).hexdigest()

    def _without_place(self) -> Self:
        changes: dict[str, Any] = {
            "expectations": self.expectations and Path(self.expectations.name)
        }
        if self.source.reads:
            inputs = tuple(
                item.model_copy(update={"dataset": item.dataset._without_place()})
                for item in self.source.reads
            )
            changes["source"] = self.source.model_copy(update={"inputs": inputs})
        return self.model_copy(update=changes)

    @property
    def has_personal(self) -> bool:
        """Whether any column holds values of people."""
        return bool(self.personal or self.subject)

    def hides(self, column: str) -> bool:
        """Return whether the values of a column must not be shown.

        Where any column is personal, so is each that the contract does not name: nobody has looked
        at it.
        """
        if not self.has_personal:
            return False
        return column in self.personal or column == self.subject or column not in self.columns

    def nullable(self, column: str) -> bool:
        """Whether the contract lets `column` be null."""
        return self.columns[column].endswith("?")

    in_days: ClassVar = {"delay_days": ("delay", 0), "refresh_after_days": ("refresh_after", 0)}

    @property
    def calendar(self) -> Grain:
        """The arithmetic of its partition keys."""
        return GRAINS[self.grain]

    @property
    def schedule(self) -> Schedule:
        """When its partitions are taken."""
        return Schedule(self.cron, self.calendar, self.timezone or "UTC")

    @property
    def first(self) -> str:
        """Key of its first partition, the one with `start` in it."""
        return self.calendar.key_of(self._of_day(self.start).start, self.timezone or "UTC")

    @property
    def last(self) -> str | None:
        """Key of its last partition, the one with the end of `end` in it."""
        return None if self.end is None else self._of_day(self.end).keys(self.calendar)[-1]

    @property
    def delay_steps(self) -> int:
        """How many partitions later than at its end each one is taken."""
        return self.delay.steps(self.calendar)

    @property
    def refresh_steps(self) -> int | None:
        """How many partitions later each one is taken again, for late rows."""
        late = self.refresh_after
        return None if late is None else late.steps(self.calendar)

    def partition(self, key: str) -> Partition:
        """Return one of its partitions, with the instants between which it lies."""
        return Partition(key, self.timezone or "UTC", self.calendar)

    def check_partition(self, partition: str) -> str:
        """Return `partition` if it is one that the dataset has, or will have had by now.

        Raises
        ------
        PartitionKeyError
            If it is no key of its grain, lies in the future, before `start` or after `end`.
        """
        check_begun(self.partition(partition), what=f"dataset {self.name!r}: partition key")
        first, last = self.first, self.last
        if partition < first or (last and partition > last):
            raise PartitionKeyError(
                f"dataset {self.name!r} has no {partition}: its {self.grain}s go from {first} to "
                f"{last or 'today'}; choose one of them, or change `start` and `end` of its spec"
            )
        return partition

    def due(self, partition: str, *, refreshed: bool = False) -> str:
        """Return the day as of which the schedule's own run makes a partition known.

        Parameters
        ----------
        partition : str
            Its key.
        refreshed : bool, default False
            Whether its late rows are meant.

        Returns
        -------
        str
            A day; the run takes place at a tick of `cron` after it.
        """
        if reads := self.source.reads:
            due: str = max(item.dataset.due(partition, refreshed=refreshed) for item in reads)
            return due
        late = self.refresh_steps if refreshed else None
        return self.schedule.known_on(partition, self.delay_steps if late is None else late)

    def last_as_of(self, partition: str) -> str:
        """Return the last day as of which a partition can bring news: its rows, or late ones."""
        return self.due(partition, refreshed=True)

    def _of_day(self, day: dt.date) -> Partition:
        return Partition(day.isoformat(), self.timezone or "UTC")
