"""What zone and locale of the machine must not change; `test_machines` runs this under others."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

from mlops_tasks.features import build_features, build_targets, feature_frame, split_days
from mlops_tasks.lake import overwrite_partition
from mlops_tasks.specs import InputSpec, LabelSpec, ModelSpec
from mlops_tasks.steps.score import score
from tests.unit.orders import deliveries_dataset, orders_dataset

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tasks.lake import Lake

MOMENT = datetime(2024, 3, 10, 6, 45, 12, 500_000, tzinfo=UTC)  # a night of changing clocks
EXPRESSIONS = {
    "hour(placed_at)": "6",
    "date_part('minute', placed_at)": "45",
    "isodow(placed_at)": "7",
    "CAST(placed_at AS DATE)": "2024-03-10",
    "CAST(placed_at AS VARCHAR)": "2024-03-10 06:45:12.5+00",
    "strftime(placed_at, '%Y-%m-%d %H:%M %a %b')": "2024-03-10 06:45 Sun Mar",
    "CAST(date_trunc('day', placed_at) AS VARCHAR)": "2024-03-10 00:00:00+00",
    "CAST(placed_at + INTERVAL 1 DAY AS VARCHAR)": "2024-03-11 06:45:12.5+00",
    "CAST(TIMESTAMPTZ '2024-03-10 02:30:00' AS VARCHAR)": "2024-03-10 02:30:00+00",
    "epoch(placed_at)": "1710053112.5",
    "1234567.5::DOUBLE": "1234567.5",
    "CAST(0.5 AS VARCHAR)": "0.5",
    "upper('i')": "I",
}


def timed(folder: Path, expression: str = "hour(placed_at)") -> ModelSpec:
    query = folder / "features.sql"
    query.write_text(
        f"SELECT placed_at, placed_at AS asked_at, {expression} AS x, hour(placed_at) AS hour"
        " FROM orders",
        encoding="utf-8",
    )
    columns = {"placed_at": "timestamp"}
    key: dict[str, Any] = {"key": ("placed_at",)}
    labels = {"placed_at": "timestamp", "minutes_late": "float64?"}
    return ModelSpec(
        name="timed",
        description="A moment is the key.",
        inputs=(InputSpec(dataset=orders_dataset(folder, columns=columns, **key)),),
        label=LabelSpec(
            dataset=deliveries_dataset(folder, columns=labels, **key),
            target="minutes_late > 1.5 AND hour(placed_at) = 6",
        ),
        features_sql=query,
        as_of="asked_at",
        categorical=("x",),
        numeric=("hour",),
        estimator="tests.unit.orders:build",
    )


def placed() -> pa.Table:
    return pa.table({"placed_at": pa.array([MOMENT], pa.timestamp("us", tz="UTC"))})


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_a_query_has_its_clock_in_utc(tmp_path: Path, expression: str) -> None:
    spec = timed(tmp_path, expression)
    frame = feature_frame(spec, build_features(spec, {"orders": placed()}))
    assert frame["x"].tolist() == [EXPRESSIONS[expression]]
    assert frame["hour"].tolist() == [6.0]


def test_labels_have_their_clock_in_utc(tmp_path: Path) -> None:
    labels = placed().append_column("minutes_late", pa.array([1.75]))
    assert build_targets(timed(tmp_path), labels).column("y").to_pylist() == [1]


def test_a_model_with_a_moment_as_its_key_is_scored(tmp_path: Path, lake: Lake) -> None:
    class Constant:
        def predict_proba(self, frame: Any) -> Any:
            return np.full((len(frame), 2), 0.5)

    spec = timed(tmp_path)
    overwrite_partition(lake.table("orders"), "2024-03-10", placed(), token=1)
    champion: Any = SimpleNamespace(model_uri="", digest="", version="1")
    tracking: Any = SimpleNamespace(load=lambda uri, digest: Constant())
    score(spec, "2024-03-10", champion, lake=lake, tracking=tracking, token=2)
    found = lake.table(spec.predictions_table).read(first="2024-03-10", last="2024-03-10")
    assert found.column("placed_at").to_pylist() == [MOMENT]
    assert str(found.schema.field("placed_at").type) == "timestamp[us, tz=UTC]"


def test_days_are_those_of_the_spec(tmp_path: Path) -> None:
    rows = pa.table({"asked_at": placed().column("placed_at")})
    assert list(split_days(timed(tmp_path), rows)) == ["2024-03-10"]


def test_a_query_is_read_as_utf_8(tmp_path: Path) -> None:
    spec = timed(tmp_path, "'Łódź'")
    frame = feature_frame(spec, build_features(spec, {"orders": placed()}))
    assert frame["x"].tolist() == ["Łódź"]
