"""Show what a replay is doing: progress bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from mlops_airflow.replay.patience import describe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console
    from rich.progress import TaskID

    from mlops_airflow.rest import DagRun, PendingPartition

__all__ = ["Stage", "View"]

LONGEST_ACTIVITY = 90


class View:
    """Progress of the replay.

    Parameters
    ----------
    console : Console
        Where to write; bars are drawn only if it is a terminal.
    """

    def __init__(self, console: Console) -> None:
        self.console = console
        self._started = time.monotonic()
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("[bold]{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[activity]}", style="dim"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )

    def say(self, text: str) -> None:
        """Write one line that stays.

        Parameters
        ----------
        text : str
            Plain text, without markup.
        """
        elapsed = time.monotonic() - self._started
        stamp = f"{int(elapsed) // 60:3d}:{int(elapsed) % 60:02d}"
        self.console.print(f"{stamp}  {text}", markup=False, highlight=False, soft_wrap=True)

    @contextmanager
    def stage(self, title: str, total: int | None = None) -> Iterator[Stage]:
        """Show one part of the work as long as it lasts.

        Parameters
        ----------
        title : str
            What is being done.
        total : int, optional
            How many pieces it has.

        Yields
        ------
        Stage
            Called with the progress.
        """
        if not self.console.is_terminal:
            self.say(f"{title}:")
        task_id = self._progress.add_task(title, total=total, activity="")
        with self._progress:
            try:
                yield Stage(self._progress, task_id, total)
            finally:
                self._progress.remove_task(task_id)


class Stage:
    """One part of the work, drawn as a bar.

    Parameters
    ----------
    progress : Progress
        The bars.
    task_id : TaskID
        This one.
    total : int or None
        How many pieces it has.
    """

    def __init__(self, progress: Progress, task_id: TaskID, total: int | None) -> None:
        self._progress, self._task_id, self._total = progress, task_id, total

    def watch(self, active: list[DagRun], complete: list[PendingPartition]) -> None:
        """Show what Airflow is busy with.

        Parameters
        ----------
        active : list of DagRun
            Runs queued or running.
        complete : list of PendingPartition
            Partitions about to become runs.
        """
        running = [run for run in active if run.state == "running"] or active
        text = describe(running, complete)
        if len(text) > LONGEST_ACTIVITY:
            text = text[:LONGEST_ACTIVITY].rsplit(",", 1)[0] + ", ..."
        self._progress.update(self._task_id, activity=text)

    def watch_backfill(self, active: list[DagRun], complete: list[PendingPartition]) -> None:
        """Show how many runs of a backfill are still to be done.

        Parameters
        ----------
        active : list of DagRun
            Runs queued or running; a backfill makes all its runs at once.
        complete : list of PendingPartition
            Partitions about to become runs.
        """
        self.watch(active, complete)
        self._progress.update(self._task_id, completed=(self._total or 0) - len(active))

    def rename(self, title: str) -> None:
        """Show another title.

        Parameters
        ----------
        title : str
            What is being done now.
        """
        self._progress.update(self._task_id, description=title)

    def set_progress(self, completed: int, total: int) -> None:
        """Show how far the work is.

        Parameters
        ----------
        completed, total : int
            Pieces done, and pieces expected by now.
        """
        self._progress.update(self._task_id, completed=completed, total=total)
