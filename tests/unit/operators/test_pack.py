"""The pack behind a promotion: made once, recorded, and no reason to undo anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from mlops_airflow.hooks.evidence_key import evidence_key_file
from mlops_airflow.lifecycle import model_dags
from mlops_airflow.operators.pack import MakeEvidencePackOperator
from mlops_tasks.exceptions import EvidencePackError
from mlops_tasks.maintenance import named_in_ledger, remove_old_reports
from mlops_tasks.registry.pack import Answer, PublicKey, verify_pack
from mlops_tasks.registry.pack.signing import public_file
from mlops_tasks.storage import remove
from tests.unit.operators.conftest import context

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.conftest import World
    from tests.unit.orders import Source

    Stack = tuple[World, Source]

PROMOTED = {"name": "late_orders", "version": "1"}


@pytest.fixture(autouse=True)
def key_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "keys" / "evidence_key.pem"
    monkeypatch.setenv("AIRFLOW__MLOPS__EVIDENCE_KEY", str(path))
    return path


def run(model: Any, run_id: str = "manual__1") -> dict[str, Any]:
    task = MakeEvidencePackOperator(task_id="pack", model=model, promoted=PROMOTED)
    made: dict[str, Any] = task.execute(context(task, key="2024-03-16", run=run_id))
    return made | {"url": task.report_url}


def test_a_promoted_version_gets_a_pack_and_the_ledger_its_digest(
    stack: Stack, key_file: Path
) -> None:
    world, _ = stack
    made = run(world.spec)
    fingerprint = PublicKey.read(public_file(key_file)).fingerprint
    path = world.lake.root / made["file"]
    assert verify_pack(path, trusted=fingerprint).answer is Answer.VERIFIED
    (entry,) = world.ledger.entries(model="late_orders", kind="pack")
    assert entry.key == "1"
    assert entry.evidence == {name: value for name, value in made.items() if name != "url"}
    assert entry.dag_run == "late_orders.dag/manual__1"
    assert made["url"].endswith(f"/mlops/reports/late_orders__packs/{path.parent.name}/1")


def test_an_attempt_that_is_run_again_changes_nothing(stack: Stack) -> None:
    world, _ = stack
    first = run(world.spec)
    assert run(world.spec) == first
    assert len(world.ledger.entries(kind="pack", history=True)) == 1
    remove(world.lake.root / first["file"])
    again = run(world.spec)
    assert (world.lake.root / again["file"]).exists(), "a file that is gone is made again"
    assert run(world.spec, run_id="manual__2")["digest"] not in {first["digest"], again["digest"]}


def test_packs_that_the_ledger_names_are_kept(stack: Stack) -> None:
    world, _ = stack
    made = [run(world.spec, run_id=f"manual__{n}") for n in range(2)]
    stray = (world.lake.root / made[0]["file"]).with_name("1-stray.zip")
    stray.write_bytes(b"from a killed attempt")
    (world.lake.root / made[1]["report"]).touch()
    done = remove_old_reports(world.lake, named=named_in_ledger(world.ledger), keep_days=-1)
    assert [name.rpartition("/")[2] for name in done.removed] == ["1-stray.zip"]


def test_the_name_of_a_model_is_enough(stack: Stack) -> None:
    assert run("late_orders")["version"] == "1"


def test_a_pack_that_fails_leaves_the_champion(stack: Stack, key_file: Path) -> None:
    world, _ = stack
    key_file.parent.mkdir()
    key_file.write_bytes(b"no key")
    key_file.chmod(0o600)
    with pytest.raises(EvidencePackError, match="holds no private key"):
        run(world.spec)
    champion = world.ledger.champion("late_orders")
    assert champion is not None
    assert champion.version == "1"
    assert world.ledger.entries(kind="pack") == []


def test_without_the_extra_it_is_skipped(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib import util

    find = util.find_spec
    monkeypatch.setattr(util, "find_spec", lambda n: None if n == "cyclonedx" else find(n))
    with pytest.raises(AirflowSkipException, match=r"cyclonedx-python-lib not installed; pip inst"):
        run(stack[0].spec)


def test_it_stands_behind_the_promotion(spec: Any) -> None:
    (release,) = [dag for dag in model_dags(spec) if dag.dag_id == "late_orders.release"]
    assert release.get_task("pack").upstream_task_ids == {"promote"}
    assert release.get_task("pack").downstream_task_ids == set()


def test_where_the_key_is(monkeypatch: pytest.MonkeyPatch, key_file: Path) -> None:
    assert evidence_key_file() == key_file
    monkeypatch.delenv("AIRFLOW__MLOPS__EVIDENCE_KEY")
    monkeypatch.setenv("AIRFLOW_HOME", "/somewhere")
    assert str(evidence_key_file()) == "/somewhere/mlops_keys/evidence_key.pem"
