"""What scoring asks of the lake and the model, batch by batch, without either."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from mlops_tasks.exceptions import PartitionNotFoundError
from mlops_tasks.features import categories
from mlops_tasks.features.categories import unseen_categories
from mlops_tasks.partitions import Partition
from mlops_tasks.registry.versions import RegisteredVersion
from mlops_tasks.steps import score as scoring
from mlops_tasks.steps.score import ScoreResult, score

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlops_tasks.profiles import Profile

DAY = "2024-03-16"
CHAMPION = RegisteredVersion("m", "4", "run", "models:/m-4", "digest")
SCHEMA = pa.schema(
    [("order_id", pa.int64()), ("shop", pa.string()), ("x", pa.float64()), ("more", pa.int64())]
)


def batch(*rows: tuple[Any, ...]) -> pa.RecordBatch:
    columns = [[row[at] for row in rows] for at in range(4)]
    arrays = [pa.array(column, field.type) for column, field in zip(columns, SCHEMA, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


BATCHES = [
    batch(),
    batch((1, "bakery", 0.25, 7), (2, "zoo", 0.5, 7)),
    batch(),
    batch((3, "zoo", 0.875, 7), (4, None, 0.0, 7)),
]


class Table(NamedTuple):
    """A table that may have columns of other versions already."""

    lake: Lake
    name: str
    foreign: pa.Schema | None

    @property
    def exists(self) -> bool:
        return self.foreign is not None

    @property
    def schema(self) -> pa.Schema:
        return self.foreign


class Lake:
    """It has a number of rows, and keeps what is published."""

    def __init__(self, n_rows: int, foreign: pa.Schema | None = None) -> None:
        self.n_rows = n_rows
        self.foreign = foreign
        self.published: list[Any] = []
        self.profiles: list[Any] = []

    def count_rows(self) -> int:
        return self.n_rows

    def table(self, name: str) -> Table:
        return Table(self, name, self.foreign)


def overwritten(
    table: Table, day: str, rows: pa.RecordBatchReader, *, token: int, known_at: str
) -> Any:
    lake, name, content = table.lake, table.name, rows.read_all()
    lake.published.append((name, day, content, token, known_at))
    return SimpleNamespace(n_rows=content.num_rows)


@pytest.fixture
def spec(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a model of two features; nothing of its project is read."""
    monkeypatch.setattr(scoring, "published_inputs", published)
    monkeypatch.setattr(scoring, "feature_batches", batches)
    monkeypatch.setattr(scoring, "model_frame", framed)
    monkeypatch.setattr(scoring, "free_texts", lambda *_: [])
    monkeypatch.setattr(categories, "known_categories", known)
    monkeypatch.setattr(scoring, "today", lambda zone: f"today in {zone}")
    monkeypatch.setattr(scoring, "overwrite_partition", overwritten)
    monkeypatch.setattr(scoring, "ProfileStore", Profiles)
    checked.clear()
    return SPEC


SPEC: Any = SimpleNamespace(
    name="m",
    key=("order_id",),
    categorical=("shop", "more"),
    features=("shop", "x", "more"),
    text=(),
    as_of="asked_at",
    rows=SimpleNamespace(name="orders"),
    partition=Partition,
    check_partition=lambda day: checked.append(day),
    predictions_table="m__predictions",
    timezone="UTC",
    problem_type="binary",
    threshold=0.5,
    estimator="m.model:build",
)
checked: list[Any] = []


def published(whose: Any, lake: Lake, *, first: str, last: str) -> Any:
    assert (whose, first, last) == (SPEC, DAY, DAY)
    return {"orders": lake, "traffic": None}


def batches(whose: Any, inputs: Any) -> Iterator[pa.RecordBatch]:
    assert (whose, list(inputs)) == (SPEC, ["orders", "traffic"])
    yield from BATCHES


def framed(whose: Any, model: str, rows: pa.RecordBatch) -> pd.DataFrame:
    assert (whose, model) == (SPEC, "model of digest")
    return rows.select(["shop", "x", "more"]).to_pandas()


class Model(str):
    """Gives what stands in a column."""

    def predict_proba(self, frame: pd.DataFrame) -> Any:
        return np.column_stack([1 - frame["x"], frame["x"]])


def known(model: str) -> dict[str, list[str]]:
    assert model == "model of digest"
    return {"shop": ["bakery", "grocer"], "other": []}


class Profiles:
    """A store of profiles that keeps them with the lake."""

    def __init__(self, lake: Lake) -> None:
        self.lake = lake

    def write(self, partition: Any, profile: Profile, days: Any) -> None:
        assert list(days) == [DAY]
        self.lake.profiles.append((partition, profile))


def scored(spec: Any, lake: Any, **options: Any) -> ScoreResult:
    loads = {("models:/m-4", "digest"): Model("model of digest")}
    tracking: Any = SimpleNamespace(load=lambda uri, digest: loads[uri, digest])
    return score(spec, DAY, CHAMPION, lake=lake, tracking=tracking, token=5, **options)


def test_a_day_is_scored_batch_by_batch(spec: Any) -> None:
    lake = Lake(4)
    found = scored(spec, lake)
    ((table, day, rows, token, known_at),) = lake.published
    assert (table, day, token, known_at) == ("m__predictions", DAY, 5, "today in UTC")
    assert rows.to_pydict() == {
        "order_id": [1, 2, 3, 4],
        "score": [0.25, 0.5, 0.875, 0.0],
        "model_version": ["4"] * 4,
    }
    assert rows.schema.types == [pa.int64(), pa.float64(), pa.string()]
    assert (found.model_version, found.summary) == ("4", "mean score 0.40625")
    assert found.unseen_categories == {"shop": 2}
    assert checked == [DAY]
    ((partition, profile),) = lake.profiles
    assert partition is found.predictions
    assert list(profile.columns) == ["shop", "x", "more", "score", "model_version"]
    assert profile.n_rows == 4
    assert profile.columns["score"].mean == profile.columns["x"].mean == 1.625 / 4
    kinds = [type(profile.columns[name]).__name__ for name in ("shop", "more", "x")]
    assert kinds[0] == kinds[1] != kinds[2], "a number may be a category"


def test_columns_of_other_versions_are_null(spec: Any) -> None:
    there = pa.schema(
        {
            "order_id": pa.int64(),
            "score": pa.float64(),
            "model_version": pa.string(),
            "probability_late": pa.float64(),
            "partition_key": pa.string(),
        }
    )
    lake = Lake(4, there)
    scored(spec, lake)
    rows = lake.published[0][2]
    assert rows.column_names == ["order_id", "score", "model_version", "probability_late"]
    assert rows.column("probability_late").null_count == 4
    assert "probability_late" not in lake.profiles[0][1].columns


def test_the_day_of_knowing_may_be_said(spec: Any) -> None:
    lake = Lake(1)
    scored(spec, lake, known_at="2024-03-20")
    assert lake.published[0][-1] == "2024-03-20"


def test_a_day_without_rows_is_named(spec: Any) -> None:
    lake = Lake(0)
    with pytest.raises(PartitionNotFoundError) as error:
        scored(spec, lake)
    assert str(error.value) == (
        f"model 'm': 'orders' has no rows for {DAY}; run orders.ingest for that day first"
    )
    assert lake.published == []


def test_one_row_is_its_own_mean(spec: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made = [batch(), batch((1, "bakery", 0.75, 7))]
    monkeypatch.setattr(scoring, "feature_batches", lambda *_: iter(made))
    found = scored(spec, Lake(1))
    assert (found.summary, found.unseen_categories) == ("mean score 0.75", {})


def test_columns_without_an_unseen_category_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(categories, "known_categories", lambda _: {"a": ["x"], "b": ["x"], "c": []})
    frame = pd.DataFrame({"a": ["x", "y", None], "b": ["x", "x", None], "d": ["z"] * 3})
    assert unseen_categories(None, frame, ("a", "b", "d")) == {"a": 1}
