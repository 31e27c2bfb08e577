"""Every kind of source there is, and one way to open any."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tasks.sources.database import Database
from mlops_tasks.sources.delta import DeltaStore
from mlops_tasks.sources.derived import PublishedDatasets
from mlops_tasks.sources.files import FileStore
from mlops_tasks.sources.function import FunctionRows
from mlops_tasks.sources.renaming import open_renamed
from mlops_tasks.sources.row_query import open_queried
from mlops_tasks.sources.source import Request

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import pyarrow as pa

    from mlops_tasks.sources.source import Findings, Source, SourceStream
    from mlops_tasks.specs import DatasetSpec

__all__ = ["SOURCES", "open_source"]

#: What reads a source, by the `kind` of its spec.
SOURCES: dict[str, type[Source]] = {
    "delta": DeltaStore,
    "derived": PublishedDatasets,
    "file": FileStore,
    "function": FunctionRows,
    "sql": Database,
}


def open_source(
    spec: DatasetSpec,
    partition: str,
    source: Source,
    table: pa.Schema | None = None,
    findings: Findings | None = None,
) -> AbstractContextManager[SourceStream]:
    """Open one day of a dataset's source.

    Parameters
    ----------
    spec : DatasetSpec
        The dataset.
    partition : str
        The day, ``YYYY-MM-DD``.
    source : Database, FileStore or DeltaStore
        Where the source is; of the kind that the spec's source needs.
    table : Schema, optional
        The columns that the lake has of the dataset so far.
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
    wanted = SOURCES[spec.source.kind]
    if not isinstance(source, wanted):
        raise TypeError(
            f"{type(spec.source).__name__} is read by {wanted.__name__}, not by "
            f"{type(source).__name__}"
        )
    request = Request.of(spec, partition, table, findings, secrets=source.secrets)
    if spec.source.row_query is not None:
        return open_queried(source, request, spec.source.row_query)
    return open_renamed(source, request)
