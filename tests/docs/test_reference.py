"""docs/reference.md names everything there is, and nothing there is not."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from pydantic import BaseModel

from mlops_airflow.rest.login import CONN_ID
from mlops_tasks import specs
from mlops_tasks.registry.ledger import EvidenceKind
from tests.docs.pages import prose
from tests.quality.discovery import ROOT, listed_names, module_files

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag
    from airflow.sdk import DAG

REFERENCE = prose(ROOT / "docs" / "reference.md")
CODE = "\n".join(
    path.read_text(encoding="utf-8")
    for path in module_files("mlops_tasks", "mlops_airflow", "demo").values()
)


def section(title: str) -> str:
    found = re.search(rf"^## {title}$(.*?)(?=^## |\Z)", REFERENCE, re.MULTILINE | re.DOTALL)
    assert found, f"no section {title!r}"
    return found[1]


def quoted(text: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", text))


def subjects(bag: DagBag, verb: str) -> set[str]:
    return {dag_id.rpartition(".")[0] for dag_id in bag.dags if dag_id.endswith(f".{verb}")}


def built(bag: DagBag) -> dict[str, DAG]:
    """Return the Dags that specs make; a project may have ordinary ones beside them."""
    known = subjects(bag, "ingest") | subjects(bag, "train") | {"mlops"}
    return {name: dag for name, dag in bag.dags.items() if name.rpartition(".")[0] in known}


def test_every_dag_and_task_is_there(dag_bag: DagBag) -> None:
    dags = section("Dags")
    datasets = subjects(dag_bag, "ingest")
    for dag_id, dag in built(dag_bag).items():
        subject, _, verb = dag_id.rpartition(".")
        kind = "<dataset>" if subject in datasets else "mlops" if subject == "mlops" else "<model>"
        row = next((line for line in dags.splitlines() if f"`{kind}.{verb}`" in line), "")
        assert row, f"{dag_id} is not in the table of Dags"
        assert {task.task_id for task in dag.tasks} <= quoted(row), dag_id
        assert set(dag.params) <= quoted(dags), f"parameters of {dag_id}"


def test_every_dag_that_is_there_exists(dag_bag: DagBag) -> None:
    named = re.findall(r"^\| `(?:<dataset>|<model>|mlops)\.(\w+)`", section("Dags"), re.MULTILINE)
    assert set(named) == {dag_id.rpartition(".")[2] for dag_id in built(dag_bag)}


def test_variables_of_the_stack() -> None:
    named = set(re.findall(r"^\| `(MLOPS_\w+)`", REFERENCE, re.MULTILINE))
    read = set(re.findall(r'"(MLOPS_[A-Z_]+)"', CODE))
    assert named == read


def test_defaults_of_the_variables() -> None:
    from mlops_airflow.stack.settings import StackSettings

    settings = StackSettings.from_env({}, cwd=ROOT)
    shown = dict(re.findall(r"^\| `(MLOPS_\w+)` \| `([^`]+)`", REFERENCE, re.MULTILINE))
    assert shown["MLOPS_AIRFLOW_PORT"] == str(settings.airflow_port)
    assert shown["MLOPS_MLFLOW_PORT"] == str(settings.mlflow_port)
    assert shown["MLOPS_STACK_PROFILE"] == settings.profile
    assert shown["MLOPS_PARALLELISM"] == str(settings.parallelism)
    assert shown["MLOPS_READY_TIMEOUT_S"] == f"{settings.ready_timeout_s:g}"
    assert shown["MLOPS_HOME"] == settings.home.relative_to(ROOT).as_posix()


def test_kinds_of_ledger_entries() -> None:
    named = set(re.findall(r"^\| `(\w+)` \|", section("The ledger"), re.MULTILINE))
    assert named == {kind.value for kind in EvidenceKind}
    written = set(re.findall(r"EvidenceKind\.(\w+)", CODE))
    assert written >= {kind.name for kind in EvidenceKind}, "each is used"


def test_tables_of_the_lake() -> None:
    named = set(re.findall(r"^\| `<\w+>(\w*)` \|", section("Tables"), re.MULTILINE))
    suffixes = set(re.findall(r'\}(__[a-z]+)"', CODE))
    pages = set(re.findall(r"`_reports/<model>(__\w+)/", section("Tables")))
    assert named | pages == suffixes | {""}


def test_connections() -> None:
    named = set(re.findall(r"^\| `(\w+)` \|", section("Airflow connections"), re.MULTILINE))
    defaults = set(re.findall(r'default_conn_name = "(\w+)"', CODE))
    assert named == defaults | {"flights_source", CONN_ID}


SPECS = [
    name
    for module in ("dataset", "gate", "intended_use", "model", "monitoring", "policy")
    for name in listed_names(ROOT / "mlops_tasks" / "specs" / f"{module}.py")
    if name.endswith("Spec")
]


@pytest.mark.parametrize("name", SPECS)
def test_fields_of_a_spec(name: str) -> None:
    row = next((r for r in section("A spec").splitlines() if r.startswith(f"| `{name}`")), "")
    assert row, f"{name} is not in the table"
    model: type[BaseModel] = getattr(specs, name)
    _, _, required, optional, _ = row.split("|")
    fields = model.model_fields
    assert quoted(required) == {n for n, field in fields.items() if field.is_required()}
    assert quoted(optional) == {n for n, field in fields.items() if not field.is_required()}
    for field_name, field in fields.items():
        if isinstance(field.default, int | float) and not isinstance(field.default, bool):
            assert f"`{field_name}` {field.default:g}" in optional, field_name
        if isinstance(field.default, str):
            assert f'`{field_name}` "{field.default}"' in optional, field_name


def test_every_check_is_there_as_the_code_says_it() -> None:
    from mlops_tasks.checks import CHECKS

    rows = re.findall(r"^\| `([\w ]+)` \| (.*) \|$", section("Checks before a run"), re.MULTILINE)
    # The first two are the command's own: whether there is a spec to check, and Dags of it.
    assert [name for name, _ in rows[:2]] == ["spec", "dags"]
    assert rows[2:] == [(check.name, check.finds) for check in CHECKS]
