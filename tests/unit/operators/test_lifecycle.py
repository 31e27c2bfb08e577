"""From a spec to its Dags: what is wired to what, without running anything."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from airflow.exceptions import InvalidPartitionKeyError
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException, ParamValidationError
from airflow.serialization.encoders import coerce_to_core_timetable
from airflow.timetables.base import TimeRestriction
from pendulum import instance as coerce_datetime

from mlops_airflow.lifecycle import build_dags, dataset_dags, model_dags
from mlops_airflow.retries import RetryByKind
from mlops_tasks.exceptions import SpecError
from mlops_tasks.partitions import DAY
from mlops_tasks.specs import InputSpec, LabelSpec, ModelSpec, PerformanceSpec
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
        "late_orders.release",
        "late_orders.reproduce",
        "late_orders.rollback",
        "late_orders.score",
        "late_orders.train",
        "orders.ingest",
        "traffic.ingest",
    ]
    assert all(name == dag.dag_id.replace(".", "_") for name, dag in namespace.items())


@pytest.mark.parametrize(
    ("field", "path", "said"),
    [
        ("estimator", "tests.unit.nowhere:build", "there is no module 'tests.unit.nowhere'"),
        ("estimator", "tests.unit.orders:biuld", "defines no 'biuld'; did you mean 'build'?"),
        ("features_python", "nowhere:features", "there is no module 'nowhere'"),
    ],
)
def test_a_function_that_is_not_there_breaks_the_dags(
    tmp_path: Path, field: str, path: str, said: str
) -> None:
    changes = {field: path} | ({"features_sql": None} if field == "features_python" else {})
    base = project(tmp_path / "p")
    with pytest.raises(SpecError) as error:
        model_dags(base.model_copy(update=changes))
    assert f"model 'late_orders': {field}: '{path}' cannot be imported: " in str(error.value)
    assert said in str(error.value)


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
    assert ingest.end_date == datetime(2024, 4, 1, 23, 59, 59, tzinfo=UTC)
    inputs = (InputSpec(dataset=ended), *project(tmp_path).inputs[1:])
    decide = dags(project(tmp_path, inputs=inputs))["late_orders.decide"]
    assert decide.end_date == datetime(2024, 4, 1, 23, 59, 59, tzinfo=UTC)


# New York and Lord Howe change their clocks, by an hour and by half of one; others stand off
# by half hours.
ZONES = ["UTC", "America/New_York", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe"]


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("cron", ["0 1 * * *", "15 4 * * *", "30 23 * * *", "0 0 * * *"])
def test_each_day_of_the_zone_is_taken_once_and_after_it_has_ended(
    tmp_path: Path, zone: str, cron: str
) -> None:
    dataset = deliveries_dataset(tmp_path, timezone=zone, cron=cron, refresh_after=None)
    (ingest,) = dataset_dags(dataset)
    timetable = coerce_to_core_timetable(ingest.timetable)
    limits = TimeRestriction(earliest=ingest.start_date, latest=None, catchup=True)
    last = None
    for number in range(366):
        last = timetable.next_dagrun_info_v2(last_dagrun_info=last, restriction=limits)
        ran = last.run_after.in_timezone(zone)
        wanted = (ran.date() - timedelta(days=1 + dataset.delay_days)).isoformat()
        assert (number, last.partition_key) == (number, wanted)
        ended = datetime.fromisoformat(wanted).replace(tzinfo=ZoneInfo(zone)) + timedelta(days=1)
        assert last.run_after >= ended
        assert ran.date() == (
            ingest.start_date.astimezone(ZoneInfo(zone)).date() + timedelta(days=number)
        )


@pytest.mark.parametrize("zone", ZONES)
def test_a_backfill_takes_each_day_of_the_zone_once(tmp_path: Path, zone: str) -> None:
    (ingest,) = dataset_dags(orders_dataset(tmp_path, timezone=zone))
    runs = coerce_to_core_timetable(ingest.timetable).iter_partition_dagrun_infos(
        earliest=datetime(2024, 1, 1, tzinfo=UTC), latest=datetime(2024, 12, 31, 23, tzinfo=UTC)
    )
    days = [date(2024, 1, 1) + timedelta(days=n) for n in range(366)]
    assert [run.partition_key for run in runs] == [day.isoformat() for day in days]


def test_a_dag_begins_and_ends_with_the_days_of_its_zone(tmp_path: Path) -> None:
    zone = ZoneInfo("America/New_York")
    dataset = orders_dataset(tmp_path, timezone=zone.key, end=date(2024, 3, 31), cron="0 0 * * *")
    (ingest,) = dataset_dags(dataset)
    assert ingest.start_date == datetime(2024, 3, 1, tzinfo=zone)
    timetable = coerce_to_core_timetable(ingest.timetable)
    limits = TimeRestriction(ingest.start_date, coerce_datetime(ingest.end_date), catchup=True)
    found, last = [], None
    while last := timetable.next_dagrun_info_v2(last_dagrun_info=last, restriction=limits):
        found.append(last.partition_key)
    assert found[-1] == "2024-03-31"


def test_decisions_are_taken_in_the_zone_of_the_datasets(tmp_path: Path) -> None:
    zone = "Asia/Kolkata"
    inputs = (InputSpec(dataset=orders_dataset(tmp_path, timezone=zone)),)
    label = LabelSpec(
        dataset=deliveries_dataset(tmp_path, timezone=zone), target="minutes_late > 1"
    )
    decide = dags(project(tmp_path, inputs=inputs, label=label))["late_orders.decide"]
    # Three in the morning in Kolkata is half past nine in the evening before in UTC.
    assert keys(decide, start=datetime(2024, 3, 2, tzinfo=UTC), n=1) == [
        ("2024-03-02", "2024-03-02")
    ]
    assert keys(decide, start=datetime(2024, 3, 2, 22, tzinfo=UTC), n=1) == [
        ("2024-03-03", "2024-03-03")
    ]


# --- the configuration of a run


def test_every_task_refuses_a_parameter_that_its_dag_does_not_have(spec: ModelSpec) -> None:
    found = {**dags(spec), **{dag.dag_id: dag for dag in dataset_dags(spec.label.dataset)}}
    for dag in found.values():
        for task in dag.tasks:
            with pytest.raises(
                AirflowFailException, match=rf"{dag.dag_id} has no parameter \['traind"
            ):
                refusal(task)(run_of(dag, {"traindays": 3}))
            refusal(task)(run_of(dag, {}))
            refusal(task)(run_of(dag, None))


def test_the_closest_parameter_is_named_and_all_of_them(spec: ModelSpec) -> None:
    train = dags(spec)["late_orders.train"]
    (pin, *_) = train.tasks
    refusal(pin)(run_of(train, {"train": "3d", "as_of": "2024-03-01"}))
    with pytest.raises(
        AirflowFailException,
        match=r"'trian': did you mean 'train'\? There are: as_of, evaluation, train",
    ):
        refusal(pin)(run_of(train, {"trian": 3, "as_of": "2024-03-01"}))
    score = dags(spec)["late_orders.score"]
    with pytest.raises(AirflowFailException, match="'day': there are none"):
        refusal(score.tasks[0])(run_of(score, {"day": "2024-03-01"}))


def refusal(task: Any) -> Any:
    """Return what Airflow calls before it executes the task."""
    return task._pre_execute_hook


def run_of(dag: DAG, conf: dict[str, Any] | None) -> Any:
    return {"dag": dag, "dag_run": SimpleNamespace(conf=conf)}


def test_a_day_is_scored_when_all_its_inputs_are_there(spec: ModelSpec) -> None:
    assert assets(dags(spec)["late_orders.score"]) == {
        "AssetAny": [{"AssetAll": ["orders", "traffic"]}, "late_orders.score_again"]
    }


def test_a_model_without_an_estimate_has_no_task_for_it(tmp_path: Path) -> None:
    for estimate, tasks in ((True, {"estimate"}), (False, set())):
        spec = project(tmp_path, performance=PerformanceSpec(estimate=estimate))
        score = dags(spec)["late_orders.score"]
        assert score.get_task("score").downstream_task_ids == {"drift", "shadow"} | tasks


def test_a_model_with_one_input_and_labels_without_late_rows(tmp_path: Path) -> None:
    label = deliveries_dataset(tmp_path, refresh_after=None)
    spec = project(
        tmp_path,
        inputs=(InputSpec(dataset=orders_dataset(tmp_path)),),
        label=LabelSpec(dataset=label, target="minutes_late > 10"),
    )
    assert [dag.dag_id for dag in dataset_dags(label)] == ["deliveries.ingest"]
    found = dags(spec)
    assert assets(found["late_orders.score"]) == {"AssetAny": ["orders", "late_orders.score_again"]}
    assert assets(found["late_orders.monitor"]) == {
        "AssetAll": ["late_orders.predictions", "deliveries"]
    }


def test_late_labels_alone_start_the_monitor(spec: ModelSpec) -> None:
    both = {"AssetAll": ["late_orders.predictions", "deliveries"]}
    assert assets(dags(spec)["late_orders.monitor"]) == {"AssetAny": [both, "deliveries.refreshed"]}


def test_the_windows_of_the_form_are_those_of_the_spec(spec: ModelSpec) -> None:
    form = dags(spec)["late_orders.train"].params
    assert (form["train"], form["evaluation"], form["as_of"]) == ("10d", "4d", None)


@pytest.mark.parametrize(
    ("verb", "name", "right", "wrong"),
    [
        ("late_orders.train", "as_of", [None, "2024-03-01"], ["", "2024-3-1", "20240301", "today"]),
        ("late_orders.train", "as_of", [], ["2024-02-30", "2024-03-01T00", 20240301]),
        ("late_orders.train", "train", ["36h", "8 w"], [None, "", "60", "0d", "two days"]),
        ("orders.ingest", "known_at", [None, "2024-03-01"], ["01.03.2024", "2024-13-01"]),
        ("deliveries.refresh", "known_at", [None], ["yesterday"]),
    ],
)
def test_a_form_refuses_what_it_cannot_read(
    spec: ModelSpec, verb: str, name: str, right: list[Any], wrong: list[Any]
) -> None:
    """Airflow asks the schema of a parameter when a run is triggered."""
    found = dags(spec) | {dag.dag_id: dag for one in spec.datasets for dag in dataset_dags(one)}
    field = found[verb].params.get_param(name)
    for value in right:
        assert field.resolve(value) == value
    for value in wrong:
        with pytest.raises(ParamValidationError):
            field.resolve(value)


def test_forms_have_labels_in_words(spec: ModelSpec) -> None:
    found = [*model_dags(spec), *(dag for one in spec.datasets for dag in dataset_dags(one))]
    for dag in found:
        for name in dag.params:
            field = dag.params.get_param(name)
            assert field.schema["title"][0].isupper(), (dag.dag_id, name)
            assert "_" not in field.schema["title"]
            assert field.description.endswith("."), (dag.dag_id, name)


@pytest.mark.parametrize("verb", ["score", "monitor", "train", "release"])
def test_what_events_start_says_what_to_do_instead_of_a_backfill(
    spec: ModelSpec, verb: str
) -> None:
    dag = dags(spec)[f"late_orders.{verb}"]
    assert not coerce_to_core_timetable(dag.timetable).periodic  # which is why Airflow refuses it
    assert "Airflow backfills no Dag that events start" in str(dag.doc_md)
    assert "trigger it once for each" in str(dag.doc_md)


def test_every_dag_says_how_it_is_run_by_hand(spec: ModelSpec) -> None:
    found = [*model_dags(spec), *(dag for one in spec.datasets for dag in dataset_dags(one))]
    for dag in found:
        by_key = f"*Partition Key*, below *Advanced Options*: YYYY-MM-DD, such as `{DAY.example}`."
        by_form = "from its form, which trains as of now when it is left as it is"
        by_version = "To ask again, trigger it and write the version into its form"
        others = {
            "late_orders.train": by_form,
            "late_orders.release": by_version,
            "late_orders.rollback": "From its form alone: to the champion before this one",
            "late_orders.reproduce": "from its form for any version",
        }
        wanted = others.get(dag.dag_id, by_key)
        assert wanted in " ".join(str(dag.doc_md).split()), dag.dag_id


@pytest.mark.parametrize("key", ["2024-3-1", "2024/03/01", "2024-02-30", "march", "2024-03"])
def test_a_wrong_key_is_refused_when_a_run_is_triggered(spec: ModelSpec, key: str) -> None:
    """By the call that both the form and REST make."""
    found = [*model_dags(spec), *(dag for one in spec.datasets for dag in dataset_dags(one))]
    for dag in found:
        if dag.dag_id.partition(".")[2] in ("release", "reproduce", "rollback"):  # of versions
            continue
        timetable = coerce_to_core_timetable(dag.timetable)
        with pytest.raises(InvalidPartitionKeyError, match="is not a day: write it as YYYY-MM-DD"):
            timetable.resolve_partition_date(key)
        begin = timetable.resolve_partition_date("2024-03-01")
        assert begin == datetime(2024, 3, 1, tzinfo=UTC), dag.dag_id


@pytest.mark.parametrize("key", ["2024-03-01", "v7", "7.0", "-1", "\u0667", "champion"])
def test_a_release_takes_only_the_number_of_a_version(spec: ModelSpec, key: str) -> None:
    timetable = coerce_to_core_timetable(dags(spec)["late_orders.release"].timetable)
    with pytest.raises(InvalidPartitionKeyError, match="is no version of a model: write its numb"):
        timetable.resolve_partition_date(key)
    assert timetable.resolve_partition_date("7") is None


def test_every_task_is_retried_until_the_next_day_is_due(spec: ModelSpec) -> None:
    for dag in model_dags(spec):
        for task in dag.tasks:
            policy = task.retry_policy
            assert isinstance(policy, RetryByKind)
            assert task.retries == len(policy.delays_s)
            assert sum(policy.delays_s) <= 24 * 3600 - task.execution_timeout.total_seconds()
