from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from mlflow.exceptions import MlflowException

from mlops_tasks.exceptions import ChampionChangedError, NoChampionError
from mlops_tasks.faults import FAULT_VARIABLE, InjectedFaultError
from mlops_tasks.ledger import Champion
from mlops_tasks.registration import champion_of, promote, register
from mlops_tasks.types import TrainResult, Verdict

if TYPE_CHECKING:
    from mlops_tasks.ledger import Ledger
    from mlops_tasks.tracking import RegisteredVersion, Tracking

NAME = "late_orders"
NIGHT = "2024-03-16"


def verdict(verdict: str = "promote", champion: str | None = None) -> Verdict:
    figures = {"roc_auc": 0.75}
    return Verdict(verdict, "it is better", 100, figures, None, champion, {"value": 0.1})


@pytest.fixture
def trained(tracking: Tracking) -> TrainResult:
    return new_run(tracking)


def new_run(tracking: Tracking) -> TrainResult:
    """Log a model without files: registration looks at none."""
    with tracking.run(NAME, "train") as run_id:
        experiment = tracking.client.get_experiment_by_name(NAME)
        model = tracking.client.create_logged_model(
            experiment.experiment_id, name="model", source_run_id=run_id
        )
    uri = f"models:/{model.model_id}"
    return TrainResult(run_id, model.model_id, uri, "d" * 64, 100, 0.3, 0.1)


def new_version(tracking: Tracking, said: Verdict | None = None) -> RegisteredVersion:
    return register(NAME, new_run(tracking), said or verdict(), tracking=tracking)


def versions(tracking: Tracking) -> list[str]:
    return sorted(str(v.version) for v in tracking.client.search_model_versions(f"name='{NAME}'"))


# --- register


def test_a_version_carries_its_evidence(tracking: Tracking, trained: TrainResult) -> None:
    made = register(
        NAME,
        trained,
        verdict("keep"),
        tracking=tracking,
        tags={"airflow.run_id": "r"},
        description="[log](http://x)",
    )
    assert (made.version, made.run_id, made.model_uri) == ("1", trained.run_id, trained.model_uri)
    assert made.digest == trained.digest
    assert (
        made.tags
        | {
            "airflow.run_id": "r",
            "mlops.verdict": "keep",
            "mlops.verdict_reason": "it is better",
            "mlops.roc_auc": "0.75",
        }
        == made.tags
    )
    assert made.aliases == ("challenger",)
    assert tracking.client.get_model_version(NAME, "1").description == "[log](http://x)"


def test_registering_a_run_again_makes_no_second_version(
    tracking: Tracking, trained: TrainResult
) -> None:
    first = register(NAME, trained, verdict(), tracking=tracking)
    assert register(NAME, trained, verdict(), tracking=tracking) == first
    assert versions(tracking) == ["1"]
    assert new_version(tracking).version == "2"


def test_a_reply_that_was_lost_leaves_the_lowest_version(
    tracking: Tracking, trained: TrainResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLflow's client repeats a request whose reply got lost, and the server creates again."""
    create = tracking.client.create_model_version

    def lossy(*arguments: Any, **options: Any) -> Any:
        create(*arguments, **options)
        create(*arguments, **options)
        return create(*arguments, **options)

    monkeypatch.setattr(tracking.client, "create_model_version", lossy)
    assert register(NAME, trained, verdict(), tracking=tracking).version == "1"
    assert versions(tracking) == ["1"]


def test_two_versions_of_a_run_are_put_right_by_the_next_attempt(
    tracking: Tracking, trained: TrainResult
) -> None:
    register(NAME, trained, verdict(), tracking=tracking)
    tracking.client.create_model_version(NAME, trained.model_uri, run_id=trained.run_id)
    assert versions(tracking) == ["1", "2"]
    assert register(NAME, trained, verdict(), tracking=tracking).version == "1"
    assert versions(tracking) == ["1"]


def test_a_model_that_the_registry_refuses_is_an_error(
    tracking: Tracking, trained: TrainResult
) -> None:
    with pytest.raises(MlflowException, match=r"a/b"):
        register("a/b", trained, verdict(), tracking=tracking)


def test_the_challenger_is_the_newest_version(tracking: Tracking) -> None:
    new_version(tracking)
    newest = new_version(tracking)
    assert tracking.client.get_model_version(NAME, "2").aliases == ["challenger"]
    assert newest.version == "2"


# --- promote


def offer(
    version: RegisteredVersion, said: Verdict, tracking: Tracking, ledger: Ledger, **options: Any
) -> bool:
    return promote(version, said, as_of=NIGHT, tracking=tracking, ledger=ledger, **options)


def alias(tracking: Tracking) -> str:
    return str(tracking.client.get_model_version_by_alias(NAME, "champion").version)


def test_a_first_champion(tracking: Tracking, ledger: Ledger) -> None:
    version = new_version(tracking)
    assert offer(version, verdict(), tracking, ledger, dag_run="late_orders.train/x")
    assert alias(tracking) == "1"
    assert ledger.champion(NAME) == Champion("1", 1)
    (entry,) = ledger.entries(model=NAME, kind="promotion")
    assert (entry.key, entry.dag_run) == (NIGHT, "late_orders.train/x")
    assert entry.evidence == {
        "version": "1",
        "previous": None,
        "reason": "it is better",
        "digest": "d" * 64,
        "run_id": version.run_id,
    }


def test_keep_changes_nothing(tracking: Tracking, ledger: Ledger) -> None:
    assert not offer(new_version(tracking), verdict("keep"), tracking, ledger)
    assert ledger.champion(NAME) is None
    assert ledger.entries() == []
    with pytest.raises(MlflowException):
        alias(tracking)


def test_promoting_again_is_the_same_promotion(tracking: Tracking, ledger: Ledger) -> None:
    version = new_version(tracking)
    for _ in range(2):
        assert offer(version, verdict(), tracking, ledger)
    assert ledger.champion(NAME) == Champion("1", 1)
    assert len(ledger.entries(history=True)) == 1


def test_the_loser_of_two_promotions_changes_nothing(tracking: Tracking, ledger: Ledger) -> None:
    assert offer(new_version(tracking), verdict(), tracking, ledger)
    winner, loser = new_version(tracking), new_version(tracking)
    assert offer(winner, verdict(champion="1"), tracking, ledger)
    history = ledger.entries(history=True)
    with pytest.raises(ChampionChangedError, match=r"version 3 with champion 1, but .*2"):
        offer(loser, verdict(champion="1"), tracking, ledger)
    assert alias(tracking) == winner.version == "2"
    assert ledger.champion(NAME) == Champion("2", 2)
    assert ledger.entries(history=True) == history


# --- the champion


def champion(tracking: Tracking, ledger: Ledger) -> RegisteredVersion:
    return champion_of(NAME, tracking=tracking, ledger=ledger)


def test_before_the_first_promotion_the_answer_names_the_dag(
    tracking: Tracking, ledger: Ledger
) -> None:
    new_version(tracking)
    with pytest.raises(NoChampionError, match=r"trigger the Dag late_orders\.train"):
        champion(tracking, ledger)


def test_the_champion_comes_with_what_is_needed_to_load_it(
    tracking: Tracking, ledger: Ledger
) -> None:
    version = new_version(tracking)
    offer(version, verdict(), tracking, ledger)
    found = champion(tracking, ledger)
    assert replace(found, aliases=version.aliases) == version
    assert "champion" in found.aliases


def test_a_promotion_killed_half_way_is_completed_by_the_next_look(
    tracking: Tracking, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert offer(new_version(tracking), verdict(), tracking, ledger)
    second = new_version(tracking)

    def killed(*_: Any) -> None:
        raise SystemExit(143)

    with monkeypatch.context() as patch:
        patch.setattr(tracking.client, "set_registered_model_alias", killed)
        with pytest.raises(SystemExit):
            offer(second, verdict(champion="1"), tracking, ledger)
    assert alias(tracking) == "1"
    assert champion(tracking, ledger).version == "2"
    assert alias(tracking) == "2"


def test_the_second_attempt_of_a_killed_promotion_completes_it(
    tracking: Tracking, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = new_version(tracking)
    with monkeypatch.context() as patch:
        patch.setenv(FAULT_VARIABLE, "promote:after_ledger:raise")
        with pytest.raises(InjectedFaultError):
            offer(version, verdict(), tracking, ledger)
    assert ledger.champion(NAME) == Champion("1", 1)
    assert [entry.kind for entry in ledger.entries()] == ["promotion"], "with the champion, or not"
    assert offer(version, verdict(), tracking, ledger)
    assert len(ledger.entries(history=True)) == 1
    assert alias(tracking) == "1"


def test_an_alias_moved_by_hand_is_put_back(tracking: Tracking, ledger: Ledger) -> None:
    """Whoever wants another champion promotes it; the ledger would not know otherwise."""
    offer(new_version(tracking), verdict(), tracking, ledger)
    other = new_version(tracking)
    tracking.client.set_registered_model_alias(NAME, "champion", other.version)
    assert champion(tracking, ledger).version == "1"
    assert alias(tracking) == "1"
