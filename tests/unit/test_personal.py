"""Where values of people would be shown, a word stands instead."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from pyarrow import fs

from mlops_tasks.exceptions import FeatureError, MlopsError, SpecError
from mlops_tasks.features import build_features
from mlops_tasks.lake import Lake
from mlops_tasks.monitoring.drift import redacted_report
from mlops_tasks.personal import HIDDEN, redacted, redacted_row, redacted_text
from mlops_tasks.profiles import Profile
from mlops_tasks.sources import FileStore
from mlops_tasks.specs import DatasetSpec, FileSource, InputSpec
from mlops_tasks.steps.ingest import ingest
from tests.unit.orders import orders_dataset, project, rows_of, write_suite

if TYPE_CHECKING:
    from pathlib import Path

DAY = "2024-03-01"
CANARY = "kanarienvogel"


def test_a_dataset_says_which_columns_are_personal(tmp_path: Path) -> None:
    plain = orders_dataset(tmp_path)
    assert not plain.has_personal
    assert not plain.hides("shop")
    spec = orders_dataset(tmp_path, subject="order_id", personal=("shop",))
    hidden = [name for name in (*spec.columns, "phone") if spec.hides(name)]
    assert hidden == ["order_id", "shop", "phone"]  # nobody has looked at the last one
    with pytest.raises(SpecError, match=r"personal and subject name \['email'\]"):
        orders_dataset(tmp_path, personal=("email",))


def test_a_model_hides_what_its_datasets_do(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    spec = project(
        folder, inputs=(InputSpec(dataset=orders_dataset(folder, personal=("shop",))),),
        observed_at=(), numeric=("items",),
    )  # fmt: skip
    assert spec.has_personal
    assert [name for name in ("shop", "items", "speed") if spec.hides(name)] == ["shop"]
    assert redacted(spec, ["items", "shop"], "3, florist") == HIDDEN
    assert redacted_row(spec, {"items": 3, "shop": "florist"}) == {"items": 3, "shop": HIDDEN}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("column 'items' is 'Ann Lee'", f"column 'items' is {HIDDEN}"),
        ("Expected 3 columns, got 2: Ann,7", "Expected 3 columns, got 2"),
        ('relation "items" has `Ann`', f'relation "items" has {HIDDEN}'),
        ("nothing is quoted", "nothing is quoted"),
    ],
)
def test_words_of_the_spec_stay_in_the_text_of_a_library(text: str, expected: str) -> None:
    assert redacted_text(text, known="SELECT items FROM orders") == expected


# --- sources


def refused(tmp_path: Path, content: str, *, kind: str = "csv", **changes: Any) -> str:
    folder = tmp_path / "drop"
    folder.mkdir(exist_ok=True)
    (folder / f"{DAY}.{kind}").write_text(content)
    source = FileSource(
        conn_id="drop", path=f"{{partition}}.{kind}", format=kind, query=changes.pop("query", None)
    )
    fields: dict[str, Any] = {
        "name": "orders",
        "description": "Orders.",
        "source": source,
        "columns": {"id": "int64", "age": "int64", "born": "timestamp?"},
        "key": ("id",),
        "personal": ("age", "born"),
        "expectations": write_suite(tmp_path, "orders", []),
        "start": date(2024, 1, 1),
    }
    spec = DatasetSpec(**fields | changes)
    store = FileStore(fs.LocalFileSystem(), str(folder))
    with pytest.raises(MlopsError) as error:
        ingest(spec, DAY, source=store, lake=Lake(tmp_path / "lake"), token=1)
    return str(error.value)


QUERY = "SELECT id::BIGINT id, age::BIGINT age, NULL::TIMESTAMPTZ born FROM rows"


@pytest.mark.parametrize(
    ("content", "changes", "told"),
    [
        (f"id,age,born\n1,{CANARY},\n", {}, "column 'age': the contract says 'int64'"),
        (f"id,Age,born\n1,{CANARY},\n", {"rename": {"Age": "age"}}, "column 'Age'"),
        (f"id,age,born\n1,2,{CANARY}\n", {}, "column 'born'"),
        (f"id,age,born\n1,{CANARY}\n", {}, "got 2"),
        (f'id,age,born\n1,"2" {CANARY},\n', {}, "text follows a closing quote"),
        (f"id,age,born\n1,{CANARY},\n", {"query": QUERY}, "the query of the source does not run"),
        (f'{{"id": 1, "age": "{CANARY}"}}\n', {"kind": "jsonl"}, "age"),
        (f'{{"id": 1, "age": 2, "born": "{CANARY}"}}\n', {"kind": "jsonl"}, "'born'"),
        (f'{{"id": 1, "{CANARY}": 2, "{CANARY}": 3}}\n', {"kind": "jsonl"}, "stands twice"),
    ],
)
def test_an_error_of_a_source_names_the_column_and_no_value(
    tmp_path: Path, content: str, changes: dict[str, Any], told: str
) -> None:
    text = refused(tmp_path, content, **changes)
    assert told in text
    assert HIDDEN in text or "got 2" in text
    assert CANARY not in text


def test_a_value_of_a_column_that_is_not_personal_is_shown(tmp_path: Path) -> None:
    assert CANARY in refused(tmp_path, f"id,age,born\n{CANARY},2,\n")


# --- features and drift


def test_an_error_of_a_query_shows_no_value(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    orders = orders_dataset(folder, personal=("shop",))
    spec = project(
        folder,
        inputs=(InputSpec(dataset=orders),),
        observed_at=(),
        features_sql="SELECT *, ordered_at AS asked_at, shop::INTEGER AS n FROM orders",
        numeric=("n",),
        categorical=(),
    )
    rows = rows_of(0)["orders"]
    rows = rows.set_column(3, "shop", pa.array([CANARY] * rows.num_rows))
    with pytest.raises(FeatureError, match="line 1") as error:
        build_features(spec, {"orders": rows})
    assert HIDDEN in str(error.value)
    assert CANARY not in str(error.value)


def test_an_error_of_a_query_shows_the_names_of_columns(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    spec = project(
        folder,
        inputs=(InputSpec(dataset=orders_dataset(folder, personal=("shop",))),),
        observed_at=(),
        features_sql="SELECT *, ordered_at AS asked_at, distanc AS far FROM orders",
        numeric=("far",),
    )
    with pytest.raises(FeatureError, match=r'Candidate bindings: .*"distance"') as error:
        build_features(spec, {"orders": rows_of(0)["orders"]})
    assert HIDDEN not in str(error.value)


def test_a_drift_report_shows_no_value_of_a_personal_feature(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    spec = project(
        folder,
        inputs=(InputSpec(dataset=orders_dataset(folder, personal=("shop", "items"))),),
        observed_at=(),
        numeric=("items", "distance"),
    )
    from mlops_tasks.drift import Baseline, render_page

    def profile(shop: str, items: int) -> Profile:
        table = pa.table(
            {
                "shop": ["grocer", shop] * 300,
                "items": pa.array([items, 1] * 300, pa.int64()),
                "distance": [float(n % 40) for n in range(600)],
            }
        )
        return Profile.of(table.to_batches(), table.schema, categorical=("shop",))

    from mlops_tasks.drift import DriftPolicy, detect_drift

    reference = Baseline.of([profile("florist", 2)] * 5, "the training")
    found = detect_drift(
        reference, profile(CANARY, 777_777), window=DAY, n_days=1, policy=DriftPolicy()
    )
    before = render_page([found])
    assert CANARY in before
    assert "777777" in before
    report = redacted_report(spec, found)
    page = render_page([report])
    for text in (page, *report.lines):
        assert CANARY not in text
        assert "777777" not in text
    assert {column.name for column in report.alarms} == {"shop", "items"}
    shown = next(column for column in report.columns if column.name == "distance")
    assert HIDDEN not in shown.picture.labels
