"""From a spec to its Dags: what is wired to what, without running anything."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG
from airflow.serialization.encoders import coerce_to_core_timetable
from airflow.timetables.base import TimeRestriction

from mlops_airflow.lifecycle import build_dags, dataset_dags, model_dags
from mlops_airflow.retries import RetryByKind
from mlops_tasks.spec import InputSpec, LabelSpec, ModelSpec
from tests.unit.orders import deliveries_dataset, orders_dataset, project

if TYPE_CHECKING:
    from pathlib import Path


def dags(spec: ModelSpec) -> dict[str, DAG]:
    return {dag.dag_id: dag for dag in model_dags(spec)}


def keys(dag: DAG, *, start: datetime, n: int = 2) -> list[tuple[str, str]]:
    """Return day and partition key of the first n nightly runs from a moment on."""
    timetable = coerce_to_core_timetable(dag.timetable)
    found, last = [], None
    for _ in range(n):
        limits = TimeRestriction(earliest=start, latest=None, catchup=True)
        last = timetable.next_dagrun_info_v2(last_dagrun_info=last, restriction=limits)
        found.append((last.run_after.date().isoformat(), last.partition_key))
    return found


def assets(condition: Any) -> Any:
    """Return a condition as plain data: a name, or "all" or "any" with its parts."""
    if isinstance(condition, DAG):
        return assets(condition.timetable.asset_condition)
    parts = getattr(condition, "objects", None)
    if parts is None:
        return condition.name
    return {type(condition).__name__: [assets(part) for part in parts]}


def test_a_project_has_all_its_dags_in_the_namespace(spec: ModelSpec) -> None:
    namespace: dict[str, Any] = {}
    build_dags(spec, namespace=namespace)
    assert sorted(dag.dag_id for dag in namespace.values()) == [
        "deliveries.ingest",
        "deliveries.refresh",
        "late_orders.decide",
        "late_orders.monitor",
        "late_orders.score",
        "late_orders.train",
        "orders.ingest",
        "traffic.ingest",
    ]
    assert all(name == dag.dag_id.replace(".", "_") for name, dag in namespace.items())


def test_the_night_takes_the_day_that_has_just_ended(tmp_path: Path) -> None:
    (ingest,) = dataset_dags(orders_dataset(tmp_path))
    night = datetime(2024, 3, 2, tzinfo=UTC)
    assert keys(ingest, start=night) == [
        ("2024-03-02", "2024-03-01"),
        ("2024-03-03", "2024-03-02"),
    ]


def test_labels_are_taken_when_they_are_due_and_again_when_late_ones_are(tmp_path: Path) -> None:
    ingest, refresh = dataset_dags(deliveries_dataset(tmp_path))
    night = datetime(2024, 3, 10, tzinfo=UTC)
    assert keys(ingest, start=night, n=1) == [("2024-03-10", "2024-03-07")]
    assert keys(refresh, start=night, n=1) == [("2024-03-10", "2024-03-04")]
    assert refresh.get_task("validate").outlets != ingest.get_task("validate").outlets


def test_the_decision_of_a_night_knows_what_was_scored_in_it(spec: ModelSpec) -> None:
    decide = dags(spec)["late_orders.decide"]
    night = datetime(2024, 3, 2, tzinfo=UTC)
    assert keys(decide, start=night, n=1) == [("2024-03-02", "2024-03-01")]


def test_nothing_is_scheduled_after_the_data_ends(tmp_path: Path) -> None:
    ended = orders_dataset(tmp_path, end=date(2024, 3, 31))
    (ingest,) = dataset_dags(ended)
    assert ingest.start_date == datetime(2024, 3, 1, tzinfo=UTC)
    assert ingest.end_date == datetime(2024, 4, 2, tzinfo=UTC)
    inputs = (InputSpec(dataset=ended), *project(tmp_path).inputs[1:])
    decide = dags(project(tmp_path, inputs=inputs))["late_orders.decide"]
    assert decide.end_date == datetime(2024, 4, 2, tzinfo=UTC)


def test_a_day_is_scored_when_all_its_inputs_are_there(spec: ModelSpec) -> None:
    assert assets(dags(spec)["late_orders.score"]) == {"AssetAll": ["orders", "traffic"]}


def test_a_model_with_one_input_and_labels_without_late_rows(tmp_path: Path) -> None:
    label = deliveries_dataset(tmp_path, refresh_after_days=None)
    spec = project(
        tmp_path,
        inputs=(InputSpec(dataset=orders_dataset(tmp_path)),),
        label=LabelSpec(dataset=label, positive="minutes_late > 10"),
    )
    assert [dag.dag_id for dag in dataset_dags(label)] == ["deliveries.ingest"]
    found = dags(spec)
    assert assets(found["late_orders.score"]) == "orders"
    assert assets(found["late_orders.monitor"]) == {
        "AssetAll": ["late_orders.predictions", "deliveries"]
    }


def test_late_labels_alone_start_the_monitor(spec: ModelSpec) -> None:
    both = {"AssetAll": ["late_orders.predictions", "deliveries"]}
    assert assets(dags(spec)["late_orders.monitor"]) == {"AssetAny": [both, "deliveries.refreshed"]}


def test_the_windows_of_the_form_are_those_of_the_spec(spec: ModelSpec) -> None:
    form = dags(spec)["late_orders.train"].params
    assert (form["train_days"], form["evaluation_days"], form["as_of"]) == (10, 4, None)


def test_every_task_is_retried_until_the_next_day_is_due(spec: ModelSpec) -> None:
    for dag in model_dags(spec):
        for task in dag.tasks:
            policy = task.retry_policy
            assert isinstance(policy, RetryByKind)
            assert task.retries == len(policy.delays_s)
            assert sum(policy.delays_s) <= 24 * 3600 - task.execution_timeout.total_seconds()
