"""The one way into a table: files first, then one atomic, fenced commit, then its record."""

from __future__ import annotations

import logging
import random
import re
import time
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mlops_tasks.exceptions import CommitConflictError, MlopsError, StaleAttemptError
from mlops_tasks.faults import fault_point
from mlops_tasks.lake.commits import COMMIT_METADATA, COMMITTED, GIVEN, Commit
from mlops_tasks.lake.data_files import WrittenRows, link_files, remove_files, write_rows
from mlops_tasks.lake.known_at import Known
from mlops_tasks.lake.maintenance import optimize
from mlops_tasks.lake.marker import check_lake, mark_lake
from mlops_tasks.lake.pins import PartitionVersion
from mlops_tasks.lake.schema import PARTITION_COLUMN, added_columns, check_types, with_partition
from mlops_tasks.partitions import check_day, check_partition, shift_day, today
from mlops_tasks.serialization import to_json
from mlops_tasks.storage import make_folder, remove, sync

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    import pyarrow as pa

    from mlops_tasks.lake.pins import Pin
    from mlops_tasks.lake.table import Table

    KnownAt = str | Known | Callable[[str], Known]

__all__ = ["overwrite_partition", "share_partition"]

log = logging.getLogger(__name__)

_COMMIT_TRIES = 20
# After this number of commits their records are gathered and the table's log is checkpointed.
_OPTIMIZE_EVERY = 50
# Only `vacuum` of this project removes files: it knows which versions are pinned.
_TABLE_PROPERTIES = {
    "delta.deletedFileRetentionDuration": "interval 36500 days",
    "delta.logRetentionDuration": "interval 36500 days",
}
_TOKEN = re.compile(r"part-(\d{12,})-")


def overwrite_partition(
    table: Table,
    partition: str,
    rows: pa.Table | pa.RecordBatchReader,
    *,
    token: int,
    known_at: KnownAt | None = None,
    inputs: Iterable[Pin] = (),
) -> PartitionVersion:
    """Replace one partition in one atomic commit, unless a newer attempt was faster.

    Parameters
    ----------
    table : Table
        Where to; it is made at the first write.
    partition : str
        Key of the partition.
    rows : Table or RecordBatchReader
        The partition's whole new content, without the partition column. A reader is streamed.
    token : int
        Number of this attempt from `Ledger.next_token`, larger than any earlier one. It is
        committed with the data: a late attempt finds a larger one and gives up.
    known_at : str, Known or callable, optional
        Day as of which this content is known, or what finds it from the content's digest, like
        `known_by_schedule`; today (UTC) by default. When it is really committed is recorded beside.
    inputs : iterable of Pin
        Rows of the lake that these are computed from: recorded with the commit.

    Returns
    -------
    PartitionVersion
        What was written, and the table version that holds it.

    Raises
    ------
    SchemaMismatchError
        If a column of the table is missing or of another type; Delta would cast silently. New
        columns are added to the table.
    StaleAttemptError
        If an attempt with a larger token has committed this partition.
    CommitConflictError
        If other writers won every race; a retry of the task will do.

    Examples
    --------
    >>> import tempfile
    >>> import pyarrow as pa
    >>> from pathlib import Path
    >>> from mlops_tasks.lake import Lake
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     flights = Lake(Path(folder)).table("flights")
    ...     rows = pa.table({"carrier": ["AA", "UA"]})
    ...     written = overwrite_partition(flights, "2013-01-01", rows, token=1)
    ...     (written.version, written.n_rows, flights.partitions())
    (1, 2, ['2013-01-01'])
    """
    batches = rows.to_batches() if hasattr(rows, "to_batches") else rows

    def write(stem: str) -> WrittenRows:
        return write_rows(table.folder, stem, batches, rows.schema)

    made_of = {pin.table: to_json(pin) for pin in inputs}
    return _publish(
        table, partition, rows.schema, write, token=token, known_at=known_at, inputs=made_of
    )


def share_partition(
    source: Table,
    commit: Commit,
    table: Table,
    *,
    token: int,
    known_at: KnownAt | None = None,
) -> PartitionVersion:
    """Replace one partition by what another table holds; reads and writes no row.

    Parameters
    ----------
    source : Table
        The table that has the rows, all of its columns included.
    commit : Commit
        What it holds, and at which version.
    table : Table
        Where to.
    token, known_at
        As for `overwrite_partition`.

    Returns
    -------
    PartitionVersion
        What was shared, and the table version that holds it. Either table may go its own way
        afterwards, and be vacuumed.

    Raises
    ------
    SchemaMismatchError, StaleAttemptError, CommitConflictError
        As for `overwrite_partition`.
    """

    def write(stem: str) -> WrittenRows:
        files = link_files(source.folder, commit.files, table.folder, stem)
        return WrittenRows(files, commit.n_rows, commit.digest, commit.columns)

    return _publish(
        table,
        commit.partition,
        source.schema,
        write,
        token=token,
        known_at=known_at,
        inputs=commit.inputs,
    )


def _publish(
    table: Table,
    partition: str,
    schema: pa.Schema,
    write: Callable[[str], WrittenRows],
    *,
    token: int,
    known_at: KnownAt | None,
    inputs: dict[str, Any],
) -> PartitionVersion:
    """Put files in place, commit them, record the commit."""
    check_partition(partition)
    known = _dating(known_at)
    check_types(table.name, schema)
    check_lake(table.root)
    _create(table, schema)
    mark_lake(table.root)
    _refuse_stale(table, partition, token)
    added_columns(table.name, table.delta, schema)  # refuse before anything is written
    fault_point("publish:before_write")
    written = _write(table, partition, token, write)
    draft = Commit(
        version=-1,  # known once it is committed
        partition=partition,
        token=token,
        known_at="",
        n_rows=written.n_rows,
        digest=written.digest,
        columns=written.columns,
        files=written.files,
        inputs=inputs,
    )
    commit = _commit_or_remove(table, draft, known, schema)
    fault_point("publish:after_commit")
    table.log.write([commit])
    fault_point("publish:after_record")
    _tidy(table, commit)
    return PartitionVersion.of(table.name, commit)


def _dating(known_at: KnownAt | None) -> Callable[[str], Known]:
    """Return what dates content, also where the caller names the day."""
    if callable(known_at):
        return known_at
    if not isinstance(known_at, Known):
        now = today()
        day = check_day(known_at or now)
        # A day beside today's may be today's in another zone.
        is_now = shift_day(now, -1) <= day <= shift_day(now, 1)
        known_at = Known(day, COMMITTED if is_now else GIVEN)
    check_day(known_at.at)
    known = known_at
    return lambda _digest: known


def _create(table: Table, schema: pa.Schema) -> None:
    from deltalake import DeltaTable
    from deltalake.exceptions import CommitFailedError

    if table.exists:
        return
    make_folder(table.folder)
    with suppress(CommitFailedError):  # somebody else has made it meanwhile
        DeltaTable.create(
            str(table.folder),
            with_partition(schema),
            mode="ignore",
            partition_by=[PARTITION_COLUMN],
            configuration=dict(_TABLE_PROPERTIES),
        )


def _write(
    table: Table, partition: str, token: int, write: Callable[[str], WrittenRows]
) -> WrittenRows:
    name = f"part-{token:012d}-{random.randrange(16**8):08x}"  # noqa: S311
    try:
        return write(f"{PARTITION_COLUMN}={partition}/{name}")
    except FileNotFoundError:  # a newer attempt has committed and swept what older ones left
        table.refresh()
        _refuse_stale(table, partition, token)
        raise


def _commit_or_remove(
    table: Table, draft: Commit, known: Callable[[str], Known], schema: pa.Schema
) -> Commit:
    """Commit written files, on disk for certain; remove them if that failed for certain."""
    try:
        _sync_first(table, draft.partition)
        commit = _commit(table, draft, known, schema)
        _sync_log(table.folder, commit.version, commit.version)
    except (StaleAttemptError, CommitConflictError):
        remove_files(table.folder, draft.files)
        raise
    except BaseException:
        # A signal may come between the commit and its return: committed files stay.
        if not _may_be_committed(table, draft):
            remove_files(table.folder, draft.files)
        raise
    finally:
        table.refresh()
    return commit


def _sync_first(table: Table, partition: str) -> None:
    """Before the first commit of a table or partition: make sure that what leads to it stays.

    Whoever made the folders, or the table, may have been killed before it could.
    """
    if table.version == 0:
        _sync_log(table.folder, 0, 0)
        sync(table.root)
    if not table.newest_token(partition):
        sync(table.folder)


def _sync_log(folder: Path, first: int, last: int) -> None:
    """Sync commit files, both inclusive, then the folder they are in."""
    for version in range(first, last + 1):
        sync(folder / "_delta_log" / f"{version:020d}.json")
    sync(folder / "_delta_log")


def _commit(
    table: Table, draft: Commit, known: Callable[[str], Known], schema: pa.Schema
) -> Commit:
    """Commit written files; a lost race is tried again on a fresh look at the table."""
    from deltalake.exceptions import CommitFailedError

    for attempt in range(_COMMIT_TRIES):
        try:
            _add_columns(table, schema)
            _refuse_stale(table, draft.partition, draft.token)
            dated = _dated(draft, known(draft.digest))
            fault_point("publish:before_commit")
            _commit_files(table, dated)
        except CommitFailedError:
            time.sleep(random.uniform(0.01, 0.05) * (attempt + 1))  # noqa: S311 (jitter)
            table.refresh()
            continue
        # Without retries of its own it can be no other version.
        return replace(dated, version=table.version + 1)
    raise CommitConflictError(
        f"table {table.name!r}: {_COMMIT_TRIES} commits of partition {draft.partition} lost "
        "against other writers; nothing was changed, run the task again"
    )


def _dated(draft: Commit, known: Known) -> Commit:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return replace(draft, known_at=known.at, known_by=known.by, committed_at=now)


def _add_columns(table: Table, schema: pa.Schema) -> None:
    new = added_columns(table.name, table.delta, schema)
    if new:
        before = table.version
        table.delta.alter.add_columns(new)
        table.refresh()
        _sync_log(table.folder, before + 1, table.version)


def _commit_files(table: Table, draft: Commit) -> None:
    from deltalake import CommitProperties, PostCommitHookProperties, Transaction
    from deltalake.transaction import AddAction

    now = time.time_ns() // 1_000_000
    values = {PARTITION_COLUMN: draft.partition}
    actions: list[Any] = [
        AddAction(file.path, file.size, values, now, True, f'{{"numRecords": {file.n_rows}}}')
        for file in draft.files
    ]
    table.delta.create_write_transaction(
        actions,
        "overwrite",
        table.delta.schema(),
        PARTITION_COLUMN,
        [(PARTITION_COLUMN, "=", draft.partition)],
        commit_properties=CommitProperties(
            custom_metadata={COMMIT_METADATA: draft.to_json()},
            app_transactions=[Transaction(table.token_key(draft.partition), draft.token)],
            max_commit_retries=0,
        ),
        # A checkpoint that fails would look like a failed commit: `optimize` makes them.
        post_commithook_properties=PostCommitHookProperties(False, False),
    )


def _refuse_stale(table: Table, partition: str, token: int) -> None:
    committed = table.newest_token(partition)
    if committed and committed >= token:
        raise StaleAttemptError(
            f"table {table.name!r}, partition {partition}: attempt {committed} has committed "
            f"already, this is attempt {token}; its result stands, nothing to do"
        )


def _may_be_committed(table: Table, draft: Commit) -> bool:
    table.refresh()
    try:
        return table.newest_token(draft.partition) >= draft.token
    except MlopsError:  # what cannot be known is left for `vacuum`
        return True


def _tidy(table: Table, commit: Commit) -> None:
    """Sweep what killed attempts left and keep the log short; whatever fails is left for later."""
    from deltalake.exceptions import DeltaError

    try:
        _sweep(table, commit)
        if len(table.log.singles()) >= _OPTIMIZE_EVERY:
            optimize(table)
    except (OSError, MlopsError, DeltaError) as error:
        log.warning(
            "table %r: partition %s is committed, but looking after the table failed (%s); "
            "`mlops lake optimize` and `vacuum` do it again",
            table.name,
            commit.partition,
            error,
        )


def _sweep(table: Table, commit: Commit) -> None:
    """Remove files of this partition that older attempts left: the fence lets none commit."""
    older = {
        path.relative_to(table.folder).as_posix()
        for path in (table.folder / f"{PARTITION_COLUMN}={commit.partition}").iterdir()
        if (found := _TOKEN.match(path.name)) and int(found[1]) < commit.token
    }
    if older:
        older -= {file.path for known in table.all_commits() for file in known.files}
    for name in older:
        remove(table.folder / name)
