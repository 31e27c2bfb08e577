"""One way to open any source."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tasks.partitions import Day
from mlops_tasks.sources.connections import Database, DeltaStore, FileStore
from mlops_tasks.sources.delta import read_delta
from mlops_tasks.sources.expected import Expected, Findings
from mlops_tasks.sources.failures import Failures
from mlops_tasks.sources.files import read_files
from mlops_tasks.sources.mysql import read_mysql
from mlops_tasks.sources.postgres import has_driver, read_postgres
from mlops_tasks.sources.rows import read_rows
from mlops_tasks.sources.tables import DayOfTable
from mlops_tasks.specs.source import DeltaSource, FileSource, SqlSource

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import pyarrow as pa

    from mlops_tasks.sources.connections import SourceConnection
    from mlops_tasks.sources.stream import SourceStream
    from mlops_tasks.specs import DatasetSpec

__all__ = ["open_source"]


def open_source(
    spec: DatasetSpec,
    partition: str,
    connection: SourceConnection,
    known: pa.Schema,
    findings: Findings | None = None,
) -> AbstractContextManager[SourceStream]:
    """Open one day of a dataset's source.

    Parameters
    ----------
    spec : DatasetSpec
        The dataset.
    partition : str
        The day, ``YYYY-MM-DD``.
    connection : Database, FileStore or DeltaStore
        Where the source is; of the kind that the spec's source needs.
    known : Schema
        Columns whose type is known beforehand: the contract's, then the table's others.
    findings : Findings, optional
        What an earlier reading of the day has shown.

    Returns
    -------
    context manager of SourceStream
        Closed on leaving, also in the middle of the stream.

    Raises
    ------
    SourceUnavailableError
        If the source does not answer, or stops to while it is read: worth a retry.
    SourceAccessError
        If it refuses the login, or a driver is missing.
    SourceNotFoundError
        If the day's files or the table are not there.
    SourceQueryError
        If it refuses the query, or a file is damaged.
    """
    source, day = spec.source, Day(partition, spec.timezone or "UTC")
    failures = Failures(
        spec.name, source.conn_id, partition, spec.columns, secrets=connection.secrets
    )
    expected = Expected(spec, known, findings or Findings())
    if isinstance(source, FileSource) and isinstance(connection, FileStore):
        return read_files(source, day, connection, failures, expected)
    if isinstance(source, DeltaSource) and isinstance(connection, DeltaStore):
        return read_delta(source, day, connection, failures)
    if isinstance(source, SqlSource) and isinstance(connection, Database):
        return _read_sql(_wanted(source), day, connection, failures, expected)
    raise TypeError(f"source {type(source).__name__} cannot be read by {type(connection).__name__}")


def _wanted(source: SqlSource) -> str | DayOfTable:
    return source.query or DayOfTable(str(source.table), str(source.time_column))


def _read_sql(
    query: str | DayOfTable,
    day: Day,
    database: Database,
    failures: Failures,
    expected: Expected,
) -> AbstractContextManager[SourceStream]:
    backend = database.url.get_backend_name()
    if backend == "postgresql" and has_driver():
        return read_postgres(query, day, database, failures)
    if backend in ("mysql", "mariadb"):
        return read_mysql(query, day, database, failures, expected)
    return read_rows(query, day, database, failures, expected)
