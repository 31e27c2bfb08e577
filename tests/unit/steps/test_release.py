"""A version that asks to be released: by the gate's word, by a person's, or not at all."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from mlops_tasks.exceptions import UnknownVersionError, UnsafeModelError
from mlops_tasks.faults import FAULT_VARIABLE, InjectedFaultError
from mlops_tasks.registry.champions import champion_of
from mlops_tasks.registry.ledger import Champion, Ledger
from mlops_tasks.registry.releases import Answer, ReleaseRequest, why_withdrawn
from mlops_tasks.registry.versions import RegisteredVersion
from mlops_tasks.serialization import to_json
from mlops_tasks.steps.release import (
    check_approval,
    other_evidence,
    pending_request,
    release,
    request_release,
)
from tests.unit.registrations import (
    NAME,
    NIGHT,
    alias,
    error_of,
    new_version,
    offer,
    verdict,
)

if TYPE_CHECKING:
    from mlops_tasks.gate.verdict import Verdict
    from mlops_tasks.registry.tracking import Tracking

RUN = "late_orders.release/x"


@pytest.fixture
def ledger() -> Ledger:
    """Return a ledger in memory: each step here is taken by one."""
    return Ledger("sqlite://")


def ask(
    version: RegisteredVersion, said: Verdict, ledger: Ledger, author: str = "alice"
) -> ReleaseRequest:
    """Let a version ask, as the training does."""
    request = request_release(version, said, as_of=NIGHT, author=author)
    assert request is not None
    about = {"model": NAME, "kind": "release_request", "key": version.version}
    ledger.record_once(**about, evidence=to_json(request))
    return request


def answer(version: str, ledger: Ledger, *, approved: bool, run: str = RUN, **said: Any) -> Answer:
    """Answer, as the task that has asked writes it down."""
    given = Answer(version, approved, said.pop("reason", "because"), by="bob", **said)
    about = {"model": NAME, "kind": "approval", "key": version, "dag_run": run}
    ledger.record(**about, evidence=to_json(given))
    return given


@pytest.fixture
def second(tracking: Tracking, ledger: Ledger) -> RegisteredVersion:
    """Version 2, beside version 1, which is the champion."""
    assert offer(new_version(tracking, ledger), verdict(), tracking, ledger)
    return new_version(tracking, ledger)


ASK, PROMOTE = verdict("ask", "1", 1), verdict("promote", "1", 1)


@pytest.mark.parametrize("said", ["keep", "cannot_tell", "unheard of"])
def test_another_verdict_asks_for_nothing(second: RegisteredVersion, said: str) -> None:
    assert request_release(second, verdict(said), as_of=NIGHT) is None


def test_a_request_says_what_was_compared_and_on_what_evidence(second: RegisteredVersion) -> None:
    with_file = replace(ASK, artifacts={"gate.json": "e" * 64})
    request = request_release(second, with_file, as_of=NIGHT, author="alice")
    assert request == ReleaseRequest("2", "ask", "it is better", NIGHT, "1", 1, "e" * 64, "alice")
    without = request_release(second, ASK, as_of=NIGHT)
    again = request_release(second, ASK, as_of=NIGHT)
    other = request_release(second, replace(ASK, n_rows=99), as_of=NIGHT)
    assert without is not None
    assert without == again
    assert len(without.evidence) == 64
    assert other is not None
    assert other.evidence != without.evidence
    assert without.author == "schedule"


def test_the_gates_word_releases(
    second: RegisteredVersion, tracking: Tracking, ledger: Ledger
) -> None:
    request = ask(second, PROMOTE, ledger)
    done = release(NAME, "2", tracking=tracking, ledger=ledger, dag_run=RUN)
    assert (done.released, done.by, done.reason) == (True, "alice", "it is better")
    assert (ledger.champion(NAME), alias(tracking)) == (Champion("2", 2), "2")
    (entry,) = ledger.entries(model=NAME, kind="promotion")
    assert (entry.key, entry.dag_run, entry.by) == (NIGHT, RUN, "alice")
    assert entry.evidence["gate"] == request.evidence
    assert (entry.evidence["verdict"], entry.evidence["previous"]) == ("promote", "1")


def test_a_question_is_no_release_until_a_person_says_so(
    second: RegisteredVersion, tracking: Tracking, ledger: Ledger
) -> None:
    ask(second, ASK, ledger)
    stores: dict[str, Any] = {"tracking": tracking, "ledger": ledger, "dag_run": RUN}
    assert not release(NAME, "2", **stores).released
    answer("2", ledger, approved=True, run="late_orders.release/another")
    assert not release(NAME, "2", **stores).released, "it was said in another run"
    answer("2", ledger, approved=False, counted=False, reason="alice has asked for it")
    assert release(NAME, "2", **stores).reason == "nobody has approved it"
    answer("2", ledger, approved=False, reason="rejected by bob")
    assert release(NAME, "2", **stores).reason == "rejected by bob"
    assert ledger.champion(NAME) == Champion("1", 1)
    answer("2", ledger, approved=True, reason="approved by bob: looks right")
    done = release(NAME, "2", **stores)
    assert (done.released, done.by) == (True, "bob")
    (entry,) = ledger.entries(model=NAME, kind="promotion")
    assert entry.by == "bob"
    assert entry.evidence["approval"]["reason"] == "approved by bob: looks right"


def test_a_newer_version_supersedes_also_by_its_number_not_its_spelling(
    second: RegisteredVersion, tracking: Tracking, ledger: Ledger
) -> None:
    for _ in range(8):
        tenth = new_version(tracking, ledger)
    assert tenth.version == "10"
    ninth = replace(tenth, version="9")
    old = ask(ninth, ASK, ledger)
    assert why_withdrawn(NAME, old, ledger=ledger) == ""
    answer("9", ledger, approved=True)
    new = ask(tenth, ASK, ledger)
    why = "version 10 has asked since and supersedes it"
    assert why_withdrawn(NAME, old, ledger=ledger) == why
    done = release(NAME, "9", tracking=tracking, ledger=ledger, dag_run=RUN)
    assert (done.released, done.reason) == (False, why)
    assert why_withdrawn(NAME, new, ledger=ledger) == ""


def test_asking_again_does_not_supersede_what_has_asked_since(
    second: RegisteredVersion, tracking: Tracking, ledger: Ledger
) -> None:
    third = new_version(tracking, ledger)
    ask(second, ASK, ledger)
    new = ask(third, ASK, ledger)
    ask(second, ASK, ledger)
    assert why_withdrawn(NAME, new, ledger=ledger) == ""


def test_a_comparison_with_another_champion_releases_nothing(
    second: RegisteredVersion, tracking: Tracking, ledger: Ledger
) -> None:
    request = ask(second, PROMOTE, ledger)
    third = new_version(tracking, ledger)
    assert offer(third, PROMOTE, tracking, ledger)
    why = why_withdrawn(NAME, request, ledger=ledger)
    assert why.startswith("the gate compared it with another champion: version 1 then, version 3")
    done = release(NAME, "2", tracking=tracking, ledger=ledger)
    assert (done.released, done.reason) == (False, why)
    assert ledger.champion(NAME) == Champion("3", 2)


def test_a_retired_version_is_not_released(
    second: RegisteredVersion, tracking: Tracking, ledger: Ledger
) -> None:
    request = ask(second, PROMOTE, ledger)
    ledger.record(model=NAME, kind="retirement", key="2", evidence={"reason": "wrong labels"})
    assert why_withdrawn(NAME, request, ledger=ledger) == "it was retired"
    assert not release(NAME, "2", tracking=tracking, ledger=ledger).released


@pytest.mark.parametrize("place", ["before_ledger", "after_ledger", "after_alias"])
def test_a_release_killed_anywhere_is_completed(
    second: RegisteredVersion,
    tracking: Tracking,
    ledger: Ledger,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
) -> None:
    ask(second, PROMOTE, ledger)
    with monkeypatch.context() as patch:
        patch.setenv(FAULT_VARIABLE, f"promote:{place}:raise")
        with pytest.raises(InjectedFaultError):
            release(NAME, "2", tracking=tracking, ledger=ledger)
    assert release(NAME, "2", tracking=tracking, ledger=ledger).released
    assert (ledger.champion(NAME), alias(tracking)) == (Champion("2", 2), "2")
    assert len(ledger.entries(kind="promotion", history=True)) == 2
    ask(new_version(tracking, ledger), verdict("ask", "2", 2), ledger)
    again = release(NAME, "2", tracking=tracking, ledger=ledger)
    assert again.released, "what supersedes it later takes nothing back"
    assert champion_of(NAME, tracking=tracking, ledger=ledger).version == "2"


def test_what_has_not_asked_cannot_be_released(
    second: RegisteredVersion, tracking: Tracking, ledger: Ledger
) -> None:
    said = error_of(UnknownVersionError, pending_request, NAME, "2", ledger=ledger)
    assert "version 2 of 'late_orders' has not asked to be released" in said
    assert "mlops promote late_orders 2 --reason" in said
    unknown = error_of(UnknownVersionError, pending_request, NAME, "77", ledger=ledger)
    assert "version 77 of 'late_orders' is not in the ledger" in unknown


# --- the approval


def approval(request: ReleaseRequest, by: str = "bob", evidence: str | None = None) -> Answer:
    seen = request.evidence if evidence is None else evidence
    return Answer("2", True, f"approved by {by}", by=by, comment="fine", evidence=seen)


def test_another_persons_approval_counts(second: RegisteredVersion, tracking: Tracking) -> None:
    request = request_release(second, ASK, as_of=NIGHT, author="alice")
    assert request is not None
    given = approval(request)
    found = check_approval(second, request, given, authors={"alice"}, tracking=tracking)
    assert found == given
    by_nobody = {"schedule"}
    robot = approval(request, "schedule")  # a user of that name has asked for nothing
    assert check_approval(second, request, robot, authors=by_nobody, tracking=tracking) == robot


@pytest.mark.parametrize(
    ("by", "evidence", "why"),
    [
        ("alice", None, "alice has asked for it, and another person has to approve it"),
        ("bob", "", "it names the evidence nothing, the request's is"),
        ("bob", "f" * 64, "it names the evidence ffffffffffff, the request's is"),
    ],
)
def test_an_approval_that_does_not_count(
    second: RegisteredVersion, tracking: Tracking, by: str, evidence: str | None, why: str
) -> None:
    request = request_release(second, ASK, as_of=NIGHT, author="alice")
    assert request is not None
    given = approval(request, by, evidence)
    found = check_approval(second, request, given, authors={"alice"}, tracking=tracking)
    assert (found.approved, found.counted) == (False, False)
    assert f"the approval by {by} does not count: {why}" in found.reason
    assert (found.by, found.comment, found.evidence) == (by, "fine", given.evidence)


def test_evidence_that_was_changed_since_is_found(second: RegisteredVersion) -> None:
    class Changed:
        def read_artifact(self, version: RegisteredVersion, name: str) -> bytes:
            assert (version, name) == (judged, "gate.json")
            raise UnsafeModelError("gate.json was changed in MLflow")

    judged = replace(second, artifacts={"gate.json": "e" * 64})
    said = replace(ASK, artifacts=judged.artifacts)
    request = request_release(judged, said, as_of=NIGHT)
    assert request is not None
    tracking: Any = Changed()
    found = check_approval(judged, request, approval(request), authors=(), tracking=tracking)
    assert not found.counted
    assert "gate.json was changed in MLflow" in found.reason


def test_a_verdict_on_another_run_of_the_same_inputs_is_not_that_of_the_version() -> None:
    judged = RegisteredVersion("m", "7", "r", "models:/x", "d", artifacts={"gate.json": "a" * 64})
    its, later = (replace(ASK, artifacts={"gate.json": letter * 64}) for letter in "ab")
    assert other_evidence(judged, its) == ""
    assert other_evidence(replace(judged, artifacts={}), later) == "", "of old, nobody can tell"
    why = other_evidence(judged, later)
    assert "version 7 of 'm' was registered before, from the same rows" in why
    assert "mlops promote m 7 --reason" in why
