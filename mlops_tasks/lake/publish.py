"""The one way into a table: files first, then one atomic, fenced commit, then its record."""

from __future__ import annotations

import logging
import random
import re
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mlops_tasks.atomic_files import make_folder, sync
from mlops_tasks.exceptions import CommitConflictError, MlopsError, StaleAttemptError
from mlops_tasks.faults import fault_point
from mlops_tasks.lake.commits import COMMIT_METADATA, Commit
from mlops_tasks.lake.files import WrittenRows, link_files, remove_files, write_rows
from mlops_tasks.lake.maintenance import optimize
from mlops_tasks.lake.marker import check_lake, mark_lake
from mlops_tasks.lake.names import PARTITION_COLUMN, check_partition
from mlops_tasks.lake.references import PartitionVersion
from mlops_tasks.lake.schemas import added_columns, refuse_unkept, with_partition

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import pyarrow as pa
    from deltalake import DeltaTable

    from mlops_tasks.lake.files import DataFile
    from mlops_tasks.lake.table import Lake

__all__ = ["overwrite_partition", "share_partition"]

log = logging.getLogger(__name__)

_COMMIT_TRIES = 20
# So many commits later their records are gathered and the table's log is checkpointed.
_OPTIMIZE_EVERY = 50
# Only `vacuum` of this project removes files: it knows which versions are pinned.
_TABLE_PROPERTIES = {
    "delta.deletedFileRetentionDuration": "interval 36500 days",
    "delta.logRetentionDuration": "interval 36500 days",
}
_TOKEN = re.compile(r"part-(\d{12,})-")


def overwrite_partition(
    lake: Lake,
    table: str,
    partition: str,
    rows: pa.Table | pa.RecordBatchReader,
    *,
    token: int,
    known_at: str | Callable[[str], str],
) -> PartitionVersion:
    """Replace one partition, as `Lake.overwrite_partition` promises.

    Parameters
    ----------
    lake : Lake
        The lake.
    table, partition, rows, token
        As for `Lake.overwrite_partition`.
    known_at : str or callable
        Day as of which this content is known, or what tells it from the content's digest.

    Returns
    -------
    PartitionVersion
        What was written, and the table version that holds it.
    """
    batches = rows.to_batches() if hasattr(rows, "to_batches") else rows

    def write(folder: Path, stem: str) -> WrittenRows:
        return write_rows(folder, stem, batches, rows.schema)

    return _publish(lake, _Target(table, partition, token, known_at), rows.schema, write)


def share_partition(
    lake: Lake,
    source: str,
    commit: Commit,
    table: str,
    *,
    token: int,
    known_at: str | Callable[[str], str],
) -> PartitionVersion:
    """Publish what another table holds, as `Lake.share_partition` promises.

    Parameters
    ----------
    lake : Lake
        The lake.
    source, commit, table, token
        As for `Lake.share_partition`.
    known_at : str or callable
        Day as of which this content is known, or what tells it from the content's digest.

    Returns
    -------
    PartitionVersion
        What was shared, and the table version that holds it.
    """

    def write(folder: Path, stem: str) -> WrittenRows:
        files = link_files(lake.folder(source), commit.files, folder, stem)
        return WrittenRows(files, commit.n_rows, commit.digest, commit.columns)

    target = _Target(table, commit.partition, token, known_at)
    return _publish(lake, target, lake.schema(source), write)


@dataclass(frozen=True, slots=True)
class _Target:
    """Where content goes, by which attempt, and as of when it is known."""

    table: str
    partition: str
    token: int
    known_at: str | Callable[[str], str]


def _publish(
    lake: Lake, to: _Target, schema: pa.Schema, write: Callable[[Path, str], WrittenRows]
) -> PartitionVersion:
    """Put files in place, commit them, record the commit."""
    check_partition(to.partition)
    if isinstance(to.known_at, str):
        check_partition(to.known_at)
    refuse_unkept(to.table, schema)
    check_lake(lake.root)
    _create(lake.folder(to.table), schema)
    mark_lake(lake.root)
    delta = lake.open(to.table)
    _refuse_stale(delta, to.table, to.partition, to.token)
    added_columns(to.table, delta, schema)  # refuse before anything is written
    fault_point("publish:before_write")
    written = _write(lake, to, write)
    draft = Commit(
        version=-1,  # known once it is committed
        partition=to.partition,
        token=to.token,
        known_at=to.known_at if isinstance(to.known_at, str) else to.known_at(written.digest),
        n_rows=written.n_rows,
        digest=written.digest,
        columns=written.columns,
        files=written.files,
    )
    commit = _commit_or_remove(lake, delta, to.table, draft, schema)
    fault_point("publish:after_commit")
    lake.commit_log(to.table).write([commit])
    fault_point("publish:after_record")
    _tidy(lake, to.table, to.partition, to.token, keep=written.files)
    return PartitionVersion(to.table, to.partition, commit.version, commit.n_rows, commit.digest)


def _commit_or_remove(
    lake: Lake, delta: DeltaTable, table: str, draft: Commit, schema: pa.Schema
) -> Commit:
    """Commit written files, on disk for certain; remove them if that failed for certain."""
    folder = lake.folder(table)
    try:
        _sync_first(lake, delta, table, draft.partition)
        commit = _commit(lake, table, draft, schema)
        _sync_log(folder, commit.version, commit.version)
    except (StaleAttemptError, CommitConflictError):
        remove_files(folder, draft.files)
        raise
    except BaseException:
        # A signal may come between the commit and its return: committed files stay.
        if not _may_be_committed(lake, table, draft.partition, draft.token):
            remove_files(folder, draft.files)
        raise
    return commit


def _sync_first(lake: Lake, delta: DeltaTable, table: str, partition: str) -> None:
    """Before the first commit of a table or partition: make sure that what leads to it stays.

    Whoever made the folders, or the table, may have been killed before it could.
    """
    folder = lake.folder(table)
    if delta.version() == 0:
        _sync_log(folder, 0, 0)
        sync(lake.root)
    if delta.transaction_version(f"{table}:{partition}") is None:
        sync(folder)


def _sync_log(folder: Path, first: int, last: int) -> None:
    """Sync commit files, both inclusive, then the folder they are in."""
    for version in range(first, last + 1):
        sync(folder / "_delta_log" / f"{version:020d}.json")
    sync(folder / "_delta_log")


def _create(folder: Path, schema: pa.Schema) -> None:
    from deltalake import DeltaTable
    from deltalake.exceptions import CommitFailedError

    if DeltaTable.is_deltatable(str(folder)):
        return
    make_folder(folder)
    with suppress(CommitFailedError):  # somebody else has made it meanwhile
        DeltaTable.create(
            str(folder),
            with_partition(schema),
            mode="ignore",
            partition_by=[PARTITION_COLUMN],
            configuration=dict(_TABLE_PROPERTIES),
        )


def _write(lake: Lake, to: _Target, write: Callable[[Path, str], WrittenRows]) -> WrittenRows:
    name = f"part-{to.token:012d}-{random.randrange(16**8):08x}"  # noqa: S311
    try:
        return write(lake.folder(to.table), f"{PARTITION_COLUMN}={to.partition}/{name}")
    except FileNotFoundError:  # a newer attempt has committed and swept what older ones left
        _refuse_stale(lake.open(to.table), to.table, to.partition, to.token)
        raise


def _commit(lake: Lake, table: str, draft: Commit, schema: pa.Schema) -> Commit:
    """Commit written files; a lost race is tried again on a fresh look at the table."""
    from deltalake.exceptions import CommitFailedError

    for attempt in range(_COMMIT_TRIES):
        delta = lake.open(table)
        _refuse_stale(delta, table, draft.partition, draft.token)
        try:
            new = added_columns(table, delta, schema)
            if new:
                before = delta.version()
                delta.alter.add_columns(new)
                delta = lake.open(table)
                _sync_log(lake.folder(table), before + 1, delta.version())
            fault_point("publish:before_commit")
            _commit_files(delta, table, draft)
        except CommitFailedError:
            time.sleep(random.uniform(0.01, 0.05) * (attempt + 1))  # noqa: S311 (jitter)
            continue
        # Without retries of its own it can be no other version.
        return replace(draft, version=delta.version() + 1)
    raise CommitConflictError(
        f"table {table!r}: {_COMMIT_TRIES} commits of partition {draft.partition} lost against "
        "other writers; nothing was changed, run the task again"
    )


def _commit_files(delta: DeltaTable, table: str, draft: Commit) -> None:
    from deltalake import CommitProperties, PostCommitHookProperties, Transaction
    from deltalake.transaction import AddAction

    now = time.time_ns() // 1_000_000
    values = {PARTITION_COLUMN: draft.partition}
    actions: list[Any] = [
        AddAction(file.path, file.size, values, now, True, f'{{"numRecords": {file.n_rows}}}')
        for file in draft.files
    ]
    delta.create_write_transaction(
        actions,
        "overwrite",
        delta.schema(),
        PARTITION_COLUMN,
        [(PARTITION_COLUMN, "=", draft.partition)],
        commit_properties=CommitProperties(
            custom_metadata={COMMIT_METADATA: draft.to_json()},
            app_transactions=[Transaction(f"{table}:{draft.partition}", draft.token)],
            max_commit_retries=0,
        ),
        # A checkpoint that fails would look like a failed commit: `optimize` makes them.
        post_commithook_properties=PostCommitHookProperties(False, False),
    )


def _refuse_stale(delta: DeltaTable, table: str, partition: str, token: int) -> None:
    committed = delta.transaction_version(f"{table}:{partition}")
    if committed is not None and committed >= token:
        raise StaleAttemptError(
            f"table {table!r}, partition {partition}: attempt {committed} has committed already, "
            f"this is attempt {token}; its result stands, nothing to do"
        )


def _may_be_committed(lake: Lake, table: str, partition: str, token: int) -> bool:
    try:
        committed = lake.open(table).transaction_version(f"{table}:{partition}")
    except MlopsError:  # whatever cannot be told is left for `vacuum`
        return True
    return committed is not None and committed >= token


def _tidy(lake: Lake, table: str, partition: str, token: int, *, keep: Sequence[DataFile]) -> None:
    """Sweep what killed attempts left and keep the log short; whatever fails is left for later."""
    from deltalake.exceptions import DeltaError

    try:
        _sweep(lake, table, partition, token, {file.path for file in keep})
        if len(lake.commit_log(table).singles()) >= _OPTIMIZE_EVERY:
            optimize(lake, table)
    except (OSError, MlopsError, DeltaError) as error:
        log.warning(
            "table %r: partition %s is committed, but looking after the table failed (%s); "
            "`mlops lake optimize` and `vacuum` do it again",
            table,
            partition,
            error,
        )


def _sweep(lake: Lake, table: str, partition: str, token: int, keep: set[str]) -> None:
    """Remove files of this partition that older attempts left: the fence lets none commit."""
    folder = lake.folder(table)
    older = {
        path.relative_to(folder).as_posix()
        for path in (folder / f"{PARTITION_COLUMN}={partition}").iterdir()
        if (found := _TOKEN.match(path.name)) and int(found[1]) < token
    } - keep
    if older:
        older -= {file.path for commit in lake.all_commits(table) for file in commit.files}
    for name in older:
        (folder / name).unlink(missing_ok=True)
