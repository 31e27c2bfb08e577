"""Keep Airflow's metadata database small: once a day, from outside the tasks, which may not."""

from __future__ import annotations

import subprocess
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from mlops_airflow.stack.environment import tool

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

__all__ = ["DatabaseCleaning"]

#: What grows with every task and nothing reads again. Rows of runs and tasks stay.
TABLES = ("xcom", "log", "job", "task_instance_history", "task_reschedule", "import_error")
KEEP_DAYS = 90
DAY_S = 86_400.0
#: Between two looks; also the least time a stack has been up before the first.
LOOK_S = 600.0


class DatabaseCleaning:
    """Run ``airflow db clean`` once a day, for as long as the stack runs.

    Parameters
    ----------
    home : Path
        Airflow's home; a file in it says when the database was cleaned last.
    env : Mapping of str to str
        The environment of a component that may use the database.
    report : callable
        Called with how it went.
    """

    def __init__(
        self, home: Path, *, env: Mapping[str, str], report: Callable[[str], None]
    ) -> None:
        self._stamp, self._env, self._report = home / "database_cleaned", dict(env), report

    def start(self) -> None:
        """Start looking; the thread ends with the process."""
        threading.Thread(target=self._run, name="database-cleaning", daemon=True).start()

    def clean_if_due(self) -> bool:
        """Clean when a day has gone by since the last time.

        Returns
        -------
        bool
            Whether it was due; a database that was never cleaned is new, and is not.
        """
        if not self._stamp.exists():
            self._stamp.touch()
        if time.time() - self._stamp.stat().st_mtime < DAY_S:
            return False
        self._stamp.touch()  # also after a failure: tomorrow is soon enough
        before = datetime.now(UTC) - timedelta(days=KEEP_DAYS)
        done = subprocess.run(  # noqa: S603 - our own command, no shell
            [
                *(tool("airflow"), "db", "clean", "--yes", "--skip-archive"),
                *("--clean-before-timestamp", before.isoformat(timespec="seconds")),
                *("--tables", ",".join(TABLES)),
            ],
            env=self._env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        last = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()[-1]
        well = f"removed what is older than {KEEP_DAYS} days from {', '.join(TABLES)}"
        self._report(
            f"metadata database: {well if done.returncode == 0 else f'NOT cleaned: {last}'}"
        )
        return True

    def _run(self) -> None:
        while True:
            time.sleep(LOOK_S)
            try:
                self.clean_if_due()
            except OSError as error:
                self._report(f"metadata database: NOT cleaned: {error}")
