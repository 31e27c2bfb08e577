"""A task that runs until it is ended, with a shell below it in a session of its own."""

from __future__ import annotations

from airflow.sdk import dag, task


@dag(schedule=None, tags=["test"])
def sleeper() -> None:
    @task
    def sleep() -> None:
        import subprocess

        subprocess.run(["sleep", "600"], start_new_session=True, check=True)

    sleep()


sleeper()
