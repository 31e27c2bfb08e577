from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlops_tasks.monitoring.results import Check, MonitorResult
from mlops_tasks.policy import Memory, PolicyEvidence, read_evidence
from mlops_tasks.registry.ledger import Ledger
from mlops_tasks.serialization import from_json, to_json
from mlops_tasks.specs import ModelSpec, RetrainSpec
from mlops_tasks.steps.decide import DecisionNote, RetrainDecision, decide
from tests.unit.orders import day, project

NAME, OLD = "late_orders", Path(__file__).parents[1] / "registry/data/entries_0_1.jsonl"


@pytest.fixture
def ledger() -> Ledger:
    return Ledger("sqlite://")


@pytest.fixture
def spec(tmp_path: Path) -> ModelSpec:
    return project(tmp_path, retrain=RetrainSpec(windows=2, of_last=3))


def promoted(ledger: Ledger, version: str, number: int) -> None:
    before = ledger.champion(NAME)
    generation = before.generation if before else 0
    ledger.promote(NAME, version=version, generation=generation, key=day(number), evidence={})


def measured(number: int, version: str = "1", *, known: int = 0, **more: Any) -> MonitorResult:
    checks = (Check("roc_auc", 0.7, 0.6, False, f"AUC of {number}"),)
    given: dict[str, Any] = {"first": day(number - 2), "last": day(number), "n_rows": 9}
    given |= {"model_version": version, "checks": checks, "known_at": day(known or number)}
    return MonitorResult(**given | more)


def record(ledger: Ledger, kind: str, *results: MonitorResult) -> None:
    for one in results:
        ledger.record(model=NAME, kind=kind, key=one.last, evidence=to_json(one))


def read(ledger: Ledger, spec: ModelSpec, number: int) -> PolicyEvidence:
    return read_evidence(spec, day(number), ledger=ledger)


def test_before_anything_has_happened(ledger: Ledger, spec: ModelSpec) -> None:
    assert read(ledger, spec, 9) == PolicyEvidence()


def test_evidence_is_what_was_known_of_the_champion(ledger: Ledger, spec: ModelSpec) -> None:
    promoted(ledger, "1", 3)
    quality = [measured(number) for number in (5, 6, 7, 8, 9)]
    record(ledger, "performance", *quality, measured(8, "2", known=10))
    record(ledger, "drift", quality[0], measured(6, known=11))
    record(ledger, "labels", *(replace(one, n_rows=1) for one in quality))
    other = to_json(measured(8))
    ledger.record(model="another", kind="drift", key=day(8), evidence=other)
    for number in (3, 8, 10):
        ledger.record(model=NAME, kind="verdict", key=day(number), evidence={"verdict": "keep"})
    ledger.record(model="another", kind="verdict", key=day(9), evidence={})
    assert read(ledger, spec, 9) == PolicyEvidence(
        champion="1",
        champion_now="1",
        last_training=day(8),
        performance=tuple(quality[-3:]),
        drift=(quality[0],),
        memory=Memory(n_failed=2),
    )
    later = read(ledger, spec, 11)
    assert later.last_training == day(10)
    assert [one.last for one in later.performance] == [day(7), day(8), day(9)]
    assert [one.last for one in later.drift] == [day(5), day(6)]


def test_a_lone_column_is_followed_back(ledger: Ledger, spec: ModelSpec) -> None:
    """The policy looks at 3 days, and the column has alarmed on 121."""
    promoted(ledger, "1", 0)

    def checks(*alarms: bool) -> tuple[Check, ...]:
        named = zip(("speed", "items"), alarms, strict=True)
        return tuple(Check(name, 0.5, 0.4, on, f"{name} moved", 0.02) for name, on in named)

    days = [measured(n, checks=checks(n > 4, n in (4, 125))) for n in range(126)]
    record(ledger, "drift", *days)
    found = read(ledger, spec.model_copy(update={"retrain": RetrainSpec()}), 125)
    assert found.lasting == {"speed": 121, "items": 1}
    record(ledger, "drift", measured(125, checks=checks(True, False), n_rows=10))
    decision = decide(spec, day(125), read(ledger, spec, 125))
    assert decision.evidence.drift is not None
    assert decision.evidence.drift.text.endswith(
        "; 1 column alarms, 3 needed (retrain.min_drifted), on 3 days: speed, whose importance is "
        "0.02, for 121 days"
    )


def test_a_correction_counts_from_the_day_it_was_known(ledger: Ledger, spec: ModelSpec) -> None:
    promoted(ledger, "1", 3)
    first, second = measured(6, n_rows=5), measured(6, n_rows=9, known=8, corrects=2)
    record(ledger, "performance", first, second)
    assert read(ledger, spec, 7).performance == (first,)
    assert read(ledger, spec, 8).performance == (second,)


def test_the_past_has_the_evidence_about_its_own_champion(ledger: Ledger, spec: ModelSpec) -> None:
    promoted(ledger, "1", 3)
    record(ledger, "drift", measured(5), measured(6, "2"))
    promoted(ledger, "2", 8)
    found = read(ledger, spec, 7)
    assert (found.champion, found.champion_now, found.drift) == ("1", "2", (measured(5),))
    assert read(ledger, spec, 8).drift == (measured(6, "2"),)
    nobody = read(ledger, spec, 2)
    assert (nobody.champion, nobody.champion_now) == (None, "2")
    assert nobody.drift == ()


# --- what version 0.1 wrote, and what a newer one may add


def old_entries() -> list[dict[str, Any]]:
    return [json.loads(line) for line in OLD.read_text().splitlines()]


@pytest.fixture
def old(ledger: Ledger) -> Ledger:
    """A ledger with the entries of version 0.1, each with a word that nobody knows yet."""
    for entry in old_entries():
        if entry["kind"] == "promotion":
            promoted(ledger, entry["evidence"]["version"], 15)
        else:
            ledger.record(**entry | {"evidence": {**entry["evidence"], "colour": "blue"}})
    return ledger


def test_entries_of_0_1_are_weighed(old: Ledger, spec: ModelSpec) -> None:
    found = read(old, spec, 17)
    assert (found.champion, found.champion_now, found.last_training) == ("1", "1", day(15))
    (drift,), (performance,) = found.drift, found.performance
    assert (drift.last, drift.known_at, drift.corrects) == (day(17), day(17), None)
    assert [check.name for check in drift.checks][:2] == ["score", "distance"]
    assert performance.checks[0].value == 0.8162
    assert read(old, spec, 16).drift == ()


def test_a_decision_of_0_1_is_decided_the_same(old: Ledger, spec: ModelSpec) -> None:
    entry = old.newest(NAME, "decision")
    assert entry is not None
    then = from_json(RetrainDecision, entry.evidence)
    now = decide(spec, entry.key, read_evidence(spec, entry.key, ledger=old))
    assert (now.retrain, now.cause, now.answer) == (then.retrain, then.cause, then.answer)
    assert now.evidence.performance is not None
    assert then.evidence.performance is not None
    assert now.evidence.performance.days == then.evidence.performance.days
    note = old.newest(NAME, "decision_note")
    assert note is not None
    assert from_json(DecisionNote, note.evidence).then == then
