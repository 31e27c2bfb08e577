"""The lake: Delta tables partitioned by day, written by one helper, read at exact versions."""

from __future__ import annotations

import random
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from mlops_tasks.digest import digest_table
from mlops_tasks.exceptions import (
    CommitConflictError,
    PartitionNotFoundError,
    SchemaMismatchError,
    SpecError,
    StaleAttemptError,
)
from mlops_tasks.spec import PARTITION_FORMAT, check_name
from mlops_tasks.types import PartitionVersion, Pin

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pyarrow as pa
    from deltalake import DeltaTable

__all__ = ["PARTITION_COLUMN", "Lake", "check_partition"]

PARTITION_COLUMN = "partition_key"
_COMMIT_TRIES = 12


def check_partition(partition: str) -> str:
    """Return `partition` if it is a day written ``YYYY-MM-DD``.

    Raises
    ------
    SpecError
        If it is anything else; predicates are built from it.

    Examples
    --------
    >>> check_partition("2013-02-01")
    '2013-02-01'
    """
    day: str | None = None
    with suppress(ValueError):
        day = datetime.strptime(partition, PARTITION_FORMAT).strftime(PARTITION_FORMAT)
    if day != partition:
        raise SpecError(
            f"partition key {partition!r} is not a day: write it as YYYY-MM-DD, "
            "for example 2013-02-01"
        )
    return partition


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
        self, table: str, partition: str, rows: pa.Table, *, token: int
    ) -> PartitionVersion:
        """Replace one partition in one atomic commit, unless a newer attempt was faster.

        Parameters
        ----------
        table, partition : str
            Where to; the table is made at the first write.
        rows : Table
            The partition's whole new content, without the partition column.
        token : int
            Number of this attempt from `Ledger.next_token`, larger than any earlier one. It is
            committed with the data: a late attempt finds a larger one and gives up.

        Returns
        -------
        PartitionVersion
            What was written, and the table version that holds it.

        Raises
        ------
        SchemaMismatchError
            If columns or types differ from the table's; Delta would cast silently.
        StaleAttemptError
            If an attempt with a larger token has committed this partition.
        CommitConflictError
            If other writers won every race; a retry of the task will do.
        """
        check_partition(partition)
        self._create(table, rows.schema)
        for attempt in range(_COMMIT_TRIES):
            version = self._commit(table, partition, rows, token)
            if version is not None:
                return PartitionVersion(
                    table, partition, version, rows.num_rows, digest_table(rows)
                )
            time.sleep(random.uniform(0.01, 0.05) * (attempt + 1))  # noqa: S311 (jitter)
        raise CommitConflictError(
            f"table {table!r}: {_COMMIT_TRIES} commits of partition {partition} lost against other "
            "writers; nothing was changed, run the task again"
        )

    def read(
        self,
        table: str,
        *,
        first: str,
        last: str,
        version: int | None = None,
        columns: Sequence[str] | None = None,
    ) -> pa.Table:
        """Read the partitions from `first` to `last`, both inclusive, at one version.

        Parameters
        ----------
        table : str
            Table name.
        first, last : str
            Partition keys; a range without any partition gives zero rows.
        version : int, optional
            Table version; the newest by default.
        columns : sequence of str, optional
            Columns to read; all but the partition column by default.

        Returns
        -------
        Table
            Rows in no particular order.

        Raises
        ------
        PartitionNotFoundError
            If the table or the version does not exist.
        SchemaMismatchError
            If a file is damaged or missing.
        """
        import pyarrow as pa
        import pyarrow.dataset as ds

        check_partition(first), check_partition(last)
        delta = self._open(table, version)
        names = [field.name for field in delta.schema().fields if field.name != PARTITION_COLUMN]
        key = ds.field(PARTITION_COLUMN)
        try:
            return delta.to_pyarrow_table(
                columns=list(columns or names), filters=(key >= first) & (key <= last)
            )
        except (pa.ArrowInvalid, OSError) as error:
            raise SchemaMismatchError(
                f"table {table!r} version {delta.version()}, {first} to {last}: cannot be read, a "
                f"file is damaged or missing ({error}); restore it, or ingest these days again"
            ) from error

    def pin(
        self,
        table: str,
        *,
        first: str,
        last: str,
        version: int | None = None,
        columns: Sequence[str] | None = None,
    ) -> Pin:
        """Name the rows of a range exactly: version, columns, row count, content digest.

        Parameters
        ----------
        table, first, last, version, columns
            As for `read`.

        Returns
        -------
        Pin
            Reading it back with `read_pin` gives these rows for as long as the version is kept.
        """
        exact = self.version(table) if version is None else version
        rows = self.read(table, first=first, last=last, version=exact, columns=columns)
        names = tuple(rows.schema.names)
        return Pin(table, exact, first, last, names, rows.num_rows, digest_table(rows))

    def read_pin(self, pin: Pin) -> pa.Table:
        """Read exactly the pinned rows.

        Raises
        ------
        SchemaMismatchError
            If the rows are not those that were pinned.
        """
        rows = self.read(
            pin.table, first=pin.first, last=pin.last, version=pin.version, columns=pin.columns
        )
        found = digest_table(rows)
        if found != pin.digest:
            raise SchemaMismatchError(
                f"table {pin.table!r} version {pin.version}, {pin.first} to {pin.last}: content "
                f"digest {found[:12]} is not the pinned {pin.digest[:12]}; the files were changed"
            )
        return rows

    def partitions(self, table: str) -> list[str]:
        """Return the keys of all partitions of the newest version, sorted; [] without a table."""
        if not self.exists(table):
            return []
        actions = self._open(table).get_add_actions(flatten=True)
        keys = actions.column(f"partition.{PARTITION_COLUMN}").to_pylist()
        return sorted({str(key) for key in keys})

    def exists(self, table: str) -> bool:
        """Tell whether the table was ever written."""
        from deltalake import DeltaTable

        return DeltaTable.is_deltatable(str(self._path(table)))

    def version(self, table: str) -> int:
        """Return the newest version number of the table."""
        return self._open(table).version()

    def _path(self, table: str) -> Path:
        return self.root / check_name(table)

    def _open(self, table: str, version: int | None = None) -> DeltaTable:
        from deltalake import DeltaTable
        from deltalake.exceptions import DeltaError, TableNotFoundError

        try:
            return DeltaTable(str(self._path(table)), version=version)
        except (TableNotFoundError, DeltaError) as error:
            which = "" if version is None else f" version {version}"
            raise PartitionNotFoundError(
                f"table {table!r}{which} is not in the lake; run its ingest Dag first ({error})"
            ) from error

    def _create(self, table: str, schema: pa.Schema) -> None:
        from deltalake import DeltaTable

        if self.exists(table):
            return
        path = self._path(table)
        path.mkdir(parents=True, exist_ok=True)
        DeltaTable.create(
            str(path), _with_partition(schema), mode="ignore", partition_by=[PARTITION_COLUMN]
        )

    def _commit(self, table: str, partition: str, rows: pa.Table, token: int) -> int | None:
        """Try one commit; None means that another writer was faster and a fresh look is due."""
        import pyarrow as pa
        from deltalake import CommitProperties, Transaction, write_deltalake
        from deltalake.exceptions import CommitFailedError

        delta = self._open(table)
        _same_schema(table, pa.schema(delta.schema().to_arrow()), _with_partition(rows.schema))
        app = f"{table}:{partition}"
        committed = delta.transaction_version(app)
        if committed is not None and committed >= token:
            raise StaleAttemptError(
                f"table {table!r}, partition {partition}: attempt {committed} has committed "
                f"already, this is attempt {token}; its result stands, nothing to do"
            )
        keys = pa.array([partition] * rows.num_rows, pa.string())
        try:
            write_deltalake(
                delta,
                rows.append_column(PARTITION_COLUMN, keys),
                mode="overwrite",
                predicate=f"{PARTITION_COLUMN} = '{partition}'",
                commit_properties=CommitProperties(
                    app_transactions=[Transaction(app, token)], max_commit_retries=0
                ),
            )
        except CommitFailedError:
            return None
        return delta.version()


def _with_partition(schema: pa.Schema) -> pa.Schema:
    import pyarrow as pa

    return schema.append(pa.field(PARTITION_COLUMN, pa.string()))


def _same_schema(table: str, stored: pa.Schema, new: pa.Schema) -> None:

    def plain(schema: pa.Schema) -> dict[str, str]:
        return {field.name: str(field.type).removeprefix("large_") for field in schema}

    old, now = plain(stored), plain(new)
    if old == now:
        return
    lines = [
        f"  {name}: table has {old.get(name, 'no such column')}, "
        f"rows have {now.get(name, 'no such column')}"
        for name in sorted(old.keys() | now.keys())
        if old.get(name) != now.get(name)
    ]
    raise SchemaMismatchError(
        f"table {table!r} was not changed, its columns and the new rows' differ:\n"
        + "\n".join(lines)
    )
