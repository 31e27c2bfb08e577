from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from flight_delays.spec import ARRIVALS, FLIGHTS, MODEL
from mlops_tasks.exceptions import MlopsError, SpecError
from mlops_tasks.specs import (
    DatasetSpec,
    DerivedSource,
    DriftSpec,
    GateSpec,
    InputSpec,
    LabelSpec,
    ModelSpec,
    PerformanceSpec,
    RetrainSpec,
)
from tests.unit.orders import deliveries_dataset, orders_dataset, project, traffic_dataset

if TYPE_CHECKING:
    from pathlib import Path


def refused(error: pytest.ExceptionInfo[SpecError], *parts: str) -> None:
    """Every message names the spec, the field and the fix, and has no trace of the library."""
    text = str(error.value)
    missing = [part for part in parts if part not in text]
    assert not missing, text
    assert "pydantic" not in text


def test_a_good_project_is_taken(spec: ModelSpec) -> None:
    assert spec.rows.name == "orders"
    assert spec.key == ("order_id",)
    assert spec.features == ("shop", "items", "distance", "express", "speed")
    assert spec.known_later == {"minutes_late", "delivered_at"}
    assert spec.predictions_table == "late_orders__predictions"
    assert [dataset.name for dataset in spec.datasets] == ["orders", "traffic", "deliveries"]
    assert [spec.rows.nullable(name) for name in ("shop", "items")] == [True, False]


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"name": "Orders"}, ("name:",)),
        ({"name": "../orders"}, ("name:",)),
        ({"name": "orders\n"}, ("name:",)),
        ({"name": "orders'"}, ("name:",)),
        ({"name": ""}, ("name:",)),
        ({"name": "orders__raw"}, ("name:",)),
        ({"columns": {}}, ("columns:",)),
        ({"columns": {"order_id": "text"}}, ("columns.order_id:", "string|int64")),
        ({"columns": {"order_id": "string??"}}, ("columns.order_id:",)),
        ({"columns": {'order"id': "string"}}, ("columns.order", "should match")),
        ({"key": ()}, ("key:",)),
        ({"key": ("nobody",)}, ("key names ['nobody']", "contract `columns`")),
        ({"end": date(2024, 2, 28)}, ("end 2024-02-28 lies before start 2024-03-01",)),
        ({"delay_days": -1}, ("delay_days:", "greater than or equal to 0")),
        ({"delay_days": 2, "refresh_after_days": 2}, ("refresh_after_days", "larger than delay")),
        ({"max_quarantined_share": 1.5}, ("max_quarantined_share:",)),
        ({"typo": 1}, ("typo:", "no such field; there are: ambiguous, columns")),
        ({"source": None}, ("source:",)),
        ({"conn_id": "shop"}, ("conn_id:", "no such field")),
        ({"timezone": "Mars/Olympus"}, ("timezone 'Mars/Olympus' is unknown", "Europe/Berlin")),
        ({"timezone": "../../etc/passwd"}, ("timezone", "is unknown")),
        ({"ambiguous": "later"}, ("ambiguous: which local times", "declare `timezone`")),
        ({"ambiguous": "latest"}, ("ambiguous:", "'earlier' or 'later'")),
        ({"duplicates": "keep"}, ("duplicates:", "keep_last")),
        ({"duplicates": "keep_last"}, ("order_by belongs to duplicates='keep_last'",)),
        ({"order_by": "items"}, ("order_by belongs to duplicates='keep_last'",)),
        ({"duplicates": "keep_last", "order_by": "age"}, ("order_by 'age' is no column",)),
        ({"extra_columns": "drop"}, ("extra_columns:", "ignore")),
        ({"convert": {"price": "decimal"}}, ("convert: decimal cannot become nothing (price)",)),
        ({"convert": {"express": "decimal"}}, ("convert: decimal cannot become bool (express)",)),
        ({"convert": {"ordered_at": "text"}}, ("convert.ordered_at:",)),
        ({"convert": {"ordered_at": "date"}}, ("convert: ordered_at is midnight of where?",)),
    ],
)
def test_a_wrong_dataset_is_refused_by_field(
    tmp_path: Path, changes: dict[str, Any], parts: tuple[str, ...]
) -> None:
    with pytest.raises(SpecError) as error:
        orders_dataset(tmp_path, **changes)
    refused(error, "DatasetSpec", "cannot be used", *parts)


def test_the_name_is_said_when_there_is_one(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="DatasetSpec 'orders' cannot be used"):
        orders_dataset(tmp_path, owner=1)
    with pytest.raises(
        SpecError, match=r"GateSpec cannot be used, written in specs/test_specs\.py"
    ):
        GateSpec(confidence=2)


def test_a_missing_field_is_named() -> None:
    with pytest.raises(SpecError) as error:
        DatasetSpec(name="orders")
    refused(error, "source: Field required", "columns: Field required")


def test_a_missing_suite_is_named_without_its_folder(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as error:
        orders_dataset(tmp_path, expectations=tmp_path / "nowhere.json")
    refused(error, "expectations: no such file nowhere.json")
    assert str(tmp_path) not in str(error.value)


@pytest.mark.parametrize("name", ["partition_key", "reasons"])
def test_columns_that_the_lake_adds_are_not_free(tmp_path: Path, name: str) -> None:
    columns = {"order_id": "string", name: "string"}
    with pytest.raises(SpecError) as error:
        orders_dataset(tmp_path, columns=columns)
    refused(error, name, "rename")


def test_a_name_leaves_room_for_the_tables_made_from_it(tmp_path: Path) -> None:
    from mlops_tasks.names import check_name
    from mlops_tasks.steps.ingest import raw_table
    from mlops_tasks.validation import quarantine_table

    with pytest.raises(SpecError) as error:
        orders_dataset(tmp_path, name="o" * 63)
    refused(error, "name:")
    longest = orders_dataset(tmp_path, name="o" * 48)
    check_name(raw_table(longest)), check_name(quarantine_table(longest))
    check_name(project(tmp_path, name="m" * 48).predictions_table)


@pytest.mark.parametrize("cron", ["every night", "* * * *", ""])
def test_a_wrong_cron_is_found_in_the_spec(tmp_path: Path, cron: str) -> None:
    with pytest.raises(SpecError) as error:
        orders_dataset(tmp_path, cron=cron)
    refused(error, "cron")
    with pytest.raises(SpecError) as error:
        project(tmp_path, cron=cron)
    refused(error, "cron")


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"name": "late orders"}, ("name:",)),
        ({"inputs": ()}, ("inputs:",)),
        ({"categorical": (), "numeric": ()}, ("both empty: name at least one feature",)),
        ({"categorical": ("shop",), "numeric": ("shop",)}, ("a feature is named twice",)),
        ({"numeric": ("speed", "y")}, ("y", "rename")),
        ({"categorical": ("order_id",)}, ("['order_id'] are the key", "second name")),
        ({"numeric": ("minutes_late",)}, ("['minutes_late']", "known only afterwards")),
        ({"categorical": ("delivered_at",)}, ("['delivered_at']", "remove them")),
        ({"estimator": "no_function"}, ("estimator:",)),
        ({"estimator": "os:system:x"}, ("estimator:",)),
        ({"estimator": "../x:build"}, ("estimator:",)),
        ({"train_days": 0}, ("train_days:",)),
        ({"evaluation_days": 0}, ("evaluation_days:",)),
        (
            {"gates": None},
            ("gates: no such field; did you mean 'gate'?", "as_of, candidates, categorical"),
        ),
    ],
)
def test_a_wrong_model_is_refused_by_field(
    tmp_path: Path, changes: dict[str, Any], parts: tuple[str, ...]
) -> None:
    with pytest.raises(SpecError) as error:
        project(tmp_path, **changes)
    refused(error, "ModelSpec", *parts)


def test_a_missing_query_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as error:
        project(tmp_path, features_sql_=None)
    refused(error, "features_sql_")
    with pytest.raises(SpecError, match=r"no such file other\.sql"):
        ModelSpec(**dict(project(tmp_path)) | {"features_sql": tmp_path / "other.sql"})


def test_labels_must_have_the_key(tmp_path: Path) -> None:
    other = deliveries_dataset(tmp_path, columns={"id": "string", "x": "int64"}, key=("id",))
    with pytest.raises(SpecError) as error:
        project(tmp_path, label=LabelSpec(dataset=other, target="x > 1"))
    refused(error, "label dataset lacks the key ['order_id'] of 'orders'")


def test_the_label_dataset_is_no_input(tmp_path: Path) -> None:
    inputs = tuple(
        InputSpec(dataset=dataset(tmp_path))
        for dataset in (orders_dataset, traffic_dataset, deliveries_dataset)
    )
    with pytest.raises(SpecError) as error:
        project(tmp_path, inputs=inputs)
    refused(error, "'deliveries'", "inputs")


def test_no_dataset_is_named_twice(tmp_path: Path) -> None:
    inputs = (
        InputSpec(dataset=orders_dataset(tmp_path)),
        InputSpec(dataset=traffic_dataset(tmp_path)),
        InputSpec(dataset=traffic_dataset(tmp_path), lookback_days=1),
    )
    with pytest.raises(SpecError) as error:
        project(tmp_path, inputs=inputs)
    refused(error, "'traffic'", "inputs")


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_is_one_that_every_generator_takes(tmp_path: Path, seed: int) -> None:
    with pytest.raises(SpecError, match="random_state: "):
        project(tmp_path, random_state=seed)


@pytest.mark.parametrize("kind", [DriftSpec, PerformanceSpec])
@pytest.mark.parametrize("days", [0, -7, 3651, 10**9])
def test_a_window_is_of_days_that_the_calendar_has(
    kind: type[DriftSpec | PerformanceSpec], days: int
) -> None:
    with pytest.raises(SpecError, match=f"window_days: .*not {days}"):
        kind(window_days=days)


def test_a_key_names_each_column_once(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"key names a column twice: \['order_id', 'order_id'\]"):
        orders_dataset(tmp_path, key=("order_id", "order_id"))


def test_the_rows_to_score_do_not_look_back(tmp_path: Path) -> None:
    inputs = (
        InputSpec(dataset=orders_dataset(tmp_path), lookback_days=1),
        InputSpec(dataset=traffic_dataset(tmp_path)),
    )
    with pytest.raises(SpecError) as error:
        project(tmp_path, inputs=inputs)
    refused(error, "'orders'", "lookback_days")


def test_a_join_without_its_moment_is_refused_unless_the_input_is_timeless(
    tmp_path: Path,
) -> None:
    orders, traffic = orders_dataset(tmp_path), traffic_dataset(tmp_path)
    shops = traffic_dataset(tmp_path, name="shops")
    fixed = InputSpec(dataset=shops, timeless="shops do not move")
    joined = (InputSpec(dataset=orders), InputSpec(dataset=traffic))
    for inputs, moments, missing in (
        (joined, (), "['traffic'] are joined, but observed_at names 0 moments"),
        ((*joined, fixed), (), "['traffic'] are joined"),
        (
            (*joined, InputSpec(dataset=shops, timeless=" ")),
            ("traffic_observed_at", "traffic_observed_at"),
            "['traffic', 'shops'] are joined, but observed_at names 1 moments",
        ),
    ):
        with pytest.raises(SpecError) as error:
            project(tmp_path, inputs=inputs, observed_at=moments)
        refused(error, "ModelSpec", missing, "select in features.sql when", "timeless='...'")
    assert project(tmp_path, inputs=joined[:1], observed_at=()).observed_at == ()
    assert project(tmp_path, inputs=(*joined, fixed)).inputs[2].timeless == "shops do not move"


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        (GateSpec, {"confidence": 0.5}),
        (GateSpec, {"n_bootstrap": 10}),
        (GateSpec, {"non_inferiority": {"log_loss": -1}}),
        (DriftSpec, {"window_days": 0}),
        (DriftSpec, {"threshold": 0}),
        (RetrainSpec, {"windows": 4, "of_last": 3}),
        (RetrainSpec, {"cooldown_days": -1}),
        (RetrainSpec, {"max_age_days": 0}),
    ],
)
def test_limits_are_checked(kind: Any, changes: dict[str, Any]) -> None:
    with pytest.raises(SpecError) as error:
        kind(**changes)
    refused(error, kind.__name__, next(iter(changes)))


def test_a_spec_cannot_be_changed(spec: ModelSpec) -> None:
    with pytest.raises(Exception, match="frozen"):
        spec.name = "other"  # type: ignore[misc]


def test_all_errors_are_of_one_family() -> None:
    from mlops_tasks import exceptions

    named = [getattr(exceptions, name) for name in exceptions.__all__]
    assert all(issubclass(error, MlopsError) for error in named)


# --- the flight project


@pytest.mark.parametrize("column", sorted(set(ARRIVALS.columns) - {"flight_id"}))
def test_nothing_of_the_arrival_may_be_a_feature_of_a_flight(column: str) -> None:
    fields = {name: getattr(MODEL, name) for name in ModelSpec.model_fields}
    for kind in ("categorical", "numeric"):
        with pytest.raises(SpecError) as error:
            ModelSpec(**fields | {kind: (*fields[kind], column)})
        refused(error, f"['{column}']", "'arrivals'", "known only afterwards")


def test_what_a_flight_project_must_refuse_is_in_its_label_dataset() -> None:
    """So that the test above does cover these."""
    later = {"dep_time", "dep_delay", "arr_time", "arr_delay", "air_time"}
    assert later <= MODEL.known_later
    assert not later & set(FLIGHTS.columns)


# --- what is said of a mistake


def test_an_unknown_field_is_told_with_the_closest_one_and_the_place(tmp_path: Path) -> None:
    dataset = deliveries_dataset(tmp_path)
    with pytest.raises(SpecError) as error:
        LabelSpec(dataset=dataset, targe="minutes_late > 10")
    refused(
        error,
        "LabelSpec of 'deliveries' cannot be used, written in specs/test_specs.py, line ",
        "targe: no such field; did you mean 'target'? There are: dataset, max_classes, target",
        "target: Field required",
    )
    with pytest.raises(
        SpecError, match=r"InputSpec of 'deliveries' .*\n.*lookback_days: .* not 'x'"
    ):
        InputSpec(dataset=dataset, lookback_days="x")


@pytest.mark.parametrize("target", ["", "  "])
def test_a_label_without_a_condition_is_refused(tmp_path: Path, target: str) -> None:
    with pytest.raises(SpecError, match="target: String should have at least 1 character"):
        LabelSpec(dataset=deliveries_dataset(tmp_path), target=target)


@pytest.mark.parametrize(
    "cron", ["@hourly", "0 */6 * * *", "0 3 * * 1", "60 3 * * *", "0 24 * * *"]
)
def test_a_cron_is_one_time_of_every_day(tmp_path: Path, cron: str) -> None:
    with pytest.raises(
        SpecError, match=r"cron: must be one time of every day, written 'minute hour"
    ):
        orders_dataset(tmp_path, cron=cron)


@pytest.mark.parametrize(
    ("zone", "cron", "skipped"),
    [
        ("America/New_York", "30 2 * * *", "02:30 does not exist on 2026-03-08"),
        ("Europe/Berlin", "0 2 * * *", "02:00 does not exist on 2026-03-29"),
        ("Asia/Beirut", "@daily", "00:00 does not exist on 2026-03-29"),
        ("Australia/Lord_Howe", "15 2 * * *", "02:15 does not exist on 2026-10-04"),
    ],
)
def test_a_time_that_is_skipped_when_clocks_change_is_refused(
    tmp_path: Path, zone: str, cron: str, skipped: str
) -> None:
    with pytest.raises(SpecError, match=rf"{skipped} in {zone}.*choose a time that every day has"):
        orders_dataset(tmp_path, timezone=zone, cron=cron)
    inputs = (InputSpec(dataset=orders_dataset(tmp_path, timezone=zone, cron="0 5 * * *")),)
    label = deliveries_dataset(tmp_path, timezone=zone, cron="0 5 * * *")
    with pytest.raises(SpecError, match=skipped):
        project(tmp_path, inputs=inputs, label=LabelSpec(dataset=label, target="x > 1"), cron=cron)
    assert orders_dataset(tmp_path, timezone="Asia/Kolkata", cron=cron)


def test_the_datasets_of_a_model_share_one_zone(tmp_path: Path) -> None:
    label = deliveries_dataset(tmp_path, timezone="Europe/Berlin")
    with pytest.raises(SpecError) as error:
        project(tmp_path, label=LabelSpec(dataset=label, target="minutes_late > 10"))
    refused(error, "UTC for 'orders'", "Europe/Berlin for 'deliveries'", "one `timezone`")
    same = deliveries_dataset(tmp_path, timezone="UTC")
    project(tmp_path, label=LabelSpec(dataset=same, target="minutes_late > 10"))


def test_rows_find_their_labels_by_a_key_of_one_type(tmp_path: Path) -> None:
    columns = {"order_id": "int64", "minutes_late": "float64?"}
    label = deliveries_dataset(tmp_path, columns=columns)
    with pytest.raises(
        SpecError, match="'order_id' is string in 'orders' and int64 in 'deliveries'"
    ):
        project(tmp_path, label=LabelSpec(dataset=label, target="minutes_late > 10"))


@pytest.mark.parametrize("estimator", ["model.build", "a:b:c", ":build", "a.b:", "a b:c", ".a:b"])
def test_an_estimator_names_a_function(tmp_path: Path, estimator: str) -> None:
    with pytest.raises(
        SpecError, match=r"estimator: must name a function as 'package\.module:func"
    ):
        project(tmp_path, estimator=estimator)


def test_a_derived_dataset_says_the_same_wherever_its_suites_are_kept(tmp_path: Path) -> None:
    """A checkout elsewhere is the same definition; another query is another one."""

    def derived(folder: Path, query: str = "SELECT * FROM orders") -> DatasetSpec:
        folder.mkdir(exist_ok=True)
        orders = orders_dataset(folder)
        source = DerivedSource(inputs=(InputSpec(dataset=orders),), query=query)
        return DatasetSpec(
            name="checked", description="Orders again.", owner="shop", source=source,
            columns=dict(orders.columns), key=orders.key, start=orders.start,
        )  # fmt: skip

    here = derived(tmp_path / "here").digest
    assert here == derived(tmp_path / "elsewhere").digest
    assert here != derived(tmp_path / "here", "SELECT * FROM orders WHERE true").digest
