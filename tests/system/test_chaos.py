"""A stack whose parts are killed in turn, night after night, ends as one that was left alone."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any

import pytest

from mlops_airflow.stack.stack import running_stack
from mlops_airflow.stack.status import stack_status
from tests.system.chaos import play
from tests.system.conftest import (
    HERE,
    NIGHTS,
    stack_processes,
    start_run,
    survivors,
    wait_for,
    wait_for_run,
)
from tests.system.servers import _ask_postgres, postgres

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mlops_airflow.stack.settings import StackSettings

DAGS, REPOSITORY = HERE / "stack_dags", HERE.parents[1]
N_NIGHTS = int(os.environ[NIGHTS])


@pytest.fixture
def ends(new_settings: Callable[..., StackSettings], tmp_path: Path) -> dict[str, Any]:
    """How the same nights ended, once undisturbed and once disturbed; also as files to compare."""

    def settings(env: dict[str, str]) -> StackSettings:
        return new_settings(REPOSITORY / "dags", env, plugins_folder=REPOSITORY / "plugins")

    calm, nobody = play(settings, N_NIGHTS, disturbed=False)
    wild, killed = play(settings, N_NIGHTS, disturbed=True)
    for name, end in (("calm", calm), ("wild", wild)):
        (tmp_path / f"{name}.json").write_text(json.dumps(end, indent=1, sort_keys=True))
    return {"calm": calm, "wild": wild, "nobody": nobody, "killed": killed}


def test_killed_parts_change_no_table_and_no_decision(ends: dict[str, Any]) -> None:
    assert ends["nobody"] == []
    assert {"mlflow", "scheduler", "source"} <= {*ends["killed"]}
    assert len(ends["killed"]) >= N_NIGHTS
    calm, wild = ends["calm"], ends["wild"]
    for part in calm:
        assert wild[part] == calm[part], f"{part} differs"
    assert len(set(calm["versions"])) == len(calm["versions"]) > 1


def test_restart_of_the_metadata_database_needs_nobody(
    new_settings: Callable[..., StackSettings],
) -> None:
    pytest.importorskip("asyncpg", reason="asyncpg is missing: install the extra `cluster`")
    with postgres() as server:
        _ask_postgres(server, "postgres", "CREATE USER airflow PASSWORD 'airflow'")
        _ask_postgres(server, "postgres", "CREATE DATABASE airflow OWNER airflow")
        place = f"airflow:airflow@{server.host}:{server.port}/airflow"
        settings = new_settings(
            DAGS,
            {
                "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://{place}",
                "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": f"postgresql+asyncpg://{place}",
            },
        )
        with running_stack(settings) as stack, stack.airflow_client() as client:
            run = start_run(client, "nap")
            wait_for(
                lambda: "sleep 12" in " / ".join(survivors(stack_processes(settings))),
                "the task runs",
            )

            server.kill()
            time.sleep(28)
            assert stack_status(settings)["state"] == "running"
            server.start()

            wait_for(lambda: stack_status(settings)["healthy"], "healthy again", timeout_s=180)
            assert wait_for_run(client, run, timeout_s=180) == "success"
            assert wait_for_run(client, start_run(client, "probe"), timeout_s=180) == "success"
            restarts = {n: c["restarts"] for n, c in stack_status(settings)["components"].items()}
            print(restarts)  # noqa: T201 - shown by `make test-long`
            assert restarts["mlflow"] == restarts["api-server"] == 0
