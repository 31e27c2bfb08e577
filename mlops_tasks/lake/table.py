"""One table of the lake: its commits, rows and pins, with reads that notice damage."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import DamagedTableError, PartitionNotFoundError
from mlops_tasks.faults import fault_point
from mlops_tasks.lake.commits import CommitLog, newest_by_partition
from mlops_tasks.lake.marker import check_lake
from mlops_tasks.lake.pins import make_pin
from mlops_tasks.lake.scan import damage_reported, open_files, prefetch, stream
from mlops_tasks.lake.schema import PARTITION_COLUMN, with_partition
from mlops_tasks.lake.verify import verify_commits
from mlops_tasks.names import check_name
from mlops_tasks.partitions import check_partition

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    import pyarrow as pa
    import pyarrow.dataset as ds
    from deltalake import DeltaTable

    from mlops_tasks.lake.commits import Commit, Records
    from mlops_tasks.lake.pins import Pin

__all__ = ["Table"]

_FIRST_DAY, _LAST_DAY = "0001-01-01", "9999-12-31"


class Table:
    """One table, as it was when it was first asked.

    It is opened once: one Delta table, one reading of the commit records. What others commit
    later is seen after `refresh`, or by another ``lake.table(name)``; what `overwrite_partition`
    commits through this one is seen at once.

    Parameters
    ----------
    root : Path
        The lake's folder.
    name : str
        Name of the table.

    Attributes
    ----------
    folder : Path
        Where its files are.
    log : CommitLog
        Records of its commits, beside the table and not in it.
    """

    def __init__(self, root: Path, name: str) -> None:
        self.root = root
        self.name = check_name(name)
        self.folder = root / name
        self.log = CommitLog(root / "_commits" / name)
        self._opened: DeltaTable | None = None

    def refresh(self) -> None:
        """Look at the table again when it is asked next."""
        for seen in ("delta", "records", "_recorded", "_commits"):
            self.__dict__.pop(seen, None)

    @property
    def exists(self) -> bool:
        """Whether the table was ever written."""
        from deltalake import DeltaTable

        return DeltaTable.is_deltatable(str(self.folder))

    @cached_property
    def delta(self) -> DeltaTable:
        """The Delta table, for what needs its own log.

        Raises
        ------
        PartitionNotFoundError, DamagedTableError
            If there is no table, or its log cannot be read.
        NewerFormatError
            If a newer version of the project has laid out the lake.
        """
        from deltalake import DeltaTable
        from deltalake.exceptions import DeltaError, TableNotFoundError

        self._recorded  # noqa: B018 (first: the table may only be newer than its records)
        try:
            if self._opened is None:
                self._opened = DeltaTable(str(self.folder))
            else:
                self._opened.update_incremental()
        except TableNotFoundError as error:
            raise PartitionNotFoundError(
                f"table {self.name!r} is not in the lake; run its ingest Dag first"
            ) from error
        except DeltaError as error:
            raise DamagedTableError(
                f"table {self.name!r}: its log cannot be read ({error}); restore "
                f"{self.folder / '_delta_log'} from a backup"
            ) from error
        return self._opened

    @property
    def version(self) -> int:
        """Newest version number of the table."""
        return self.delta.version()

    @property
    def schema(self) -> pa.Schema:
        """Columns of the table without the partition column."""
        import pyarrow as pa

        full = pa.schema(self.delta.schema().to_arrow())
        return full.remove(full.get_field_index(PARTITION_COLUMN))

    @cached_property
    def records(self) -> Records:
        """Records of its commits, complete up to its version, not compared with the files."""
        return self.log.adopt(self.folder / "_delta_log", self.version, self._recorded)

    def all_commits(self) -> list[Commit]:
        """Return every commit of the table, oldest first, after comparing them with its log.

        Raises
        ------
        PartitionNotFoundError, DamagedTableError
            As for `commits`.
        """
        return list(self._commits)

    def commits(
        self,
        *,
        first: str = _FIRST_DAY,
        last: str = _LAST_DAY,
        version: int | None = None,
        known_at: str | None = None,
    ) -> list[Commit]:
        """Return the commit that holds each partition of a range, in the order of the days.

        Parameters
        ----------
        first, last : str, optional
            Partition keys, both inclusive; all partitions by default.
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
        everything = self._commits
        if version is not None and version > self.version:
            raise PartitionNotFoundError(
                f"table {self.name!r} has no version {version}, the newest is {self.version}"
            )
        newest = newest_by_partition(
            commit
            for commit in everything
            if (version is None or commit.version <= version)
            and (known_at is None or commit.known_at <= known_at)
        )
        return [newest[day] for day in sorted(newest) if first <= day <= last]

    def partitions(self, *, known_at: str | None = None) -> list[str]:
        """Return the keys of all partitions that have rows, sorted; [] without a table."""
        if not self.exists:
            return []
        return [commit.partition for commit in self.commits(known_at=known_at) if commit.n_rows]

    def newest_token(self, partition: str) -> int:
        """Return the largest token committed to a partition; 0 if there is none."""
        try:
            return self.delta.transaction_version(self.token_key(partition)) or 0
        except PartitionNotFoundError:
            return 0

    def token_key(self, partition: str) -> str:
        """Return the key under which Delta keeps the newest token of a partition."""
        return f"{self.name}:{partition}"

    def read(
        self,
        *,
        first: str = _FIRST_DAY,
        last: str = _LAST_DAY,
        version: int | None = None,
        known_at: str | None = None,
        columns: Sequence[str] | None = None,
    ) -> pa.Table:
        """Read the partitions from `first` to `last`, both inclusive.

        Parameters
        ----------
        first, last, version, known_at
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
        commits = self.commits(first=first, last=last, version=version, known_at=known_at)
        return self.load(commits, columns=columns)

    def load(self, commits: Iterable[Commit], *, columns: Sequence[str] | None = None) -> pa.Table:
        """Read the rows of given commits into memory; errors as for `read`."""
        dataset = self.scan(commits)
        with damage_reported(self.name):
            return dataset.to_table(columns=list(columns or self.schema.names))

    def scan(
        self, commits: Iterable[Commit], *, columns: Sequence[str] | None = None
    ) -> ds.Dataset:
        """Return a dataset over the rows of given commits, for DuckDB and for who filters.

        It also has the partition column, for those who ask for it, unless columns are named without
        it.

        Raises
        ------
        DamagedTableError
            If a file is gone, or has not the size and the number of rows that were committed. A
            page that fails its checksum is noticed by another error, while streaming.
        """
        import pyarrow as pa

        full = with_partition(self.schema)
        named = pa.schema([full.field(name) for name in columns]) if columns else full
        files = [file for commit in commits for file in commit.files if file.n_rows]
        return open_files(self.name, self.folder, files, named)

    def stream(self, commits: Iterable[Commit], columns: Sequence[str]) -> Iterator[pa.Table]:
        """Yield some columns of given commits in order, each at most a row group, none read ahead.

        Raises
        ------
        DamagedTableError
            If a file cannot be read as it was written.
        """
        with damage_reported(self.name):
            yield from stream(self.scan(commits), columns)

    def pin(
        self,
        *,
        first: str,
        last: str,
        version: int | None = None,
        known_at: str | None = None,
    ) -> Pin:
        """Name the rows of a range exactly; costs no reading, the digests are in the commits.

        Parameters
        ----------
        first, last, version, known_at
            As for `commits`.

        Returns
        -------
        Pin
            Reading it back with `read_pin` gives these rows for as long as they are pinned.
        """
        fault_point("pin:before_records")
        commits = self.commits(first=first, last=last, version=version, known_at=known_at)
        fault_point("pin:after_records")
        return make_pin(self.name, first, last, tuple(self.schema.names), commits)

    def pinned_commits(
        self, pin: Pin, *, first: str | None = None, last: str | None = None
    ) -> list[Commit]:
        """Return the commits that a pin names, or those of a part of its days, proven by digest.

        Raises
        ------
        DamagedTableError
            If one is gone or not the same any more.
        """
        by_version = self._recorded.commits
        if not by_version.keys() >= set(pin.versions) and self.exists:
            by_version = self.records.commits
        gone = [version for version in pin.versions if version not in by_version]
        if gone:
            raise DamagedTableError(
                f"pin of {pin.table!r} names versions {gone[:3]}, which have no commit record in "
                f"{self.root}; is this the lake the pin was made on?"
            )
        commits = [by_version[version] for version in pin.versions]
        found = make_pin(self.name, pin.first, pin.last, pin.columns, commits)
        if found.digest != pin.digest:
            raise DamagedTableError(
                f"pin of {pin.table!r}, {pin.first} to {pin.last}: the commits it names have "
                f"digest {found.digest[:12]}, pinned was {pin.digest[:12]}: the records were "
                "changed"
            )
        return [c for c in commits if (first or pin.first) <= c.partition <= (last or pin.last)]

    def read_pin(self, pin: Pin, *, first: str | None = None, last: str | None = None) -> pa.Table:
        """Read exactly the pinned rows, or those of a part of its days.

        Raises
        ------
        DamagedTableError
            If a commit that the pin names is gone, was changed, or cannot be read.
        """
        return self.load(self.pinned_commits(pin, first=first, last=last), columns=pin.columns)

    def scan_pin(
        self, pin: Pin, *, first: str | None = None, last: str | None = None
    ) -> ds.Dataset:
        """Return the rows of `read_pin` as a dataset; errors as for `read_pin` and `scan`."""
        return self.scan(self.pinned_commits(pin, first=first, last=last), columns=pin.columns)

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
        with damage_reported(self.name):
            yield from prefetch(self.scan_pin(pin, first=first, last=last))

    def verify_pin(self, pin: Pin) -> None:
        """Read every pinned row and prove that it is what was pinned.

        Raises
        ------
        DamagedTableError
            Naming the first partition that differs, and its file.
        """
        verify_commits(self.name, self.folder, self.pinned_commits(pin))

    @cached_property
    def _recorded(self) -> Records:
        check_lake(self.root)
        return self.log.read()

    @cached_property
    def _commits(self) -> list[Commit]:
        """All commits, compared with the files that the table's own log names."""
        commits = list(self.records.commits.values())
        newest = newest_by_partition(commits).values()
        committed = {file.path for commit in newest for file in commit.files}
        actions = self.delta.get_add_actions(flatten=True)
        active = {path.replace("%3D", "=") for path in actions.column("path").to_pylist()}
        recorded = max((commit.version for commit in commits), default=-1)
        if active == committed and self.version >= recorded:
            return commits
        lost, extra = sorted(committed - active), sorted(active - committed)
        raise DamagedTableError(
            f"table {self.name!r}: its log (version {self.version}) is not what was committed "
            f"(version {recorded}): {len(lost)} files lost {lost[:2]}, {len(extra)} unknown "
            f"{extra[:2]}. A commit file was damaged, or something else wrote to the table; "
            "restore the table's _delta_log, or ingest the partitions named in these paths again"
        )
