"""Values of people stay in the lake: a canary goes through the whole loop, and is looked for."""

from __future__ import annotations

import json
import logging
import traceback
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from mlops_airflow.operators.decide import DecideRetrainingOperator
from mlops_airflow.operators.evaluate import EvaluateModelOperator
from mlops_airflow.operators.ingest import IngestPartitionOperator
from mlops_airflow.operators.monitor import MeasureDriftOperator, MeasurePerformanceOperator
from mlops_airflow.operators.pin import PinTrainingDataOperator
from mlops_airflow.operators.promote import PromoteModelOperator
from mlops_airflow.operators.register import RegisterModelOperator
from mlops_airflow.operators.score import ScorePartitionOperator
from mlops_airflow.operators.train import TrainModelOperator
from mlops_airflow.operators.validate import ValidatePartitionOperator
from mlops_tasks.exceptions import SchemaMismatchError, ValidationFailedError
from mlops_tasks.personal import HIDDEN
from mlops_tasks.specs import GateSpec, HistorySpec, InputSpec, LabelSpec
from mlops_tasks.specs.history import CategoryGrowthSpec
from tests.unit.operators.conftest import context
from tests.unit.orders import (
    day,
    deliveries_dataset,
    of_day,
    orders_dataset,
    project,
    traffic_dataset,
    write_suite,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mlops_tasks.specs import DatasetSpec, ModelSpec
    from tests.unit.orders import Source

# Not as a word of this file, which lies in the project that a training packs.
CANARY = "".join(("distel", "fink"))
N_DAYS = 9


@pytest.fixture
def spec(tmp_path: Path) -> ModelSpec:
    """Orders with the name of who ordered, in the key, and a column that no contract names."""
    folder = tmp_path / "project"
    folder.mkdir()
    suite = [
        {
            "type": "expect_column_values_to_match_regex",
            "kwargs": {"column": "email", "regex": "#"},
            "severity": "warning",
        },
        {
            "type": "expect_column_distinct_values_to_be_in_set",
            "kwargs": {"column": "email", "value_set": ["nobody"]},
            "severity": "warning",
        },
        {
            "type": "expect_column_value_lengths_to_be_between",
            "kwargs": {"column": "order_id", "max_value": 40},
        },
        {
            "type": "expect_column_most_common_value_to_be_in_set",
            "kwargs": {"column": "email", "value_set": ["nobody"]},
            "severity": "info",
        },
    ]
    columns = "order_id, ordered_at, zone, shop, items, distance, express, email, phone"
    made = orders_dataset(folder)
    orders = orders_dataset(
        folder,
        source=of_day("orders", "order_date", columns),
        columns={**made.columns, "email": "string?"},
        subject="order_id",
        personal=("email",),
        expectations=write_suite(folder, "people", suite),
        max_quarantined_share=0.5,
        history=HistorySpec(
            min_partitions=1, categories=CategoryGrowthSpec(columns=("email",), max_new=0)
        ),
    )
    return project(
        folder,
        inputs=(
            InputSpec(dataset=orders),
            InputSpec(dataset=traffic_dataset(folder), lookback="1d"),
        ),
        label=LabelSpec(
            dataset=deliveries_dataset(folder, subject="order_id"), target="minutes_late > 10"
        ),
        gate=GateSpec(n_bootstrap=50),
    )


@pytest.fixture
def source(empty_stack: Any) -> Source:
    source: Source = empty_stack[3]
    source.run("ALTER TABLE orders ADD COLUMN email", "ALTER TABLE orders ADD COLUMN phone")
    for number in range(N_DAYS):
        add(source, number)
    return source


def add(source: Source, number: int) -> None:
    """Insert a day, and make a canary of everyone in it."""
    import sqlite3
    from contextlib import closing

    from tests.unit.orders import _cell, rows_of

    with closing(sqlite3.connect(source.path)) as connection, connection:
        for table, rows in rows_of(number).items():
            for row in rows.to_pylist():
                names = ["order_date" if table != "traffic" else "reading_date", *row]
                values = [day(number), *map(_cell, row.values())]
                marks = ", ".join("?" * len(values))
                connection.execute(
                    f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})",
                    values,
                )
        connection.execute(
            f"UPDATE orders SET email = '{CANARY}-' || rowid || '@x', phone = '{CANARY}'"
        )
        for table in ("orders", "deliveries"):
            connection.execute(
                f"UPDATE {table} SET order_id = '{CANARY}/' || order_id"
                f" WHERE order_id NOT LIKE '{CANARY}%'"
            )


def run(operator: Any, key: str, shown: list[str], **params: Any) -> Any:
    result = operator.execute(context(operator, key=key, **params))
    shown.append(json.dumps(result))
    return json.loads(json.dumps(result))


def take(dataset: DatasetSpec, key: str, shown: list[str]) -> Any:
    raw = run(IngestPartitionOperator(task_id="ingest", dataset=dataset), key, shown, known_at=key)
    validate = ValidatePartitionOperator(task_id="validate", dataset=dataset, raw=raw)
    return run(validate, key, shown, known_at=key)


def contents(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Give every file but the rows of the lake and of the source, those in archives one by one."""
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        rows = path.suffix == ".parquet" or name.startswith("source.db")
        if not path.is_file() or rows or "_delta_log" in name:
            continue
        yield name, path.read_bytes()
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                for member in archive.namelist():
                    yield f"{name}/{member}", archive.read(member)


def test_a_canary_is_nowhere_but_in_the_rows(
    spec: ModelSpec, source: Source, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="mlops_tasks")
    caplog.set_level(logging.INFO)
    shown: list[str] = []
    for number in range(N_DAYS):
        for dataset in spec.datasets:
            take(dataset, day(number), shown)
    night = day(N_DAYS - 1)
    pin = run(PinTrainingDataOperator(task_id="pin", model=spec), night, shown)
    trained = run(TrainModelOperator(task_id="train", model=spec, pin=pin), night, shown)
    evaluate = EvaluateModelOperator(task_id="evaluate", model=spec, pin=pin, trained=trained)
    verdict = run(evaluate, night, shown)
    register = RegisterModelOperator(
        task_id="register", model=spec, trained=trained, verdict=verdict
    )
    registered = run(register, night, shown)
    promote = PromoteModelOperator(
        task_id="promote", model=spec, pin=pin, registered=registered, verdict=verdict
    )
    run(promote, night, shown)
    for number in (N_DAYS - 3, N_DAYS - 2, N_DAYS - 1):
        score = ScorePartitionOperator(task_id="score", model=spec)
        scored = run(score, day(number), shown)
        drift = MeasureDriftOperator(task_id="drift", model=spec, scored=scored)
        run(drift, day(number), shown)
        run(MeasurePerformanceOperator(task_id="monitor", model=spec), day(number), shown)
    run(DecideRetrainingOperator(task_id="decide", model=spec), night, shown)

    # A correction, whose changed keys are told; duplicates; and a day that is refused.
    source.run("UPDATE orders SET items = 8 WHERE rowid <= 5")
    changed = take(spec.rows, day(0), shown)
    assert changed["changes"]["changed"] > 0
    assert changed["changes"]["examples"]["changed"][0] == HIDDEN
    source.run("INSERT INTO orders SELECT * FROM orders WHERE rowid <= 3")
    assert take(spec.rows, day(0), shown)["n_quarantined"] == 6
    refused = spec.rows.model_copy(update={"duplicates": "fail", "max_quarantined_share": 0.0})
    with pytest.raises(ValidationFailedError, match=r"\('\(personal\)',\)") as error:
        take(refused, day(0), shown)
    shown += traceback.format_exception(error.value)
    numbers = spec.rows.model_copy(update={"columns": {**spec.rows.columns, "email": "int64"}})
    with pytest.raises(SchemaMismatchError, match=r"'email': the contract says 'int64'") as wrong:
        take(numbers, day(1), shown)
    shown += traceback.format_exception(wrong.value)

    assert any("email" in text for text in shown)  # what is hidden is named
    places = {name for name, content in contents(tmp_path) if CANARY.encode() in content}
    assert not places
    for text in (*shown, caplog.text):
        assert CANARY not in text
