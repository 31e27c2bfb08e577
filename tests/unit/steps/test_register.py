"""A trained model becomes a version: what MLflow makes of it, and each step of it in order."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from mlflow.exceptions import MlflowException

from mlops_tasks.exceptions import UnknownVersionError
from mlops_tasks.faults import FAULT_VARIABLE, InjectedFaultError
from mlops_tasks.gate.verdict import Verdict
from mlops_tasks.registry.champions import champion_of
from mlops_tasks.registry.ledger import Ledger
from mlops_tasks.registry.model_page import model_description, version_description
from mlops_tasks.registry.versions import RegisteredVersion, TrainResult
from mlops_tasks.steps.register import register
from tests.unit.registrations import (
    NAME,
    Registry,
    enter,
    failure,
    new_run,
    new_version,
    offer,
    stores,
    verdict,
)

if TYPE_CHECKING:
    from mlops_tasks.registry.tracking import Tracking

TRAINED = TrainResult(
    "run",
    "model-id",
    "models:/new",
    "d" * 64,
    100,
    {"y_share": 0.3},
    0.1,
    (),
    {"pin.json": "p", "both": "t"},
)
VERDICT = Verdict("promote", "it is better", 100, {"roc_auc": 0.75}, None, "1", {}, {"both": "v"})
SHOWN = {
    "mlops.run": "run",
    "mlops.digest": "d" * 64,
    "mlops.verdict": "promote",
    "mlops.verdict_reason": "it is better",
    "mlops.metric": "roc_auc",
    "mlops.metric_value": "0.75",
}
QUERY = "name = 'm' and run_id = 'run'"
MADE = ("version", "m", {"source": "models:/new", "run_id": "run", "model_id": "model-id"})


@pytest.fixture
def trained(tracking: Tracking) -> TrainResult:
    return new_run(tracking)


def versions(tracking: Tracking) -> list[str]:
    return sorted(str(v.version) for v in tracking.client.search_model_versions(f"name='{NAME}'"))


def test_a_version_carries_its_evidence(
    tracking: Tracking, ledger: Ledger, trained: TrainResult
) -> None:
    made = register(
        NAME,
        trained,
        verdict("keep"),
        tracking=tracking,
        ledger=ledger,
        tags={"airflow.run_id": "r"},
        description="[log](http://x)",
    )
    assert (made.version, made.run_id, made.model_uri) == ("1", trained.run_id, trained.model_uri)
    assert made.digest == trained.digest
    assert made.metrics == {"roc_auc": 0.75}
    assert ledger.registration(NAME, "1") == made
    shown = tracking.by_version(NAME, "1")
    assert (
        shown.tags
        | {
            "airflow.run_id": "r",
            "mlops.verdict": "keep",
            "mlops.verdict_reason": "it is better",
            "mlops.metric": "roc_auc",
            "mlops.metric_value": "0.75",
        }
        == shown.tags
    )
    assert list(shown.aliases) == ["challenger"]
    assert tracking.client.get_model_version(NAME, "1").description == (
        version_description(NAME, "[log](http://x)")
    )


def test_the_version_says_what_was_only_assumed_to_be_known(
    tracking: Tracking, ledger: Ledger, trained: TrainResult
) -> None:
    given = replace(verdict("promote"), assumed={"orders": 5, "deliveries": 4})
    made = register(NAME, trained, given, tracking=tracking, ledger=ledger)
    shown = tracking.by_version(NAME, made.version).tags["mlops.assumed"]
    assert shown == "known by schedule: 5 partitions of orders, 4 partitions of deliveries"


def test_registering_a_run_again_makes_no_second_version(
    tracking: Tracking, ledger: Ledger, trained: TrainResult
) -> None:
    first = enter(trained, tracking, ledger)
    assert enter(trained, tracking, ledger) == first
    assert versions(tracking) == ["1"]
    assert new_version(tracking, ledger).version == "2"


def test_a_reply_that_was_lost_leaves_the_lowest_version(
    tracking: Tracking, ledger: Ledger, trained: TrainResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLflow's client repeats a request whose reply got lost, and the server creates again."""
    create = tracking.client.create_model_version

    def lossy(*arguments: Any, **options: Any) -> Any:
        create(*arguments, **options)
        create(*arguments, **options)
        return create(*arguments, **options)

    monkeypatch.setattr(tracking.client, "create_model_version", lossy)
    assert enter(trained, tracking, ledger).version == "1"
    assert versions(tracking) == ["1"]


def test_two_versions_of_a_run_are_put_right_by_the_next_attempt(
    tracking: Tracking, ledger: Ledger, trained: TrainResult
) -> None:
    enter(trained, tracking, ledger)
    tracking.client.create_model_version(NAME, trained.model_uri, run_id=trained.run_id)
    assert versions(tracking) == ["1", "2"]
    assert enter(trained, tracking, ledger).version == "1"
    assert versions(tracking) == ["1"]


# --- the same inputs


def test_a_training_of_the_same_inputs_finds_the_first_version(
    tracking: Tracking, ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    same, other = ({"inputs": letter * 64} for letter in "ab")
    first = enter(replace(new_run(tracking), **same), tracking, ledger)
    assert first.inputs == same["inputs"]
    assert ledger.registration(NAME, "1") == first, "the ledger keeps what it was made of"
    assert enter(replace(new_run(tracking), **other), tracking, ledger).version == "2"
    again = replace(new_run(tracking), **same)
    with caplog.at_level("INFO"):
        assert enter(again, tracking, ledger) == first
    assert "version 1 was trained on the same rows" in caplog.text
    assert again.run_id in caplog.text
    assert versions(tracking) == ["1", "2"]
    assert new_version(tracking, ledger).version == "3", "of unknown inputs none are the same"


def test_a_version_that_is_gone_is_not_found_again(tracking: Tracking, ledger: Ledger) -> None:
    enter(replace(new_run(tracking), inputs="a" * 64), tracking, ledger)
    tracking.client.delete_model_version(NAME, "1")
    assert enter(replace(new_run(tracking), inputs="a" * 64), tracking, ledger).version == "2"
    assert enter(replace(new_run(tracking), inputs="a" * 64), tracking, ledger).version == "2"


def test_of_two_attempts_that_overlap_the_first_in_the_ledger_stays(
    tracking: Tracking, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, fast = (replace(new_run(tracking), inputs="a" * 64) for _ in "12")
    found: list[RegisteredVersion] = []

    def overtaken(place: str) -> None:
        if place == "register:after_version" and not found:
            found.append(RegisteredVersion("", "", "", "", ""))  # the other one passes here, too
            found.append(enter(fast, tracking, ledger))

    monkeypatch.setattr("mlops_tasks.steps.register.fault_point", overtaken)
    assert enter(slow, tracking, ledger) == found[1]
    assert found[1].run_id == fast.run_id
    assert versions(tracking) == ["2"], "the slow one had the lower number"
    assert list(tracking.by_version(NAME, "2").aliases) == ["challenger"]


def test_a_model_that_the_registry_refuses_is_an_error(
    tracking: Tracking, ledger: Ledger, trained: TrainResult
) -> None:
    with pytest.raises(MlflowException, match=r"a/b"):
        register("a/b", trained, verdict(), tracking=tracking, ledger=ledger)


def test_the_challenger_is_the_newest_version(tracking: Tracking, ledger: Ledger) -> None:
    new_version(tracking, ledger)
    newest = new_version(tracking, ledger)
    assert tracking.client.get_model_version(NAME, "2").aliases == ["challenger"]
    assert newest.version == "2"


@pytest.mark.parametrize("place", ["register:after_version", "register:after_ledger"])
def test_a_registration_killed_half_way_is_completed_by_the_next_attempt(
    tracking: Tracking,
    ledger: Ledger,
    trained: TrainResult,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv(FAULT_VARIABLE, f"{place}:raise")
        with pytest.raises(InjectedFaultError):
            enter(trained, tracking, ledger)
    assert (ledger.registration(NAME, "1") is None) == (place == "register:after_version")
    assert enter(trained, tracking, ledger).version == "1"
    assert versions(tracking) == ["1"]
    assert list(tracking.by_version(NAME, "1").aliases) == ["challenger"]


def test_a_number_that_the_ledger_gave_to_other_files_is_not_used_again(
    tracking: Tracking, ledger: Ledger, trained: TrainResult
) -> None:
    """Whoever deletes a registered model makes MLflow count from 1 again."""
    offer(new_version(tracking, ledger), verdict(), tracking, ledger)
    first = new_version(tracking, ledger)
    before = [ledger.registration(NAME, version) for version in "12"]
    tracking.client.delete_registered_model(NAME)
    again = enter(replace(trained, digest="e" * 64), tracking, ledger)
    assert (again.version, again.digest) == ("3", "e" * 64)
    assert versions(tracking) == ["3"]
    assert [ledger.registration(NAME, version) for version in "12"] == before
    assert first.digest != again.digest
    with pytest.raises(UnknownVersionError, match=r"version 1 of 'late_orders' is not in MLflow"):
        champion_of(NAME, tracking=tracking, ledger=ledger)


# --- each step, in order


@pytest.fixture
def ledger() -> Ledger:
    """Return a ledger in memory: each step here is taken by one."""
    return Ledger("sqlite://")


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Registry:
    """Return an empty registry that also keeps the places where a task may be killed."""
    registry = Registry()
    monkeypatch.setattr("mlops_tasks.steps.register.fault_point", registry.said.append)
    return registry


def test_a_version_is_made_entered_and_pointed_at(registry: Registry, ledger: Ledger) -> None:
    made = register(
        "m",
        TRAINED,
        VERDICT,
        **stores(registry, ledger),
        tags={"a": "b", "mlops.verdict": "of somebody else"},
        description="text",
        dag_run="m.train/r",
    )
    assert made == RegisteredVersion(
        *("m", "1", "run", "models:/new", "d" * 64),
        artifacts={"pin.json": "p", "both": "v"},
        metrics={"roc_auc": 0.75},
    )
    assert ledger.registrations() == [made]
    assert registry.said == [
        QUERY,
        ("model", "m"),
        (
            "version",
            "m",
            MADE[2] | {"tags": {"a": "b"} | SHOWN, "description": version_description("m", "text")},
        ),
        QUERY,
        "register:after_version",
        "register:after_ledger",
        ("alias", "m", "challenger", "1"),
    ]


def test_the_second_attempt_makes_nothing(registry: Registry, ledger: Ledger) -> None:
    first = register("m", TRAINED, VERDICT, **stores(registry, ledger))
    (version,) = [one for one in registry.said if one[0] == "version"]
    assert version[2]["tags"] == SHOWN
    assert version[2]["description"] == version_description("m")
    registry.said.clear()
    registry.fails = failure("RESOURCE_ALREADY_EXISTS")
    assert register("m", TRAINED, VERDICT, **stores(registry, ledger)) == first
    assert registry.said == [
        QUERY,
        "register:after_version",
        "register:after_ledger",
    ]
    assert registry.pointed == {"challenger": "1"}


@pytest.mark.parametrize("named", [{}, {"dag_run": "m.train/r", "by": "ada"}])
def test_the_ledger_is_told_who_registers(
    registry: Registry, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, named: dict[str, str]
) -> None:
    said: list[tuple[str, str]] = []

    def keep(_: RegisteredVersion, *, recorded_by: str, by: str) -> bool:
        said.append((recorded_by, by))
        return True

    monkeypatch.setattr(ledger, "register", keep)
    register("m", TRAINED, VERDICT, **stores(registry, ledger), **named)
    assert said == [(named.get("dag_run", ""), named.get("by", ""))]


def test_of_several_versions_the_lowest_number_stays(registry: Registry, ledger: Ledger) -> None:
    registry.next_number, registry.copies = 9, 3
    assert register("m", TRAINED, VERDICT, **stores(registry, ledger)).version == "9"
    assert registry.said[-4:] == [
        ("delete", "m", "10"),
        ("delete", "m", "11"),
        "register:after_ledger",
        ("alias", "m", "challenger", "9"),
    ]
    assert list(registry.versions) == ["9"]


def test_numbers_of_other_runs_are_given_back(registry: Registry, ledger: Ledger) -> None:
    for number in ("1", "2"):
        taken = RegisteredVersion("m", number, "another", "models:/x", "x")
        assert ledger.register(taken)
    assert register("m", TRAINED, VERDICT, **stores(registry, ledger)).version == "3"
    deleted = [one for one in registry.said if one[0] == "delete"]
    assert deleted == [("delete", "m", "1"), ("delete", "m", "2")]
    assert list(registry.versions) == ["3"]


def test_the_page_of_a_model_explains_our_aliases_unless_a_person_has_written_there(
    tracking: Tracking, ledger: Ledger, trained: TrainResult
) -> None:
    client = tracking.client
    client.create_registered_model(NAME)  # as an earlier version of this project has left it
    register(NAME, trained, verdict("keep"), tracking=tracking, ledger=ledger)
    page = client.get_registered_model(NAME)
    assert page.description == model_description(NAME)
    for word in ("`champion`", "`previous`", "`challenger`", "*Promote model*"):
        assert word in page.description
    client.update_registered_model(NAME, description="Ours.")
    register(NAME, new_run(tracking), verdict("keep"), tracking=tracking, ledger=ledger)
    assert client.get_registered_model(NAME).description == "Ours."


@pytest.mark.parametrize("code", ["RESOURCE_ALREADY_EXISTS", "INVALID_PARAMETER_VALUE"])
def test_only_a_model_that_is_there_already_is_no_error(
    registry: Registry, ledger: Ledger, code: str
) -> None:
    registry.fails = failure(code)
    if code == "RESOURCE_ALREADY_EXISTS":
        assert register("m", TRAINED, VERDICT, **stores(registry, ledger)).version == "1"
    else:
        with pytest.raises(MlflowException, match="said by MLflow"):
            register("m", TRAINED, VERDICT, **stores(registry, ledger))
        assert registry.versions == {}
