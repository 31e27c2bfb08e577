"""The nightly maintenance: what nothing needs goes, whatever anything names stays."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mlops_tasks import faults
from mlops_tasks.exceptions import DamagedTableError, MaintenanceError, UnknownPinsError
from mlops_tasks.maintenance import (
    Upkeep,
    end_dead_runs,
    ledger_pins,
    maintain,
    named_in_ledger,
    registered_pins,
    remove_old_logs,
    remove_old_reports,
    remove_old_runs,
    remove_spare_versions,
    shrink_tables,
    sweep_scratch,
)
from mlops_tasks.registry.tracking import ATTEMPT_TAG, Tracking
from mlops_tasks.reports import write_report, write_standing_report

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlops_tasks.lake import Lake
    from mlops_tasks.registry.ledger import Ledger
    from tests.unit.conftest import World

DAY = 86_400


def nobody(tags: Mapping[str, str]) -> bool:
    return False


def opened(tracking: Tracking, task: str = "d/r/train/-1", **tags: str) -> str:
    """Open a run as a task that is killed then."""
    experiment = tracking.client.get_experiment_by_name("orders")
    number = experiment.experiment_id if experiment else tracking.client.create_experiment("orders")
    return str(tracking.client.create_run(number, tags={ATTEMPT_TAG: task, **tags}).info.run_id)


def status(tracking: Tracking, run_id: str) -> str:
    return str(tracking.client.get_run(run_id).info.status)


def aged(path: Path, days: float) -> Path:
    then = time.time() - days * DAY
    os.utime(path, (then, then))
    return path


def written(path: Path, days: float) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x" * 10)
    return aged(path, days)


# --- runs of dead tasks


def test_a_run_whose_task_is_over_is_killed_and_no_other(tracking: Tracking) -> None:
    dead, alive = opened(tracking), opened(tracking, "d/r/evaluate/-1")
    done = end_dead_runs(
        tracking, alive=lambda tags: tags[ATTEMPT_TAG] == "d/r/evaluate/-1", grace_s=0
    )
    assert (status(tracking, dead), status(tracking, alive)) == ("KILLED", "RUNNING")
    assert done == Upkeep((f"run {dead}",), kept={"run of a task that lives": 1})


def test_a_run_of_a_person_is_not_touched(tracking: Tracking) -> None:
    opened(tracking)
    experiment = tracking.client.get_experiment_by_name("orders").experiment_id
    person = tracking.client.create_run(experiment).info.run_id
    end_dead_runs(tracking, alive=nobody, grace_s=0)
    assert status(tracking, person) == "RUNNING"


def test_a_young_run_is_left_alone(tracking: Tracking) -> None:
    run = opened(tracking)
    done = end_dead_runs(tracking, alive=nobody)
    assert status(tracking, run) == "RUNNING"
    assert done.kept == {"run younger than an hour": 1}


def test_a_dry_run_ends_nothing_and_says_what_it_would(tracking: Tracking) -> None:
    run = opened(tracking)
    done = end_dead_runs(tracking, alive=nobody, grace_s=0, dry_run=True)
    assert done.removed == (f"run {run}",)
    assert status(tracking, run) == "RUNNING"


def test_a_model_that_was_never_logged_whole_is_failed(tracking: Tracking) -> None:
    dead, alive = opened(tracking, "dead"), opened(tracking, "alive")
    experiment = tracking.client.get_experiment_by_name("orders").experiment_id
    create = tracking.client.create_logged_model
    models = [create(experiment, source_run_id=run).model_id for run in (dead, alive)]
    person = create(experiment).model_id
    end_dead_runs(tracking, alive=lambda tags: tags[ATTEMPT_TAG] == "alive", grace_s=0)
    found = [str(tracking.client.get_logged_model(m).status) for m in (*models, person)]
    assert found == ["FAILED", "PENDING", "PENDING"]


# --- versions and old runs


def test_the_second_version_of_a_run_goes_and_the_first_stays(own_world: World) -> None:
    world = own_world
    tracking, name = world.tracking, world.spec.name
    champion = tracking.by_version(name, world.champion.version)
    twin = tracking.client.create_model_version(
        name, champion.source, champion.run_id, tags=champion.tags
    )
    done = remove_spare_versions(tracking, ledger=world.ledger, grace_s=0)
    assert done.removed == (f"version {twin.version} of {name}",)
    assert tracking.by_version(name, champion.version).aliases


@pytest.mark.parametrize("reason", ["an alias", "the ledger", "its age"])
def test_a_second_version_that_something_needs_stays(own_world: World, reason: str) -> None:
    tracking, name = own_world.tracking, own_world.spec.name
    champion = tracking.by_version(name, own_world.champion.version)
    twin = tracking.client.create_model_version(
        name, champion.source, champion.run_id, tags=champion.tags
    )
    if reason == "an alias":
        tracking.client.set_registered_model_alias(name, "previous", twin.version)
    elif reason == "the ledger":
        evidence = {"version": str(twin.version)}
        own_world.ledger.record(model=name, kind="verdict", key="k", evidence=evidence)
    grace = 3600 if reason == "its age" else 0
    done = remove_spare_versions(tracking, ledger=own_world.ledger, grace_s=grace)
    assert done.removed == ()


def test_an_old_run_that_led_to_nothing_goes_with_its_artifacts(tracking: Tracking) -> None:
    run = opened(tracking)
    tracking.log_json(run, "pin.json", {"x": 1})
    tracking.client.set_terminated(run, "FAILED", end_time=1_000)
    folder = Path(tracking.client.get_run(run).info.artifact_uri.removeprefix("file://"))
    assert (folder / "pin.json").exists()
    assert remove_old_runs(tracking, named=(), keep_days=90, dry_run=True).removed == (run,)
    assert (folder / "pin.json").exists()
    assert remove_old_runs(tracking, named=(), keep_days=90).removed == (run,)
    assert not (folder / "pin.json").exists()
    assert tracking.client.get_run(run).info.lifecycle_stage == "deleted"
    assert remove_old_runs(tracking, named=(), keep_days=90).removed == ()


def test_old_runs_that_something_needs_stay(tracking: Tracking) -> None:
    named, person, young, running = (opened(tracking) for _ in range(4))
    tracking.client.set_terminated(named, "FAILED", end_time=1_000)
    tracking.client.set_terminated(young, "FAILED")
    tracking.client.delete_tag(person, ATTEMPT_TAG)
    tracking.client.set_terminated(person, "FAILED", end_time=1_000)
    done = remove_old_runs(tracking, named={named}, keep_days=90)
    assert done == Upkeep(kept={"named in the ledger": 1, "younger than 90 days": 1})
    assert status(tracking, running) == "RUNNING"


def test_whatever_the_ledger_names_survives_everything(own_world: World) -> None:
    world, model = own_world, own_world.spec.name
    versions = world.tracking.client.search_model_versions(f"name = '{model}'")
    names = named_in_ledger(world.ledger)
    assert {version.run_id for version in versions} <= names | {world.trained.run_id}
    end_dead_runs(world.tracking, alive=nobody, grace_s=-1)
    remove_spare_versions(world.tracking, ledger=world.ledger, grace_s=-1)
    remove_old_runs(world.tracking, named=names, keep_days=-1)
    stores = {"ledger": world.ledger, "tracking": world.tracking}
    shrink_tables(world.lake, **stores, keep_days=0)
    remove_old_reports(world.lake, named=names, keep_days=-1)

    champion = world.tracking.by_version(model, world.champion.version)
    world.tracking.load(world.champion.model_uri, world.champion.digest)
    assert champion.aliases
    assert world.tracking.read_json(champion.run_id, "pin.json")
    for pins in ledger_pins(world.ledger).values():
        for pin in pins:
            world.lake.table(pin.table).verify_pin(pin)
    for pins in registered_pins(world.tracking).values():
        for pin in pins:
            world.lake.table(pin.table).verify_pin(pin)
    for name in names:
        if name.startswith("_reports/"):
            assert (world.lake.root / name).exists()


# --- tables


def test_a_table_that_is_damaged_stops_no_other(own_world: World) -> None:
    log = own_world.lake.table("orders").folder / "_delta_log"
    max(log.glob("*.json")).write_bytes(b"")
    stores: dict[str, Any] = {"ledger": own_world.ledger, "tracking": own_world.tracking}
    orphan = own_world.lake.table("traffic").folder / "partition_key=2024-03-01" / "orphan.parquet"
    written(orphan, 3)
    with pytest.raises(DamagedTableError, match="'orders'"):
        shrink_tables(own_world.lake, **stores, keep_days=30)
    assert not orphan.exists()


def test_without_the_registry_no_table_is_touched(lake: Lake, ledger: Ledger) -> None:
    stores: dict[str, Any] = {"ledger": ledger, "tracking": Tracking("http://127.0.0.1:1")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        with pytest.raises(UnknownPinsError):
            shrink_tables(lake, **stores, keep_days=30)


# --- files


def test_old_logs_go_and_young_ones_and_others_stay(tmp_path: Path) -> None:
    old = written(tmp_path / "dag_id=a/run_id=1/task_id=t/attempt=1.log", 100)
    parsed = written(tmp_path / "dag_processor/2024-01-01/a.log", 100)
    young = written(tmp_path / "dag_id=a/run_id=2/task_id=t/attempt=1.log", 1)
    other = written(tmp_path / "scheduler.log", 100)
    assert len(remove_old_logs(tmp_path, keep_days=90, dry_run=True).removed) == 2
    assert old.exists()
    done = remove_old_logs(tmp_path, keep_days=90)
    assert (done.freed_bytes, done.kept) == (20, {"younger than 90 days": 1})
    assert not old.parent.parent.exists()
    assert not parsed.exists()
    assert young.exists()
    assert other.exists()


def test_the_newest_report_and_those_that_the_ledger_names_stay(lake: Lake) -> None:
    root = lake.root
    pages = [write_report(root, "orders", "2024-03-01", name, "page", {"n": 1}) for name in "1234"]
    for page, days in zip(pages, (400, 300, 200, 100), strict=True):
        for suffix in (".html", ".json"):
            aged((lake.root / page).with_suffix(suffix), days)
    aged(root / write_standing_report(root, "orders__timeline", "page"), 400)
    done = remove_old_reports(lake, named={pages[1]}, keep_days=250)
    assert done.removed == ("orders/2024-03-01/1.html", "orders/2024-03-01/1.json")
    assert done.kept == {
        "named in the ledger": 2,
        "newest of its partition": 2,
        "younger than 250 days": 2,
    }


def test_what_dead_processes_left_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    program = (
        "import os\nfrom mlops_tasks.scratch import scratch\n"
        "with scratch() as folder:\n    (folder / 'features').mkdir()\n    os._exit(1)"
    )
    env = os.environ | {"TMPDIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", program], env=env, check=False, timeout=60)
    assert len(sweep_scratch(dry_run=True).removed) == 1
    assert len(sweep_scratch().removed) == 1
    assert sweep_scratch().removed == ()


def test_a_maintenance_that_was_killed_is_finished_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs = [written(tmp_path / f"dag_id=a/run_id={n}/x.log", 100) for n in range(3)]
    monkeypatch.setenv(faults.FAULT_VARIABLE, "maintenance:mid_remove:raise")
    with pytest.raises(faults.InjectedFaultError):
        remove_old_logs(tmp_path, keep_days=90)
    assert sum(path.exists() for path in logs) == 2
    monkeypatch.delenv(faults.FAULT_VARIABLE)
    for run in (tmp_path / "dag_id=a").iterdir():
        aged(run, 2)
    assert len(remove_old_logs(tmp_path, keep_days=90).removed) == 2
    assert not (tmp_path / "dag_id=a").exists()


def test_two_at_once_do_not_trip_over_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs = [written(tmp_path / f"dag_id=a/run_id={n}/x.log", 100) for n in range(3)]

    def other(_: str) -> None:
        for path in logs:
            path.unlink(missing_ok=True)

    monkeypatch.setattr("mlops_tasks.maintenance.files.fault_point", other)
    assert len(remove_old_logs(tmp_path, keep_days=90).removed) == 3


# --- all parts


def test_a_part_that_fails_stops_no_other_and_the_end_is_red() -> None:
    said: dict[str, list[str]] = {}

    def broken() -> Upkeep:
        raise ConnectionRefusedError("MLflow is away")

    parts = {"a": broken, "b": lambda: Upkeep(("x",), kept={"in use": 2})}
    with pytest.raises(MaintenanceError, match=r"^a failed, the other parts") as found:
        maintain(parts, said.__setitem__)
    assert said == {
        "a": ["FAILED: ConnectionRefusedError: MLflow is away"],
        "b": ["removed 1: x", "kept 2: in use"],
    }
    assert isinstance(found.value.__cause__, ConnectionRefusedError)


def test_long_lists_are_cut() -> None:
    assert Upkeep(tuple("abcdef")).lines == ["removed 6: a, b, c, 3 more"]
    assert Upkeep().lines == ["nothing to remove"]
