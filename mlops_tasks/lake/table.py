"""The lake's tables: one helper that commits, and reads that notice damage."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mlops_tasks.exceptions import (
    CommitConflictError,
    DamagedTableError,
    PartitionNotFoundError,
    StaleAttemptError,
)
from mlops_tasks.faults import fault_point
from mlops_tasks.lake.commits import COMMIT_METADATA, Commit, CommitLog, newest_by_partition
from mlops_tasks.lake.files import sync, write_rows
from mlops_tasks.lake.names import PARTITION_COLUMN, check_partition
from mlops_tasks.lake.pins import make_pin, verify_commits
from mlops_tasks.lake.schemas import added_columns, with_partition
from mlops_tasks.spec import check_name
from mlops_tasks.types import PartitionVersion

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    import pyarrow as pa
    import pyarrow.dataset as ds
    from deltalake import DeltaTable

    from mlops_tasks.lake.files import WrittenRows
    from mlops_tasks.types import Pin

__all__ = ["Lake"]

_COMMIT_TRIES = 20
# Only `vacuum` of this project removes files: it knows which versions are pinned.
_TABLE_PROPERTIES = {
    "delta.deletedFileRetentionDuration": "interval 36500 days",
    "delta.logRetentionDuration": "interval 36500 days",
}


@dataclass(frozen=True, slots=True)
class Lake:
    """All tables below one root folder.

    Parameters
    ----------
    root : Path
        Folder on a local disk; created at the first write.
    """

    root: Path

    def overwrite_partition(
        self,
        table: str,
        partition: str,
        rows: pa.Table | pa.RecordBatchReader,
        *,
        token: int,
        known_at: str | None = None,
    ) -> PartitionVersion:
        """Replace one partition in one atomic commit, unless a newer attempt was faster.

        Parameters
        ----------
        table, partition : str
            Where to; the table is made at the first write.
        rows : Table or RecordBatchReader
            The partition's whole new content, without the partition column. A reader is streamed.
        token : int
            Number of this attempt from `Ledger.next_token`, larger than any earlier one. It is
            committed with the data: a late attempt finds a larger one and gives up.
        known_at : str, optional
            Day as of which this content is known; today (UTC) by default.

        Returns
        -------
        PartitionVersion
            What was written, and the table version that holds it.

        Raises
        ------
        SchemaMismatchError
            If a column of the table is missing or of another type; Delta would cast silently.
            New columns are added to the table.
        StaleAttemptError
            If an attempt with a larger token has committed this partition.
        CommitConflictError
            If other writers won every race; a retry of the task will do.
        """
        check_partition(partition)
        folder = self.folder(table)
        self._create(folder, rows.schema)
        delta = self._open(table)
        _refuse_stale(delta, table, partition, token)
        added_columns(table, delta, rows.schema)  # refuse before anything is written
        fault_point("publish:before_write")
        stem = f"{PARTITION_COLUMN}={partition}/part-{token:012d}-{random.randrange(16**8):08x}"  # noqa: S311
        batches = rows.to_batches() if hasattr(rows, "to_batches") else rows
        written = write_rows(folder, stem, batches, rows.schema)
        day = known_at or datetime.now(UTC).date().isoformat()
        draft = Commit(
            version=-1,  # known once it is committed
            partition=partition,
            token=token,
            known_at=check_partition(day),
            n_rows=written.n_rows,
            digest=written.digest,
            files=written.files,
        )
        try:
            commit = self._commit(table, draft, rows.schema)
        except BaseException:
            _remove(folder, written)
            raise
        fault_point("publish:after_commit")
        self.commit_log(table).write([commit])
        return PartitionVersion(table, partition, commit.version, commit.n_rows, commit.digest)

    def read(
        self,
        table: str,
        *,
        first: str,
        last: str,
        version: int | None = None,
        known_at: str | None = None,
        columns: Sequence[str] | None = None,
    ) -> pa.Table:
        """Read the partitions from `first` to `last`, both inclusive.

        Parameters
        ----------
        table, first, last, version, known_at
            As for `commits`.
        columns : sequence of str, optional
            Columns to read; all but the partition column by default.

        Returns
        -------
        Table
            Rows in no particular order; a range without any partition gives zero rows.

        Raises
        ------
        PartitionNotFoundError
            If the table does not exist.
        DamagedTableError
            If the table is not what was committed, or a page of a file fails its checksum.
        """
        commits = self.commits(table, first=first, last=last, version=version, known_at=known_at)
        return self.load(table, commits, columns=columns)

    def commits(
        self,
        table: str,
        *,
        first: str,
        last: str,
        version: int | None = None,
        known_at: str | None = None,
    ) -> list[Commit]:
        """Return the commit that holds each partition of a range, in the order of the days.

        Parameters
        ----------
        table : str
            Table name.
        first, last : str
            Partition keys, both inclusive.
        version : int, optional
            As of this version of the table; the newest by default.
        known_at : str, optional
            Only content known by that day.

        Raises
        ------
        PartitionNotFoundError
            If the table or the version does not exist.
        DamagedTableError
            If the table's own log and the commit records disagree.
        """
        check_partition(first), check_partition(last)
        everything = self.all_commits(table)
        if version is not None and version > self.version(table):
            raise PartitionNotFoundError(
                f"table {table!r} has no version {version}, the newest is {self.version(table)}"
            )
        newest = newest_by_partition(
            commit
            for commit in everything
            if (version is None or commit.version <= version)
            and (known_at is None or commit.known_at <= known_at)
        )
        return [newest[day] for day in sorted(newest) if first <= day <= last]

    def load(
        self, table: str, commits: Iterable[Commit], *, columns: Sequence[str] | None = None
    ) -> pa.Table:
        """Read the rows of given commits into memory; parameters and errors as for `read`."""
        import pyarrow as pa

        names = list(columns or self.schema(table).names)
        try:
            return self.scan(table, commits).to_table(columns=names)
        except (OSError, pa.ArrowException) as error:
            raise DamagedTableError(
                f"table {table!r}: a data file cannot be read as it was written ({error}); restore "
                "the file, or ingest the partition again"
            ) from error

    def scan(self, table: str, commits: Iterable[Commit]) -> ds.Dataset:
        """Return a dataset over the rows of given commits, to be streamed batch by batch.

        It also has the partition column, for those who ask for it.
        """
        import pyarrow as pa
        import pyarrow.dataset as ds

        folder = self.folder(table)
        paths = [file.path for commit in commits for file in commit.files if file.n_rows]
        checked = ds.ParquetFragmentScanOptions(page_checksum_verification=True)
        days = pa.schema([pa.field(PARTITION_COLUMN, pa.string())])
        return ds.dataset(
            [str(folder / path) for path in paths],
            schema=with_partition(self.schema(table)),
            partitioning=ds.partitioning(days, flavor="hive"),
            partition_base_dir=str(folder),
            format=ds.ParquetFileFormat(default_fragment_scan_options=checked),
        )

    def pin(
        self,
        table: str,
        *,
        first: str,
        last: str,
        version: int | None = None,
        known_at: str | None = None,
    ) -> Pin:
        """Name the rows of a range exactly; costs no reading, the digests are in the commits.

        Parameters
        ----------
        table, first, last, version, known_at
            As for `commits`.

        Returns
        -------
        Pin
            Reading it back with `read_pin` gives these rows for as long as they are pinned.
        """
        commits = self.commits(table, first=first, last=last, version=version, known_at=known_at)
        return make_pin(table, first, last, tuple(self.schema(table).names), commits)

    def read_pin(self, pin: Pin, *, first: str | None = None, last: str | None = None) -> pa.Table:
        """Read exactly the pinned rows, or those of a part of its days.

        Raises
        ------
        DamagedTableError
            If a commit that the pin names is gone, was changed, or cannot be read.
        """
        commits = self.pinned_commits(pin)
        wanted = [c for c in commits if (first or pin.first) <= c.partition <= (last or pin.last)]
        return self.load(pin.table, wanted, columns=pin.columns)

    def pinned_commits(self, pin: Pin) -> list[Commit]:
        """Return the commits that a pin names, proven to be the very ones.

        Raises
        ------
        DamagedTableError
            If one is gone or not the same any more.
        """
        by_version = {commit.version: commit for commit in self._recorded(pin.table)}
        gone = [version for version in pin.versions if version not in by_version]
        if gone:
            raise DamagedTableError(
                f"pin of {pin.table!r} names versions {gone[:3]}, which have no commit record in "
                f"{self.root}; is this the lake the pin was made on?"
            )
        commits = [by_version[version] for version in pin.versions]
        found = make_pin(pin.table, pin.first, pin.last, pin.columns, commits)
        if found.digest != pin.digest:
            raise DamagedTableError(
                f"pin of {pin.table!r}, {pin.first} to {pin.last}: the commits it names have "
                f"digest {found.digest[:12]}, pinned was {pin.digest[:12]}: the records were "
                "changed"
            )
        return commits

    def verify_pin(self, pin: Pin) -> None:
        """Read every pinned row and prove that it is what was pinned.

        Raises
        ------
        DamagedTableError
            Naming the first partition that differs.
        """
        verify_commits(self, pin.table, self.pinned_commits(pin))

    def partitions(self, table: str, *, known_at: str | None = None) -> list[str]:
        """Return the keys of all partitions that have rows, sorted; [] without a table."""
        if not self.exists(table):
            return []
        commits = self.commits(table, first="0001-01-01", last="9999-12-31", known_at=known_at)
        return [commit.partition for commit in commits if commit.n_rows]

    def exists(self, table: str) -> bool:
        """Tell whether the table was ever written."""
        from deltalake import DeltaTable

        return DeltaTable.is_deltatable(str(self.folder(table)))

    def tables(self) -> list[str]:
        """Return the names of all tables, sorted."""
        if not self.root.is_dir():
            return []
        return sorted(path.parent.name for path in self.root.glob("[a-z]*/_delta_log"))

    def version(self, table: str) -> int:
        """Return the newest version number of the table."""
        return self._open(table).version()

    def schema(self, table: str) -> pa.Schema:
        """Return the columns of the table without the partition column."""
        import pyarrow as pa

        full = pa.schema(self._open(table).schema().to_arrow())
        return full.remove(full.get_field_index(PARTITION_COLUMN))

    def folder(self, table: str) -> Path:
        """Return the folder of a table, which cannot lie outside the root."""
        return self.root / check_name(table)

    def commit_log(self, table: str) -> CommitLog:
        """Return the commit records of a table."""
        return CommitLog(self.root / "_commits" / check_name(table))

    def all_commits(self, table: str) -> list[Commit]:
        """Return every commit of the table, oldest first, after comparing them with its log.

        Raises
        ------
        PartitionNotFoundError, DamagedTableError
            As for `commits`.
        """
        recorded = self._recorded(table)  # first: the table may only be newer than its records
        delta = self._open(table)
        commits = self.commit_log(table).adopt(delta, recorded)
        _compare(table, delta, commits)
        return commits

    def _recorded(self, table: str) -> list[Commit]:
        return self.commit_log(table).read()

    def _open(self, table: str) -> DeltaTable:
        from deltalake import DeltaTable
        from deltalake.exceptions import DeltaError, TableNotFoundError

        try:
            return DeltaTable(str(self.folder(table)))
        except TableNotFoundError as error:
            raise PartitionNotFoundError(
                f"table {table!r} is not in the lake; run its ingest Dag first"
            ) from error
        except DeltaError as error:
            raise DamagedTableError(
                f"table {table!r}: its log cannot be read ({error}); restore "
                f"{self.folder(table) / '_delta_log'} from a backup"
            ) from error

    def _create(self, folder: Path, schema: pa.Schema) -> None:
        from deltalake import DeltaTable

        if DeltaTable.is_deltatable(str(folder)):
            return
        folder.mkdir(parents=True, exist_ok=True)
        DeltaTable.create(
            str(folder),
            with_partition(schema),
            mode="ignore",
            partition_by=[PARTITION_COLUMN],
            configuration=dict(_TABLE_PROPERTIES),
        )

    def _commit(self, table: str, draft: Commit, schema: pa.Schema) -> Commit:
        """Commit written files; a lost race is tried again on a fresh look at the table."""
        from deltalake.exceptions import CommitFailedError

        for attempt in range(_COMMIT_TRIES):
            delta = self._open(table)
            _refuse_stale(delta, table, draft.partition, draft.token)
            try:
                new = added_columns(table, delta, schema)
                if new:
                    delta.alter.add_columns(new)
                    delta = self._open(table)
                fault_point("publish:before_commit")
                _commit_files(delta, table, draft)
            except CommitFailedError:
                time.sleep(random.uniform(0.01, 0.05) * (attempt + 1))  # noqa: S311 (jitter)
                continue
            version = delta.version() + 1  # without retries of its own it can be no other
            log = self.folder(table) / "_delta_log"
            sync(log / f"{version:020d}.json")
            sync(log)
            return replace(draft, version=version)
        raise CommitConflictError(
            f"table {table!r}: {_COMMIT_TRIES} commits of partition {draft.partition} lost against "
            "other writers; nothing was changed, run the task again"
        )


def _commit_files(delta: DeltaTable, table: str, draft: Commit) -> None:
    from deltalake import CommitProperties, Transaction
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
    )


def _refuse_stale(delta: DeltaTable, table: str, partition: str, token: int) -> None:
    committed = delta.transaction_version(f"{table}:{partition}")
    if committed is not None and committed >= token:
        raise StaleAttemptError(
            f"table {table!r}, partition {partition}: attempt {committed} has committed already, "
            f"this is attempt {token}; its result stands, nothing to do"
        )


def _compare(table: str, delta: DeltaTable, commits: list[Commit]) -> None:
    """Compare the files that the table's log names with those that were committed."""
    newest = newest_by_partition(commits).values()
    committed = {file.path for commit in newest for file in commit.files}
    actions = delta.get_add_actions(flatten=True)
    active = {path.replace("%3D", "=") for path in actions.column("path").to_pylist()}
    recorded = max((commit.version for commit in commits), default=-1)
    if active == committed and delta.version() >= recorded:
        return
    lost, extra = sorted(committed - active), sorted(active - committed)
    raise DamagedTableError(
        f"table {table!r}: its log (version {delta.version()}) is not what was committed (version "
        f"{recorded}): {len(lost)} files lost {lost[:2]}, {len(extra)} unknown {extra[:2]}. A "
        "commit file was damaged, or something else wrote to the table; restore the table's "
        "_delta_log, or ingest the partitions named in these paths again"
    )


def _remove(folder: Path, written: WrittenRows) -> None:
    for file in written.files:
        (folder / file.path).unlink(missing_ok=True)
