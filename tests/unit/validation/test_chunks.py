"""In chunks or at once: the same verdicts and rows, and those of Great Expectations itself."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from mlops_tasks.exceptions import DamagedTableError
from mlops_tasks.lake import Lake, overwrite_partition
from mlops_tasks.validation import examination
from mlops_tasks.validation.examination import examine
from mlops_tasks.validation.expectation_types import HOW_IN_WORDS
from mlops_tasks.validation.gx import to_frame
from mlops_tasks.validation.partition_rows import PartitionRows
from mlops_tasks.validation.suite import load_suite
from tests.unit.orders import day, orders_dataset

if TYPE_CHECKING:
    from mlops_tasks.specs import DatasetSpec
    from mlops_tasks.validation.examination import Examination

DAY = day(0)
START = datetime(2024, 3, 1, tzinfo=UTC)
COLUMNS = {
    "order_id": "int64?",
    "items": "int64?",
    "left": "int64?",
    "distance": "float64?",
    "shop": "string?",
    "express": "bool?",
    "ordered_at": "timestamp?",
    "on": "date?",
}


IN_SHOP_A = {
    "type": "comparison",
    "column": {"name": "shop"},
    "operator": "==",
    "parameter": "a",
}


def column(kind: str, **kwargs: Any) -> dict[str, Any]:
    return {"type": f"expect_column_{kind}", "kwargs": kwargs}


#: One of every way in which chunks are judged, with limits that random rows meet now and then.
EXPECTATIONS: list[dict[str, Any]] = [
    column("values_to_be_between", column="items", min_value=0, max_value=7),
    column("values_to_be_between", column="items", max_value=8, mostly=0.8),
    column("values_to_be_between", column="distance", min_value=-1.5, strict_min=True),
    column("values_to_be_between", column="ordered_at", max_value="2024-03-01T20:00:00Z"),
    column("values_to_be_between", column="on", max_value="2024-03-06"),
    column("values_to_be_in_set", column="on", value_set=["2024-03-01", "2024-03-02"], mostly=0.2),
    column("values_to_be_in_set", column="shop", value_set=["a", "b"], mostly=0.5),
    column("values_to_be_in_set", column="express", value_set=[True]),
    column("values_to_not_be_in_set", column="items", value_set=[3, 4]),
    column("values_to_match_regex", column="shop", regex="^[ab]"),
    column("value_lengths_to_equal", column="shop", value=1),
    column("values_to_not_be_null", column="distance", mostly=0.7),
    column("values_to_be_null", column="shop", mostly=0.1),
    column("pair_values_a_to_be_greater_than_b", column_A="items", column_B="left"),
    column(
        "pair_values_to_be_equal",
        column_A="items",
        column_B="left",
        ignore_row_if="either_value_is_missing",
        mostly=0.1,
    ),
    {
        "type": "expect_select_column_values_to_be_unique_within_record",
        "kwargs": {"column_list": ["items", "left"], "mostly": 0.8},
    },
    {
        "type": "expect_column_values_to_be_between",
        "kwargs": {
            "column": "items",
            "max_value": 6,
            "row_condition": IN_SHOP_A,
        },
    },
    column("values_to_be_unique", column="order_id", mostly=0.9),
    column("values_to_be_unique", column="distance"),
    {
        "type": "expect_compound_columns_to_be_unique",
        "kwargs": {"column_list": ["items", "shop", "distance"]},
    },
    {
        "type": "expect_compound_columns_to_be_unique",
        "kwargs": {
            "column_list": ["items", "left", "shop"],
            "ignore_row_if": "any_value_is_missing",
        },
    },
    {"type": "expect_table_row_count_to_be_between", "kwargs": {"min_value": 20}},
    {"type": "expect_table_columns_to_match_set", "kwargs": {"column_set": list(COLUMNS)}},
    column("to_exist", column="shop"),
    column("to_exist", column="nowhere"),
    column("max_to_be_between", column="items", max_value=9),
    column("min_to_be_between", column="distance", min_value=-2),
    column("max_to_be_between", column="on", max_value="2024-03-08"),
    column("max_to_be_between", column="ordered_at", max_value="2024-03-01T22:00:00Z"),
    column("sum_to_be_between", column="items", min_value=100),
    # Sums of floats depend on their order in the last digit: limits that no sum meets exactly.
    column("sum_to_be_between", column="distance", min_value=0.03),
    column("mean_to_be_between", column="distance", min_value=-0.103, max_value=0.103),
    column("mean_to_be_between", column="express", min_value=0.403),
    column("stdev_to_be_between", column="distance", max_value=1.003),
    column("stdev_to_be_between", column="items", max_value=3),
    column("unique_value_count_to_be_between", column="shop", max_value=3),
    column("distinct_values_to_be_in_set", column="shop", value_set=["a", "b", "c"]),
    column("distinct_values_to_equal_set", column="express", value_set=[True, False]),
    column("distinct_values_to_contain_set", column="items", value_set=[0, 9]),
    column("median_to_be_between", column="distance", min_value=-0.05),
    column("median_to_be_between", column="ordered_at", min_value="2024-03-01T12:00:00Z"),
    column(
        "quantile_values_to_be_between",
        column="items",
        quantile_ranges={"quantiles": [0.1, 0.9], "value_ranges": [[0, 1], [None, 8]]},
    ),
    column("most_common_value_to_be_in_set", column="shop", value_set=["a"]),
    column("proportion_of_unique_values_to_be_between", column="items", max_value=0.3),
    column("proportion_of_non_null_values_to_be_between", column="shop", min_value=0.8),
    column("value_z_scores_to_be_less_than", column="distance", threshold=2, double_sided=True),
    column("values_to_not_be_outliers", column="items", method="iqr", multiplier=1.0),
    column("values_to_be_increasing", column="items", mostly=0.5),
    column(
        "kl_divergence_to_be_less_than",
        column="shop",
        partition_object={"values": ["a", "b", "c", "dd"], "weights": [0.3, 0.3, 0.2, 0.2]},
        threshold=0.05,
    ),
    {
        "type": "expect_table_row_count_to_be_between",
        "kwargs": {
            "min_value": 3,
            "row_condition": IN_SHOP_A,
        },
    },
]


def random_rows(seed: int, n: int, nulls: float) -> pa.Table:
    random = np.random.default_rng(seed)

    def some(values: Any, kind: pa.DataType) -> pa.Array:
        return pa.array(values, kind, mask=random.random(n) < nulls)

    distance = random.normal(size=n).round(1)
    distance[random.random(n) < 0.05] = np.nan
    left = random.integers(0, 10, n)
    times = [START + timedelta(minutes=int(m)) for m in random.integers(0, 24 * 60, n)]
    return pa.table(
        {
            "order_id": some(random.permutation(n + 1)[:n] // random.choice([1, 1, 2]), pa.int64()),
            "items": some(random.integers(0, 10, n), pa.int64()),
            "left": some(left, pa.int64()),
            "distance": some(distance, pa.float64()),
            "shop": some(random.choice(["a", "b", "c", "dd"], n), pa.string()),
            "express": some(random.random(n) < 0.5, pa.bool_()),
            "ordered_at": some(times, pa.timestamp("us", tz="UTC")),
            "on": some([START.date() + timedelta(days=int(d)) for d in left], pa.date32()),
        }
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> DatasetSpec:
    folder = tmp_path_factory.mktemp("project")
    suite = folder / "all.json"
    suite.write_text(json.dumps({"name": "all", "expectations": EXPECTATIONS}))
    return orders_dataset(folder, columns=COLUMNS, key=("order_id",), expectations=suite)


def stored(lake: Lake, rows: pa.Table, *, token: int = 1, chunk_rows: int = 10**6) -> PartitionRows:
    overwrite_partition(lake.table("raw"), DAY, rows, token=token)
    (commit,) = lake.table("raw").commits(first=DAY, last=DAY)
    return PartitionRows(lake.table("raw"), commit, chunk_rows)


def again(rows: PartitionRows, chunk_rows: int) -> PartitionRows:
    return PartitionRows(rows.table, rows.commit, chunk_rows)


def verdicts(found: Examination) -> list[tuple[Any, ...]]:
    return [
        (o.name, o.severity, o.passed, o.n_rows, o.n_bad, bool(o.error)) for o in found.outcomes
    ]


@pytest.mark.slow
@settings(
    max_examples=3,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],  # shrinking would take minutes
    suppress_health_check=list(HealthCheck),
)
@given(
    seed=st.integers(0, 2**32),
    n=st.integers(17, 40),
    nulls=st.sampled_from([0.0, 0.1, 0.6]),
    chunk_rows=st.sampled_from([13, 24]),  # marks lie eight to a byte
)
@example(seed=1, n=33, nulls=1.0, chunk_rows=16)
def test_chunks_change_neither_verdicts_nor_rows(
    project: DatasetSpec,
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    n: int,
    nulls: float,
    chunk_rows: int,
) -> None:
    suite = load_suite(project.expectations, project.columns)
    assert {e.how for e in suite.expectations} == set(HOW_IN_WORDS)
    whole = stored(Lake(tmp_path_factory.mktemp("lake")), random_rows(seed, n, nulls))
    at_once, in_chunks = (examine(project, suite, again(whole, c)) for c in (10**6, chunk_rows))
    assert verdicts(in_chunks) == verdicts(at_once)
    assert in_chunks.flags.counts() == at_once.flags.counts()
    assert in_chunks.flags.reasons(0, n) == at_once.flags.reasons(0, n)
    assert in_chunks.flags.mask(0, n).tolist() == at_once.flags.mask(0, n).tolist()


def test_the_verdicts_and_counts_are_those_of_great_expectations(
    project: DatasetSpec, lake: Lake
) -> None:
    """On values that it judges rightly: what is compared here must be read as it reads it."""
    import great_expectations as gx

    rows = random_rows(7, 90, 0.1)
    suite = load_suite(project.expectations, project.columns)
    found = examine(project, suite, stored(lake, rows))
    context = gx.get_context(mode="ephemeral")
    asset = context.data_sources.add_pandas("own").add_dataframe_asset("rows")
    batch = asset.add_batch_definition_whole_dataframe("whole").get_batch(
        {"dataframe": to_frame(rows)}
    )
    wanted = [
        {"type": e.kind, "kwargs": e.kwargs, "meta": {"at": e.index}} for e in suite.expectations
    ]
    theirs = batch.validate(gx.ExpectationSuite("own", expectations=wanted))
    theirs_by_index = {
        r.expectation_config.meta["at"]: (bool(r.success), (r.result or {}).get("unexpected_count"))
        for r in theirs.results
        if r.expectation_config
    }
    ours = [(o.passed, o.n_bad) for o in found.outcomes if o.source == "suite"]
    by_row = [n_bad is not None for _, n_bad in ours]
    expected = [theirs_by_index[e.index] for e in suite.expectations]
    assert [one for one, _ in ours] == [one for one, _ in expected]
    assert [n for (_, n), row in zip(ours, by_row, strict=True) if row] == [
        n for (_, n), row in zip(expected, by_row, strict=True) if row
    ]
    assert {True, False} == {one for one, _ in ours}


def test_a_chunk_is_never_larger_than_asked_for(lake: Lake) -> None:
    rows = stored(lake, random_rows(1, 100, 0.1))
    cut = again(rows, 30)
    sizes = [(start, chunk.num_rows) for start, chunk in cut.chunks(["shop"])]
    assert sizes == [(0, 30), (30, 30), (60, 30), (90, 10)]
    assert cut.n_chunks == 4
    shops = [shop for _, chunk in cut.chunks() for shop in chunk.column("shop").to_pylist()]
    assert shops == rows.load(["shop"]).column("shop").to_pylist()


@pytest.mark.parametrize("chunk_rows", [8, 1000])
def test_rows_are_taken_from_any_chunk(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, chunk_rows: int
) -> None:
    monkeypatch.setattr("mlops_tasks.lake.scan._BATCH_ROWS", 32)
    rows = random_rows(1, 100, 0.0)
    cut = stored(lake, rows, chunk_rows=chunk_rows)
    wanted = [0, 7, 8, 50, 99]
    assert (
        cut.take(wanted, ["items"]).column("items").to_pylist()
        == rows.column("items").take(wanted).to_pylist()
    )
    assert cut.take([], ["items"]).num_rows == 0


def test_the_report_of_a_chunked_check_says_how(project: DatasetSpec, lake: Lake) -> None:
    suite = load_suite(project.expectations, project.columns)
    rows = stored(lake, random_rows(2, 32, 0.1), chunk_rows=16)
    hows = {o.name: o.how for o in examine(project, suite, rows).outcomes if o.source == "suite"}
    assert hows["expect_column_median_to_be_between:distance"].startswith("not chunkable")
    assert hows["expect_column_values_to_match_regex:shop"] == "in chunks, rows added up"
    at_once = examine(project, suite, again(rows, 64)).outcomes
    assert {o.how for o in at_once if o.source == "suite"} == {"all rows at once"}


def test_what_would_not_fit_is_refused_by_name(
    project: DatasetSpec, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examination, "_MAX_CELLS", 31)
    suite = load_suite(project.expectations, project.columns)
    found = examine(project, suite, stored(lake, random_rows(2, 32, 0.1), chunk_rows=16))
    errors = {o.name: o.error for o in found.outcomes if o.error}
    text = errors["expect_column_median_to_be_between:distance"]
    assert "it needs all 32 values of distance in memory at once, more than 31" in text
    assert all("in memory at once" in error for error in errors.values())


def test_large_whole_numbers_beside_nulls_stay_exact() -> None:
    near = 2**53
    rows = pa.table({"a": pa.array([near, near + 1, None]), "b": pa.array([1, None, 2])})
    frame = to_frame(rows)
    assert frame["a"].nunique() == 2
    assert str(frame["b"].dtype) == "float64"
    assert len(to_frame(rows.select([]))) == 3, "rows are counted also without a column"


def test_a_flipped_bit_is_an_error_and_no_verdict(project: DatasetSpec, lake: Lake) -> None:
    rows = stored(lake, random_rows(3, 4000, 0.0), chunk_rows=512)
    file = lake.table("raw").folder / rows.commit.files[0].path
    data = bytearray(file.read_bytes())
    data[len(data) // 3] ^= 1
    file.write_bytes(bytes(data))
    suite = load_suite(project.expectations, project.columns)
    with pytest.raises(DamagedTableError, match="cannot be read as it was written"):
        examine(project, replace(suite, expectations=suite.expectations[:1]), rows)
