"""The tasks of ``<model>.rollback``, and the commands of a person: what they say and leave."""

from __future__ import annotations

import getpass
import json
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer
from airflow.sdk.exceptions import AirflowSkipException
from typer.testing import CliRunner

from mlops_airflow.assets import model_asset, score_again_asset
from mlops_airflow.cli import app
from mlops_airflow.forms import rollback_form
from mlops_airflow.operators.rollback import RollbackModelOperator, ScoreAgainOperator
from mlops_tasks.exceptions import VersionNotAllowedError
from mlops_tasks.registry.ledger import Champion
from mlops_tasks.registry.ledger.anchors import read_anchors
from tests.unit.operators.conftest import context

if TYPE_CHECKING:
    from tests.unit.conftest import World
    from tests.unit.orders import Source

    Stack = tuple[World, Source]

NAME = "late_orders"


@pytest.fixture
def moved(stack: Stack) -> World:
    """Version 2, with the same files, has taken the place of version 1."""
    world, _ = stack
    found = world.tracking.client.create_model_version(
        NAME, world.champion.model_uri, world.champion.run_id
    )
    version = replace(world.champion, version=str(found.version), generation=0)
    assert world.ledger.register(version)
    world.ledger.promote(NAME, version="2", generation=1, key="2024-03-18", evidence={})
    return world


def rolling(world: World, run: str = "manual__1", **form: Any) -> tuple[Any, Any]:
    """Run the task with this form; return what it returns, and its event."""
    asset = model_asset(world.spec)
    operator = RollbackModelOperator(task_id="rollback", model=world.spec, outlets=[asset])
    form = {"version": "previous", "reason": "too high for JFK"} | form
    ours = context(operator, key=None, run=run, person="bob", **form)
    return operator.execute(ours), ours["outlet_events"][asset].extra


def test_a_form_rolls_back_and_names_who(moved: World) -> None:
    done, event = rolling(moved)
    assert done == {
        "name": NAME,
        "before": "2",
        "version": "1",
        "reason": "too high for JFK",
    }
    assert event == {"name": NAME, "version": "1"}
    assert moved.ledger.champion(NAME) == Champion("1", 3)
    (entry,) = moved.ledger.entries(model=NAME, kind="rollback")
    assert (entry.by, entry.dag_run) == ("bob", "late_orders.dag/manual__1")
    assert json.loads(json.dumps(done)) == done


def test_a_task_that_is_run_again_rolls_back_once(moved: World) -> None:
    first, _ = rolling(moved)
    again, event = rolling(moved)
    assert (again, event["version"]) == (first, "1")
    assert moved.ledger.champion(NAME) == Champion("1", 3)
    with pytest.raises(VersionNotAllowedError, match="no earlier champion to roll back to by its"):
        rolling(moved, run="manual__2")


def test_a_form_that_cannot_be_meant_is_refused_with_the_champions_there_were(moved: World) -> None:
    with pytest.raises(
        VersionNotAllowedError, match=r"never the champion\. Champions before .* 1 "
    ):
        rolling(moved, version="7")
    with pytest.raises(VersionNotAllowedError, match="needs a reason"):
        rolling(moved, reason=" ")
    assert moved.ledger.champion(NAME) == Champion("2", 2)


def test_the_form_checks_what_it_can(moved: World) -> None:
    from airflow.sdk.exceptions import ParamValidationError

    form = rollback_form(moved.spec)
    wrong = [("version", one) for one in ("two", "previously", "-1", "1234567890")]
    for name, value in (*wrong, ("reason", "x"), ("score_again_since", "yesterday")):
        with pytest.raises(ParamValidationError):
            form[name].resolve(value)
    assert form["version"].resolve() == "previous", "a form that is left as it is asks nobody"
    assert form["version"].resolve(None) is None
    for given in ("", "previous", "12"):
        assert form["version"].resolve(given) == given


def test_what_was_scored_since_is_asked_for_again(moved: World, tmp_path: Path) -> None:
    operator = ScoreAgainOperator(task_id="score_again", model=moved.spec)
    for since in (None, "", "2024-03-01"):
        with pytest.raises(AirflowSkipException, match=r"nobody asked|nothing was scored since"):
            operator.execute(context(operator, key=None, score_again_since=since))
    from mlops_tasks.steps.score import score

    for number, day in enumerate(("2024-03-16", "2024-03-17", "2024-03-18")):
        stores: dict[str, Any] = {"lake": moved.lake, "tracking": moved.tracking}
        score(moved.spec, day, moved.champion, **stores, token=100 + number)
    ours = context(operator, key=None, score_again_since="2024-03-17")
    found = operator.execute(ours)
    assert found == {"partitions": ["2024-03-17", "2024-03-18"]}
    event = ours["outlet_events"][score_again_asset(moved.spec)]
    assert event.partition_keys == {"2024-03-17", "2024-03-18"}


# --- commands


def mlops(*words: str) -> Any:
    return CliRunner().invoke(app, words)


def test_commands_move_and_say_so(moved: World) -> None:
    done = mlops("rollback", NAME, "--reason", "too high", "--json")
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert (said["champion"], said["before"], said["golden_rows"]) == ("1", "2", 20)
    (entry,) = moved.ledger.entries(model=NAME, kind="rollback")
    assert entry.by == getpass.getuser()
    done = mlops("rollback", NAME, "--to", "1", "--reason", "again")
    assert done.exit_code == 1
    assert "version 1 is the champion of 'late_orders' already" in done.stderr
    done = mlops("promote", NAME, "2", "--reason", "it was right")
    assert (done.exit_code, moved.ledger.champion(NAME)) == (0, Champion("2", 4))
    assert "version 2 is the champion, on your word" in done.stdout
    done = mlops("retire", NAME, "1", "--reason", "wrong labels", "--json")
    assert json.loads(done.stdout)["retired"] == "1"
    done = mlops("rollback", NAME, "--to", "1", "--reason", "back")
    assert (done.exit_code, "was retired and cannot be the champion" in done.stderr) == (1, True)
    assert mlops("retire", NAME, "2", "--reason", "also").exit_code == 1
    assert mlops("promote", NAME, "9", "--reason", "who knows").exit_code == 1


def test_what_a_command_has_moved_is_anchored_and_packed(moved: World) -> None:
    done = mlops("rollback", NAME, "--reason", "too high", "--json")
    assert done.exit_code == 0, done.output
    pack = Path(json.loads(done.stdout)["pack"])
    assert pack.is_file()
    assert f"/{NAME}__packs/" in str(pack)
    (entry,) = moved.ledger.entries(model=NAME, kind="pack")
    assert (entry.key, entry.dag_run) == ("1", "mlops rollback")
    assert moved.ledger.head() in read_anchors(moved.lake).heads
    done = mlops("promote", NAME, "2", "--reason", "it was right")
    assert f"Evidence: {moved.lake.root}" in done.stdout
    assert moved.ledger.head() in read_anchors(moved.lake).heads


def test_a_pack_that_cannot_be_made_leaves_the_champion_moved(
    moved: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "mlops_tasks.registry.pack.signing.missing_libraries", lambda: "model-signing"
    )
    done = mlops("promote", NAME, "1", "--reason", "it was right")
    assert done.exit_code == 0
    assert "No pack: model-signing not installed" in done.stderr
    assert moved.ledger.champion(NAME) == Champion("1", 3)

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("mlops_tasks.registry.ledger.anchors.write_anchor", full)
    done = mlops("rollback", NAME, "--to", "2", "--reason", "back")
    assert (done.exit_code, moved.ledger.champion(NAME)) == (0, Champion("2", 4))
    assert "its evidence is not complete" in done.stderr
    assert f"mlops pack make {NAME}@2" in done.stderr


class Api:
    """Takes the runs that are asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str]] = []

    def trigger(self, dag_id: str, partition_key: str, *, run_id: str, note: str) -> None:
        assert "mlops rollback" in note
        self.asked.append((dag_id, partition_key, run_id))


def test_the_command_scores_again_what_was_scored_since(
    moved: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlops_airflow.commands import champion
    from mlops_tasks.steps.score import score

    for number, day in enumerate(("2024-03-16", "2024-03-17", "2024-03-18")):
        stores: dict[str, Any] = {"lake": moved.lake, "tracking": moved.tracking}
        score(moved.spec, day, moved.champion, **stores, token=100 + number)
    api = Api()
    monkeypatch.setattr(champion, "the_model", lambda _: moved.spec)
    monkeypatch.setattr(champion, "the_airflow", lambda *_: nullcontext(api))
    words = ("rollback", NAME, "--reason", "too high", "--score-again-since")
    done = mlops(*words, "yesterday")
    assert (done.exit_code, moved.ledger.champion(NAME)) == (1, Champion("2", 2))
    assert "--score-again-since: partition key 'yesterday' is not a day" in done.stderr
    done = mlops(*words, "2024-03-17", "--json")
    assert json.loads(done.stdout)["scored_again"] == ["2024-03-17", "2024-03-18"]
    assert api.asked == [
        (f"{NAME}.score", key, f"rollback__3__{key}") for key in ("2024-03-17", "2024-03-18")
    ]


def test_who_may_not_start_runs_moves_nothing(
    moved: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlops_airflow.commands import champion

    def refused(*_: Any) -> Any:
        raise typer.Exit(3)

    monkeypatch.setattr(champion, "the_model", lambda _: moved.spec)
    monkeypatch.setattr(champion, "the_airflow", refused)
    done = mlops("rollback", NAME, "--reason", "x y z", "--score-again-since", "2024-03-17")
    assert (done.exit_code, moved.ledger.champion(NAME)) == (3, Champion("2", 2))


@pytest.mark.parametrize("words", [("rollback", NAME), ("promote", NAME, "1"), ("retire", NAME)])
def test_commands_without_a_reason_do_nothing(words: tuple[str, ...]) -> None:
    assert mlops(*words).exit_code == 2
