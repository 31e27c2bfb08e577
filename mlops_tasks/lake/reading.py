"""Data files as one dataset, after comparing each with what was committed."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import DamagedTableError
from mlops_tasks.lake.names import PARTITION_COLUMN

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import pyarrow as pa
    import pyarrow.dataset as ds

    from mlops_tasks.lake.files import DataFile

__all__ = ["open_files", "unreadable_told"]


def open_files(
    table: str, folder: Path, files: Sequence[DataFile], schema: pa.Schema
) -> ds.Dataset:
    """Return a dataset over files that have the size and the number of rows of their commits.

    Parameters
    ----------
    table : str
        The table, for errors.
    folder : Path
        The table's folder.
    files : sequence of DataFile
        As committed.
    schema : Schema
        Columns to be had; one that a file lacks is null there.

    Returns
    -------
    Dataset
        It verifies page checksums, and keeps the footers that were read here for its scans.

    Raises
    ------
    DamagedTableError
        Naming the first file that is not as committed, what was expected and what was found.

    Notes
    -----
    One ``stat`` and one footer per file, no row: another valid file in its place is noticed, cells
    are for the page checksums and `Lake.verify_pin`.
    """
    import pyarrow as pa
    import pyarrow.dataset as ds

    checked = ds.ParquetFragmentScanOptions(page_checksum_verification=True)
    days = pa.schema([pa.field(PARTITION_COLUMN, pa.string())])
    with unreadable_told(table):
        for file in files:
            _compare(table, folder, file, (folder / file.path).stat().st_size, file.size, "bytes")
        found: ds.Dataset = ds.dataset(
            [str(folder / file.path) for file in files],
            schema=schema,
            partitioning=ds.partitioning(days, flavor="hive"),
            partition_base_dir=str(folder),
            format=ds.ParquetFileFormat(default_fragment_scan_options=checked),
        )
        found.count_rows()  # reads the footers, several at once; the fragments keep them
        for file, fragment in zip(files, found.get_fragments(), strict=True):
            _compare(table, folder, file, fragment.count_rows(), file.n_rows, "rows")
    return found


@contextmanager
def unreadable_told(table: str) -> Iterator[None]:
    """Say of which table a data file cannot be read, and what to do.

    Parameters
    ----------
    table : str
        The table.

    Raises
    ------
    DamagedTableError
        For whatever the file system or Parquet says.
    """
    import pyarrow as pa

    try:
        yield
    except FileNotFoundError as error:
        raise DamagedTableError(
            f"table {table!r}: a data file cannot be read, it is gone ({error}); `mlops lake "
            "vacuum` removes old versions that nothing pins, restore any other from a backup"
        ) from error
    except (OSError, pa.ArrowException) as error:
        raise DamagedTableError(
            f"table {table!r}: a data file cannot be read as it was written ({error}); restore "
            "the file, or ingest the partition again"
        ) from error


def _compare(
    table: str, folder: Path, file: DataFile, found: int, committed: int, what: str
) -> None:
    if found != committed:
        raise DamagedTableError(
            f"table {table!r}: data file {folder / file.path} has {found} {what}, {committed} "
            "were committed: it was cut or replaced; restore the file, or ingest the partition "
            "again"
        )
