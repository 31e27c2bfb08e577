"""The lake: a folder of Delta tables partitioned by day."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlops_tasks.lake.publish import overwrite_partition
from mlops_tasks.lake.table import Table

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from mlops_tasks.lake.pins import PartitionVersion, Pin

__all__ = ["Lake"]


@dataclass(frozen=True, slots=True)
class Lake:
    """All tables below one root folder.

    Parameters
    ----------
    root : Path
        Folder on a local disk; created at the first write.

    Examples
    --------
    >>> import tempfile
    >>> import pyarrow as pa
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     lake = Lake(Path(folder))
    ...     rows = pa.table({"carrier": ["AA", "UA"]})
    ...     written = overwrite_partition(lake.table("flights"), "2013-01-01", rows, token=1)
    ...     (lake.tables(), lake.table("flights").partitions(), written.n_rows)
    (['flights'], ['2013-01-01'], 2)
    """

    root: Path

    def table(self, name: str) -> Table:
        """Return one table as it is now; it need not exist to be written to.

        Parameters
        ----------
        name : str
            Lower-case letters, digits and underscores, so that it cannot lie outside the root.
        """
        return Table(self.root, name)

    def tables(self) -> list[str]:
        """Return the names of all tables, sorted."""
        if not self.root.is_dir():
            return []
        return sorted(path.parent.name for path in self.root.glob("[a-z]*/_delta_log"))

    def exists(self, name: str) -> bool:
        """Return whether the table was ever written."""
        return self.table(name).exists

    def overwrite_partition(
        self, table: str, partition: str, rows: pa.Table | pa.RecordBatchReader, **options: Any
    ) -> PartitionVersion:
        """Replace one partition as 0.1 did; goes in 0.3: use `overwrite_partition`."""
        new = "mlops_tasks.lake.overwrite_partition(lake.table(table), ...)"
        _warn("Lake.overwrite_partition(table, ...)", new)
        return overwrite_partition(self.table(table), partition, rows, **options)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Ask a table as 0.1 asked the lake, its name or a pin of it first; goes in 0.3."""
            if name.startswith("_") or not hasattr(Table, name):
                raise AttributeError(f"a lake has no {name!r}")
            _warn(f"Lake.{name}(table, ...)", f"Lake.table(table).{name}")

            def ask(subject: str | Pin, *rest: Any, **options: Any) -> Any:
                if isinstance(subject, str):
                    found = getattr(self.table(subject), name)
                    return found(*rest, **options) if callable(found) else found
                return getattr(self.table(subject.table), name)(subject, *rest, **options)

            return ask


def _warn(old: str, new: str) -> None:
    warnings.warn(f"{old} is now {new}; the old way goes in 0.3", DeprecationWarning, stacklevel=3)
