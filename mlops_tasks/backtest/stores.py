"""Where a backtest works: one lake for all policies, and runs in a folder; all of it is removed."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mlops_tasks.backtest.runs import RunFolder
from mlops_tasks.lake import Lake
from mlops_tasks.maintenance import sweep_scratch
from mlops_tasks.registry.ledger import Ledger
from mlops_tasks.scratch import scratch
from mlops_tasks.trial.stores import TrialStores, empty_folder
from mlops_tasks.tuning import Studies

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from mlops_tasks.lake.table import Table

__all__ = ["SettledLake", "backtest_stores"]


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
            self._opened[name] = Lake.table(self, name)
        return self._opened[name]


@contextmanager
def backtest_stores(keep: Path | None = None) -> Iterator[TrialStores]:
    """Make the stores of one backtest, and remove them at its end.

    Parameters
    ----------
    keep : Path, optional
        A new or empty folder that they are made in, and stay.

    Yields
    ------
    TrialStores
        Empty ones. The ledger is in memory unless it is kept.

    Raises
    ------
    MlopsError
        If the folder to keep holds something.
    """
    sweep_scratch()
    with scratch() as folder:
        home = empty_folder(keep) if keep else folder
        ledger = f"sqlite:///{home / 'ledger.db'}" if keep else "sqlite://"
        studies = Studies(f"sqlite:///{home / 'studies.db'}")
        yield TrialStores(
            Lake(home / "lake"), Ledger(ledger), RunFolder(str(home / "runs")), studies
        )
