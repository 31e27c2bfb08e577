"""One dataset, one definition: who builds its Dags, and what happens to a second one."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from mlops_airflow import definitions
from mlops_airflow.operators.ingest import IngestPartitionOperator
from mlops_airflow.projects import find_dataset
from mlops_tasks.exceptions import SpecError
from mlops_tasks.lake.definition import claim_name
from mlops_tasks.specs.base import Place
from tests.unit.operators.conftest import context
from tests.unit.orders import day, orders_dataset, project

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mlops_tasks.lake import Lake

DATASET = """
from datetime import date
from pathlib import Path

from mlops_airflow.lifecycle import build_dataset_dags
from mlops_tasks.specs import DatasetSpec
from mlops_tasks.specs.source import SqlSource

{variable} = DatasetSpec(
    name="{name}",
    description="Shared.",
    source=SqlSource(conn_id="shop", query="SELECT * FROM {name} WHERE day = :partition"),
    columns={columns},
    key={key},
    expectations=Path("{suite}"),
    start=date(2024, 3, 1),
)
"""
BUILD = "\nbuild_dataset_dags({variable}, namespace=globals())\n"
MODEL = """
from pathlib import Path

from mlops_airflow.lifecycle import build_dags
from mlops_tasks.specs import InputSpec, LabelSpec, ModelSpec
from shop_data.orders import ORDERS
from shop_data.labels import LABELS
{own}
MODEL = ModelSpec(
    name="{name}",
    description="Reads what others take in.",
    inputs=(InputSpec(dataset={input}),),
    label=LabelSpec(dataset=LABELS, target="late"),
    features_sql=Path("{sql}"),
    as_of="at",
    categorical=("shop",),
    estimator="tests.unit.orders:build",
)
build_dags(MODEL, namespace=globals())
"""
ORDERS = {"variable": "ORDERS", "name": "orders", "key": ("id",),
          "columns": {"id": "string", "shop": "string"}}  # fmt: skip
LABELS = {"variable": "LABELS", "name": "labels", "key": ("id",),
          "columns": {"id": "string", "late": "bool"}}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A Dag folder with two datasets in `shop_data` and the models `shop_a` and `shop_b`."""
    dags = tmp_path / "dags"
    suite, sql = tmp_path / "suite.json", tmp_path / "features.sql"
    suite.write_text('{"name": "x", "expectations": []}')
    sql.write_text("SELECT 1")
    for name, fields in (("orders", ORDERS), ("labels", LABELS)):
        text = (DATASET + BUILD).format(suite=suite, **fields)
        write(dags / "shop_data" / f"{name}.py", text)
    for name in ("shop_a", "shop_b"):
        write(dags / name / "dag.py", MODEL.format(name=name, input="ORDERS", sql=sql, own=""))
    monkeypatch.setattr(sys, "path", [str(dags), *sys.path])
    yield dags
    definitions._definitions.cache_clear()
    for name in [name for name in sys.modules if name.startswith("shop_")]:
        del sys.modules[name]


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def parsed(path: Path) -> tuple[list[str], dict[str, str]]:
    """Parse one Dag file as Airflow does, in no company; return Dag ids and import errors."""
    from airflow.dag_processing.dagbag import DagBag

    definitions._built.clear()
    definitions._definitions.cache_clear()
    for name in [name for name in sys.modules if name.startswith("shop_")]:
        del sys.modules[name]
    bag = DagBag(path, bundle_path=path.parent.parent)
    return sorted(bag.dags), bag.import_errors


def of_model(name: str) -> list[str]:
    verbs = ("decide", "monitor", "release", "reproduce", "rollback", "score", "train")
    return [f"{name}.{verb}" for verb in verbs]


def test_a_shared_dataset_is_built_where_it_is_written_and_nowhere_else(folder: Path) -> None:
    assert parsed(folder / "shop_data" / "orders.py") == (["orders.ingest"], {})
    assert parsed(folder / "shop_data" / "labels.py") == (["labels.ingest"], {})
    for name in ("shop_a", "shop_b"):
        assert parsed(folder / name / "dag.py") == (of_model(name), {})


def test_a_project_of_spec_and_dag_file_is_built_there(folder: Path) -> None:
    path = folder / "shop_data" / "orders.py"
    spec, build = path.read_text().split(BUILD.format(variable="ORDERS"))[0], BUILD
    path.write_text(spec)
    write(
        folder / "shop_data" / "dag.py",
        "from shop_data.orders import ORDERS\n"
        "from mlops_airflow.lifecycle import build_dataset_dags\n"
        + build.format(variable="ORDERS"),
    )
    assert parsed(folder / "shop_data" / "dag.py") == (["orders.ingest"], {})
    assert parsed(folder / "shop_a" / "dag.py") == (of_model("shop_a"), {})


def test_a_dataset_that_nothing_builds_is_refused(folder: Path) -> None:
    for name in ("orders", "labels"):
        path = folder / "shop_data" / f"{name}.py"
        path.write_text(path.read_text().split("\nbuild_dataset_dags")[0])
    found, errors = parsed(folder / "shop_a" / "dag.py")
    assert found == []
    (text,) = errors.values()
    assert "'orders' is written in shop_data/orders.py, line 9, and nothing there builds" in text


def test_of_two_definitions_the_second_breaks_alone(folder: Path, tmp_path: Path) -> None:
    own = DATASET.format(suite=tmp_path / "suite.json", **{**ORDERS, "variable": "OWN"})
    write(
        folder / "shop_z" / "dag.py",
        MODEL.format(name="shop_z", input="OWN", sql=tmp_path / "features.sql", own=own),
    )
    found, errors = parsed(folder / "shop_z" / "dag.py")
    assert found == []
    (text,) = errors.values()
    assert "dataset 'orders' is defined twice: in shop_data/orders.py, line 9, and in " in text
    assert "shop_z/dag.py, line 16" in text
    assert parsed(folder / "shop_data" / "orders.py") == (["orders.ingest"], {})
    assert parsed(folder / "shop_a" / "dag.py") == (of_model("shop_a"), {})


def test_a_shared_dataset_is_found_by_its_name(folder: Path) -> None:
    assert find_dataset("labels", folder).place.line == 9


# --- in the lake


def test_the_name_stays_with_the_definition_that_had_it(lake: Lake) -> None:
    claim_name(lake, "orders", file="a/spec.py", digest="1")
    claim_name(lake, "orders", file="a/spec.py", digest="2")  # it changes
    claim_name(lake, "orders", file="b/spec.py", digest="2")  # it moves
    with pytest.raises(SpecError, match=r"defined in c/spec\.py, .* the definition in b/spec\.py"):
        claim_name(lake, "orders", file="c/spec.py", digest="3")
    (lake.root / "_definitions" / "orders.json").unlink()
    claim_name(lake, "orders", file="c/spec.py", digest="3")


def test_a_second_definition_takes_nothing_in(empty_stack: Any, tmp_path: Path) -> None:
    lake, _, _, source = empty_stack
    source.add(0)
    spec = project(tmp_path / "project").rows
    ingest = IngestPartitionOperator(task_id="ingest", dataset=spec)
    ingest.execute(context(ingest, key=day(0)))
    other = orders_dataset(tmp_path, description="Another one.")
    other.__dict__.update(_place=Place("/dags/other/spec.py", 3))
    second = IngestPartitionOperator(task_id="ingest", dataset=other)
    with pytest.raises(SpecError, match=r"other/spec\.py, .* unit/orders\.py"):
        second.execute(context(second, key=day(0)))
    assert len(lake.table("orders__raw").all_commits()) == 1


def test_a_spec_says_the_same_wherever_it_is_written(tmp_path: Path) -> None:
    one, other = (orders_dataset(tmp_path) for _ in range(2))
    other.__dict__.update(_place=Place("elsewhere.py", 7))
    assert one == other
    assert one.digest == other.digest
    assert one.digest != orders_dataset(tmp_path, owner="others").digest
    assert str(one.place).startswith("unit/orders.py, line ")
