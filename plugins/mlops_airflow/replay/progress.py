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
    from collections.abc import Callable, Iterator

    from rich.console import Console
    from rich.progress import TaskID

    from mlops_airflow.rest import DagRun, PendingPartition

__all__ = ["Stage", "View"]

LONGEST_ACTIVITY = 90
#: Seconds without a line after which one is written where no bars are drawn.
LONGEST_SILENCE_S = 30.0


class View:
    """Progress of the replay.

    Parameters
    ----------
    console : Console
        Where to write; bars are drawn only if it is a terminal.
    """

    def __init__(self, console: Console) -> None:
        self.console = console
        self._started = self._said_at = time.monotonic()
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
        self._said_at = time.monotonic()
        elapsed = self._said_at - self._started
        stamp = f"{int(elapsed) // 60:3d}:{int(elapsed) % 60:02d}"
        self.console.print(f"{stamp}  {text}", markup=False, highlight=False, soft_wrap=True)

    def keep_alive(self, text: str) -> None:
        """Write a line where bars are not drawn and none was written for long.

        Parameters
        ----------
        text : str
            What goes on.
        """
        silent = time.monotonic() - self._said_at >= LONGEST_SILENCE_S
        if silent and not self.console.is_terminal:
            self.say(f"… {text}")

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
                yield Stage(self._progress, task_id, total, self.keep_alive)
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
    keep_alive : callable
        Called with what goes on, again and again.
    """

    def __init__(
        self,
        progress: Progress,
        task_id: TaskID,
        total: int | None,
        keep_alive: Callable[[str], None],
    ) -> None:
        self._progress, self._task_id, self._total = progress, task_id, total
        self._keep_alive = keep_alive

    def watch(self, active: list[DagRun], complete: list[PendingPartition]) -> None:
        """Show what Airflow is busy with.

        Parameters
        ----------
        active : list of DagRun
            Runs queued or running.
        complete : list of PendingPartition
            Partitions about to become runs.
        """
        text = _activity(active, complete)
        self._progress.update(self._task_id, activity=text)
        self._keep_alive(text)

    def watch_backfill(self, active: list[DagRun], complete: list[PendingPartition]) -> None:
        """Show how many runs of a backfill are still to be done.

        Parameters
        ----------
        active : list of DagRun
            Runs queued or running; a backfill makes all its runs at once.
        complete : list of PendingPartition
            Partitions about to become runs.
        """
        total, text = self._total or 0, _activity(active, complete)
        done = max(total - len(active), 0)
        self._progress.update(self._task_id, activity=text, completed=done)
        self._keep_alive(f"{done} of {total} done: {text}")

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


def _activity(active: list[DagRun], complete: list[PendingPartition]) -> str:
    """Name what Airflow is busy with, on one line of a terminal."""
    running = [run for run in active if run.state == "running"] or active
    text = describe(running, complete)
    if len(text) > LONGEST_ACTIVITY:
        text = text[:LONGEST_ACTIVITY].rsplit(",", 1)[0] + ", ..."
    return text
