"""``mlops contract suggest`` and ``mlops quarantine readmit`` as a person types them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from mlops_airflow.commands import contract, quarantine
from mlops_airflow.projects import find_dataset
from mlops_tasks.exceptions import SpecError
from mlops_tasks.lake import PartitionVersion, overwrite_partition
from mlops_tasks.steps.ingest import raw_table
from mlops_tasks.steps.validate import validate
from tests.unit.orders import day, orders_dataset, rows_of

if TYPE_CHECKING:
    from mlops_tasks.lake import Lake
    from mlops_tasks.registry.ledger import Ledger

DAY = day(0)
SPEC = """
from pathlib import Path
from tests.unit.orders import orders_dataset
ORDERS = orders_dataset(Path({folder!r}), max_quarantined_share=0.2)
"""


@pytest.fixture(autouse=True)
def connections(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = json.dumps({"conn_type": "file", "extra": {"path": str(lake.root)}})
    monkeypatch.setenv("AIRFLOW_CONN_LAKE_DEFAULT", place)
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", place)
    database = {"conn_type": "sqlite", "host": str(tmp_path / "ledger.db")}
    monkeypatch.setenv("AIRFLOW_CONN_LEDGER_DEFAULT", json.dumps(database))
    monkeypatch.setenv("MLOPS_HOME", str(tmp_path / "no stack"))


def call(app: object, *words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, list(words))  # type: ignore[arg-type]
    return done.exit_code, done.output


def put(lake: Lake, table: str = "orders__raw") -> PartitionVersion:
    rows = rows_of(0)["orders"]
    return overwrite_partition(lake.table(table), DAY, rows, token=1)


# --- contract suggest


def test_a_suggestion_can_be_pasted_and_committed(lake: Lake) -> None:
    put(lake)
    code, said = call(contract.app, "suggest", "orders")
    assert code == 0
    assert "# Drawn from 80 rows of 'orders__raw', 1 days" in said
    assert '    "order_id": "string",' in said
    assert "key=('order_id',)," in said
    assert "history=HistorySpec(window=14" in said
    suite = json.loads(said[said.index('{\n  "name"') :])
    assert suite["name"] == "orders"


def test_the_suite_is_written_and_never_over_another(lake: Lake, tmp_path: Path) -> None:
    put(lake)
    path = tmp_path / "orders.suite.json"
    code, said = call(contract.app, "suggest", "other/orders", "--write", str(path))
    assert code == 0
    assert '"name": "orders"' not in said
    first = path.read_text()
    assert json.loads(first)["expectations"]
    assert max(map(len, first.splitlines())) < 200, "one expectation a line"
    code, said = call(contract.app, "suggest", "orders", "--write", str(path))
    assert (code, path.read_text()) == (1, first)
    assert "File exists; nothing was written" in said


def test_it_speaks_json(lake: Lake) -> None:
    put(lake, "orders")
    code, said = call(contract.app, "suggest", "orders", "--json")
    made = json.loads(said)
    assert (code, made["table"], made["key"]) == (0, "orders", ["order_id"])


def test_nothing_is_drafted_from_personal_values(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(lake)
    shops = sorted(set(rows_of(0)["orders"].column("shop").to_pylist()))
    code, said = call(contract.app, "suggest", "orders")
    assert code == 0
    assert all(f'"{shop}"' in said for shop in shops), "without a word they are drafted"
    assert "Note: no spec of 'orders' was read: nothing is known to be personal" in said
    _, said = call(contract.app, "suggest", "orders", "--personal", "shop")
    assert not any(f'"{shop}"' in said for shop in shops)
    assert "Note: personal: of shop nothing is drafted" in said
    spec = orders_dataset(tmp_path, personal=("distance", "shop"))
    monkeypatch.setattr("mlops_airflow.projects.find_dataset", {"orders": spec}.__getitem__)
    _, said = call(contract.app, "suggest", "orders")
    suite = json.loads(said[said.index('{\n  "name"') :])
    judged = {item["kwargs"].get("column"): item["type"] for item in suite["expectations"]}
    assert not {"distance", "shop"} & set(judged), judged
    assert not any(f'"{shop}"' in said for shop in shops)
    assert "no spec of" not in said


def test_days_end_where_the_dataset_has_its_midnights(lake: Lake) -> None:
    put(lake, "orders")
    ages = {}
    for zone in ("UTC", "America/Los_Angeles"):
        _, said = call(contract.app, "suggest", "orders", "--json", "--timezone", zone)
        ages[zone] = json.loads(said)["history"]["freshness"]["max_age_h"]
    assert ages["UTC"] + 16 - ages["America/Los_Angeles"] in (0, 1), "twice 8 hours more"
    code, said = call(contract.app, "suggest", "orders", "--timezone", "Atlantis")
    assert code == 1
    assert "timezone 'Atlantis' is unknown" in said


def test_the_command_has_them_both_and_knows_the_connections_of_the_stack(
    monkeypatch: pytest.MonkeyPatch, lake: Lake
) -> None:
    from mlops_airflow.cli import app

    put(lake)
    asked: list[str] = []
    for module in (contract, quarantine):
        monkeypatch.setattr(module, "connect", lambda: asked.append("connected"))
    assert call(app, "contract", "suggest", "orders")[0] == 0
    assert call(app, "quarantine", "readmit", "nobody", "--partition", DAY)[0] == 1
    assert asked == ["connected"] * 2


def test_a_table_that_is_not_there_is_named(lake: Lake) -> None:
    code, said = call(contract.app, "suggest", "nowhere")
    assert code == 1
    assert "table 'nowhere' is not in the lake" in said


# --- quarantine readmit


@pytest.fixture
def projects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of two projects, one of them broken; nothing of them stays imported."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in [name for name in sys.modules if name.startswith("shop_")]:
        monkeypatch.delitem(sys.modules, name)
    dags, data = tmp_path / "dags", tmp_path / "data"
    data.mkdir()
    for name, text in (("shop_orders", SPEC.format(folder=str(data))), ("shop_broken", "1 / 0")):
        (dags / name).mkdir(parents=True)
        (dags / name / "__init__.py").touch()
        (dags / name / "spec.py").write_text(text)
    return dags


def test_a_dataset_is_found_beside_a_broken_project(projects: Path) -> None:
    assert find_dataset("orders", projects).name == "orders"
    with pytest.raises(SpecError) as error:
        find_dataset("nobody", projects)
    assert "has a dataset 'nobody'; there are ['orders']" in str(error.value)
    where = "shop_broken (shop_broken/spec.py, line 1: ZeroDivisionError: division by zero)"
    assert f"could not be read: {where}" in str(error.value)


def test_a_dataset_of_two_projects_must_be_the_same_in_both(projects: Path) -> None:
    first = (projects / "shop_orders" / "spec.py").read_text()
    (projects / "shop_again").mkdir()
    (projects / "shop_again" / "__init__.py").touch()
    (projects / "shop_again" / "spec.py").write_text(first)
    assert find_dataset("orders", projects).name == "orders"
    other = first.replace("0.2", "0.3")
    (projects / "shop_third").mkdir()
    (projects / "shop_third" / "__init__.py").touch()
    (projects / "shop_third" / "spec.py").write_text(other)
    with pytest.raises(SpecError, match="in the projects shop_again, shop_orders, shop_third"):
        find_dataset("orders", projects)


def test_rows_come_back_and_the_ledger_knows(
    lake: Lake, ledger: Ledger, projects: Path, tmp_path: Path
) -> None:
    spec = orders_dataset(tmp_path / "data", max_quarantined_share=0.2)
    rows = rows_of(0)["orders"]
    far = rows.column("distance").to_pylist()
    far[0], far[1] = 300.0, 900.0
    index = rows.schema.get_field_index("distance")
    rows = rows.set_column(index, "distance", [far])
    raw = overwrite_partition(lake.table(raw_table(spec)), DAY, rows, token=ledger.next_token())
    validate(spec, raw, lake=lake, token=ledger.next_token())
    text = (projects / "shop_orders" / "spec.py").read_text()
    wider = "\nimport json\npath = ORDERS.expectations\nsuite = json.loads(path.read_text())\n"
    wider += "suite['expectations'][1]['kwargs']['max_value'] = 500\n"
    (projects / "shop_orders" / "spec.py").write_text(
        text + wider + "path.write_text(json.dumps(suite))\n"
    )
    code, said = call(
        quarantine.app, "readmit", "orders", "--partition", DAY, "--dags", str(projects)
    )
    assert code == 0, said
    assert f"orders {DAY}: 1 of 2 rows readmitted" in said
    assert "Still quarantined: 1 rows" in said
    assert "1 × expect_column_values_to_be_between:distance" in said
    assert f"trigger orders.ingest with the partition key {DAY}" in said
    (entry,) = ledger.entries(kind="readmission")
    assert (entry.evidence["n_before"], entry.evidence["n_readmitted"]) == (2, 1)
    assert ledger.entries(kind="validation") == [], "the next run of the Dag must see news"
    suite = tmp_path / "data" / "orders.json"
    suite.write_text(suite.read_text().replace("500", "5000"))
    code, said = call(
        quarantine.app, "readmit", "orders", "--partition", DAY, "--dags", str(projects)
    )
    assert (code, "1 of 1 rows readmitted" in said, "Still" in said) == (0, True, False)


def test_airflow_knows_where_the_projects_are(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.sdk import conf

    folder = str(Path(__file__).resolve().parents[3] / "dags")
    monkeypatch.setattr(conf, "get", lambda *_, **__: folder)
    assert find_dataset("arrivals").name == "arrivals"


def test_nothing_to_readmit_is_an_error_that_says_so(lake: Lake, projects: Path) -> None:
    words = ("readmit", "orders", "--partition", DAY, "--dags", str(projects))
    code, said = call(quarantine.app, *words)
    assert code == 1
    assert f"nothing of {DAY} is in 'orders__quarantine'" in said
