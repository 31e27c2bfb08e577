"""``mlops timeline`` and ``mlops incidents list --html`` as a person types them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from mlops_airflow.cli import app
from tests.unit.timeline.lives import MODEL, whole_life

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from mlops_tasks.registry.ledger import Ledger

SPEC = """
from pathlib import Path
from tests.unit.orders import project

MODEL = project(Path(__file__).parent / "files")
"""


@pytest.fixture(autouse=True)
def home(
    ledger: Ledger, tmp_path: Path, connect: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """A folder of projects with one in it, and its ledger."""
    folder = tmp_path / "dags" / "shown_orders"
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "spec.py").write_text(SPEC)
    monkeypatch.setenv("MLOPS_HOME", str(tmp_path / "no stack"))
    monkeypatch.setattr("mlops_airflow.projects.projects_folder", lambda: tmp_path / "dags")
    connect("ledger_default", conn_type="sqlite", host=f"{tmp_path}/ledger.db")
    path = list(sys.path)
    yield
    sys.path[:] = path
    for name in [name for name in sys.modules if name.partition(".")[0] == "shown_orders"]:
        sys.modules.pop(name)


def call(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, [*words])
    return done.exit_code, " ".join(done.output.split())


def test_the_timeline_is_written_to_a_file(ledger: Ledger, tmp_path: Path) -> None:
    whole_life(ledger, n_days=6, n_columns=3)
    file = tmp_path / "page.html"
    code, said = call("timeline", MODEL, str(file))
    assert (code, said) == (0, f"4 measured days and 6 decisions in {file}")
    assert "<title>late_orders: timeline</title>" in file.read_text()


def test_a_model_that_there_is_not_has_none(tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    code, said = call("timeline", "late_order", str(file))
    assert code == 3
    assert "did you mean 'late_orders'" in said
    assert not file.exists()


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "in the way").write_text("")
    code, said = call("timeline", MODEL, str(tmp_path / "in the way" / "page.html"))
    assert code == 3
    assert "in the way" in said


def test_incidents_are_written_to_a_file_those_that_have_ended_too(
    ledger: Ledger, tmp_path: Path
) -> None:
    whole_life(ledger, n_days=6, n_columns=3)
    file = tmp_path / "incidents.html"
    code, said = call("incidents", "list", "--html", str(file))
    assert code == 1
    assert "orders/ingestion/1" not in said
    page = file.read_text()
    assert "1 open" in page
    assert "the source is back" in page
    assert call("incidents", "list", "orders", "--html", str(file))[0] == 0
    assert "<h1>Incidents of orders</h1>" in file.read_text()
    refused = call("incidents", "list", "--html", str(file / "under a file"))
    assert refused[0] == 3
    assert "cannot be written" in refused[1]
