from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import skops.io
from mlflow.exceptions import MlflowException
from sklearn.linear_model import LogisticRegression

from mlops_tasks.exceptions import (
    ChampionChangedError,
    NoChampionError,
    UnknownVersionError,
    UnsafeModelError,
)
from mlops_tasks.faults import FAULT_VARIABLE, InjectedFaultError
from mlops_tasks.gate.verdict import Verdict
from mlops_tasks.registry.ledger import Champion, Ledger
from mlops_tasks.registry.ledger.tables import table
from mlops_tasks.registry.modelfiles import files_digest
from mlops_tasks.registry.tracking import DIGEST_TAG
from mlops_tasks.registry.versions import TrainResult
from mlops_tasks.steps.evaluate import evaluate
from mlops_tasks.steps.register import adopt, champion_of, promote, register, registered_version
from mlops_tasks.steps.score import score

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlops_tasks.registry.tracking import Tracking
    from mlops_tasks.registry.versions import RegisteredVersion
    from tests.unit.conftest import World

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


def enter(
    trained: TrainResult, tracking: Tracking, ledger: Ledger, said: Verdict | None = None
) -> RegisteredVersion:
    return register(NAME, trained, said or verdict(), tracking=tracking, ledger=ledger)


def new_version(tracking: Tracking, ledger: Ledger) -> RegisteredVersion:
    return enter(new_run(tracking), tracking, ledger)


def versions(tracking: Tracking) -> list[str]:
    return sorted(str(v.version) for v in tracking.client.search_model_versions(f"name='{NAME}'"))


# --- register


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
            "mlops.roc_auc": "0.75",
        }
        == shown.tags
    )
    assert list(shown.aliases) == ["challenger"]
    assert tracking.client.get_model_version(NAME, "1").description == "[log](http://x)"


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
        champion(tracking, ledger)


# --- promote


def offer(
    version: RegisteredVersion, said: Verdict, tracking: Tracking, ledger: Ledger, **options: Any
) -> bool:
    return promote(version, said, as_of=NIGHT, tracking=tracking, ledger=ledger, **options)


def alias(tracking: Tracking) -> str:
    return str(tracking.client.get_model_version_by_alias(NAME, "champion").version)


def test_a_first_champion(tracking: Tracking, ledger: Ledger) -> None:
    version = new_version(tracking, ledger)
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
    assert not offer(new_version(tracking, ledger), verdict("keep"), tracking, ledger)
    assert ledger.champion(NAME) is None
    assert ledger.entries() == []
    with pytest.raises(MlflowException):
        alias(tracking)


def test_promoting_again_is_the_same_promotion(tracking: Tracking, ledger: Ledger) -> None:
    version = new_version(tracking, ledger)
    for _ in range(2):
        assert offer(version, verdict(), tracking, ledger)
    assert ledger.champion(NAME) == Champion("1", 1)
    assert len(ledger.entries(history=True)) == 1


def test_the_loser_of_two_promotions_changes_nothing(tracking: Tracking, ledger: Ledger) -> None:
    assert offer(new_version(tracking, ledger), verdict(), tracking, ledger)
    winner, loser = new_version(tracking, ledger), new_version(tracking, ledger)
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
    new_version(tracking, ledger)
    with pytest.raises(NoChampionError, match=r"trigger the Dag late_orders\.train"):
        champion(tracking, ledger)


def test_the_champion_comes_with_what_is_needed_to_load_it(
    tracking: Tracking, ledger: Ledger
) -> None:
    version = new_version(tracking, ledger)
    offer(version, verdict(), tracking, ledger)
    assert champion(tracking, ledger) == version
    assert list(tracking.by_version(NAME, "1").aliases) == ["challenger", "champion"]


def test_a_promotion_killed_half_way_is_completed_by_the_next_look(
    tracking: Tracking, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert offer(new_version(tracking, ledger), verdict(), tracking, ledger)
    second = new_version(tracking, ledger)

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
    version = new_version(tracking, ledger)
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
    offer(new_version(tracking, ledger), verdict(), tracking, ledger)
    other = new_version(tracking, ledger)
    tracking.client.set_registered_model_alias(NAME, "champion", other.version)
    assert champion(tracking, ledger).version == "1"
    assert alias(tracking) == "1"


# --- what MLflow says is not believed


def test_a_champion_is_what_the_ledger_knows_whatever_mlflow_says(
    tracking: Tracking, ledger: Ledger
) -> None:
    version = new_version(tracking, ledger)
    offer(version, verdict(), tracking, ledger)
    client = tracking.client
    client.set_model_version_tag(NAME, "1", DIGEST_TAG, "0" * 64)
    client.set_model_version_tag(NAME, "1", "mlops.roc_auc", "0.1")
    assert champion(tracking, ledger) == version


def test_a_version_that_the_ledger_does_not_know_is_neither_resolved_nor_promoted(
    tracking: Tracking, ledger: Ledger
) -> None:
    known = new_version(tracking, ledger)
    foreign = tracking.client.create_model_version(NAME, known.model_uri, run_id=known.run_id)
    fix = r"version 2 of 'late_orders' is not in the ledger.*mlops ledger adopt late_orders 2"
    with pytest.raises(UnknownVersionError, match=fix):
        registered_version(NAME, str(foreign.version), ledger=ledger)
    with pytest.raises(UnknownVersionError, match=fix):
        offer(replace(known, version="2"), verdict(), tracking, ledger)
    assert ledger.champion(NAME) is None


# --- taken over on the word of a person


def take_over(world: World, ledger: Ledger, version: str = "1", **options: Any) -> Any:
    return adopt(
        NAME,
        version,
        tracking=world.tracking,
        ledger=ledger,
        reason="the ledger was lost",
        person="ada",
        **options,
    )


def test_a_lost_ledger_gets_its_champion_back(own_world: World, tmp_path: Path) -> None:
    new = Ledger(f"sqlite:///{tmp_path}/new.db")
    with pytest.raises(NoChampionError, match="mlops ledger adopt late_orders VERSION --champion"):
        champion(own_world.tracking, new)
    adopted = take_over(own_world, new, champion=True)
    known = own_world.champion
    assert (adopted.digest, adopted.artifacts) == (known.digest, known.artifacts)
    assert adopted.run_id == known.run_id
    assert adopted.metrics["roc_auc"] == known.metrics["roc_auc"]
    assert champion(own_world.tracking, new) == adopted
    adoption, promotion = new.entries(model=NAME)
    assert (adoption.kind, adoption.key) == ("adoption", "1")
    assert adoption.evidence["person"] == promotion.evidence["person"] == "ada"
    assert adoption.evidence["reason"] == "the ledger was lost"
    assert take_over(own_world, new, champion=True) == adopted, "again is the same"
    assert len(new.entries(history=True)) == 2


def test_only_a_first_champion_is_made_by_hand(own_world: World) -> None:
    second = own_world.tracking.client.create_model_version(
        NAME, own_world.champion.model_uri, run_id=own_world.champion.run_id
    )
    with pytest.raises(ChampionChangedError, match="only a promotion or a rollback"):
        take_over(own_world, own_world.ledger, str(second.version), champion=True)
    assert own_world.ledger.champion(NAME) == Champion("1", 1)


def test_what_an_older_version_of_the_project_did_not_keep_is_completed(own_world: World) -> None:
    ledger, known = own_world.ledger, own_world.champion
    registrations = table("registration")
    bare = {"artifacts": {}, "metrics": {"roc_auc": 0.6}, "model_uri": f"models:/{NAME}/1"}
    ledger._database.write(lambda c: c.execute(registrations.update().values(bare)))
    own_world.tracking.load(champion(own_world.tracking, ledger).model_uri, known.digest)
    adopted = take_over(own_world, ledger)
    assert adopted.artifacts == known.artifacts
    assert adopted.metrics == {"roc_auc": 0.6}, "what was known stays"


def test_other_files_than_the_ledger_knows_are_never_taken_over(
    own_world: World, tracking_files: Path
) -> None:
    skops.io.dump(LogisticRegression().fit([[0.0], [1.0]], [0, 1]), tracking_files / "model.skops")
    with pytest.raises(UnsafeModelError, match=r"changed after registration.*Nothing was taken"):
        take_over(own_world, own_world.ledger)
    assert own_world.ledger.entries(kind="adoption") == []


def test_a_version_that_mlflow_does_not_have_cannot_be_taken_over(own_world: World) -> None:
    with pytest.raises(UnknownVersionError, match="version 9 of 'late_orders' is not in MLflow"):
        take_over(own_world, own_world.ledger, "9")


@pytest.fixture
def tracking_files(own_world: World) -> Iterator[Path]:
    """The folder in MLflow's store where the champion's files are; as it was, afterwards."""
    model = own_world.tracking.client.get_logged_model(own_world.trained.model_id)
    folder = Path(model.artifact_location)
    before = {path: path.read_bytes() for path in folder.iterdir()}
    yield folder
    for path, content in before.items():
        path.write_bytes(content)


def test_an_exchanged_champion_is_neither_scored_with_nor_compared(
    own_world: World, tracking_files: Path
) -> None:
    """Another valid model, and all that MLflow can be told to make it look right."""
    world, tracking = own_world, own_world.tracking
    skops.io.dump(LogisticRegression().fit([[0.0], [1.0]], [0, 1]), tracking_files / "model.skops")
    tracking.client.set_model_version_tag(NAME, "1", DIGEST_TAG, files_digest(tracking_files))
    found = champion(tracking, world.ledger)
    lake, day, token = world.lake, world.as_of, world.ledger.next_token()
    with pytest.raises(UnsafeModelError, match="changed after registration"):
        score(world.spec, day, found, lake=lake, tracking=tracking, token=token)
    assert not lake.exists(world.spec.predictions_table), "nothing was published"
    with pytest.raises(UnsafeModelError, match="changed after registration"):
        evaluate(world.spec, world.pin, world.trained, None, lake=lake, tracking=tracking)
