"""Packs of models that were really trained, of two problem types."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from mlops_tasks.exceptions import EvidencePackError, UnknownVersionError, UnsafeModelError
from mlops_tasks.faults import FAULT_VARIABLE, InjectedFaultError
from mlops_tasks.registry.pack import Answer, SigningKey, gather, read_pack, verify_pack
from mlops_tasks.serialization import to_json
from mlops_tasks.specs import IntendedUseSpec
from mlops_tasks.steps.evaluate import evaluate
from mlops_tasks.steps.pack import EvidencePack, make_pack
from mlops_tasks.steps.pin import pin_training_data
from mlops_tasks.steps.promote import promote
from mlops_tasks.steps.register import register
from mlops_tasks.steps.train import train
from mlops_tasks.storage import remove
from tests.unit.orders import day, fill_lake, project_of

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tasks.lake import Lake
    from mlops_tasks.registry.ledger import Ledger
    from mlops_tasks.registry.tracking import Tracking
    from tests.unit.conftest import World


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> SigningKey:
    return SigningKey.at(tmp_path_factory.mktemp("keys") / "evidence_key.pem")


def write_down(world: World) -> None:
    """Let the ledger know what operators would have told it: a verdict, and a day's validation."""
    about = {"run_id": world.trained.run_id}
    world.ledger.record(
        model="late_orders",
        kind="verdict",
        key=world.as_of,
        evidence=to_json(world.verdict) | about,
    )
    orders = world.pin.inputs["orders"]
    first, second, *_ = world.lake.table("orders").pinned_commits(orders)
    for commit, digest in ((first, first.digest), (second, "of other rows")):
        evidence = {
            "digest": digest,
            "n_rows_in": 84,
            "n_validated": 80,
            "n_quarantined": 4,
            "quarantined_by_reason": {"distance": 3, "shop": 2},
            "warnings": ["few rows"],
            "changes": {"examples": {"gone": [["2024-03-01/7"]]}},
        }
        world.ledger.record(
            model="orders", kind="validation", key=commit.partition, evidence=evidence
        )


def packed(world: World, key: SigningKey, **changes: Any) -> EvidencePack:
    given: dict[str, Any] = {"model": "late_orders", "version": "1", "spec": world.spec}
    stores: dict[str, Any] = {"lake": world.lake, "tracking": world.tracking}
    contents = gather(**given | changes, **stores, ledger=world.ledger)
    return make_pack(contents, **stores, key=key)


def documents(path: Path) -> dict[str, Any]:
    return {
        name: json.loads(content)
        for name, content in read_pack(path).items()
        if name.endswith(".json")
    }


def test_a_pack_holds_what_ledger_run_lake_and_spec_know(own_world: World, key: SigningKey) -> None:
    write_down(own_world)
    use = IntendedUseSpec(purpose="Warn customers.", limitations="No December.")
    spec = own_world.spec.model_copy(update={"intended_use": use})
    made = packed(own_world, key, spec=spec)
    path = own_world.lake.root / made.file
    found = verify_pack(path, trusted=key.public.fingerprint)
    assert (found.answer, found.problems) == (Answer.VERIFIED, ())

    said = documents(path)
    about = said["pack.json"]
    assert (about["model"], about["version"], about["as_of"]) == ("late_orders", "1", "2024-03-16")
    assert about["files_digest"] == own_world.champion.digest
    assert about["promoted_because"] == own_world.verdict.reason
    assert said["pins.json"] == to_json(own_world.pin)
    assert said["gate.json"]["challenger"] == own_world.verdict.challenger
    assert said["intended_use.json"]["purpose"] == "Warn customers."
    assert said["specification.json"]["target"] == "minutes_late > 10"
    assert said["specification.json"]["train"] == "10d"
    assert "ASOF LEFT JOIN" in said["specification.json"]["features_from"]["query"]
    importance = list(said["explanation.json"]["importance"].values())
    assert importance == sorted(importance, reverse=True)
    assert len(importance) == 5
    kinds = [entry["kind"] for entry in said["ledger.json"]["entries"]]
    assert kinds == ["registration", "promotion", "verdict"]
    assert said["ledger.json"]["head"]["seq"] == 5
    why = "nobody was asked for an approval: the gate's verdict alone promoted it"
    assert said["approvals.json"]["why_not"] == why
    assert said["environment.json"]["python"].startswith("3.")
    assert "not stated in the spec: intended_use.provider" in str(said["regulations.json"])
    assert "AI Act, Annex IV 8" in made.not_covered
    assert "GDPR, Art. 30 1(b)" not in made.not_covered


def test_only_the_very_content_that_was_checked_counts_as_checked(
    own_world: World, key: SigningKey
) -> None:
    write_down(own_world)
    said = documents(own_world.lake.root / packed(own_world, key).file)["contract.json"]
    orders, traffic, deliveries = said["tables"]
    assert (orders["n_partitions"], orders["n_checked"]) == (14, 1)
    assert (orders["n_rows_in"], orders["n_quarantined"]) == (84, 4)
    assert orders["quarantined_by_reason"] == {"distance": 3, "shop": 2}
    assert orders["n_warned"] == 1
    assert orders["why_not"] == "the ledger has no validation of the content of 13 partitions"
    assert (traffic["n_checked"], deliveries["n_checked"]) == (0, 0)
    assert "2024-03-01/7" not in json.dumps(said), "keys of rows stay in the ledger"


def test_no_row_and_no_key_of_a_row_is_in_a_pack(own_world: World, key: SigningKey) -> None:
    files = read_pack(own_world.lake.root / packed(own_world, key).file)
    assert [name for name, content in files.items() if b"2024-03-01/" in content] == []
    assert [name for name, content in files.items() if b"PRIVATE" in content] == []
    assert [
        name for name, content in files.items() if str(own_world.lake.root).encode() in content
    ] == []


def test_the_card_and_a_copy_in_the_run_lie_where_they_are_looked_for(
    own_world: World, key: SigningKey
) -> None:
    made = packed(own_world, key)
    path = own_world.lake.root / made.file
    assert made.file.startswith("_reports/late_orders__packs/20")
    assert made.report.endswith("/1.html")
    assert (own_world.lake.root / made.report).read_bytes() == read_pack(path)["model_card.html"]
    copy = own_world.tracking.read_bytes(own_world.trained.run_id, f"evidence/{path.name}")
    assert copy == path.read_bytes()
    assert made.n_bytes == len(copy)


def test_the_same_evidence_gives_the_same_pack_and_later_evidence_another(
    own_world: World, key: SigningKey
) -> None:
    first = packed(own_world, key)
    assert packed(own_world, key) == first
    own_world.ledger.record(model="late_orders", kind="decision", key="2024-03-17", evidence={})
    later = packed(own_world, key)
    assert later.contents != first.contents
    assert (own_world.lake.root / first.file).exists(), "the ledger names it"


@pytest.mark.parametrize("damage", ["cut", "another key"])
def test_a_file_in_its_place_that_is_not_the_pack_is_replaced(
    own_world: World, key: SigningKey, tmp_path: Path, damage: str
) -> None:
    first = packed(own_world, key)
    path = own_world.lake.root / first.file
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-1])
    else:
        packed(own_world, SigningKey.at(tmp_path / "other.pem"))
    again = packed(own_world, key)
    assert (again.file, again.contents) == (first.file, first.contents)
    assert verify_pack(path, trusted=key.public.fingerprint).answer is Answer.VERIFIED


@pytest.mark.parametrize("place", ["before_file", "after_file", "after_artifact"])
def test_a_making_that_is_killed_anywhere_is_completed(
    own_world: World, key: SigningKey, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv(FAULT_VARIABLE, f"pack:{place}:raise")
        with pytest.raises(InjectedFaultError):
            packed(own_world, key)
    folder = own_world.lake.root / "_reports" / "late_orders__packs"
    before = [path.read_bytes() for path in folder.rglob("*.zip")]
    assert len(before) == (place != "before_file")
    made = packed(own_world, key)
    (path,) = folder.rglob("*.zip")
    assert path == own_world.lake.root / made.file
    assert before in ([], [path.read_bytes()]), "what was whole stays"
    assert not [p for p in folder.rglob("*") if p.suffix == ".tmp"]


def test_a_version_that_was_never_promoted_has_no_pack(own_world: World, key: SigningKey) -> None:
    second = replace(own_world.champion, version="2", run_id="f" * 32, generation=0)
    assert own_world.ledger.register(second)
    with pytest.raises(EvidencePackError, match="version 2 of 'late_orders' was never promoted"):
        packed(own_world, key, version="2")
    with pytest.raises(UnknownVersionError, match="version 9"):
        packed(own_world, key, version="9")
    assert not list(own_world.lake.root.glob("_reports/*__packs"))


def test_a_promotion_by_hand_names_the_person_and_the_version_before(
    own_world: World, key: SigningKey
) -> None:
    second = replace(own_world.champion, version="2", generation=0)
    assert own_world.ledger.register(second)
    own_world.ledger.promote(
        "late_orders", version="2", generation=1, key="k", evidence={"reason": "better"}, by="ann"
    )
    said = documents(own_world.lake.root / packed(own_world, key, version="2").file)
    why = "nobody was asked for an approval: ann had it promoted"
    assert said["approvals.json"]["why_not"] == why
    assert (said["pack.json"]["version"], said["pack.json"]["previous"]) == ("2", "1")
    assert said["pack.json"]["promoted_because"] == "better"


def test_an_artifact_that_was_changed_is_no_evidence(own_world: World, key: SigningKey) -> None:
    from mlops_tasks.registry.artifacts import IMPORTANCE, evidence_path

    path = evidence_path(IMPORTANCE, own_world.champion.artifacts[IMPORTANCE])
    before = own_world.tracking.read_bytes(own_world.trained.run_id, path)
    try:
        own_world.tracking.log_bytes(own_world.trained.run_id, path, b'{"shop": 1.0}')
        with pytest.raises(UnsafeModelError, match=r"importance\.json of run .* was changed"):
            packed(own_world, key)
    finally:  # artifacts are shared between the copies of a world
        own_world.tracking.log_bytes(own_world.trained.run_id, path, before)


def test_without_a_spec_a_pack_says_so(own_world: World, key: SigningKey) -> None:
    said = documents(own_world.lake.root / packed(own_world, key, spec=None).file)
    assert said["specification.json"] == {
        "why_not": "no project has a spec of this model where the pack was made"
    }
    assert set(said["intended_use.json"].values()) == {""}


def test_a_lake_that_lost_a_table_says_so_and_the_rest_is_there(
    own_world: World, key: SigningKey
) -> None:
    for name in ("traffic", "_commits/traffic"):
        remove(own_world.lake.root / name)
    said = documents(own_world.lake.root / packed(own_world, key).file)["contract.json"]
    why = {table["table"]: table["why_not"] for table in said["tables"]}
    assert why["traffic"].startswith("the lake cannot say which partitions were pinned")
    assert "14 partitions" in why["orders"]


def test_personal_columns_are_named_and_nothing_of_them_is_shown(
    own_world: World, key: SigningKey
) -> None:
    orders = own_world.spec.inputs[0].dataset.model_copy(update={"personal": ("shop",)})
    first = own_world.spec.inputs[0].model_copy(update={"dataset": orders})
    spec = own_world.spec.model_copy(update={"inputs": (first, *own_world.spec.inputs[1:])})
    path = own_world.lake.root / packed(own_world, key, spec=spec).file
    said = documents(path)
    assert said["specification.json"]["personal"] == ["shop"]
    assert [name for name, content in read_pack(path).items() if b"florist" in content] == []


def test_a_regression_has_a_pack_too(
    tmp_path: Path, lake: Lake, tracking: Tracking, ledger: Ledger, key: SigningKey
) -> None:
    spec = project_of(tmp_path / "other", "regression")
    fill_lake(lake, spec, range(16))
    pin = pin_training_data(spec, day(15), lake=lake)
    trained = train(spec, pin, lake=lake, tracking=tracking)
    verdict = evaluate(spec, pin, trained, None, lake=lake, tracking=tracking)
    about = {"run_id": trained.run_id}
    ledger.record(model=spec.name, kind="verdict", key=day(15), evidence=to_json(verdict) | about)
    version = register(spec.name, trained, verdict, tracking=tracking, ledger=ledger)
    assert promote(version, verdict, as_of=day(15), tracking=tracking, ledger=ledger)
    contents = gather(spec.name, "1", spec, lake=lake, tracking=tracking, ledger=ledger)
    made = make_pack(contents, lake=lake, tracking=tracking, key=key)
    path = lake.root / made.file
    assert verify_pack(path, trusted=key.public.fingerprint).answer is Answer.VERIFIED
    said = documents(path)
    card = said["bom.cdx.json"]["metadata"]["component"]["modelCard"]
    assert card["modelParameters"]["task"] == "regression"
    measured = {one["name"]: one for one in said["model_card.json"]["gate"]["metrics"]}
    assert measured["mae"]["lower"] < measured["mae"]["value"] < measured["mae"]["upper"]
    assert said["specification.json"]["problem_type"] == "regression"
