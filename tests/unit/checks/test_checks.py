"""Each check on a real source: silent on a project that works, loud on one that cannot."""

from __future__ import annotations

import json
import shutil
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from mlops_tasks.checks import CHECKS, CheckResult, Sample, check_model, exit_code
from mlops_tasks.lake import Lake
from mlops_tasks.sources import Connection, Database, FileStore, unusable_connection
from mlops_tasks.specs import (
    CandidateSpec,
    DriftSpec,
    FileSource,
    GateSpec,
    InputSpec,
    LabelSpec,
    ModelSpec,
    PerformanceSpec,
    RetrainSpec,
)
from tests.unit.orders import (
    Source,
    day,
    deliveries_dataset,
    orders_dataset,
    project,
    traffic_dataset,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

N_DAYS = 12
# 80 orders a day: less than the 500 rows that a window needs by default in 6 days.
WINDOWS: dict[str, Any] = {
    "train": "6d",
    "evaluation": "3d",
    "drift": DriftSpec(window="7d", min_rows=300),
    "performance": PerformanceSpec(window="7d", min_rows=300),
}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    """Return the shop's database after twelve days."""
    made = Source(tmp_path_factory.mktemp("shop") / "shop.db")
    for number in range(N_DAYS):
        made.add(number)
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder for files of a project."""
    made = tmp_path / "project"
    made.mkdir()
    return made


@pytest.fixture(scope="module")
def works(source: Source, tmp_path_factory: pytest.TempPathFactory) -> Sample:
    """Return what was looked at of the project that works."""
    folder = tmp_path_factory.mktemp("works")
    look = sample(project(folder / "project", **WINDOWS), source, folder)
    assert exit_code(list(check_model(look))) == 0
    return look


def sample(spec: ModelSpec, source: Source, folder: Path, **changes: Any) -> Sample:
    """Return the rows of a model to look at."""
    connection = Connection("shop_source", "sqlite", host=str(source.path))
    lake = Lake(folder / "lake")
    return Sample(spec, lake, lambda _: Database.from_connection(connection), **changes)


def looked(
    spec: ModelSpec, source: Source, folder: Path, *, like: Sample | None = None, **changes: Any
) -> list[CheckResult]:
    """Make all checks of a model; `like` is one of the same datasets, whose rows were taken."""
    look = sample(spec, source, folder, **changes)
    if like is not None:
        shutil.copytree(like.lake.root, look.lake.root)
        taken = {one: said for one, said in like._answers.items() if one.startswith("take ")}
        look._answers |= taken
        look._taken |= like._taken
        look._token = like._token
    return list(check_model(look))


def alarms(results: list[CheckResult]) -> dict[str, str]:
    """Return what was found wrong, by check."""
    found: dict[str, str] = {}
    for one in results:
        if one.answer == "alarm":
            found.setdefault(one.check, f"{one.where}: {one.message} {one.fix}")
    return found


def dataset_files(folder: Path) -> Path:
    """Return another folder, as datasets write their suites anew."""
    made = folder / "datasets"
    made.mkdir(exist_ok=True)
    return made


def with_orders(folder: Path, **changes: Any) -> dict[str, Any]:
    """Return the inputs of the model with a changed dataset of orders."""
    files = dataset_files(folder)
    traffic = InputSpec(dataset=traffic_dataset(files), lookback="1d")
    return {"inputs": (InputSpec(dataset=orders_dataset(files, **changes)), traffic)}


def with_traffic(folder: Path, **changes: Any) -> dict[str, Any]:
    """Return the inputs of the model with a changed dataset of readings."""
    files = dataset_files(folder)
    traffic = InputSpec(dataset=traffic_dataset(files, **changes), lookback="1d")
    return {"inputs": (InputSpec(dataset=orders_dataset(files)), traffic)}


def test_a_project_that_works_is_fine(source: Source, folder: Path) -> None:
    results = looked(project(folder, **WINDOWS), source, folder)
    assert [one for one in results if one.answer != "fine"] == []
    assert exit_code(results) == 0
    assert {one.check for one in results} == {check.name for check in CHECKS} - {
        "clock changes",
        "candidates",
    }


def test_the_newest_partition_with_rows_is_looked_at(source: Source, folder: Path) -> None:
    look = Sample(
        project(folder),
        Lake(folder / "lake"),
        lambda _: Database.from_connection(
            Connection("shop_source", "sqlite", host=str(source.path))
        ),
    )
    assert look.partition == day(N_DAYS - 1)
    assert look.partitions == [day(n) for n in range(N_DAYS - 8, N_DAYS)]


def test_rows_that_come_by_week_are_no_days(folder: Path) -> None:
    weekly = Source(folder / "weekly.db")
    for number in (0, 7, 14, 21):
        weekly.add(number)
    found = alarms(looked(project(folder, **WINDOWS), weekly, folder))["rows"]
    assert " has rows, and none of" in found
    assert "give the grain" in found


def test_a_gap_is_no_alarm(folder: Path) -> None:
    holed = Source(folder / "holed.db")
    for number in range(N_DAYS):
        if number != N_DAYS - 2:
            holed.add(number)
    results = looked(project(folder, **WINDOWS), holed, folder)
    assert "rows" not in alarms(results)
    assert any(f"none of {day(N_DAYS - 2)}" in one.message for one in results)


def test_another_partition_can_be_asked_for(source: Source, works: Sample, folder: Path) -> None:
    results = looked(project(folder, **WINDOWS), source, folder, partition=day(5), like=works)
    (rows,) = [
        one for one in results if one.where.startswith("dataset 'orders'") and one.check == "rows"
    ]
    assert f"80 rows of {day(5)}" in rows.message
    results = looked(project(folder, **WINDOWS), source, folder, partition="1999-01-01")
    assert "has no 1999-01-01" in alarms(results)["rows"]


def broken(folder: Path) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Give what finds it, what it says, and the change of the spec."""
    files = dataset_files(folder)
    suite = files / "suite.json"
    suite.write_text(
        json.dumps(
            {
                "name": "orders",
                "expectations": [
                    {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "shopp"}}
                ],
            }
        )
    )
    columns = dict(orders_dataset(files).columns)
    yield "suite", "did you mean 'shop'", with_orders(folder, expectations=suite)
    yield "rows", "items", with_orders(folder, columns=columns | {"items": "timestamp"})
    yield "suite", "duplicate_key 48", with_traffic(folder, key=("zone",))
    yield "rows", "no rows in any day", with_orders(folder, start=date(2025, 1, 1))
    yield "label", "minutes_lat", {"label": label(files, "minutes_lat > 10")}
    yield "label", "must be true or false", {"label": label(files, "minutes_late")}
    yield "gate", "no metric of binary", {"gate": GateSpec(metric="mae")}
    yield "gate", "no column 'colour'", {"gate": GateSpec(slices={"colour": (1, 2)})}
    yield "gate", "goes from 0 to 1", {"gate": GateSpec(min_value=2.0)}
    yield "gate", "drift would never be one", {"retrain": RetrainSpec(min_drifted=50)}
    yield (
        "volume",
        "with drift.min_rows=500 nothing will ever be judged",
        {"drift": DriftSpec(window="3d", max_window="3d", min_rows=500)},
    )
    yield "windows", "none is left to train on", {"evaluation": "12d"}
    yield "estimator", "tests.unit.orders", {"estimator": "tests.unit.orders:nobody"}
    yield "estimator", "which is no classifier", {"estimator": "tests.unit.orders:build_regressor"}
    yield "estimator", "random_state", {"estimator": f"{__name__}:build_random"}
    yield "estimator", "new category", {"estimator": f"{__name__}:build_strict"}
    yield "windows", "evaluation and embargo take all of 12 days", {"embargo": "9d"}
    depths = [CandidateSpec(params={"trees__max_depth": depth}) for depth in (2, 3)]
    yield "candidates", "2024-03-02 with an embargo of 7d", {"candidates": depths, "embargo": "7d"}
    misspelt = CandidateSpec(params={"trees__max_dept": 3})
    yield "candidates", "trees__max_dept", {"candidates": [depths[0], misspelt]}
    negative = CandidateSpec(name="odd", params={"trees__max_depth": -3})
    yield "candidates", "candidate 'odd'", {"candidates": [depths[0], negative]}
    nobody = CandidateSpec(estimator="tests.unit.orders:nobody")
    yield "candidates", "tests.unit.orders:nobody", {"candidates": [depths[0], nobody]}
    yield "candidates", "trees__max_dept", {"search": {"trees__max_dept": (2, 8)}}
    yield "candidates", "tests.unit.orders:nowhere", {"search": "tests.unit.orders:nowhere"}
    yield "candidates", "dict of parameters, not int", {"search": f"{__name__}:space_of_nothing"}


def label(folder: Path, target: str) -> LabelSpec:
    """Return the label with another target."""
    return LabelSpec(dataset=deliveries_dataset(folder), target=target)


def space_of_nothing(trial: Any) -> Any:
    """Forget to return a dict."""
    return trial.suggest_int("trees__max_depth", 2, 8)


def space_of_depths(trial: Any) -> dict[str, Any]:
    """Return where a function looks."""
    return {"trees__max_depth": trial.suggest_int("trees__max_depth", 2, 8)}


def test_what_can_be_chosen_among_is_fine(source: Source, works: Sample, folder: Path) -> None:
    depths = [CandidateSpec(params={"trees__max_depth": depth}) for depth in (2, 3)]
    searches = [
        {"candidates": depths},
        {"search": {"trees__max_depth": (2, 8), "trees__criterion": ["gini", "entropy"]}},
        {"search": f"{__name__}:space_of_depths"},
    ]
    for number, change in enumerate(searches):
        own = folder / str(number)
        found = looked(project(own, **WINDOWS | change), source, own, like=works)
        found = [one for one in found if one.check == "candidates"]
        assert {one.answer for one in found} == {"fine"}, found
        assert any("compared on" in one.message for one in found)


def test_a_search_that_the_estimator_refuses_in_part_is_told(
    source: Source, works: Sample, folder: Path
) -> None:
    change = {"search": {"trees__max_depth": (-1, 4)}}
    found = looked(project(folder, **WINDOWS | change), source, folder, like=works)
    (part,) = [one for one in found if one.check == "candidates" and one.answer != "fine"]
    assert part.answer == "cannot tell"
    assert "1 of 2 samples of it are refused" in part.message


def test_an_embargo_by_default_that_is_long_is_told_and_no_alarm(
    source: Source, folder: Path
) -> None:
    label = LabelSpec(
        dataset=deliveries_dataset(dataset_files(folder), delay="6d", refresh_after="9d"),
        target="minutes_late > 10",
    )
    whole = project(folder, **WINDOWS | {"label": label})
    plain = {name: getattr(whole, name) for name in ModelSpec.model_fields if name != "embargo"}
    found = looked(ModelSpec(**plain), source, folder)
    (told,) = [one for one in found if one.where == "embargo 6d"]
    assert told.answer == "fine"
    assert "trainings have 4 days until there is more" in told.message


N_BROKEN = 24


@pytest.mark.parametrize("number", range(N_BROKEN))
def test_what_cannot_work_is_found(
    number: int, source: Source, works: Sample, folder: Path
) -> None:
    cases = list(broken(folder))
    assert len(cases) == N_BROKEN
    check, says, change = cases[number]
    like = None if "inputs" in change else works
    found = alarms(looked(project(folder, **WINDOWS | change), source, folder, like=like))
    assert list(found) == [check], found
    assert says in found[check]


@pytest.mark.parametrize(("n_left", "answer"), [(9, "alarm"), (7, "fine"), (0, None)])
def test_rows_after_the_end_are_taken_by_no_run(
    source: Source, folder: Path, n_left: int, answer: str | None
) -> None:
    ended = day(N_DAYS - 1 - n_left)
    end = {"end": date.fromisoformat(ended)}
    results = looked(project(folder, **WINDOWS | with_orders(folder, **end)), source, folder)
    found = [one for one in results if one.where == "`end`"]
    assert [one.answer for one in found] == ([answer] if answer else [])
    for one in found:
        assert "the source has rows of 'orders' of 2024-03-" in one.message
        assert f"after its end {ended}: no run takes them" in one.message
        assert ("take `end` out of the spec" in one.fix) is (answer == "alarm")


def test_a_decision_before_what_counts_as_known_by_then(
    source: Source, works: Sample, folder: Path
) -> None:
    found = alarms(
        looked(project(folder, **WINDOWS, cron="30 0 * * *"), source, folder, like=works)
    )
    assert list(found) == ["schedule"]
    assert (
        "decided at 00:30, before orders.ingest takes the newest day at 01:00"
        in (found["schedule"])
    )
    assert "decide after 01:00" in found["schedule"]
    other = folder / "other"
    other.mkdir()
    late = with_traffic(other, cron="0 6 * * *")
    found = alarms(looked(project(other, **WINDOWS | late), source, other))
    assert "before traffic.ingest takes the newest day at 06:00" in found["schedule"]


def test_columns_that_the_spec_does_not_name_are_noted(
    source: Source, works: Sample, folder: Path
) -> None:
    sql = (project(folder).features_sql or folder).read_text()
    more = sql.replace("o.shop,", "o.shop, o.items * 2 AS twice,")
    results = looked(project(folder, features_sql=more, **WINDOWS), source, folder, like=works)
    (found,) = [one for one in results if one.check == "features"]
    assert found.answer == "fine"
    assert "it also gives ['twice'], of which the spec makes no feature" in found.message


def test_files_that_are_called_otherwise(folder: Path) -> None:
    (folder / "orders").mkdir()
    (folder / "orders" / "orders-2024-03-01.csv").write_text("order_id,y\n1,0\n")
    source = FileSource(conn_id="shop_source", path="orders/{partition}.csv", format="csv")
    connection = Connection("shop_source", "file", extra={"path": str(folder)})
    spec = project(folder / "project", **with_orders(folder, source=source))
    look = Sample(spec, Lake(folder / "lake"), lambda _: FileStore.from_connection(connection))
    found = alarms(list(check_model(look)))
    assert "look at path 'orders/{partition}.csv'" in found["rows"]
    assert "there is orders-2024-03-01.csv" in found["rows"]
    assert "condition" not in found["rows"]


@pytest.mark.parametrize("kind", ["missing", "a file"])
def test_a_folder_that_is_not_there_does_not_open(kind: str, folder: Path) -> None:
    root = folder / "gone"
    if kind == "a file":
        root.touch()
    source = FileSource(conn_id="shop_source", path="{partition}.csv", format="csv")
    connection = Connection("shop_source", "file", extra={"path": str(root)})
    spec = project(folder / "project", **with_orders(folder, source=source))
    look = Sample(spec, Lake(folder / "lake"), lambda _: FileStore.from_connection(connection))
    found = alarms(list(check_model(look)))
    assert next(iter(found)) == "connection"
    assert (
        f"{str(root)!r}, {'is no folder' if root.exists() else 'does not exist'}"
        in (found["connection"])
    )


def test_a_use_of_rows_that_could_not_be_taken_cannot_be_told(source: Source, folder: Path) -> None:
    spec = project(folder, **WINDOWS | with_orders(folder, start=date(2025, 1, 1)))
    results = looked(spec, source, folder)
    assert exit_code(results) == 1
    unknown = {one.check: one.message for one in results if one.answer == "cannot tell"}
    assert {"features", "label", "volume", "windows"} <= set(unknown)
    assert "the check 'rows' of dataset 'orders' failed" in unknown["features"]
    assert {one.follows for one in results if one.answer == "cannot tell"} == {"rows"}


def test_a_connection_is_reported_once(source: Source, folder: Path) -> None:
    def refuse(_: Any) -> Database:
        raise unusable_connection("shop_source", "it is not defined")

    results = list(check_model(Sample(project(folder), Lake(folder / "lake"), refuse)))
    assert list(alarms(results)) == ["connection"]
    assert "it is not defined" in alarms(results)["connection"]
    assert not [one for one in results if one.check == "rows" and one.answer == "fine"]


def test_rows_that_are_always_quarantined_are_no_chance(source: Source, folder: Path) -> None:
    suite = dataset_files(folder) / "suite.json"
    short = {"column": "distance", "min_value": 0, "max_value": 9}
    items = [{"type": "expect_column_values_to_be_between", "kwargs": short}]
    suite.write_text(json.dumps({"name": "orders", "expectations": items}))
    change = with_orders(folder, expectations=suite, max_quarantined_share=1.0)
    found = alarms(looked(project(folder, **WINDOWS | change), source, folder))
    assert "rows are quarantined, in 4 of 4 partitions" in found["rows"]


def test_labels_that_come_later_than_the_spec_says(tmp_path: Path, folder: Path) -> None:
    source = Source(tmp_path / "late.db")
    for number in range(N_DAYS):
        source.add(number)
    source.run(f"DELETE FROM deliveries WHERE order_date > '{day(N_DAYS - 6)}'")
    found = alarms(looked(project(folder, **WINDOWS), source, folder))
    # Two days are declared, five are seen.
    assert (
        f"the newest that are there are those of {day(N_DAYS - 6)}, 3 days before"
        in (found["label delay"])
    )
    assert "set delay to 5 days or more" in found["label delay"]


def test_features_without_any_value(source: Source, works: Sample, folder: Path) -> None:
    sql = (project(folder).features_sql or folder).read_text()
    spec = project(
        folder, features_sql=sql.replace("t.speed", "CAST(NULL AS DOUBLE) AS speed"), **WINDOWS
    )
    found = alarms(looked(spec, source, folder, like=works))
    assert "has no value in any of" in found["feature values"]


def test_rows_that_are_quarantined_once_may_be_wrong_or_not(tmp_path: Path, folder: Path) -> None:
    source = Source(tmp_path / "once.db")
    for number in range(N_DAYS):
        source.add(number)
    source.run(
        f"UPDATE orders SET distance = 101 WHERE rowid IN (SELECT rowid FROM orders WHERE "
        f"order_date = '{day(N_DAYS - 1)}' LIMIT 2)"
    )
    results = looked(project(folder, **WINDOWS), source, folder)
    (found,) = [one for one in results if one.answer != "fine"]
    assert (found.check, found.answer) == ("rows", "cannot tell")
    assert "2 of 320 rows are quarantined, in 1 of 4 partitions" in found.message


def test_rows_that_are_nearly_enough(source: Source, works: Sample, folder: Path) -> None:
    # 80 orders a day make 560 rows in seven days.
    limits = DriftSpec(window="7d", max_window="7d", min_rows=600)
    windows = WINDOWS | {"drift": limits}
    results = looked(project(folder, **windows), source, folder, like=works)
    (found,) = [one for one in results if one.answer != "fine"]
    assert (found.check, found.answer) == ("volume", "cannot tell")
    assert "560 rows in 7 days, and 600 are needed" in found.message


def test_an_evaluation_of_one_partition_tells_nothing_of_others(
    source: Source, works: Sample, folder: Path
) -> None:
    results = looked(project(folder, **WINDOWS | {"evaluation": "1d"}), source, folder, like=works)
    (found,) = [one for one in results if one.answer != "fine" and one.check == "windows"]
    assert found.answer == "cannot tell"
    assert "one day alone" in found.message
    assert found.fix == "use an evaluation of several days"


def test_a_leak_is_suspected_until_the_spec_allows_it(tmp_path: Path, folder: Path) -> None:
    source = Source(tmp_path / "leak.db")
    for number in range(N_DAYS):
        source.add(number)
    source.run(
        "UPDATE orders SET distance = (SELECT minutes_late > 10 FROM deliveries AS d WHERE "
        "d.order_id = orders.order_id)"
    )
    found = alarms(looked(project(folder, **WINDOWS), source, folder))
    assert list(found) == ["leaks"]
    assert "'distance'" in found["leaks"]
    other = folder / "allowed"
    other.mkdir()
    spec = project(other, allow_leak_suspects=("distance",), **WINDOWS)
    assert alarms(looked(spec, source, other)) == {}


def test_times_without_a_zone_where_clocks_are_put_back(tmp_path: Path, folder: Path) -> None:
    source = Source(tmp_path / "local.db")
    for number in range(N_DAYS):
        source.add(number)
    files, zone = dataset_files(folder), {"timezone": "Europe/Berlin"}
    inputs = (
        InputSpec(dataset=orders_dataset(files, **zone)),
        InputSpec(dataset=traffic_dataset(files, **zone), lookback="1d"),
    )
    label = LabelSpec(dataset=deliveries_dataset(files, **zone), target="minutes_late > 10")
    spec = project(folder, inputs=inputs, label=label, **WINDOWS)
    results = looked(spec, source, folder)
    assert {one.message for one in results if one.check == "clock changes"} == {
        "all times are instants"
    }
    source.run("UPDATE orders SET ordered_at = replace(ordered_at, 'Z', '')")
    (folder / "again").mkdir()
    found = alarms(looked(spec, source, folder / "again"))
    assert "as 2023-10-29, would be refused" in found["clock changes"]
    assert "set ambiguous to 'earlier' or 'later'" in found["clock changes"]


def build_random(*, categorical: Any, numeric: Any, random_state: int) -> Any:
    """Return an estimator that forgets its seed."""
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    encode = ColumnTransformer(
        [("c", OneHotEncoder(handle_unknown="ignore"), list(categorical))], remainder="drop"
    )
    return make_pipeline(encode, RandomForestClassifier(5, max_depth=3))


def build_strict(*, categorical: Any, numeric: Any, random_state: int) -> Any:
    """Return an estimator that knows no other categories."""
    from sklearn.compose import ColumnTransformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    encode = ColumnTransformer([("c", OneHotEncoder(), list(categorical))], remainder="drop")
    return make_pipeline(encode, LogisticRegression())
