"""Where a backtest works: one lake for all policies, and runs in a folder; all of it is removed."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mlops_tasks.lake import Lake
from mlops_tasks.lake.table import Table
from mlops_tasks.lake.verify import verify_commits
from mlops_tasks.maintenance import sweep_scratch
from mlops_tasks.scratch import scratch
from mlops_tasks.trial.stores import empty_folder

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from mlops_tasks.lake import Pin

__all__ = ["SettledLake", "SettledTable", "backtest_home"]


class SettledTable(Table):
    """A table that nobody writes to any more: what was found whole is not read for that again."""

    def __init__(self, root: Path, name: str) -> None:
        super().__init__(root, name)
        self._verified: set[tuple[str, int]] = set()

    def verify_pin(self, pin: Pin) -> None:
        """Prove that the rows that no earlier pin had are what was pinned."""
        fresh = [
            commit
            for commit in self.pinned_commits(pin)
            if (commit.partition, commit.version) not in self._verified
        ]
        verify_commits(self.name, self.folder, fresh)
        self._verified.update((commit.partition, commit.version) for commit in fresh)


@dataclass(frozen=True, slots=True)
class SettledLake(Lake):
    """A lake of which some tables change no more: they are opened once.

    Parameters
    ----------
    root : Path
        Its folder.
    settled : collection of str
        Tables that nobody writes to any more.
    """

    settled: Collection[str] = ()
    _opened: dict[str, Table] = field(default_factory=dict, repr=False)

    def table(self, name: str) -> Table:
        """Return a table, of the settled ones always the same."""
        if name not in self.settled:
            return Lake.table(self, name)
        if name not in self._opened:
            self._opened[name] = SettledTable(self.root, name)
        return self._opened[name]


@contextmanager
def backtest_home(keep: Path | None = None) -> Iterator[Path]:
    """Make the folder of one backtest, and remove it at its end.

    What a killed one has left, and any dead process of this user, is removed first.

    Parameters
    ----------
    keep : Path, optional
        A new or empty folder, which stays.

    Yields
    ------
    Path
        An empty folder.

    Raises
    ------
    MlopsError
        If the folder to keep holds something.
    """
    sweep_scratch()
    with scratch() as folder:
        yield empty_folder(keep) if keep else folder
