"""A version is trained again from its record, and the verdict says whether it is the same."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from mlops_tasks.lake.maintenance import vacuum
from mlops_tasks.registry.artifacts import ENVIRONMENT, FINGERPRINT, PIN_FILE, PROJECT
from mlops_tasks.registry.reproduction import Environment
from mlops_tasks.registry.reproduction.fresh_environment import FreshEnvironments
from mlops_tasks.serialization import from_json, to_json
from mlops_tasks.steps.reproduce import Reproduction

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tasks.registry.versions import RegisteredVersion
    from tests.unit.reproduction.conftest import Shelf


def files(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_a_number_is_reproduced_with_what_was_chosen_for_its_fit(
    shelf: Shelf, units: RegisteredVersion, dags: Path
) -> None:
    """The project is edited meanwhile: it is the recorded one that is trained."""
    model, before = dags / "shelf" / "model.py", files(shelf.lake.root)
    source = model.read_text()
    model.write_text("raise RuntimeError('the working tree')")
    try:
        found = shelf.reproduce(units)
    finally:
        model.write_text(source)
    assert (found.verdict, found.differs) == ("exact", ""), found
    assert found.content == found.found_content != ""
    assert found.answers is not None
    assert (found.answers.rows, found.answers.n_rows, found.answers.n_different) == (
        "evaluation",
        80,
        0,
    )
    assert "its content is equal" in found.reason
    assert files(shelf.lake.root) == before
    assert from_json(Reproduction, to_json(found)) == found


def test_a_model_of_one_table_is_reproduced(shelf: Shelf) -> None:
    found = shelf.reproduce(shelf.train(shelf.table))
    assert (found.verdict, found.differs) == ("exact", ""), found
    assert found.answers is not None
    assert (found.answers.rows, found.answers.n_rows) == ("training", 360)


def test_a_fit_without_a_seed_is_not_reproduced_and_the_seed_is_named(shelf: Shelf) -> None:
    spec = shelf.spec.model_copy(update={"estimator": "shelf.model:build_unseeded"})
    found = shelf.reproduce(shelf.train(spec))
    assert (found.verdict, found.differs) == ("failed", "seed"), found
    assert "randomforestregressor__random_state is not set" in found.reason
    assert [one.what for one in found.differences] == ["seed", "model content", "predictions"]
    assert found.content != found.found_content


@pytest.mark.parametrize(
    ("name", "about"),
    [
        (PROJECT, "code"),
        (PIN_FILE, "pin"),
        (ENVIRONMENT, "environment"),
        (FINGERPRINT, "parameters"),
    ],
)
def test_a_record_that_was_changed_is_an_alarm_and_one_that_is_gone_is_none(
    shelf: Shelf, units: RegisteredVersion, changed: Any, name: str, about: str
) -> None:
    content = shelf.artifact(units, name).read_bytes()
    changed(name, content.replace(b"11", b"12") + b" ")
    found = shelf.reproduce(units)
    assert (found.verdict, found.differs) == ("failed", about)
    assert f"{name} of run" in found.reason
    assert "was changed in MLflow" in found.reason
    changed(name, None)
    found = shelf.reproduce(units)
    assert (found.verdict, found.differs) == ("cannot tell", about)
    assert "restore the run from a backup" in found.reason


def test_a_version_without_a_record_cannot_be_told(shelf: Shelf, units: RegisteredVersion) -> None:
    artifacts = {name: one for name, one in units.artifacts.items() if name != FINGERPRINT}
    old = replace(units, version="77", artifacts=artifacts)
    found = shelf.reproduce(old)
    assert (found.verdict, found.differs) == ("cannot tell", "parameters")
    assert "trained before that was kept" in found.reason


def test_files_of_the_model_that_were_changed_are_an_alarm(
    shelf: Shelf, units: RegisteredVersion
) -> None:
    folder = shelf.tracking.client.get_logged_model(
        units.model_uri.removeprefix("models:/")
    ).artifact_location
    (weights,) = shelf.home.rglob(f"{folder.rpartition('/models/')[2]}/model.skops")
    before = weights.read_bytes()
    weights.write_bytes(before + b"x")
    try:
        found = shelf.reproduce(units)
    finally:
        weights.write_bytes(before)
    assert (found.verdict, found.differs) == ("failed", "model content")


@pytest.fixture
def other_lake(shelf: Shelf, tmp_path: Path) -> Shelf:
    """The same with a lake of the test's own."""
    copy = shutil.copytree(shelf.lake.root, tmp_path / "lake")
    return replace(shelf, lake=type(shelf.lake)(copy))


def test_rows_that_were_removed_cannot_be_told(other_lake: Shelf, units: RegisteredVersion) -> None:
    from mlops_tasks.lake import overwrite_partition

    table = other_lake.lake.table("shelf_offers")
    rows = table.read(first="2024-03-02", last="2024-03-02").slice(0, 5)
    overwrite_partition(table, "2024-03-02", rows, token=99, known_at="2024-03-30")
    table = other_lake.lake.table("shelf_offers")
    assert vacuum(table, keep_days=0, grace_s=0).removed
    found = other_lake.reproduce(units)
    assert (found.verdict, found.differs) == ("cannot tell", "pin")
    assert "1 of 8 files of table 'shelf_offers'" in found.reason
    assert "Restore them from a backup" in found.reason


def test_rows_that_were_changed_are_an_alarm(other_lake: Shelf, units: RegisteredVersion) -> None:
    path = sorted(other_lake.lake.table("shelf_sales").folder.rglob("*.parquet"))[2]
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    path.write_bytes(bytes(content))
    found = other_lake.reproduce(units)
    assert (found.verdict, found.differs) == ("failed", "pin"), found
    assert "shelf_sales" in found.reason


def test_another_lake_cannot_be_told(
    shelf: Shelf, units: RegisteredVersion, tmp_path: Path
) -> None:
    found = replace(shelf, lake=type(shelf.lake)(tmp_path / "nothing")).reproduce(units)
    assert (found.verdict, found.differs) == ("cannot tell", "pin")


def test_an_environment_that_cannot_be_made_cannot_be_told(
    shelf: Shelf, units: RegisteredVersion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def other(content: bytes) -> Environment:
        return replace(real(content), python="3.2.1")

    real = Environment.restored
    monkeypatch.setattr(Environment, "restored", other)
    found = shelf.reproduce(units, environments=FreshEnvironments(tmp_path / "environments"))
    assert (found.verdict, found.differs) == ("cannot tell", "environment")
    assert "3.2.1" in found.reason
    assert not list((tmp_path / "environments").glob("*/"))


def test_a_training_that_takes_too_long_is_ended(shelf: Shelf, units: RegisteredVersion) -> None:
    found = shelf.reproduce(units, limit_s=0.3)
    assert (found.verdict, found.differs) == ("cannot tell", "")
    assert "took longer than 0.3 s and was stopped" in found.reason


def test_nothing_of_it_stays(
    shelf: Shelf, units: RegisteredVersion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    shelf.reproduce(units, limit_s=0.3)
    assert list(tmp_path.iterdir()) == []
    assert "shelf.retrained" not in sys.modules
