"""Each step of a registration and a promotion, in order, with a registry that keeps what is said.

What MLflow's own registry makes of them is tested in `test_registration`.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from mlflow.exceptions import MlflowException, RestException

from mlops_tasks.exceptions import (
    ChampionChangedError,
    NoChampionError,
    UnknownVersionError,
    UnsafeModelError,
)
from mlops_tasks.gate.verdict import Verdict
from mlops_tasks.registry.ledger import Champion, Ledger
from mlops_tasks.registry.tracking import ARTIFACTS
from mlops_tasks.registry.versions import RegisteredVersion, TrainResult
from mlops_tasks.steps import register as registration
from mlops_tasks.steps.register import adopt, champion_of, promote, register, registered_version

if TYPE_CHECKING:
    from collections.abc import Callable

TRAINED = TrainResult(
    "run", "model-id", "models:/new", "d" * 64, 100, 0.3, 0.1, {"pin.json": "p", "both": "t"}
)
VERDICT = Verdict(
    "promote", "it is better", 100, {"roc_auc": 0.75}, None, "1", {}, {}, {"both": "v"}
)
SHOWN = {
    "mlops.run": "run",
    "mlops.digest": "d" * 64,
    "mlops.verdict": "promote",
    "mlops.verdict_reason": "it is better",
    "mlops.roc_auc": "0.75",
}


def failure(code: str) -> MlflowException:
    return RestException({"error_code": code, "message": "said by MLflow"})


class Registry:
    """The parts of MLflow that are asked: versions by number, aliases, and what was said."""

    uri = "models:/files"

    def __init__(self, *versions: str, run_id: str | None = "run") -> None:
        self.fails: MlflowException | None = None
        self.said: list[Any] = []
        self.copies = 1
        self.next_number = 1
        self.versions = {number: self.made(number, run_id) for number in versions}

    def made(self, number: str, run_id: str | None) -> Any:
        return SimpleNamespace(version=number, run_id=run_id, source=self.uri, aliases=[])

    @property
    def client(self) -> Registry:
        return self

    def search_model_versions(self, query: str) -> list[Any]:
        self.said.append(query)
        return list(self.versions.values())

    def create_registered_model(self, name: str) -> None:
        self.said.append(("model", name))
        if self.fails:
            raise self.fails

    def create_model_version(self, name: str, **what: Any) -> None:
        self.said.append(("version", name, what))
        for _ in range(self.copies):
            number = str(self.next_number)
            self.versions = {number: self.made(number, what["run_id"])} | self.versions
            self.next_number += 1

    def delete_model_version(self, name: str, version: Any) -> None:
        self.said.append(("delete", name, version))
        del self.versions[version]

    def set_registered_model_alias(self, name: str, alias: str, version: str) -> None:
        self.said.append(("alias", name, alias, version))

    def by_version(self, name: str, version: str) -> Any:
        assert name == "m"
        if self.fails:
            raise self.fails
        return self.versions[version]

    def digest_model(self, uri: str) -> str:
        return f"digest of {uri}"

    def digest_artifacts(self, run_id: str, names: Any) -> dict[str, str]:
        assert names is ARTIFACTS
        return {"pin.json": f"of {run_id}"}

    def gate_metrics(self, run_id: str) -> dict[str, float]:
        return {"roc_auc": float(len(run_id))}


QUERY = "name = 'm' and run_id = 'run'"
MADE = ("version", "m", {"source": "models:/new", "run_id": "run", "model_id": "model-id"})


@pytest.fixture
def ledger() -> Ledger:
    """Return a ledger in memory: each step here is taken by one."""
    return Ledger("sqlite://")


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Registry:
    """Return an empty registry that also keeps the places where a task may be killed."""
    registry = Registry()
    monkeypatch.setattr(registration, "fault_point", registry.said.append)
    return registry


def stores(registry: Registry, ledger: Ledger) -> Any:
    return {"tracking": registry, "ledger": ledger}


def error_of(kind: type[Exception], do: Callable[..., Any], *arguments: Any, **named: Any) -> str:
    with pytest.raises(kind) as error:
        do(*arguments, **named)
    return str(error.value)


# --- register


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
        ("version", "m", MADE[2] | {"tags": {"a": "b"} | SHOWN, "description": "text"}),
        QUERY,
        "register:after_version",
        "register:after_ledger",
        ("alias", "m", "challenger", "1"),
    ]


def test_the_second_attempt_makes_nothing(registry: Registry, ledger: Ledger) -> None:
    first = register("m", TRAINED, VERDICT, **stores(registry, ledger))
    (version,) = [one for one in registry.said if one[0] == "version"]
    assert version[2]["tags"] == SHOWN
    assert version[2]["description"] == ""
    registry.said.clear()
    registry.fails = failure("RESOURCE_ALREADY_EXISTS")
    assert register("m", TRAINED, VERDICT, **stores(registry, ledger)) == first
    assert registry.said == [
        QUERY,
        "register:after_version",
        "register:after_ledger",
        ("alias", "m", "challenger", "1"),
    ]


@pytest.mark.parametrize("named", [{}, {"dag_run": "m.train/r"}])
def test_the_ledger_is_told_who_registers_and_promotes(
    registry: Registry, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, named: dict[str, str]
) -> None:
    said: list[Any] = []

    def keep(*_: Any, **words: Any) -> bool:
        said.append(words.get("recorded_by", words.get("dag_run")))
        return True

    version = register("m", TRAINED, VERDICT, **stores(registry, ledger))
    monkeypatch.setattr(ledger, "register", keep)
    monkeypatch.setattr(ledger, "promote", keep)
    register("m", TRAINED, VERDICT, **stores(registry, ledger), **named)
    promote(version, VERDICT, as_of="n", **stores(registry, ledger), **named)
    assert said == [named.get("dag_run", "")] * 2


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


# --- promote


@pytest.fixture
def known(ledger: Ledger) -> RegisteredVersion:
    """Return version 2, which the ledger knows, of a model whose champion is version 1."""
    for number in ("1", "2"):
        version = RegisteredVersion("m", number, f"run {number}", "models:/x", f"digest {number}")
        assert ledger.register(version)
    assert ledger.promote("m", expected=None, version="1")
    return version


def test_a_promotion_is_written_down_before_the_alias_moves(
    registry: Registry, ledger: Ledger, known: RegisteredVersion
) -> None:
    named = {"as_of": "2024-03-16", "dag_run": "m.train/r"} | stores(registry, ledger)
    claimed = RegisteredVersion("m", "2", "run 2", "models:/x", "claimed by somebody")
    assert promote(claimed, VERDICT, **named) is True
    assert registry.said == ["promote:after_ledger", ("alias", "m", "champion", "2")]
    assert ledger.champion("m") == Champion("2", 2)
    (entry,) = ledger.entries()
    assert (entry.model, entry.kind, entry.key) == ("m", "promotion", "2024-03-16")
    assert entry.dag_run == "m.train/r"
    assert entry.evidence == {
        "version": "2",
        "previous": "1",
        "reason": "it is better",
        "digest": known.digest,
        "run_id": "run 2",
    }


@pytest.mark.parametrize("said", ["keep", "cannot_tell", "Promote", ""])
def test_any_other_word_than_promote_changes_nothing(
    registry: Registry, ledger: Ledger, known: RegisteredVersion, said: str
) -> None:
    verdict = Verdict(said, "r", 1, {}, None, "1", {})
    assert promote(known, verdict, as_of="n", **stores(registry, ledger)) is False
    assert registry.said == []
    assert ledger.champion("m") == Champion("1", 1)
    assert ledger.entries() == []


def test_whoever_is_late_changes_nothing(
    registry: Registry, ledger: Ledger, known: RegisteredVersion
) -> None:
    assert ledger.promote("m", expected="1", version="3")
    named = {"as_of": "n"} | stores(registry, ledger)
    assert error_of(ChampionChangedError, promote, known, VERDICT, **named) == (
        "model 'm': the gate compared version 2 with champion 1, but the champion is "
        "Champion(version='3', generation=2) now; nothing was changed. Train again to compare with "
        "the new champion"
    )
    assert registry.said == []
    assert ledger.entries() == []


def test_a_version_that_nobody_knows(registry: Registry, ledger: Ledger) -> None:
    stranger = RegisteredVersion("m", "7", "run", "models:/x", "d")
    told = (
        "version 7 of 'm' is not in the ledger, so nobody knows which files it should have, and it "
        "is not loaded. Look at it in MLflow; if it is yours, take it over: mlops ledger adopt m 7"
    )
    assert error_of(UnknownVersionError, registered_version, "m", "7", ledger=ledger) == told
    named = {"as_of": "n"} | stores(registry, ledger)
    assert error_of(UnknownVersionError, promote, stranger, VERDICT, **named) == told


# --- the champion


@pytest.mark.parametrize(
    ("aliases", "said"),
    [
        (["champion"], []),
        (["champion", "x"], []),
        (["challenger"], [("alias", "m", "champion", "1")]),
        ([], [("alias", "m", "champion", "1")]),
    ],
)
def test_the_alias_follows_the_ledger(
    ledger: Ledger, known: RegisteredVersion, aliases: list[str], said: list[Any]
) -> None:
    registry = Registry("1", "2")
    registry.versions["1"].aliases = aliases
    assert champion_of("m", **stores(registry, ledger)) == ledger.registration("m", "1")
    assert registry.said == said
    assert known.version == "2"


def test_there_is_no_champion_yet(registry: Registry, ledger: Ledger) -> None:
    assert error_of(NoChampionError, champion_of, "m", **stores(registry, ledger)) == (
        "model 'm' has no champion yet; trigger the Dag m.train, its gate promotes the first one. "
        "If the ledger was lost: mlops ledger adopt m VERSION --champion"
    )


@pytest.mark.usefixtures("known")
def test_a_champion_that_is_gone_is_told_from_a_server_that_is(
    registry: Registry, ledger: Ledger
) -> None:
    registry.fails = failure("RESOURCE_DOES_NOT_EXIST")
    assert error_of(UnknownVersionError, champion_of, "m", **stores(registry, ledger)) == (
        "version 1 of 'm' is not in MLflow: it was deleted there, or MLflow was restored from an "
        "older backup. Restore it, or promote another version"
    )
    registry.fails = failure("TEMPORARILY_UNAVAILABLE")
    with pytest.raises(MlflowException, match="said by MLflow"):
        champion_of("m", **stores(registry, ledger))


# --- adopt


def take_over(registry: Registry, ledger: Ledger, **options: Any) -> RegisteredVersion:
    named = stores(registry, ledger) | {"reason": "lost", "person": "p"}
    return adopt("m", "3", **named | options)


@pytest.mark.parametrize("run_id", ["run", None])
def test_a_version_is_taken_over_as_it_is(ledger: Ledger, run_id: str | None) -> None:
    registry = Registry("3", run_id=run_id)
    adopted = take_over(registry, ledger)
    assert adopted == RegisteredVersion(
        *("m", "3", run_id or "", "models:/files", "digest of models:/files"),
        artifacts={"pin.json": f"of {run_id or ''}"},
        metrics={"roc_auc": float(len(run_id or ""))},
    )
    assert ledger.registrations() == [adopted]
    assert ledger.champion("m") is None
    assert registry.said == []
    (entry,) = ledger.entries()
    assert (entry.kind, entry.key, entry.dag_run) == ("adoption", "3", "mlops ledger adopt")
    assert entry.evidence == {
        "reason": "lost",
        "person": "p",
        "digest": "digest of models:/files",
        "run_id": run_id or "",
    }


def test_the_run_that_the_ledger_knows_counts(ledger: Ledger) -> None:
    digest = "digest of models:/files"
    assert ledger.register(RegisteredVersion("m", "3", "known", "models:/k", digest))
    adopted = take_over(Registry("3", run_id="another"), ledger)
    assert (adopted.run_id, adopted.artifacts) == ("known", {"pin.json": "of known"})
    assert adopted.metrics == {"roc_auc": 5.0}


def test_a_version_without_files_has_no_address(ledger: Ledger) -> None:
    registry = Registry("3")
    registry.versions["3"].source = None
    adopted = take_over(registry, ledger)
    assert (adopted.model_uri, adopted.digest) == ("", "digest of ")


def test_other_files_are_not_taken_over(ledger: Ledger) -> None:
    assert ledger.register(RegisteredVersion("m", "3", "run", "models:/k", "x" * 64))
    assert error_of(UnsafeModelError, take_over, Registry("3"), ledger, champion=True) == (
        "the files of version 3 of 'm' in MLflow have digest digest of mo, the ledger knows "
        "others: they were changed after registration. Nothing was taken over; roll back or train "
        "again"
    )
    assert ledger.champion("m") is None


def test_a_first_champion_by_hand_is_written_down_and_pointed_at(ledger: Ledger) -> None:
    registry = Registry("3")
    adopted = take_over(registry, ledger, champion=True)
    assert ledger.champion("m") == Champion("3", 1)
    assert registry.said == [("alias", "m", "champion", "3")]
    (promotion,) = ledger.entries(kind="promotion")
    assert promotion.key == "adoption of 3"
    assert promotion.evidence == {
        "reason": "lost",
        "person": "p",
        "digest": adopted.digest,
        "run_id": "run",
        "version": "3",
        "previous": None,
    }


@pytest.mark.usefixtures("known")
def test_a_champion_is_not_replaced_by_hand(ledger: Ledger) -> None:
    registry = Registry("3")
    assert error_of(ChampionChangedError, take_over, registry, ledger, champion=True) == (
        "model 'm': version 3 was taken over, but Champion(version='1', generation=1) is the "
        "champion, which only a promotion or a rollback replaces"
    )
    assert registry.said == []
    assert ledger.registration("m", "3") is not None
    assert ledger.entries(kind="promotion") == []
