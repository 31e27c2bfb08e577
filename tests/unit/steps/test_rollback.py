"""A person moves the champion: back, by hand, or never again; what is not as registered stays."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from mlops_tasks.exceptions import (
    ChampionChangedError,
    NoChampionError,
    UnknownVersionError,
    UnsafeModelError,
    VersionNotAllowedError,
)
from mlops_tasks.faults import FAULT_VARIABLE, InjectedFaultError
from mlops_tasks.registry import verification
from mlops_tasks.registry.champions import champion_of
from mlops_tasks.registry.ledger import Champion, Ledger
from mlops_tasks.registry.past_champions import past_champions
from mlops_tasks.registry.verification import verify_version
from mlops_tasks.registry.versions import RegisteredVersion
from mlops_tasks.steps.promote_manually import promote_manually
from mlops_tasks.steps.retire import retire
from mlops_tasks.steps.rollback import rollback
from tests.unit.registrations import error_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.conftest import World

WHY = {"reason": "it scores JFK too high", "by": "bob"}


class Files:
    """MLflow with the files of some versions; `wrong` of their golden rows are answered anew."""

    def __init__(self, *numbers: str, wrong: int = 0) -> None:
        self.numbers, self.wrong, self.read, self.pointed = numbers, wrong, [], {}

    def by_version(self, name: str, number: str) -> Any:
        from mlflow.exceptions import RestException

        if number not in self.numbers:
            said = {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "gone"}
            raise RestException(said)

        class Found:
            aliases = ("champion",)

        return Found()

    def read_artifact(self, version: RegisteredVersion, name: str) -> bytes:
        self.read.append((version.version, name))
        return b""

    @property
    def client(self) -> Files:
        return self

    def set_registered_model_alias(self, name: str, alias: str, version: str) -> None:
        self.pointed[alias] = version

    def get_registered_model(self, name: str) -> Any:
        return SimpleNamespace(aliases=self.pointed)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda *_, **__: []

    numbers: tuple[str, ...]
    read: list[tuple[str, str]]
    pointed: dict[str, str]


@pytest.fixture(autouse=True)
def golden_rows(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Let the fake answer; only the tests of real files load models."""
    if "own_world" not in request.fixturenames:
        monkeypatch.setattr(
            verification, "replay_golden_rows", lambda version, tracking: (tracking.wrong, 20)
        )


@pytest.fixture
def ledger() -> Ledger:
    """Three versions, each of which was the champion: 3 is it."""
    made = Ledger("sqlite://")
    for number in ("1", "2", "3", "4"):
        version = RegisteredVersion("m", number, f"run {number}", "models:/x", f"digest {number}")
        assert made.register(replace(version, artifacts={"pin.json": "p" * 64}))
    for generation, number in enumerate(("1", "2", "3")):
        move = {"version": number, "generation": generation, "key": f"2024-03-0{number}"}
        made.promote("m", **move, evidence={})
    return made


@pytest.fixture
def files() -> Any:
    return Files("1", "2", "3", "4")


def back(ledger: Ledger, files: Any, to: str | None = None, **said: str) -> Any:
    return rollback("m", to, tracking=files, ledger=ledger, **(WHY | said))


@pytest.mark.parametrize("seen", [0, 2, 4])
def test_a_choice_about_another_champion_moves_nothing(
    ledger: Ledger, files: Any, seen: int
) -> None:
    with pytest.raises(ChampionChangedError):
        rollback("m", "1", tracking=files, ledger=ledger, generation=seen, **WHY)
    assert (ledger.champion("m"), files.pointed) == (Champion("3", 3), {})
    done = rollback("m", "1", tracking=files, ledger=ledger, generation=3, **WHY)
    assert (done.version, ledger.champion("m")) == ("1", Champion("1", 4))


def test_the_champion_before_this_one_is_returned_to(ledger: Ledger, files: Any) -> None:
    done = back(ledger, files)
    assert (done.before, done.version, done.reason) == ("3", "2", WHY["reason"])
    assert (done.verified.golden_rows, done.verified.artifacts) == (20, ("pin.json",))
    assert (ledger.champion("m"), files.pointed["champion"]) == (Champion("2", 4), "2")
    assert files.read == [("2", "pin.json")]
    (entry,) = ledger.entries(model="m", kind="rollback")
    assert (entry.key, entry.by) == ("rollback of 3", "bob")
    assert entry.evidence["reason"] == WHY["reason"]
    assert (entry.evidence["previous"], entry.evidence["version"]) == ("3", "2")
    assert champion_of("m", tracking=files, ledger=ledger).version == "2"


def test_a_rollback_goes_further_back_and_not_to_what_was_rolled_back(
    ledger: Ledger, files: Any
) -> None:
    assert back(ledger, files).version == "2"
    assert back(ledger, files).version == "1"
    listed = r"no earlier champion to roll back to by itself\. Champions before "
    with pytest.raises(VersionNotAllowedError, match=listed) as error:
        back(ledger, files)
    assert str(error.value).count("rolled back)") == 2
    assert back(ledger, files, "3").version == "3", "a person may name it"
    assert [one.version for one in past_champions("m", ledger=ledger)] == ["1", "2"]
    assert [one.rolled_back for one in past_champions("m", ledger=ledger)] == [True, True]


@pytest.mark.parametrize(
    ("to", "why"),
    [
        ("3", "version 3 is the champion of 'm' already: there is nothing to roll back"),
        ("4", "version '4' of 'm' was never the champion. Champions before this one: 2 (since"),
        ("9", "version '9' of 'm' was never the champion"),
        ("two", "mlops promote m two --reason"),
        ("1", "version 1 of 'm' was retired and cannot be the champion again"),
    ],
)
def test_what_cannot_be_returned_to_is_refused(
    ledger: Ledger, files: Any, to: str, why: str
) -> None:
    retire("m", "1", reason="wrong labels", by="eve", ledger=ledger)
    before = ledger.entries(history=True)
    assert why in error_of(VersionNotAllowedError, back, ledger, files, to)
    assert ledger.champion("m") == Champion("3", 3)
    assert ledger.entries(history=True) == before


@pytest.mark.parametrize("reason", ["", "  ", "x", " \n ok"])
def test_a_reason_is_needed(ledger: Ledger, files: Any, reason: str) -> None:
    for act in (
        lambda: back(ledger, files, reason=reason),
        lambda: retire("m", "1", reason=reason, by="bob", ledger=ledger),
        lambda: promote_manually("m", "4", reason=reason, by="bob", tracking=files, ledger=ledger),
    ):
        assert "needs a reason, in words" in error_of(VersionNotAllowedError, act)
    assert ledger.champion("m") == Champion("3", 3)


def test_files_that_are_gone_or_predict_another_thing_move_nothing(ledger: Ledger) -> None:
    gone: Any = Files("3")
    said = error_of(UnknownVersionError, back, ledger, gone)
    assert "version 2 of 'm' is not in MLflow" in said
    other: Any = Files("2", "3", wrong=4)
    said = error_of(UnsafeModelError, back, ledger, other)
    assert "version 2 of 'm': 4 of 20 golden rows get another prediction" in said
    assert ledger.champion("m") == Champion("3", 3)


def test_nothing_is_rolled_back_before_the_first_champion(files: Any) -> None:
    with pytest.raises(NoChampionError, match="nothing to roll back"):
        back(Ledger("sqlite://"), files)


def test_a_first_champion_has_none_before_it(files: Any) -> None:
    ledger = Ledger("sqlite://")
    assert ledger.register(RegisteredVersion("m", "1", "r", "models:/x", "digest 1"))
    ledger.promote("m", version="1", generation=0, key="2024-03-01", evidence={})
    with pytest.raises(VersionNotAllowedError, match="Champions before this one: none"):
        back(ledger, files)


def test_whoever_is_overtaken_moves_nothing(
    ledger: Ledger, files: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def overtaken(version: RegisteredVersion, *, tracking: Any) -> Any:
        ledger.promote("m", version="4", generation=3, key="2024-03-09", evidence={})
        return verify_version(version, tracking=tracking)

    monkeypatch.setattr("mlops_tasks.steps.rollback.verify_version", overtaken)
    with pytest.raises(ChampionChangedError):
        back(ledger, files)
    assert ledger.champion("m") == Champion("4", 4)


@pytest.mark.parametrize("place", ["before_ledger", "after_ledger", "after_alias"])
def test_a_rollback_that_is_killed_has_happened_or_not(
    ledger: Ledger, files: Any, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv(FAULT_VARIABLE, f"promote:{place}:raise")
        with pytest.raises(InjectedFaultError):
            back(ledger, files)
    moved = place != "before_ledger"
    assert ledger.champion("m") == (Champion("2", 4) if moved else Champion("3", 3))
    assert len(ledger.entries(kind="rollback", history=True)) == moved


def test_a_rollback_of_a_certain_champion_leaves_no_other(ledger: Ledger, files: Any) -> None:
    how: dict[str, Any] = {"tracking": files, "ledger": ledger}
    for generation in (2, 4):
        with pytest.raises(ChampionChangedError, match="is version 3, generation 3, by now"):
            rollback("m", generation=generation, **how, **WHY)
    assert ledger.champion("m") == Champion("3", 3)
    done = rollback("m", generation=3, evidence={"seen": 1, "reason": "other"}, **how, **WHY)
    assert done.version == "2"
    (entry,) = ledger.entries(model="m", kind="rollback")
    assert (entry.evidence["seen"], entry.evidence["reason"]) == (1, WHY["reason"])


def test_a_rollback_is_no_training_of_a_later_day(ledger: Ledger, files: Any) -> None:
    """A verdict as of a past day is compared with the champion that there is after it."""
    assert ledger.champion_as_of("m", "2024-03-05") == "3"
    back(ledger, files)
    assert ledger.champion_as_of("m", "2024-03-05") == "2"
    word = {"reason": "as good", "by": "eve"}
    promote_manually("m", "4", tracking=files, ledger=ledger, **word)
    assert ledger.champion_as_of("m", "2024-03-05") == "4"


# --- by hand


def test_a_person_promotes_what_the_gate_kept(ledger: Ledger, files: Any) -> None:
    now = promote_manually("m", "4", tracking=files, ledger=ledger, **WHY)
    assert now == Champion("4", 4) == ledger.champion("m")
    entry = max(ledger.entries(kind="promotion"), key=lambda entry: entry.seq)
    assert (entry.key, entry.by) == ("manual promotion of 4", "bob")
    assert entry.evidence["reason"] == WHY["reason"]
    assert files.pointed["champion"] == "4"
    assert back(ledger, files).version == "3"


def test_a_person_promotes_the_first_champion(files: Any) -> None:
    ledger = Ledger("sqlite://")
    assert ledger.register(RegisteredVersion("m", "1", "r", "models:/x", "digest 1"))
    now = promote_manually("m", "1", tracking=files, ledger=ledger, **WHY)
    assert now == Champion("1", 1)


def test_what_cannot_be_promoted_by_hand(ledger: Ledger, files: Any) -> None:
    for number, kind, why in (
        ("3", VersionNotAllowedError, "version 3 is the champion of 'm' already"),
        ("9", UnknownVersionError, "version 9 of 'm' is not in the ledger"),
    ):
        said = error_of(kind, promote_manually, "m", number, tracking=files, ledger=ledger, **WHY)
        assert why in said
    retire("m", "4", ledger=ledger, **WHY)
    said = error_of(
        VersionNotAllowedError, promote_manually, "m", "4", tracking=files, ledger=ledger, **WHY
    )
    assert "version 4 of 'm' was retired by bob on" in said
    assert WHY["reason"] in said
    assert ledger.champion("m") == Champion("3", 3)


def test_a_version_is_retired_once_and_never_the_champion(ledger: Ledger) -> None:
    first = retire("m", "2", ledger=ledger, **WHY)
    again = retire("m", "2", reason="another one", by="eve", ledger=ledger)
    assert again == first
    assert (first.by, first.evidence) == ("bob", {"reason": WHY["reason"]})
    said = error_of(VersionNotAllowedError, retire, "m", "3", ledger=ledger, **WHY)
    assert "version 3 is the champion of 'm' and cannot be retired" in said
    with pytest.raises(UnknownVersionError):
        retire("m", "9", ledger=ledger, **WHY)
    with pytest.raises(VersionNotAllowedError, match="retired by bob"):
        ledger.promote("m", version="2", generation=3, key="2024-03-09", evidence={})


# --- real files


def test_real_files_are_proved(own_world: World, tracking_files: Path) -> None:
    tracking, champion = own_world.tracking, own_world.champion
    found = verify_version(champion, tracking=tracking)
    assert found.digest == champion.digest
    assert found.golden_rows == 20
    assert "pin.json" in found.artifacts
    weights = next(path for path in tracking_files.iterdir() if path.suffix == ".skops")
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    said = error_of(UnsafeModelError, verify_version, champion, tracking=tracking)
    assert said.startswith("version 1 of 'late_orders': model files have digest")


def test_golden_rows_are_predicted_again(own_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlops_tasks.registry.modelfiles import golden_rows

    answer = golden_rows.model_answer
    monkeypatch.setattr(golden_rows, "model_answer", lambda *given: answer(*given) / 2)
    said = error_of(
        UnsafeModelError, verify_version, own_world.champion, tracking=own_world.tracking
    )
    assert "20 of 20 golden rows get another prediction" in said
