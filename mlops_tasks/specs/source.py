"""Where a dataset's rows come from: a database, files, or another Delta table."""

from __future__ import annotations

import re
import string
from typing import Annotated, Any, Literal, Self

from pydantic import StringConstraints, model_validator

from mlops_tasks.specs.base import Importable, SpecModel

__all__ = [
    "PLACEHOLDER",
    "DeltaSource",
    "FileSource",
    "FunctionSource",
    "SourceSpec",
    "SqlSource",
]

# As SQLAlchemy finds the bound parameters of a text; PostgreSQL's `:start::date` is one, too.
PLACEHOLDER = re.compile(r"(?<![:\w\\]):(\w+)\b(?!:(?!:))")

_ONE_DAY = ({"partition"}, {"start", "end"}, {"local_start", "local_end"})
_ALL_PARAMETERS = set().union(*_ONE_DAY)
_ALL_FIELDS = {"partition", "year", "month", "day", "hour"}

# Quoted in any case; what needs more than this can be written as a query.
_SQL_NAME = "[A-Za-z_][A-Za-z0-9_]{0,127}"
RowQuery = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
ConnId = Annotated[str, StringConstraints(min_length=1)]


class SourceSpec(SpecModel):
    """Where the rows of a day come from; each kind of source has a class of its own.

    Attributes
    ----------
    kind : str
        Which one: `mlops_tasks.sources.SOURCES` says what reads it.
    conn_id : str
        Airflow connection.
    time_column : str or None
        Column that says which day a row belongs to.
    snapshot : bool
        The source has no time: each partition is all of it, as it is when the run takes it. Its
        present state is that of the newest partition; none before it can be taken any more.
    """

    kind: str
    conn_id: ConnId
    time_column: str | None = None
    snapshot: bool = False

    @property
    def called(self) -> str:
        """What errors and logs call it."""
        return self.conn_id

    @property
    def selects_by_time(self) -> bool:
        """Whether the rows of a day are found by `time_column`; else they are only compared."""
        return False

    @property
    def selectors(self) -> set[str]:
        """What of a partition it is asked by: parameters of its query, or fields of its path."""
        return set()

    @property
    def found_by(self) -> str:
        """What of it finds the rows of a partition, in words."""
        return f"time_column {self.time_column!r}"

    @property
    def row_query(self) -> str | None:
        """DuckDB SQL over the rows as they are read; None where they are taken as they are."""
        return None

    @property
    def names_columns(self) -> bool:
        """Whether a query says what the columns are called."""
        return self.row_query is not None

    @property
    def reads(self) -> tuple[Any, ...]:
        """Datasets that the rows are computed from; none where they come from outside."""
        return ()

    @model_validator(mode="after")
    def _check_kind(self) -> Self:
        if type(self) is SourceSpec:
            kinds = sorted(kind.__name__ for kind in SourceSpec.__subclasses__())
            raise ValueError(f"a source is of one kind: write {', '.join(kinds)}")
        if self.snapshot and self.time_column is not None:
            raise ValueError("snapshot takes all rows, whatever their time: remove `time_column`")
        return self


class SqlSource(SourceSpec):
    r"""A query on a database, or a table of it.

    The partition is handed over by the query's parameters. ``:start`` and ``:end`` are
    the instants at which it begins and the next one does, in the dataset's `timezone` (UTC
    without one): ``at >= :start AND at < :end``. PostgreSQL is asked for the type that each
    parameter has at its place, and given a day, a local time or an instant accordingly. Elsewhere
    ``:local_start`` and ``:local_end`` are the same bounds as local times, for columns that hold
    those. ``:partition`` is the partition's key: a day as ``YYYY-MM-DD``. On SQLite, which has no
    times, instants are text like ``2024-03-01T05:00:00Z``.

    Attributes
    ----------
    conn_id : str
        Airflow connection of the database.
    query : str or None
        SELECT that binds ``:start`` and ``:end``, ``:local_start`` and ``:local_end``, or
        ``:partition``, and no other parameter. Write ``\:`` for a colon that binds nothing.
    table : str or None
        In place of a query: the table, or view, whose columns are all taken. Its schema stands
        before it with a dot: ``sales.orders``. Names of letters, digits and ``_``; they are quoted.
    time_column : str or None
        The column that says which day a row belongs to. A `table` is asked whether it holds
        instants, local times in the dataset's `timezone`, or days, and gives the rows of the day.
        With a `query`, which may be wrong, it is a timestamp or date of the contract: rows that it
        gives for another day are refused.
    snapshot : bool
        All rows of the table or of the query, which binds nothing then.
    """

    kind: Literal["sql"] = "sql"
    query: str | None = None
    table: (
        Annotated[str, StringConstraints(pattern=rf"^{_SQL_NAME}(\.{_SQL_NAME}){{0,2}}$")] | None
    ) = None
    time_column: Annotated[str, StringConstraints(pattern=rf"^{_SQL_NAME}$")] | None = None

    @property
    def selects_by_time(self) -> bool:
        """A table's rows are; a query finds its own."""
        return self.table is not None and not self.snapshot

    @property
    def found_by(self) -> str:
        """The bounds in its query, or the time column of its table."""
        if self.query is None:
            return f"time_column {self.time_column!r} of table {self.table!r}"
        return f"what the query compares with {', '.join(f':{n}' for n in sorted(self.selectors))}"

    @property
    def selectors(self) -> set[str]:
        """The parameters of its query."""
        return set(PLACEHOLDER.findall(self.query or ""))

    @property
    def names_columns(self) -> bool:
        """A query does; a table's are called as they are."""
        return self.query is not None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.query is None) == (self.table is None):
            raise ValueError("give either `query`, or `table` with `time_column`")
        if self.table is not None and self.time_column is None and not self.snapshot:
            raise ValueError(
                "`table` needs a `time_column`, which says the day of a row; a table without time "
                "is taken whole on each day by `snapshot=True`"
            )
        if self.query is not None and self.snapshot and self.selectors:
            found = [f":{name}" for name in sorted(self.selectors)]
            raise ValueError(f"snapshot takes all rows of the query: it must not bind {found}")
        if self.query is not None and not self.snapshot:
            self._check_query(self.query)
        return self

    @staticmethod
    def _check_query(query: str) -> None:
        found = set(PLACEHOLDER.findall(query))
        if not any(need <= found for need in _ONE_DAY) or not found <= _ALL_PARAMETERS:
            raise ValueError(
                "query must select one day: bind :start and :end (or :local_start and :local_end), "
                f"or :partition, and nothing else; found {[f':{name}' for name in sorted(found)]} "
                "(write \\: for a colon that binds nothing); what has no time is taken whole on "
                "each day by snapshot=True"
            )


class FileSource(SourceSpec):
    """Files that together hold one day.

    Attributes
    ----------
    conn_id : str
        Airflow connection whose extra ``path`` is the root: a folder, or an address like
        ``s3://bucket/folder``.
    path : str
        Below the root, with ``{partition}``, the partition's key, or ``{year}``, ``{month}`` and
        ``{day}`` of its beginning in it: ``orders/{year}/{month}/{day}/*.parquet``; of hours, which
        are in UTC, ``{hour}`` too. ``*`` and ``?`` stay within a folder, ``**`` does
        not. A folder means every file in it. Names that begin with ``_`` or ``.`` are left out.
    format : str
        ``parquet``, ``csv`` (UTF-8, first line names the columns) or ``jsonl`` (one object a line);
        the last two may be compressed (``.gz``, ``.bz2``, ``.zst``).
    time_column : str or None
        Column of the contract, a timestamp or date, that says which day a row belongs to: rows of
        another day than the path's are refused. None if that is not to be checked.
    delimiter : str
        Between the values of a CSV file: one ASCII character, no quote.
    query : str or None
        DuckDB SQL over the day's rows, which it calls ``rows``, and nothing else: to cast and
        rename. What it gives must be the contract's. CSV values come as text, empty ones as null;
        of JSON lines lists, objects and values of several kinds come as JSON; Parquet has its own
        types. A column's name is as in the file, in double quotes: ``"Order ID"``.
    snapshot : bool
        The path names no day: the same files are taken whole each time.
    """

    kind: Literal["file"] = "file"
    path: str
    format: Literal["parquet", "csv", "jsonl"] = "parquet"
    time_column: Annotated[str, StringConstraints(min_length=1)] | None = None
    delimiter: Annotated[str, StringConstraints(min_length=1, max_length=1)] = ","
    query: RowQuery | None = None

    @property
    def row_query(self) -> str | None:
        """The `query`."""
        return self.query

    @property
    def found_by(self) -> str:
        """Its path."""
        return f"path {self.path!r}"

    @property
    def selectors(self) -> set[str]:
        """The fields of its path."""
        return _fields_of(self.path)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.delimiter in '"\r\n' or not self.delimiter.isascii():
            raise ValueError(
                f"delimiter {self.delimiter!r} must be one ASCII character that is no quote and no "
                "line end"
            )
        fields = _fields_of(_relative(self.path))
        if unknown := sorted(fields - _ALL_FIELDS):
            raise ValueError(f"path: unknown {unknown}; there are {sorted(_ALL_FIELDS)}")
        if self.snapshot and fields:
            raise ValueError(f"snapshot takes the same files each day: path has {sorted(fields)}")
        if not self.snapshot and "partition" not in fields and not {"year", "month"} <= fields:
            raise ValueError(
                "path must name one day: use {partition}, or {year}, {month} and {day}; of hours "
                "{hour} too, of months no {day}; files without time are taken whole on each day by "
                "snapshot=True"
            )
        return self


class DeltaSource(SourceSpec):
    """A Delta table that someone else writes.

    Attributes
    ----------
    conn_id : str
        Airflow connection whose extra ``path`` is the root of the table's folder.
    path : str
        The table below that root; ``.`` is the root itself.
    time_column : str or None
        Column that says which day a row belongs to: an instant, a local time in the dataset's
        `timezone`, a date, or the day as ``YYYY-MM-DD`` text. Needed but for a snapshot.
    query : str or None
        DuckDB SQL over the day's rows, as of `FileSource`.
    snapshot : bool
        All rows of the newest version of the table.
    """

    kind: Literal["delta"] = "delta"
    path: str
    time_column: Annotated[str, StringConstraints(min_length=1)] | None = None
    query: RowQuery | None = None

    @property
    def row_query(self) -> str | None:
        """The `query`."""
        return self.query

    @property
    def selects_by_time(self) -> bool:
        """The table is asked for the rows of the day."""
        return not self.snapshot

    @model_validator(mode="after")
    def _check(self) -> Self:
        _relative(self.path)
        if self.time_column is None and not self.snapshot:
            raise ValueError(
                "give `time_column`, which says the day of a row, or take all rows on each day by "
                "snapshot=True"
            )
        return self


class FunctionSource(SourceSpec):
    """A Python function that gives the rows of a partition.

    It is called with the `Partition`: ``partition.key``, and ``partition.start`` and
    ``partition.end``, the instants between which it lies. It returns them as a pyarrow.Table or
    RecordBatchReader, a pandas or Polars frame, or a list of dicts. Their types are the contract's.

    Attributes
    ----------
    function : str or None
        Its import path, ``"package.module:function"``; None if the task is the function, as of
        ``@task.mlops_ingest``.
    conn_id : str
        None is needed: a function opens what it reads itself.
    time_column : str or None
        Column of the contract, a timestamp or date, that says which day a row belongs to: rows of
        another day are refused.
    """

    kind: Literal["function"] = "function"
    function: Importable | None = None
    conn_id: str = ""

    @property
    def called(self) -> str:
        """The function."""
        return self.function or "function of the task"


def _relative(path: str) -> str:
    if not path or path.startswith("/") or "://" in path or ".." in path.split("/"):
        raise ValueError(
            f"path {path!r} must lie below the root that the connection names: relative, without .."
        )
    return path


def _fields_of(path: str) -> set[str]:
    try:
        parts = list(string.Formatter().parse(path))
    except ValueError as error:
        raise ValueError(f"path {path!r}: {error}; write {{{{ and }}}} for braces") from None
    if any(spec or conversion for _, _, spec, conversion in parts):
        raise ValueError(f"path {path!r}: fields take no format, write {{day}} alone")
    return {name for _, name, _, _ in parts if name is not None}
