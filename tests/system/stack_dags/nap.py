"""A task that is still running when its scheduler is killed, and says which attempt it was."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import dag, task


@dag(schedule=None, tags=["test"])
def nap() -> None:
    @task(retries=2, retry_delay=timedelta(seconds=2))
    def sleep(ti: object = None) -> int:
        import subprocess

        subprocess.run(["sleep", "12"], check=True)
        return int(ti.try_number)  # type: ignore[attr-defined]

    @task
    def after() -> None:
        """Show that somebody goes on scheduling."""

    sleep() >> after()


nap()
