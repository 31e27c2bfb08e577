from __future__ import annotations

import math
import tempfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

from flight_delays.spec import MODEL
from mlops_tasks.exceptions import FeatureError, LeakageError
from mlops_tasks.features import (
    build_features,
    build_targets,
    feature_batches,
    feature_frame,
    join_targets,
)
from mlops_tasks.specs.schema import arrow_schema
from tests.unit.orders import FEATURES_SQL, SHOPS, project, rows_of

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tasks.specs import ModelSpec


def inputs(n: int = 80) -> dict[str, pa.Table]:
    rows = rows_of(0, n=n)
    return {"orders": rows["orders"], "traffic": rows["traffic"]}


def variant(tmp_path: Path, old: str, new: str, **changes: Any) -> ModelSpec:
    """Return the project with one place of its features.sql changed."""
    assert old in FEATURES_SQL
    return project(tmp_path, features_sql=FEATURES_SQL.replace(old, new), **changes)


def test_features_are_one_row_per_row_ordered_by_key(spec: ModelSpec) -> None:
    found = build_features(spec, inputs())
    known = ["order_id", "asked_at", *spec.features]
    assert found.schema.names == [*known, "traffic_observed_at"]
    assert found.column("order_id").to_pylist() == sorted(
        inputs()["orders"].column("order_id").to_pylist()
    )


def test_a_fact_is_the_last_one_before_the_moment_of_asking(spec: ModelSpec) -> None:
    found = build_features(spec, inputs())
    traffic = inputs()["traffic"].to_pylist()
    zones = {row["order_id"]: row["zone"] for row in inputs()["orders"].to_pylist()}
    for row in found.to_pylist():
        earlier = [
            (reading["observed_at"], reading["speed"])
            for reading in traffic
            if reading["zone"] == zones[row["order_id"]]
            and reading["observed_at"] < row["asked_at"]
        ]
        assert row["speed"] == (max(earlier)[1] if earlier else None)


def test_the_order_of_the_inputs_does_not_matter(spec: ModelSpec) -> None:
    backwards = {name: rows.take(list(range(len(rows)))[::-1]) for name, rows in inputs().items()}
    assert build_features(spec, backwards) == build_features(spec, inputs())


def test_a_closing_semicolon_and_comments_are_harmless(tmp_path: Path, spec: ModelSpec) -> None:
    sql = f"-- what is known\n{FEATURES_SQL};\n"
    assert build_features(project(tmp_path, features_sql=sql), inputs()) == build_features(
        spec, inputs()
    )


def test_no_rows_have_no_features(spec: ModelSpec) -> None:
    assert build_features(spec, inputs(0)).num_rows == 0


# --- more rows than memory


def many(times: int) -> dict[str, pa.Table]:
    """Return the orders of a day several times, each with a key of its own."""
    rows, traffic = inputs(n=2_000).values()
    ids = pa.array([f"{order:09} of a day of many orders" for order in range(times * 2_000)])
    wide = pa.concat_tables([rows] * times).set_column(0, "order_id", ids)
    shuffled = np.random.default_rng(3).permutation(len(wide))
    return {"orders": wide.take(shuffled), "traffic": traffic}


def on_one_core(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let DuckDB need the same memory on every machine: it needs some for each core."""
    import duckdb

    connect = duckdb.connect

    def connect_one(*, config: dict[str, Any]) -> Any:
        return connect(config=config | {"threads": 1})

    monkeypatch.setattr(duckdb, "connect", connect_one)


def test_above_the_memory_limit_the_query_spills_and_gives_the_same_rows(
    spec: ModelSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, disk = many(100), tmp_path / "disk"
    disk.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(disk))
    on_one_core(monkeypatch)

    def spilled_and_rows(limit: str) -> tuple[int, pa.Table]:
        monkeypatch.setenv("MLOPS_DUCKDB_MEMORY", limit)
        batches = feature_batches(spec, rows)
        found = [next(batches), next(batches)]  # sorted by now, and so all of it was held
        spilled = sum(path.stat().st_size for path in disk.rglob("*") if path.is_file())
        return spilled, pa.Table.from_batches([*found, *batches])

    none, roomy = spilled_and_rows("1GB")
    spilled, tight = spilled_and_rows("32MB")
    assert none == 0
    assert spilled > 2**20
    assert tight.num_rows == 200_000
    assert tight.equals(roomy)
    assert not any(disk.iterdir()), "nothing is left on the disk"


def test_too_little_memory_to_spill_is_told_with_the_setting(
    spec: ModelSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_DUCKDB_MEMORY", "4MB")
    with pytest.raises(FeatureError, match=r"features\.sql .* 4MB .*; set MLOPS_DUCKDB_MEMORY"):
        build_features(spec, many(20))


def test_a_query_that_would_fill_the_disk_is_stopped_with_the_setting(
    spec: ModelSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_one_core(monkeypatch)
    monkeypatch.setenv("MLOPS_DUCKDB_MEMORY", "32MB")
    monkeypatch.setenv("MLOPS_DUCKDB_DISK", "1MB")
    with pytest.raises(FeatureError, match=r"features\.sql .* 1MB of disk: .* MLOPS_DUCKDB_DISK"):
        build_features(spec, many(100))


# --- leaks


def test_the_label_dataset_cannot_be_read(tmp_path: Path) -> None:
    spec = variant(
        tmp_path, "FROM orders AS o", "FROM orders AS o JOIN deliveries USING (order_id)"
    )
    with pytest.raises(LeakageError, match=r"reads 'deliveries', which is known only afterwards"):
        build_features(spec, inputs())


def test_a_table_whose_name_only_holds_that_of_the_label_is_just_unknown(tmp_path: Path) -> None:
    spec = variant(tmp_path, "FROM orders AS o", "FROM orders AS o JOIN old_deliveries USING (id)")
    with pytest.raises(FeatureError, match="old_deliveries does not exist"):
        build_features(spec, inputs())


def test_the_flight_project_cannot_read_its_arrivals(tmp_path: Path) -> None:
    sql = tmp_path / "leak.sql"
    sql.write_text(
        MODEL.features_sql.read_text() + "LEFT JOIN arrivals AS a ON a.flight_id = f.flight_id"
    )
    empty = {item.dataset.name: arrow_schema(item.dataset).empty_table() for item in MODEL.inputs}
    assert build_features(MODEL, empty).num_rows == 0
    with pytest.raises(LeakageError, match=r"leak\.sql reads 'arrivals'"):
        build_features(MODEL.model_copy(update={"features_sql": sql}), empty)


@pytest.mark.parametrize("sign", ["<", "<="])
def test_the_future_cannot_be_joined(tmp_path: Path, sign: str) -> None:
    spec = variant(tmp_path, "o.ordered_at > t.observed_at", f"o.ordered_at {sign} t.observed_at")
    with pytest.raises(
        LeakageError, match=r"'traffic_observed_at' is not before 'asked_at' in \d+"
    ):
        build_features(spec, inputs())


def test_a_fact_of_the_very_moment_is_too_late(tmp_path: Path) -> None:
    moment = variant(tmp_path, "t.observed_at AS traffic", "o.ordered_at AS traffic")
    with pytest.raises(LeakageError, match="in 80 of 80 rows; the join sees the future"):
        build_features(moment, inputs())


def test_without_a_moment_of_asking_nothing_is_before_it(tmp_path: Path) -> None:
    spec = variant(tmp_path, "o.ordered_at AS asked_at", "CAST(NULL AS TIMESTAMPTZ) AS asked_at")
    with pytest.raises(LeakageError, match="is not before 'asked_at'"):
        build_features(spec, inputs())


@pytest.mark.parametrize(
    "source",
    [
        "read_csv('{file}')",
        "read_text('{file}')",
        "read_parquet('{file}')",
        "'{file}'",
        "glob('/*')",
        "duckdb_secrets()",
        "orders, 'http://127.0.0.1/x.csv'",
    ],
)
def test_nothing_outside_the_inputs_can_be_read(tmp_path: Path, source: str) -> None:
    file = tmp_path / "secret.csv"
    file.write_text("password\nhunter2\n")
    spec = variant(
        tmp_path / "project",
        "FROM orders AS o",
        f"FROM (SELECT * FROM orders, {source.format(file=file)}) AS o",
    )
    with pytest.raises(FeatureError) as error:
        build_features(spec, inputs())
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize(
    "statement",
    ["SET enable_external_access = true", "INSTALL httpfs", "ATTACH '/tmp/x.db'", "COPY orders TO"],
)
def test_the_query_is_one_select(tmp_path: Path, statement: str) -> None:
    spec = project(tmp_path, features_sql=f"SELECT 1); {statement}; SELECT * FROM (SELECT 1")
    with pytest.raises(FeatureError):
        build_features(spec, inputs())


def test_the_python_around_it_cannot_be_read(tmp_path: Path) -> None:
    hidden = pa.table({"order_id": ["x"]})
    spec = variant(tmp_path, "FROM orders AS o", "FROM (SELECT * FROM orders, hidden) AS o")
    with pytest.raises(FeatureError, match="hidden"):
        build_features(spec, inputs())
    assert hidden.num_rows == 1
    for name in ("rows", "inputs"):  # where the query is run
        own = variant(tmp_path, "FROM orders AS o", f'FROM (SELECT * FROM "{name}") AS o')
        with pytest.raises(FeatureError, match=name):
            build_features(own, inputs())


# --- what cannot be used


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    for line in ("        t.speed\n", "t.observed_at AS traffic_observed_at,"):
        spec = variant(tmp_path, line, "        1 AS other\n" if "speed" in line else "")
        with pytest.raises(FeatureError, match=r"features\.sql gives no column \['"):
            build_features(spec, inputs())


def test_a_query_that_does_not_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(FeatureError, match=r"'late_orders', features\.sql does not run.*weight"):
        build_features(variant(tmp_path, "o.items", "o.weight AS items"), inputs())
    with pytest.raises(FeatureError, match=r"features\.sql does not run: line \d+, .*[Nn]owhere"):
        build_features(variant(tmp_path, "FROM orders", "FROM nowhere"), inputs())


@pytest.mark.parametrize(
    "end", [";", ";\n-- done", "; -- done; really\n", " -- done", ";;\n/* ; */"]
)
def test_a_query_may_end_with_semicolons_and_comments(
    tmp_path: Path, spec: ModelSpec, end: str
) -> None:
    closed = project(tmp_path, features_sql=f"{FEATURES_SQL}{end}")
    assert build_features(closed, inputs()) == build_features(spec, inputs())


@pytest.mark.parametrize(
    "key",
    [
        "o.order_id || ' '",
        "'x' || o.order_id",
        "nullif(o.order_id, (SELECT min(order_id) FROM orders))",
    ],
)
def test_the_keys_are_those_of_the_rows(tmp_path: Path, key: str) -> None:
    spec = variant(tmp_path, "o.order_id,", f"{key} AS order_id,")
    with pytest.raises(FeatureError, match=r"other keys \['order_id'\] than the rows of 'orders'"):
        build_features(spec, inputs())


@pytest.mark.parametrize("text", ["", "\n", "-- to be written", ";"])
def test_a_file_without_a_query_is_named(tmp_path: Path, text: str) -> None:
    with pytest.raises(FeatureError, match=r"'late_orders', features\.sql holds no query"):
        build_features(project(tmp_path, features_sql=text), inputs())


def test_a_feature_that_is_given_twice_is_refused(tmp_path: Path) -> None:
    spec = variant(tmp_path, "o.distance,", "o.distance, o.distance * 2 AS Distance,")
    with pytest.raises(FeatureError, match=r"gives \['distance'\] more than once"):
        build_features(spec, inputs())


UNREPEATABLE = [
    "random()",
    '"random"()',
    "uuid()::VARCHAR",
    "epoch(now())",
    "epoch(NOW ( ))",
    "CURRENT_DATE",
    "hash(current_timestamp)",
    "year(today())",
    "age(o.ordered_at::TIMESTAMP)",
    "ago(INTERVAL 1 DAY)",
    "(SELECT max(items) FROM orders TABLESAMPLE 50%)",
    "(SELECT max(items) FROM orders USING SAMPLE 9)",
]


@pytest.mark.parametrize("sql", UNREPEATABLE)
def test_neither_clock_nor_chance_makes_a_feature(tmp_path: Path, sql: str) -> None:
    spec = variant(tmp_path, "o.distance,", f"o.distance,\n-- now()\n{sql} AS other,")
    with pytest.raises(FeatureError, match=r"features\.sql, line 10: \w+ answers otherwise each"):
        build_features(spec, inputs())


@pytest.mark.parametrize(
    "sql",
    [
        "age(o.ordered_at::TIMESTAMP, (t.observed_at)::TIMESTAMP)",
        "'now()' AS text, o.items AS current_date",
        "o.items AS now, o.items AS sample",
        "hash(o.order_id) % 10",
        "CASE WHEN o.items < 0 THEN error('less than none') END",
    ],
)
def test_what_only_looks_like_a_clock_is_taken(tmp_path: Path, sql: str) -> None:
    spec = variant(tmp_path, "t.speed", f"t.speed, {sql}")
    assert build_features(spec, inputs()).num_rows == 80


def test_rows_may_not_get_lost(tmp_path: Path) -> None:
    readings = inputs()
    readings["traffic"] = readings["traffic"].slice(24)  # only one zone is left
    lossy = variant(tmp_path, "ASOF LEFT JOIN", "ASOF JOIN")
    with pytest.raises(FeatureError, match=r"gives \d+ rows, .* for 80 rows of 'orders'"):
        build_features(lossy, readings)


def test_rows_may_not_double(tmp_path: Path) -> None:
    spec = variant(tmp_path, "FROM orders AS o", "FROM (FROM orders UNION ALL FROM orders) AS o")
    with pytest.raises(FeatureError, match="gives 160 rows, 80 of them with a key of their own"):
        build_features(spec, inputs())


def test_a_lost_row_does_not_make_up_for_a_doubled_one(tmp_path: Path) -> None:
    spec = variant(
        tmp_path,
        "FROM orders AS o",
        "FROM ((FROM orders ORDER BY order_id LIMIT 79)"
        " UNION ALL (FROM orders ORDER BY order_id LIMIT 1)) AS o",
    )
    with pytest.raises(FeatureError, match="a join loses or doubles rows"):
        build_features(spec, inputs())


def test_a_batch_without_rows_counts_no_key(spec: ModelSpec) -> None:
    from mlops_tasks.features.row_checks import KeyCount

    batches = pa.table({"order_id": ["a", "b", "b", "c"]}).to_batches(max_chunksize=2)
    keys = KeyCount(spec)
    for batch in (batches[0].slice(0, 0), *batches, batches[0].slice(0, 0)):
        keys.add(batch)
    assert (keys.n_rows, keys.n_keys) == (4, 3)


@pytest.mark.parametrize("value", [math.inf, -math.inf])
def test_an_infinite_feature_is_refused_with_its_count(spec: ModelSpec, value: float) -> None:
    rows = inputs()
    distance = [value, value, *rows["orders"].column("distance").to_pylist()[2:]]
    rows["orders"] = rows["orders"].set_column(5, "distance", pa.array(distance))
    with pytest.raises(FeatureError, match="'distance' is infinite in 2 rows; bound it"):
        build_features(spec, rows)


def test_a_feature_that_divides_by_zero_is_refused(tmp_path: Path) -> None:
    spec = variant(tmp_path, "t.speed", "o.distance / CAST(0 AS DOUBLE) AS speed")
    with pytest.raises(FeatureError, match="'speed' is infinite in 80 rows"):
        build_features(spec, inputs())


@pytest.mark.parametrize("value", ["NULL", "CAST('nan' AS DOUBLE)"])
def test_missing_numbers_are_missing_values(tmp_path: Path, value: str) -> None:
    spec = variant(tmp_path, "o.distance", f"CAST({value} AS DOUBLE) AS distance")
    frame = feature_frame(spec, build_features(spec, inputs()))
    assert frame["distance"].isna().all()
    assert frame["distance"].dtype == float


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("o.distance::DECIMAL(9, 2)", r"DECIMAL\(9,2\)"),
        ("o.shop", "VARCHAR"),
        ("sum(o.items) OVER ()", "HUGEINT"),
    ],
)
def test_a_number_of_another_type_is_refused_with_the_cast(
    tmp_path: Path, sql: str, kind: str
) -> None:
    """Pandas would make objects of them, and a profile would take them for categories."""
    spec = variant(tmp_path, "o.distance", f"{sql} AS distance")
    with pytest.raises(
        FeatureError, match=rf"'distance' is {kind}; write CAST\(distance AS DOUBLE\) AS distance"
    ):
        build_features(spec, inputs())


@pytest.mark.parametrize("kind", ["TEXT", "DATE", "TIMESTAMP"])
@pytest.mark.parametrize(
    ("column", "name"), [("o.ordered_at", "asked_at"), ("t.observed_at", "traffic_observed_at")]
)
def test_moments_are_instants(tmp_path: Path, column: str, name: str, kind: str) -> None:
    spec = variant(tmp_path, f"{column} AS {name}", f"CAST({column} AS {kind}) AS {name}")
    with pytest.raises(FeatureError, match=rf"'{name}' is \w+ and must be an instant, .*TIME ZONE"):
        build_features(spec, inputs())


def test_the_frame_has_the_features_categories_first(spec: ModelSpec) -> None:
    frame = feature_frame(spec, build_features(spec, inputs()))
    assert tuple(frame.columns) == spec.features
    assert set(frame["shop"]) == set(SHOPS)


def test_a_column_without_any_text_stays_text(spec: ModelSpec) -> None:
    rows = inputs()
    nothing = pa.nulls(80, pa.string())
    rows["orders"] = rows["orders"].set_column(3, "shop", nothing)
    some = feature_frame(spec, build_features(spec, inputs()))["shop"].dtype
    assert feature_frame(spec, build_features(spec, rows))["shop"].dtype == some


# --- targets


@pytest.mark.parametrize(
    ("kind", "target", "says"),
    [
        ("regression", "minutes_late > 10", "gives BOOLEAN .* or the problem_type 'binary'"),
        ("regression", "'x' || order_id", "gives VARCHAR .* or the problem_type 'multiclass'"),
        ("binary", "minutes_late", "gives DOUBLE .* or the problem_type 'regression'"),
        ("multiclass", "[1]", r"write CAST\(<column> AS VARCHAR\)$"),
    ],
)
def test_a_target_of_another_problem_type_names_it(
    tmp_path: Path, spec: ModelSpec, kind: str, target: str, says: str
) -> None:
    from mlops_tasks.specs import LabelSpec

    label = LabelSpec(dataset=spec.label.dataset, target=target)
    changed = project(tmp_path / "other", label=label, problem_type=kind)
    with pytest.raises(FeatureError, match=says):
        build_targets(changed, labels(a=3.0))


def labels(**minutes_late: float | None) -> pa.Table:
    schema = pa.schema({"order_id": pa.string(), "minutes_late": pa.float64()})
    return pa.table(
        {"order_id": list(minutes_late), "minutes_late": [*minutes_late.values()]}, schema
    )


def test_targets_follow_the_condition_and_unknown_is_left_out(spec: ModelSpec) -> None:
    found = build_targets(spec, labels(c=11.0, a=10.0, b=None, d=math.nan))
    assert found.to_pydict()["order_id"] == ["a", "c", "d"]
    assert found.to_pydict()["y"] == [0, 1, 1], "in SQL, NaN is larger than any number"


@pytest.mark.parametrize(
    ("condition", "target"),
    [
        ("minutes_late / {zero} > 0.5", None),
        ("{zero} / {zero} > 0.5", None),
        ("NOT {zero} / {zero} > 0.5", None),
        ("fmod(minutes_late, {zero}) > 0.5", None),
        ("minutes_late / 0 > 0.5", None),
        ("{zero} / minutes_late > 0.5", 0),
        ("{zero} / minutes_late < 0.5", 1),
        ("coalesce({zero} / {zero}, 1) > 0.5", 1),
    ],
)
def test_nobody_knows_what_is_divided_by_zero(
    tmp_path: Path, spec: ModelSpec, condition: str, target: int | None
) -> None:
    from mlops_tasks.specs import LabelSpec

    sql = condition.format(zero="(minutes_late - minutes_late)")
    label = LabelSpec(dataset=spec.label.dataset, target=sql)
    found = build_targets(project(tmp_path / "other", label=label), labels(a=3.0, b=None))
    wanted = {} if target is None else {"a": target}
    if "coalesce" in condition:
        wanted |= {"b": 1}
    assert dict(zip(*found.to_pydict().values(), strict=True)) == wanted


@pytest.mark.parametrize("number", ["ln(minutes_late)", "sqrt(minutes_late - 1)"])
def test_a_condition_without_an_answer_is_refused(
    tmp_path: Path, spec: ModelSpec, number: str
) -> None:
    from mlops_tasks.specs import LabelSpec

    label = LabelSpec(dataset=spec.label.dataset, target=f"{number} > 0.5")
    with pytest.raises(FeatureError, match=r"does not run: .* cannot take"):
        build_targets(project(tmp_path / "other", label=label), labels(a=0.0))


def test_a_condition_that_does_not_run_is_named(tmp_path: Path, spec: ModelSpec) -> None:
    from mlops_tasks.specs import LabelSpec

    wrong = LabelSpec(dataset=spec.label.dataset, target="lateness > 10")
    with pytest.raises(FeatureError, match=r"target 'lateness > 10' does not run.*lateness"):
        build_targets(project(tmp_path / "other", label=wrong), labels(a=1.0))


@pytest.mark.parametrize(
    "text",
    [
        "minutes_late > 10) or (true",
        "minutes_late > 10, true",
        "minutes_late > 10 FROM labels",
        "minutes_late > 10; SELECT 1",
        "minutes_late > 10 /*",
        "minutes_late > 10 LIMIT 1",
    ],
)
def test_a_target_is_one_expression(tmp_path: Path, spec: ModelSpec, text: str) -> None:
    wrong = {"dataset": spec.label.dataset, "target": text}
    with pytest.raises(FeatureError, match="is not one SQL expression that stands on its own"):
        build_targets(project(tmp_path / "other", label=wrong), labels(a=1.0))


@pytest.mark.parametrize("late", [[11.0, 12.0], [11.0, None], [11.0]])
def test_a_key_has_one_target_however_often_it_comes(
    spec: ModelSpec, late: list[float | None]
) -> None:
    found = build_targets(spec, pa.table({"order_id": ["a"] * len(late), "minutes_late": late}))
    assert found.to_pydict() == {"order_id": ["a"], "y": [1]}


def test_labels_that_contradict_each_other_are_refused_with_their_key(spec: ModelSpec) -> None:
    twice = pa.concat_tables([labels(a=11.0, b=0.0), labels(a=9.0)])
    with pytest.raises(
        FeatureError, match=r"is 0 and 1 for rows of one key.*first {'order_id': 'a'}"
    ):
        build_targets(spec, twice)


@pytest.mark.parametrize("positive", ["random() < 0.5", "minutes_late > epoch(now())"])
def test_neither_clock_nor_chance_makes_a_target(
    tmp_path: Path, spec: ModelSpec, positive: str
) -> None:
    from mlops_tasks.specs import LabelSpec

    wrong = LabelSpec(dataset=spec.label.dataset, target=positive)
    with pytest.raises(FeatureError, match=r"target .*: (random|now) answers otherwise"):
        build_targets(project(tmp_path / "other", label=wrong), labels(a=1.0))


def test_rows_get_their_own_label(spec: ModelSpec) -> None:
    rows = pa.table({"order_id": ["a", "b", "c", "d"], "items": [1, 2, 3, 4]})
    joined = join_targets(spec, rows, build_targets(spec, labels(d=0.0, b=99.0, e=99.0)))
    assert joined.select(["order_id", "items", "y"]).to_pydict() == {
        "order_id": ["b", "d"],
        "items": [2, 4],
        "y": [1, 0],
    }


@pytest.mark.parametrize("known", [{}, {"a": None, "b": None}])
def test_rows_without_a_label_are_left_out(spec: ModelSpec, known: dict[str, None]) -> None:
    rows = pa.table({"order_id": ["a", "b"]})
    assert join_targets(spec, rows, build_targets(spec, labels(**known))).num_rows == 0


def test_a_query_that_fails_while_its_rows_are_fetched_is_explained() -> None:
    """Arrow's reader raises it as an error of the file system, without a number."""
    from mlops_tasks.features.duckdb_session import connect, explained

    number = "CASE WHEN i < 900000 THEN 1 ELSE CAST('x' || i AS INTEGER) END"
    query = f"SELECT {number} FROM range(1000000) AS t(i)"
    with (
        pytest.raises(FeatureError, match=r"^here does not run: .*Could not convert .*x900000"),
        connect() as connection,
        explained("here", connection) as ask,
    ):
        list(ask(f"\n{query}").to_arrow_reader(100_000))


def test_an_error_of_the_file_system_stays_one() -> None:
    from mlops_tasks.features.duckdb_session import connect, explained

    with (
        pytest.raises(PermissionError, match="denied"),
        connect() as connection,
        explained("here", connection),
    ):
        raise PermissionError(13, "denied")
