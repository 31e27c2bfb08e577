"""The lake's tables: one helper that commits, and reads that notice damage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import DamagedTableError, PartitionNotFoundError
from mlops_tasks.faults import fault_point
from mlops_tasks.lake.commits import Commit, CommitLog, newest_by_partition
from mlops_tasks.lake.marker import check_lake
from mlops_tasks.lake.names import PARTITION_COLUMN, check_partition, today
from mlops_tasks.lake.pins import make_pin, verify_commits
from mlops_tasks.lake.publish import overwrite_partition, share_partition
from mlops_tasks.lake.reading import open_files, unreadable_told
from mlops_tasks.lake.schemas import with_partition
from mlops_tasks.lake.streaming import stream_ahead
from mlops_tasks.names import check_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    import pyarrow as pa
    import pyarrow.dataset as ds
    from deltalake import DeltaTable

    from mlops_tasks.lake.commits import Records
    from mlops_tasks.lake.references import PartitionVersion, Pin

__all__ = ["Lake"]


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
        known_at: str | Callable[[str], str] | None = None,
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
        known_at : str or callable, optional
            Day as of which this content is known, or what tells it from the content's digest,
            like `as_of_night`; today (UTC) by default.

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
        return overwrite_partition(
            self, table, partition, rows, token=token, known_at=known_at or today()
        )

    def share_partition(
        self,
        source: str,
        commit: Commit,
        table: str,
        *,
        token: int,
        known_at: str | Callable[[str], str] | None = None,
    ) -> PartitionVersion:
        """Replace one partition by what another table holds; reads and writes no row.

        Parameters
        ----------
        source : str
            The table that has the rows, all of its columns included.
        commit : Commit
            What it holds, and at which version.
        table : str
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
        return share_partition(
            self, source, commit, table, token=token, known_at=known_at or today()
        )

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
            If the table or one of its files is not what was committed, or a page of a file fails
            its checksum.
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
        names = list(columns or self.schema(table).names)
        dataset = self.scan(table, commits)
        with unreadable_told(table):
            return dataset.to_table(columns=names)

    def scan(
        self, table: str, commits: Iterable[Commit], *, columns: Sequence[str] | None = None
    ) -> ds.Dataset:
        """Return a dataset over the rows of given commits, to be streamed batch by batch.

        It also has the partition column, for those who ask for it, unless columns are named.

        Raises
        ------
        DamagedTableError
            If a file is gone, or has not the size and the number of rows that were committed.
        """
        import pyarrow as pa

        full = self.schema(table)
        named = pa.schema([full.field(name) for name in columns]) if columns else None
        files = [file for commit in commits for file in commit.files if file.n_rows]
        return open_files(table, self.folder(table), files, named or with_partition(full))

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
        fault_point("pin:before_records")
        commits = self.commits(table, first=first, last=last, version=version, known_at=known_at)
        fault_point("pin:after_records")
        return make_pin(table, first, last, tuple(self.schema(table).names), commits)

    def read_pin(self, pin: Pin, *, first: str | None = None, last: str | None = None) -> pa.Table:
        """Read exactly the pinned rows, or those of a part of its days.

        Raises
        ------
        DamagedTableError
            If a commit that the pin names is gone, was changed, or cannot be read.
        """
        return self.load(pin.table, self._wanted(pin, first, last), columns=pin.columns)

    def scan_pin(
        self, pin: Pin, *, first: str | None = None, last: str | None = None
    ) -> ds.Dataset:
        """Return the rows of `read_pin` as a dataset, for DuckDB and for who filters.

        Raises
        ------
        DamagedTableError
            As for `read_pin`; only a page that fails its checksum is noticed, by another error,
            while streaming.
        """
        return self.scan(pin.table, self._wanted(pin, first, last), columns=pin.columns)

    def stream_pin(
        self, pin: Pin, *, first: str | None = None, last: str | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Yield the rows of `read_pin` batch by batch, reading a few row groups ahead.

        Yields
        ------
        RecordBatch
            In the order of the days. Memory depends on the size of a row group, not of the pin.

        Raises
        ------
        DamagedTableError
            As for `read_pin`.
        """
        with unreadable_told(pin.table):
            yield from stream_ahead(self.scan_pin(pin, first=first, last=last))

    def _wanted(self, pin: Pin, first: str | None, last: str | None) -> list[Commit]:
        commits = self.pinned_commits(pin)
        return [c for c in commits if (first or pin.first) <= c.partition <= (last or pin.last)]

    def pinned_commits(self, pin: Pin) -> list[Commit]:
        """Return the commits that a pin names, proven to be the very ones.

        Raises
        ------
        DamagedTableError
            If one is gone or not the same any more.
        """
        by_version = self.commit_log(pin.table).read().commits
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
        return self.open(table).version()

    def newest_token(self, partition: str, *tables: str) -> int:
        """Return the largest token committed to one partition of some tables; 0 if there is none.

        Parameters
        ----------
        partition : str
            Partition key.
        *tables : str
            Table names; they need not exist.
        """
        committed = [
            self.open(table).transaction_version(f"{table}:{partition}") or 0
            for table in tables
            if self.exists(table)
        ]
        return max(committed, default=0)

    def schema(self, table: str) -> pa.Schema:
        """Return the columns of the table without the partition column."""
        import pyarrow as pa

        full = pa.schema(self.open(table).schema().to_arrow())
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
        return list(self.records(table).commits.values())

    def records(self, table: str) -> Records:
        """Return the commit records, complete and compared as for `all_commits`."""
        records = self.commit_log(table)
        recorded = records.read()  # first: the table may only be newer than its records
        delta = self.open(table)
        found = records.adopt(self.folder(table) / "_delta_log", delta.version(), recorded)
        _compare(table, delta, list(found.commits.values()))
        return found

    def open(self, table: str) -> DeltaTable:
        """Return the newest version of the Delta table, for what needs its log.

        Raises
        ------
        PartitionNotFoundError, DamagedTableError
            If there is no table, or its log cannot be read.
        NewerFormatError
            If a newer version of the project has laid out the lake.
        """
        from deltalake import DeltaTable
        from deltalake.exceptions import DeltaError, TableNotFoundError

        check_lake(self.root)
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
