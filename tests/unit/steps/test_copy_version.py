"""A version in another registry: the same bytes there, or nothing."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest

from mlops_tasks.exceptions import UnsafeModelError, VersionNotAllowedError
from mlops_tasks.registry.champions import load_version
from mlops_tasks.registry.ledger import Champion, Ledger
from mlops_tasks.registry.releases import check_in_use
from mlops_tasks.registry.tracking import Tracking
from mlops_tasks.steps.copy_version import copy_version, request_of_copy
from mlops_tasks.steps.register import register
from mlops_tasks.steps.retire import retire
from tests.unit.registrations import error_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.conftest import World


@pytest.fixture
def production(tmp_path: Path, mlflow_template: Path) -> Tracking:
    """Return a registry of its own, beside that of the world."""
    shutil.copy(mlflow_template, tmp_path / "production.db")
    made = Tracking(f"sqlite:///{tmp_path}/production.db", login=None)
    made.client.create_experiment("late_orders", artifact_location=str(tmp_path / "production"))
    return made


def test_a_copy_has_the_same_files_and_predicts_the_same(
    own_world: World, production: Tracking, tmp_path: Path
) -> None:
    champion, ledger = own_world.champion, Ledger(f"sqlite:///{tmp_path}/other.db")
    copied = copy_version(champion, source=own_world.tracking, target=production, origin="staging")
    assert (copied.digest, copied.artifacts) == (champion.digest, champion.artifacts)
    stores: dict[str, Any] = {"tracking": production, "ledger": ledger}
    ours = register(champion.name, copied, None, **stores)
    assert ours.run_id != champion.run_id
    assert load_version(ours, tracking=production) is not None
    now = Champion("3", 4)
    request = request_of_copy(ours, now, tracking=production, origin="staging", author="eve")
    assert (request.verdict, request.author) == ("ask", "eve")
    assert (request.champion_version, request.champion_generation) == ("3", 4)
    assert request.as_of == own_world.as_of
    assert request.evidence in {champion.digest, *champion.artifacts.values()}
    assert "copied from staging" in request.reason


def test_what_was_changed_at_its_source_is_not_copied(
    own_world: World, production: Tracking, tracking_files: Path
) -> None:
    weights = next(path for path in tracking_files.iterdir() if path.suffix == ".skops")
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(UnsafeModelError, match="changed after registration"):
        copy_version(
            own_world.champion, source=own_world.tracking, target=production, origin="staging"
        )
    assert production.versions() == []


def test_what_was_retired_is_not_copied(own_world: World) -> None:
    ledger = own_world.ledger
    check_in_use("late_orders", "1", ledger=ledger)
    ledger.promote("late_orders", version="2", generation=1, key="2024-03-18", evidence={})
    retire("late_orders", "1", reason="wrong labels", by="eve", ledger=ledger)
    said = error_of(VersionNotAllowedError, check_in_use, "late_orders", "1", ledger=ledger)
    assert "version 1 of 'late_orders' is retired there" in said
