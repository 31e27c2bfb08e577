"""Features from a Python function: the same rows, checks and proof as from a query."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from mlops_tasks.exceptions import DamagedTableError, FeatureError, LeakageError, SpecError
from mlops_tasks.features import assert_parity, build_features, feature_frame, published_inputs
from mlops_tasks.specs import InputSpec
from tests.unit.features import functions
from tests.unit.orders import ROWS_PER_DAY, day, fill_lake, orders_dataset, project, rows_of

if TYPE_CHECKING:
    from mlops_tasks.lake import Lake
    from mlops_tasks.specs import ModelSpec

LIBRARIES = ("arrow", "pandas", "polars")


def by_function(spec: ModelSpec, name: str, **changes: Any) -> ModelSpec:
    path = f"tests.unit.features.functions:{name}"
    return spec.model_copy(update={"features_sql": None, "features_python": path, **changes})


def inputs(n: int = 80) -> dict[str, pa.Table]:
    """Return a day whose first orders have no reading before them."""
    rows = rows_of(0, n=n)
    traffic = rows["traffic"]
    late = pc.greater(pc.hour(traffic["observed_at"]), 5)
    return {"orders": rows["orders"], "traffic": traffic.filter(late)}


@pytest.mark.parametrize("name", [*LIBRARIES, "as_pandas_has_it"])
def test_a_function_gives_the_rows_of_the_query(spec: ModelSpec, name: str) -> None:
    wanted = build_features(spec, inputs())
    found = build_features(by_function(spec, name), inputs())
    assert wanted.column("speed").null_count > 0
    assert found.schema == wanted.schema
    assert found == wanted
    assert feature_frame(by_function(spec, name), found).equals(feature_frame(spec, wanted))


@pytest.mark.parametrize("name", LIBRARIES)
def test_no_rows_have_no_features(spec: ModelSpec, name: str) -> None:
    empty = inputs(0)
    assert build_features(by_function(spec, name), empty) == build_features(spec, empty)


@pytest.mark.parametrize("name", LIBRARIES)
def test_integers_stay_exact_beside_a_null(spec: ModelSpec, name: str) -> None:
    given = inputs()
    large = [2**60 + 1, None, *range(78)]
    orders = given["orders"].set_column(4, "items", pa.array(large, pa.int64()))
    as_text = by_function(spec, name, categorical=("shop", "items"), numeric=("speed",))
    found = build_features(as_text, given | {"orders": orders})
    assert found.schema.field("items").type == pa.int64()
    assert sorted(found["items"].drop_null().to_pylist()) == sorted([2**60 + 1, *range(78)])
    texts = feature_frame(as_text, found)["items"]
    assert str(2**60 + 1) in set(texts)
    assert texts.isna().sum() == 1
    with pytest.raises(FeatureError, match=r"'items' has integers beyond 2\*\*53"):
        build_features(by_function(spec, name), given | {"orders": orders})


def test_more_rows_than_a_batch_come_in_the_order_of_the_key(
    spec: ModelSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlops_tasks.features.python._BATCH_ROWS", 7)
    monkeypatch.setattr("mlops_tasks.features.python._REPEATED_ROWS", 3)
    assert build_features(by_function(spec, "pandas"), inputs()) == build_features(spec, inputs())


# --- from the lake


@pytest.fixture
def filled(lake: Lake, spec: ModelSpec) -> Lake:
    fill_lake(lake, spec, range(5))
    return lake


@pytest.mark.parametrize("name", LIBRARIES)
def test_a_day_is_the_same_in_training_and_in_scoring(
    filled: Lake, spec: ModelSpec, name: str
) -> None:
    assert assert_parity(by_function(spec, name), day(2), lake=filled) == ROWS_PER_DAY


def test_a_mean_over_all_rows_is_skewed(filled: Lake, spec: ModelSpec) -> None:
    with pytest.raises(AssertionError) as error:
        assert_parity(by_function(spec, "over_the_day"), day(2), lake=filled)
    said = str(error.value)
    assert f"features 'tests.unit.features.functions:over_the_day', {day(2)}: row" in said
    assert "columns that differ: ['distance']" in said
    assert said.endswith("The function looks at rows outside the day and its look-back")


def test_the_partition_of_each_row_is_there_in_training_and_in_scoring(
    filled: Lake, tmp_path: Path, spec: ModelSpec
) -> None:
    sql = """
        SELECT order_id, ordered_at AS asked_at, ordered_at - INTERVAL 1 DAY AS traffic_observed_at,
            shop, items, distance, express, right(partition_key, 2)::INT AS speed
        FROM orders
    """
    query = project(tmp_path / "query", features_sql=sql)
    for asked in (query, by_function(spec, "with_keys_beside")):
        assert assert_parity(asked, day(2), lake=filled) == ROWS_PER_DAY
        rows = published_inputs(asked, filled, first=day(1), last=day(2))
        found = build_features(asked, rows)
        days = pc.utf8_slice_codeunits(found["order_id"], 8, 10).cast(pa.int64())
        assert found["speed"].cast(pa.int64()).to_pylist() == days.to_pylist()
        assert set(days.to_pylist()) == {2, 3}


def test_a_look_back_reaches_the_function(filled: Lake, spec: ModelSpec) -> None:
    asked = by_function(spec, "arrow")
    build_features(asked, published_inputs(asked, filled, first=day(2), last=day(2)))
    seen = functions.SEEN
    assert set(seen["orders"]["partition_key"].to_pylist()) == {day(2)}
    assert set(seen["traffic"]["partition_key"].to_pylist()) == {day(1), day(2)}


@pytest.mark.parametrize("table", ["orders", "traffic"])
def test_a_damaged_file_is_reported_as_such(filled: Lake, spec: ModelSpec, table: str) -> None:
    asked = by_function(spec, "arrow")
    rows = published_inputs(asked, filled, first=day(2), last=day(2))
    (file,) = filled.root.glob(f"{table}/*{day(2)}*/*.parquet")
    content = bytearray(file.read_bytes())
    content[60:90] = bytes(30)
    file.write_bytes(content)
    with pytest.raises(DamagedTableError, match=f"table '{table}': a data file cannot be read"):
        build_features(asked, rows)


# --- what is refused

REFUSED = [
    ("the_label", LeakageError, "asks for 'deliveries', which is known only afterwards"),
    ("unknown_input", FeatureError, "asks for .*weather.*no input; .*'orders', 'traffic'"),
    ("odd_annotation", FeatureError, "'orders' is annotated as .*pyarrow.Table, pandas.DataFrame"),
    ("at_random", FeatureError, r"called again with the same rows; .*\['speed'\]"),
    ("growing", FeatureError, "called again with the same rows; its columns or rows differ"),
    ("the_future", LeakageError, "'traffic_observed_at' is not before 'asked_at' in 80 of 80"),
    ("loses_rows", FeatureError, "gives 79 rows, 79 of them with a key of their own, for 80 rows"),
    ("without_index", FeatureError, r"no column \['order_id'\]; return it as a column; an index"),
    ("loose", FeatureError, r"\['shop'\] have the dtype object.*\.astype\('str'\)"),
    ("local_clock", FeatureError, "'asked_at' is timestamp.us. and must be an instant.*dt.tz_loc"),
    ("twice", FeatureError, r"gives \['speed'\] more than once; return one of each"),
    ("text_as_number", FeatureError, "'speed' is string; make it float64 in the function"),
    ("infinite", FeatureError, "'speed' is infinite in 80 rows"),
    ("floating_key", FeatureError, "makes double of the key 'order_id', which is string in"),
    ("too_fine", FeatureError, "times have microseconds at most"),
    ("fails", FeatureError, r"fails in line \d+: KeyError: .*nobody"),
    ("nothing", FeatureError, "returns NoneType; return a pyarrow.Table"),
    ("late", FeatureError, "returns LazyFrame; return a pyarrow.Table"),
]


@pytest.mark.parametrize(("name", "kind", "said"), REFUSED)
def test_what_a_query_may_not_a_function_may_not_either(
    spec: ModelSpec, name: str, kind: type[Exception], said: str
) -> None:
    with pytest.raises(kind, match=said) as error:
        build_features(by_function(spec, name), inputs())
    assert "model 'late_orders', features 'tests.unit.features.functions:" in str(error.value)


def test_the_line_that_failed_is_the_users_own(spec: ModelSpec) -> None:
    text = Path(functions.__file__).read_text().splitlines()
    with pytest.raises(FeatureError) as error:
        build_features(by_function(spec, "fails"), inputs())
    number = int(str(error.value).split("in line ")[1].split(":")[0])
    assert text[number - 1].strip() == 'return orders.select(["nobody"])'


def test_a_function_that_is_not_there_is_refused(spec: ModelSpec) -> None:
    for path in ("tests.unit.features.functions:nobody", "nowhere.at_all:features"):
        lost = spec.model_copy(update={"features_sql": None, "features_python": path})
        with pytest.raises(SpecError, match="name a function as 'package"):
            build_features(lost, inputs())


def test_without_polars_its_extra_is_named(
    spec: ModelSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(FeatureError, match=r"install mlops-airflow\[polars\]"):
        build_features(by_function(spec, "polars"), inputs())
    assert build_features(by_function(spec, "arrow"), inputs()).num_rows == 80


def test_one_of_query_and_function_is_given(tmp_path: Path) -> None:
    function = "tests.unit.features.functions:arrow"
    with pytest.raises(SpecError, match="features_sql and features_python: both are given"):
        project(tmp_path, features_python=function)
    with pytest.raises(SpecError, match="features_sql and features_python: neither is given"):
        project(tmp_path, **{"features_sql": None})
    with pytest.raises(SpecError, match="must name a function as"):
        project(tmp_path, **{"features_sql": None, "features_python": "features.py"})
    orders = InputSpec(dataset=orders_dataset(tmp_path))
    assert project(tmp_path, inputs=(orders,), observed_at=()).features_python is None
