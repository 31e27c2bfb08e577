"""Whether partitions are published, asked again and again at little cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlops_tasks.partitions import check_partition

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlops_tasks.lake.lake import Lake

__all__ = ["Arrivals"]


class Arrivals:
    """Partitions of tables that are waited for.

    What has arrived is not looked at again; of a table that is waited for only what was committed
    since the last look is read.

    Parameters
    ----------
    lake : Lake
        The lake.
    wanted : mapping of str to sequence of str
        By table, partition keys.

    Attributes
    ----------
    published : dict of str to list of dict
        By table, of each partition that has arrived its key, version, rows and digest.

    Examples
    --------
    >>> import tempfile
    >>> import pyarrow as pa
    >>> from pathlib import Path
    >>> from mlops_tasks.lake import Lake, overwrite_partition
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     lake = Lake(Path(folder))
    ...     arrivals = Arrivals(lake, {"flights": ["2013-01-01"]})
    ...     before = arrivals.missing()
    ...     rows = pa.table({"carrier": ["AA", "UA"]})
    ...     written = overwrite_partition(lake.table("flights"), "2013-01-01", rows, token=1)
    ...     (before, arrivals.missing(), arrivals.published["flights"][0]["n_rows"])
    ({'flights': ['2013-01-01']}, {}, 2)
    """

    def __init__(self, lake: Lake, wanted: Mapping[str, Sequence[str]]) -> None:
        self._tables = {name: lake.table(name) for name in wanted}
        self._wanted = {
            name: [check_partition(key) for key in keys] for name, keys in wanted.items()
        }
        self.published: dict[str, list[dict[str, Any]]] = {}

    def missing(self) -> dict[str, list[str]]:
        """Look, and return what has not arrived yet, by table; tables that are complete are not."""
        for name in list(self._wanted):
            self._look(name)
        return {name: list(keys) for name, keys in self._wanted.items()}

    def _look(self, name: str) -> None:
        table, keys = self._tables[name], self._wanted[name]
        table.refresh()
        if not table.exists:
            return
        commits = table.commits(first=min(keys), last=max(keys))
        found = {commit.partition: commit for commit in commits if commit.n_rows}
        for key in sorted(found.keys() & set(keys)):
            commit = found[key]
            self.published.setdefault(name, []).append(
                {
                    "partition": key,
                    "version": commit.version,
                    "n_rows": commit.n_rows,
                    "digest": commit.digest,
                }
            )
        self._wanted[name] = [key for key in keys if key not in found]
        if not self._wanted[name]:
            del self._wanted[name]
