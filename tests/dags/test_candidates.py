"""A training that chooses among candidates, and one that searches, as real Dag runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.orders import day, fill_lake, project

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mlops_airflow.testing.dag_runs import FinishedRun
    from mlops_tasks.lake import Lake
    from mlops_tasks.registry.tracking import Tracking
    from mlops_tasks.specs import ModelSpec

    Run = Callable[..., FinishedRun]

DEPTHS = ({"params": {"trees__max_depth": 1}}, {"params": {"trees__max_depth": 4}})


def trained(run_dag: Run, spec: ModelSpec) -> FinishedRun:
    from mlops_airflow.lifecycle import model_dags

    dag = next(one for one in model_dags(spec) if one.dag_id.endswith(".train"))
    return run_dag(dag, day(8))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"candidates": DEPTHS}, ["max_depth=1", "max_depth=4"]),
        (
            {"search": {"space": {"trees__max_depth": (1, 5)}, "n_trials": 2}},
            ["trial 0: as in the spec", "trial 1: max_depth="],
        ),
    ],
)
def test_each_candidate_is_a_task_and_the_best_one_is_trained(
    tmp_path: Path,
    run_dag: Run,
    lake: Lake,
    tracking: Tracking,
    changes: dict[str, Any],
    names: list[str],
) -> None:
    spec = project(tmp_path / "project", train="6d", evaluation="2d", **changes)
    fill_lake(lake, spec, range(9), n=150)
    run = trained(run_dag, spec)
    assert run.state == "success", run.tasks
    measured = {f"candidate[{n}]": "success" for n in range(len(names))}
    assert measured.items() <= run.tasks.items()
    titles = tiles(run)
    assert all(title.startswith(name) for title, name in zip(titles, names, strict=True)), titles
    choice = run.outputs["choose"]
    values = [run.outputs[name]["value"] for name in measured]
    assert choice["value"] == max(values)
    assert titles[choice["number"]].endswith(f": {choice['value']:.4f}")
    run_id = run.outputs["train"]["run_id"]
    mlflow_run = tracking.client.get_run(run_id)
    assert choice["run_id"] == run_id
    assert mlflow_run.info.status == "FINISHED"
    assert mlflow_run.data.tags["airflow.task_id"] == "train"
    assert run.outputs["register"]["version"] == "1"


def tiles(run: FinishedRun) -> list[str]:
    """Return what Airflow shows of each candidate of the only run there is."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        query = (
            select(TaskInstance.rendered_map_index)
            .where(TaskInstance.task_id == "candidate")
            .order_by(TaskInstance.map_index)
        )
        return [str(title) for title in session.scalars(query)]
