"""The tasks beside a new champion: what they predict, find, move and say, over real stores."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from mlops_airflow.assets import model_asset
from mlops_airflow.notifications.callbacks import cause_of
from mlops_airflow.operators.after_promotion import (
    CompareChampionsOperator,
    RollBackWorseOperator,
    ScoreShadowOperator,
)
from mlops_airflow.operators.decide import DecideRetrainingOperator
from mlops_airflow.operators.incidents import WatchIncidentsOperator
from mlops_airflow.operators.score import ScorePartitionOperator
from mlops_tasks.exceptions import StaleAttemptError, UnsafeModelError
from mlops_tasks.faults import FAULT_VARIABLE, InjectedFaultError
from mlops_tasks.lake import overwrite_partition
from mlops_tasks.policy.incidents import Cause, IncidentBook
from mlops_tasks.registry.champions import registered_version
from mlops_tasks.registry.history import model_history
from mlops_tasks.registry.ledger import Champion
from mlops_tasks.registry.modelfiles import golden_rows
from mlops_tasks.registry.past_champions import past_champions
from mlops_tasks.registry.verification import verify_version
from mlops_tasks.registry.watch_window import find_watch_window, window_to_open
from mlops_tasks.serialization import to_json
from mlops_tasks.specs import AfterPromotionSpec
from mlops_tasks.specs.schema import arrow_schema
from mlops_tasks.steps.register import register
from mlops_tasks.steps.retire import retire
from mlops_tasks.steps.score import score
from mlops_tasks.steps.train import train
from tests.unit.conftest import World, copy_world
from tests.unit.operators.conftest import context
from tests.unit.orders import ROWS_PER_DAY, day, fill_lake, rows_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mlops_tasks.specs import ModelSpec
    from tests.unit.orders import Source

    Stack = tuple[World, Source]

NAME, BEGIN, LAST = "late_orders", 16, 23


@pytest.fixture(scope="module")
def promoted(world: World, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Version 2, which has learnt nothing, has been promoted in place of version 1."""
    made = copy_world(world, tmp_path_factory.mktemp("promoted"))
    fill_lake(made.lake, made.spec, range(18, LAST + 1))
    blind = made.spec.model_copy(update={"estimator": "tests.unit.orders:build_blind"})
    trained = train(blind, made.pin, lake=made.lake, tracking=made.tracking)
    stores: dict[str, Any] = {"tracking": made.tracking, "ledger": made.ledger}
    found = register(NAME, trained, made.verdict, **stores)
    assert found.version == "2"
    made.ledger.promote(NAME, version="2", generation=1, key=made.as_of, evidence={})
    return made


@pytest.fixture(scope="module")
def scored_by_both(promoted: World, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Both versions have scored the days since."""
    made = copy_world(promoted, tmp_path_factory.mktemp("scored"))
    versions = [registered_version(NAME, number, ledger=made.ledger) for number in ("2", "1")]
    tables = made.spec.predictions_table, made.spec.shadow_table
    window = window_to_open(made.spec, day(BEGIN), "2", ledger=made.ledger)
    about: dict[str, Any] = {"model": NAME, "kind": "watch_window", "key": "2"}
    made.ledger.record_once(**about, evidence=to_json(window))
    for number in range(BEGIN, LAST + 1):
        for version, into in zip(versions, tables, strict=True):
            token = made.ledger.next_token()
            stores: dict[str, Any] = {"lake": made.lake, "tracking": made.tracking}
            score(made.spec, day(number), version, token=token, into=into, **stores)
    return made


def connected(world: World, home: Path, connect: Callable[..., None]) -> World:
    """Copy a world for a test that may change everything, behind the operators' connections."""
    own = copy_world(world, home / "own")
    connect("lake_default", conn_type="file", extra={"path": str(own.lake.root)})
    connect("ledger_default", conn_type="sqlite", host=str(home / "own" / "ledger.db"))
    connect("mlflow_default", conn_type="sqlite", host=str(home / "own" / "mlflow.db"))
    return own


@pytest.fixture
def worse(promoted: World, tmp_path: Path, connect: Callable[..., None]) -> World:
    (tmp_path / "own").mkdir()
    return connected(promoted, tmp_path, connect)


@pytest.fixture
def seen(scored_by_both: World, tmp_path: Path, connect: Callable[..., None]) -> World:
    (tmp_path / "own").mkdir()
    return connected(scored_by_both, tmp_path, connect)


def scored(world: World, number: int, spec: ModelSpec | None = None) -> dict[str, Any]:
    """Score a day with the champion, and with the one before; return what the latter has left."""
    model = spec or world.spec
    first = ScorePartitionOperator(task_id="score", model=model)
    said = first.execute(context(first, key=day(number)))
    return shadow(world, number, said, model)


def shadow(world: World, number: int, said: Any, spec: ModelSpec | None = None) -> dict[str, Any]:
    operator = ScoreShadowOperator(task_id="shadow", model=spec or world.spec, scored=said)
    return operator.execute(context(operator, key=day(number)))


def compared(world: World, number: int, spec: ModelSpec | None = None) -> dict[str, Any]:
    operator = CompareChampionsOperator(task_id="compare", model=spec or world.spec)
    return operator.execute(context(operator, key=day(number)))


def rolling(
    world: World, comparison: Any, spec: ModelSpec | None = None, run: str = "manual__1"
) -> dict[str, Any]:
    operator = RollBackWorseOperator(
        task_id="roll_back",
        model=spec or world.spec,
        comparison=comparison,
        outlets=[model_asset(world.spec)],
    )
    return operator.execute(context(operator, key=day(20), run=run, person="bob"))


def rows(world: World, table: str, number: int) -> set[str]:
    found = world.lake.table(table).read(first=day(number), last=day(number))
    assert found.num_rows == ROWS_PER_DAY
    return set(found.column("model_version").to_pylist())


def judged(world: World, spec: ModelSpec | None = None) -> dict[str, Any]:
    """Compare all days: it is worse."""
    found = compared(world, LAST, spec)
    assert found["answer"] == "worse", found["reason"]
    return found


# --- the shadow


def test_both_predict_the_same_rows_and_only_the_champion_is_published(worse: World) -> None:
    found = scored(worse, BEGIN)
    assert found["model_version"] == "1"
    assert rows(worse, worse.spec.predictions_table, BEGIN) == {"2"}
    assert rows(worse, "late_orders__shadow", BEGIN) == {"1"}
    window = find_watch_window(NAME, ledger=worse.ledger)
    assert (window.version, window.previous, window.generation) == ("2", "1", 2)
    assert (window.first, window.last, window.n_partitions) == (day(16), day(29), 14)
    assert (window.level, window.max_loss, window.roll_back) == (0.01, 0.0, True)
    assert not window.live, "of a past that is played again nobody is told"
    again = scored(worse, BEGIN)
    assert again["predictions"]["digest"] == found["predictions"]["digest"]
    assert len(worse.ledger.entries(kind="watch_window", history=True)) == 1


def test_a_window_is_not_changed_by_what_the_spec_says_later(worse: World) -> None:
    scored(worse, BEGIN)
    asked = AfterPromotionSpec(window="60d", level=0.2, roll_back=False)
    other = worse.spec.model_copy(update={"after_promotion": asked})
    scored(worse, BEGIN + 1, other)
    window = find_watch_window(NAME, ledger=worse.ledger)
    assert (window.last, window.level, window.roll_back) == (day(29), 0.01, True)


def test_nothing_is_predicted_twice_outside_of_a_window(worse: World) -> None:
    by_2, by_1 = {"model_version": "2"}, {"model_version": "1"}
    learnt = r"2024-03-16 is scored as of 2024-03-16, and version 2 was promoted as of 2024-03-16"
    with pytest.raises(AirflowSkipException, match=learnt):
        shadow(worse, BEGIN - 1, by_2)
    with pytest.raises(AirflowSkipException, match="was scored by version 1, and version 2 of"):
        shadow(worse, BEGIN, by_1)
    none = worse.spec.model_copy(update={"after_promotion": None})
    with pytest.raises(AirflowSkipException, match="after_promotion=None"):
        shadow(worse, BEGIN, by_2, none)
    two = worse.spec.model_copy(update={"after_promotion": AfterPromotionSpec(window="2d")})
    shadow(worse, BEGIN, by_2, two)
    shadow(worse, BEGIN + 1, by_2, two)
    with pytest.raises(AirflowSkipException, match=r"outside of the watch window .* to 2024-03-18"):
        shadow(worse, BEGIN + 2, by_2, two)
    with pytest.raises(AirflowSkipException, match=r"outside of the watch window .* to 2024-03-18"):
        compared(worse, BEGIN + 2)
    assert worse.lake.table("late_orders__shadow").partitions() == [day(16), day(17)]


def test_what_is_retired_cannot_return_and_is_not_compared_with(worse: World) -> None:
    ledger = worse.ledger
    retire(NAME, "1", reason="wrong labels", by="eve", ledger=ledger)
    with pytest.raises(AirflowSkipException, match="was retired and cannot return"):
        shadow(worse, BEGIN, {"model_version": "2"})
    with pytest.raises(AirflowSkipException, match="was retired and cannot return"):
        compared(worse, BEGIN)


def test_a_first_champion_has_none_before_it(stack: Stack) -> None:
    world, _ = stack
    with pytest.raises(AirflowSkipException, match="version 1 is the first champion of"):
        scored(world, BEGIN)
    with pytest.raises(AirflowSkipException, match="version 1 is the first champion of"):
        compared(world, BEGIN)


def test_a_window_that_nobody_has_opened_compares_nothing(worse: World) -> None:
    with pytest.raises(AirflowSkipException, match="has scored no partition since its promotion"):
        compared(worse, BEGIN)


@pytest.mark.parametrize("place", ["before_write", "before_commit", "after_commit"])
def test_a_shadow_that_is_killed_leaves_what_is_published_and_is_made_again(
    worse: World, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    first = ScorePartitionOperator(task_id="score", model=worse.spec)
    said = first.execute(context(first, key=day(BEGIN)))
    before = worse.lake.table(worse.spec.predictions_table).version
    with monkeypatch.context() as patch:
        patch.setenv(FAULT_VARIABLE, f"publish:{place}:raise")
        with pytest.raises(InjectedFaultError):
            shadow(worse, BEGIN, said)
    assert worse.lake.table(worse.spec.predictions_table).version == before
    shadow(worse, BEGIN, said)
    assert rows(worse, "late_orders__shadow", BEGIN) == {"1"}


def test_an_older_attempt_does_not_overwrite_a_newer_one(worse: World) -> None:
    scored(worse, BEGIN)
    token = worse.lake.table("late_orders__shadow").newest_token(day(BEGIN))
    with pytest.raises(StaleAttemptError):
        score(
            worse.spec,
            day(BEGIN),
            worse.champion,
            lake=worse.lake,
            tracking=worse.tracking,
            token=token - 1,
            into="late_orders__shadow",
        )


# --- the comparison


def test_few_partitions_cannot_tell(worse: World) -> None:
    scored(worse, BEGIN)
    found = compared(worse, BEGIN)
    assert (found["answer"], found["partitions"]) == ("cannot_tell", [day(16)])
    assert found["reason"].startswith(
        f"version 2 beside version 1 on {ROWS_PER_DAY} rows of 1 of 14 partitions: ROC AUC worse by"
    )


def test_more_partitions_can(seen: World) -> None:
    found = judged(seen)
    assert found["partitions"] == [day(number) for number in range(BEGIN, LAST + 1)]
    (primary, _) = found["gains"]
    assert (primary["metric"], primary["level"]) == ("roc_auc", 0.01)
    assert primary["share"] == pytest.approx(8 / 14)
    assert primary["upper"] < 0
    (shown,) = [m for m in model_history(NAME, ledger=seen.ledger).moves if m.kind == "comparison"]
    assert (shown.before, shown.after) == ("1", "2")
    assert shown.reason == f"worse: {found['reason']}"


def test_partitions_without_a_shadow_or_without_labels_are_not_compared(worse: World) -> None:
    scored(worse, BEGIN)
    score_only = ScorePartitionOperator(task_id="score", model=worse.spec)
    score_only.execute(context(score_only, key=day(BEGIN + 1)))
    scored(worse, 18)
    label, n = worse.lake.table("deliveries"), 64  # of 80: exactly the min_coverage of 0.8
    everything = rows_of(18)["deliveries"].cast(arrow_schema(worse.spec.label.dataset))
    for more, there in ((-1, [day(16)]), (0, [day(16), day(18)])):
        token = label.newest_token(day(18)) + 1
        some = everything.slice(0, n + more)
        overwrite_partition(label, day(18), some, token=token, known_at=day(20))
        found = compared(worse, 18)
        assert found["partitions"] == there
    assert found["n_rows"] == ROWS_PER_DAY + n


# --- the rollback


def test_a_worse_champion_is_left_and_people_are_told_in_words(seen: World) -> None:
    comparison = judged(seen)
    done = rolling(seen, comparison)
    assert (done["before"], done["version"]) == ("2", "1")
    assert seen.ledger.champion(NAME) == Champion("1", 3)
    (entry,) = seen.ledger.entries(model=NAME, kind="rollback")
    assert (entry.by, entry.evidence["golden_rows"]) == ("schedule", 20)
    assert entry.evidence["comparison"] == comparison
    assert entry.evidence["reason"].startswith("worse than the champion before: version 2 beside")
    incident = IncidentBook(seen.ledger).newest(NAME)[Cause.WORSE]
    assert incident.because.startswith(
        "version 2 was rolled back by itself, version 1 is the champion again: version 2 beside"
    )
    assert incident.partitions == tuple(comparison["partitions"])
    assert incident.title == "late_orders: worse than the champion before"
    assert incident.impact == f"{len(incident.partitions)} days scored by the worse version"
    assert [one.version for one in past_champions(NAME, ledger=seen.ledger)] == ["2"]
    again = rolling(seen, comparison)
    assert again == done
    assert seen.ledger.champion(NAME) == Champion("1", 3)
    assert IncidentBook(seen.ledger).newest(NAME)[Cause.WORSE] == incident
    for later in (lambda: compared(seen, 20), lambda: shadow(seen, 20, {"model_version": "1"})):
        with pytest.raises(AirflowSkipException, match="is the champion by a rollback"):
            later()


def test_whoever_moved_the_champion_meanwhile_is_not_overruled(seen: World) -> None:
    comparison = judged(seen)
    for generation, version in ((2, "1"), (3, "2")):
        move = {
            "version": version,
            "generation": generation,
            "key": f"manual promotion of {version}",
        }
        seen.ledger.promote(NAME, **move, evidence={})
    assert seen.ledger.champion(NAME) == Champion("2", 4)
    with pytest.raises(AirflowSkipException, match="nothing is rolled back"):
        rolling(seen, comparison)
    assert seen.ledger.champion(NAME) == Champion("2", 4)
    assert Cause.WORSE not in IncidentBook(seen.ledger).newest(NAME)


def test_whoever_moves_it_at_the_last_moment_is_not_overruled(
    seen: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    comparison = judged(seen)

    def overtaken(version: Any, *, tracking: Any) -> Any:
        seen.ledger.promote(NAME, version="1", generation=2, key=day(19), evidence={})
        seen.ledger.promote(NAME, version="2", generation=3, key=day(20), evidence={})
        return verify_version(version, tracking=tracking)

    monkeypatch.setattr("mlops_tasks.steps.rollback.verify_version", overtaken)
    with pytest.raises(AirflowSkipException, match=r"nothing is rolled back: .*the champion"):
        rolling(seen, comparison)
    assert seen.ledger.champion(NAME) == Champion("2", 4)


@pytest.mark.parametrize("answer", ["fine", "cannot_tell"])
def test_other_answers_move_nothing(seen: World, answer: str) -> None:
    comparison = judged(seen) | {"answer": answer}
    with pytest.raises(AirflowSkipException, match="version 2 beside version 1"):
        rolling(seen, comparison)
    assert seen.ledger.champion(NAME) == Champion("2", 2)


def test_files_that_are_not_as_registered_are_not_returned_to(
    seen: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    comparison, answer = judged(seen), golden_rows.model_answer
    monkeypatch.setattr(golden_rows, "model_answer", lambda *given: answer(*given) / 2)
    with pytest.raises(UnsafeModelError, match="golden rows get another prediction"):
        rolling(seen, comparison)
    assert seen.ledger.champion(NAME) == Champion("2", 2)


def test_people_decide_where_the_spec_says_so(seen: World) -> None:
    window = replace(find_watch_window(NAME, ledger=seen.ledger), roll_back=False)
    about: dict[str, Any] = {"model": NAME, "kind": "watch_window", "key": "2"}
    seen.ledger.record(**about, evidence=to_json(window))
    comparison = judged(seen)
    with pytest.raises(AirflowSkipException, match="roll_back=False, people are told"):
        rolling(seen, comparison)
    assert seen.ledger.champion(NAME) == Champion("2", 2)
    incident = IncidentBook(seen.ledger).newest(NAME)[Cause.WORSE]
    assert incident.because.startswith("version 2 goes on scoring (roll_back=False): ")
    assert incident.fix.startswith('mlops rollback late_orders --to 1 --reason "..."')


def test_it_is_over_once_another_version_is_the_champion(seen: World) -> None:
    rolling(seen, judged(seen))
    watch(seen, "scheduled__1")
    assert IncidentBook(seen.ledger).newest(NAME)[Cause.WORSE].is_open
    opened = IncidentBook(seen.ledger).newest(NAME)[Cause.WORSE]
    early = replace(opened, opened_at="2024-01-01T00:00:00+00:00")
    about: dict[str, Any] = {"model": NAME, "kind": "incident", "key": "worse"}
    seen.ledger.record(**about, evidence=to_json(early))
    watch(seen, "scheduled__2")
    closed = IncidentBook(seen.ledger).newest(NAME)[Cause.WORSE]
    assert (closed.is_open, closed.closed_by) == (False, "clock")
    assert closed.ended == "version 1 has become the champion since"


def watch(world: World, run: str) -> None:
    decide = DecideRetrainingOperator(task_id="decide", model=world.spec)
    decision = decide.execute(context(decide, key=day(20), run=run))
    operator = WatchIncidentsOperator(task_id="incidents", model=world.spec, decision=decision)
    operator.execute(context(operator, key=day(20), run=run))


def test_a_task_of_it_that_fails_is_an_incident_of_its_own_cause() -> None:
    assert cause_of("m.score", "shadow") is Cause.SHADOW
    assert cause_of("m.monitor", "compare") is Cause.MONITORING
    assert cause_of("m.monitor", "roll_back") is Cause.RELEASE
