"""Candidates and searches: measured inside the training window, chosen, trained, killed halfway."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from mlops_tasks.exceptions import EstimatorError, NoLabelsError
from mlops_tasks.features import labelled_rows
from mlops_tasks.registry.artifacts import SEARCH
from mlops_tasks.specs import CandidateSpec, SearchSpec
from mlops_tasks.steps import fit_candidate as fitting
from mlops_tasks.steps.choose import choose
from mlops_tasks.steps.fit_candidate import fit_candidate
from mlops_tasks.steps.pin import pin_training_data
from mlops_tasks.steps.propose import propose
from mlops_tasks.steps.train import train
from mlops_tasks.tuning import Studies, candidate_spec, fold_rows, selection_folds
from tests.unit.orders import day, project

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tasks.specs import ModelSpec
    from mlops_tasks.tuning import Candidate, CandidateResult
    from tests.unit.conftest import World

AS_OF = day(15)
DEPTHS = tuple(CandidateSpec(params={"trees__max_depth": depth}) for depth in (1, 2, 4))
SPACE = {"trees__max_depth": (1, 6), "trees__min_samples_leaf": (1, 40, "log")}


class Chooser:
    """The tasks of a training that choose, over a world's data."""

    def __init__(self, world: World, folder: Path, **changes: Any) -> None:
        self.world, self.spec = world, project(folder / "choosing", **changes)
        self.pin = pin_training_data(self.spec, AS_OF, lake=world.lake)
        self.studies = Studies(f"sqlite:///{folder}/studies.db")

    def propose(self) -> tuple[Candidate, ...]:
        return propose(
            self.spec, self.pin, tracking=self.world.tracking, studies=self.studies, name="a/run"
        )

    def fit(self, candidate: Candidate) -> CandidateResult:
        return fit_candidate(
            self.spec,
            self.pin,
            candidate,
            lake=self.world.lake,
            tracking=self.world.tracking,
            studies=self.studies,
        )


@pytest.fixture
def candidates(own_world: World, tmp_path: Path) -> Chooser:
    return Chooser(own_world, tmp_path, candidates=DEPTHS)


@pytest.fixture
def search(own_world: World, tmp_path: Path) -> Chooser:
    return Chooser(own_world, tmp_path, search={"space": SPACE, "n_trials": 5, "parallel": 1})


def windows(spec: ModelSpec, pin: Any) -> list[tuple[tuple[str, str], tuple[str, str]]]:
    return [(fold.fitted, fold.measured) for fold in selection_folds(spec, pin)]


def test_folds_are_later_parts_of_the_training_window(candidates: Chooser) -> None:
    """Ten days of training: parts of three days at most, and half of it left to fit on."""
    assert candidates.pin.train == (day(0), day(9))
    assert windows(candidates.spec, candidates.pin) == [((day(0), day(6)), (day(7), day(9)))]
    short = replace(candidates.pin, evaluation=(day(10), day(11)))
    assert windows(candidates.spec, short) == [
        ((day(0), day(5)), (day(6), day(7))),
        ((day(0), day(7)), (day(8), day(9))),
    ]


def test_the_embargo_lies_between_the_parts_too(candidates: Chooser) -> None:
    pin = replace(candidates.pin, embargo="2d", evaluation=(day(10), day(11)))
    assert windows(candidates.spec, pin) == [
        ((day(0), day(3)), (day(6), day(7))),
        ((day(0), day(5)), (day(8), day(9))),
    ]


@pytest.mark.parametrize(("last", "embargo", "works"), [(2, "", False), (4, "1d", True)])
def test_a_window_that_is_too_short_is_refused(
    candidates: Chooser, last: int, embargo: str, works: bool
) -> None:
    pin = replace(candidates.pin, train=(day(2), day(last)), embargo=embargo)
    if works:
        assert windows(candidates.spec, pin) == [((day(2), day(2)), (day(4), day(4)))]
        return
    with pytest.raises(NoLabelsError, match=r"too short for it; use a longer `train`"):
        selection_folds(candidates.spec, pin)


def test_rows_of_a_fold_lie_in_it(candidates: Chooser) -> None:
    spec, pin = candidates.spec, candidates.pin
    rows = labelled_rows(spec, pin, pin.train, lake=candidates.world.lake)
    (fold,) = selection_folds(spec, pin)
    fitted, measured = fold_rows(spec, rows, fold)
    assert fitted.num_rows + measured.num_rows == rows.num_rows
    first = min(measured.column(spec.as_of).to_pylist())
    assert max(fitted.column(spec.as_of).to_pylist()) < first
    assert first.date().isoformat() == fold.measured[0]


def test_the_best_candidate_is_fitted_on_the_whole_window(candidates: Chooser) -> None:
    world, spec, pin = candidates.world, candidates.spec, candidates.pin
    proposed = candidates.propose()
    assert [one.name for one in proposed] == ["max_depth=1", "max_depth=2", "max_depth=4"]
    results = [candidates.fit(one) for one in proposed]
    choice = choose(spec, list(reversed(results)), run_id=proposed[0].run_id)
    best = max(results, key=lambda one: one.value or 0)
    assert (choice.number, choice.params) == (best.number, best.params)
    assert "of 3 candidates 3 measured" in choice.reason
    trained = train(spec, pin, lake=world.lake, tracking=world.tracking, choice=choice)
    model = world.tracking.load(trained.model_uri, trained.digest)
    assert model.get_params()["trees__max_depth"] == choice.params["trees__max_depth"]
    assert trained.n_rows == world.trained.n_rows
    run = world.tracking.client.get_run(trained.run_id)
    assert run.data.params["estimator.trees__max_depth"] == str(choice.params["trees__max_depth"])
    kept = json.loads(world.tracking.read_bytes(trained.run_id, SEARCH))
    assert (kept["name"], len(kept["candidates"])) == (choice.name, 3)
    assert SEARCH in trained.artifacts


def test_all_of_a_training_is_one_tree_of_runs(candidates: Chooser) -> None:
    world = candidates.world
    proposed = candidates.propose()
    (root,) = {one.run_id for one in proposed}
    client = world.tracking.client
    assert client.get_run(root).info.status == "SCHEDULED"
    results = [candidates.fit(one) for one in proposed]
    choice = choose(candidates.spec, results, run_id=root)
    trained = train(
        candidates.spec, candidates.pin, lake=world.lake, tracking=world.tracking, choice=choice
    )
    assert trained.run_id == root
    assert client.get_run(root).info.status == "FINISHED"
    for one in results:
        child = client.get_run(one.run_id)
        assert child.data.tags["mlflow.parentRunId"] == root
        assert child.info.run_name == one.name
        assert child.data.metrics["selection_roc_auc"] == one.value


def test_the_evaluation_is_not_read(candidates: Chooser, monkeypatch: pytest.MonkeyPatch) -> None:
    first, *_ = candidates.propose()
    before, read = candidates.fit(first), list[Any]()
    monkeypatch.setattr(
        fitting,
        "labelled_rows",
        lambda spec, pin, window, **rest: (
            read.append(window) or labelled_rows(spec, pin, window, **rest)
        ),
    )
    # Other days of evaluation, as many of them.
    candidates.pin = replace(candidates.pin, evaluation=(day(12), day(15)))
    assert candidates.fit(first).value == before.value
    assert read == [candidates.pin.train]
    assert {last for _, last in [one.measured for one in before.scores]} == {day(9)}


def test_a_parameter_that_does_not_exist_is_named(own_world: World, tmp_path: Path) -> None:
    wrong = (DEPTHS[0], CandidateSpec(params={"trees__max_dept": 3}))
    chooser = Chooser(own_world, tmp_path, candidates=wrong)
    with pytest.raises(EstimatorError, match=r"no parameter 'trees__max_dept'; did you mean 'tre"):
        chooser.propose()


def test_a_candidate_that_cannot_be_fitted_fails_its_task(candidates: Chooser) -> None:
    first, *_ = candidates.propose()
    broken = replace(first, params={"trees__max_depth": -3})
    with pytest.raises(EstimatorError, match="cannot be fitted on"):
        candidates.fit(broken)


# --- search


def test_a_search_finds_the_same_again(search: Chooser, tmp_path: Path) -> None:
    results = [search.fit(one) for one in search.propose()]
    assert results[0].params == {}
    assert {one.state for one in results} <= {"measured", "pruned"}
    assert len({json.dumps(one.params) for one in results}) == 5
    search.studies = Studies(f"sqlite:///{tmp_path}/again.db")
    again = [search.fit(one) for one in search.propose()]
    assert [one.params for one in again] == [one.params for one in results]
    assert [one.value for one in again] == [one.value for one in results]


def test_a_finished_trial_is_not_repeated(search: Chooser, monkeypatch: pytest.MonkeyPatch) -> None:
    proposed = search.propose()
    first = search.fit(proposed[1])
    monkeypatch.setattr(fitting, "measure_fold", None)
    assert replace(search.fit(proposed[1]), run_id=first.run_id) == first
    again = search.propose()
    assert [(one.number, one.study) for one in again] == [(n, again[0].study) for n in range(5)]
    assert again[0].study == proposed[0].study


def test_a_killed_trial_goes_on_with_its_parameters_and_parts(
    search: Chooser, monkeypatch: pytest.MonkeyPatch
) -> None:
    proposed = search.propose()
    search.pin = replace(search.pin, evaluation=(day(14), day(15)))  # two parts
    measure, measured = fitting.measure_fold, []

    def killed(spec: ModelSpec, rows: Any, fold: Any) -> Any:
        if len(measured) == 1:
            raise SystemExit(143)
        measured.append((spec.estimator_params, fold))
        return measure(spec, rows, fold)

    monkeypatch.setattr(fitting, "measure_fold", killed)
    with pytest.raises(SystemExit):
        search.fit(proposed[2])
    monkeypatch.setattr(fitting, "measure_fold", lambda *a: measured.append(a) or measure(*a))
    found = search.fit(proposed[2])
    assert len(measured) == 2
    assert measured[0][0] == candidate_spec(search.spec, found).estimator_params
    assert (found.state, len(found.scores)) == ("measured", 2)


def test_a_refused_combination_does_not_stop_the_search(own_world: World, tmp_path: Path) -> None:
    space = {"trees__max_depth": [-3, -2]}
    chooser = Chooser(own_world, tmp_path, search=SearchSpec(space=space, n_trials=2))
    results = [chooser.fit(one) for one in chooser.propose()]
    assert [one.state for one in results] == ["measured", "refused"]
    assert "cannot be fitted on" in results[1].reason
    assert chooser.fit(chooser.propose()[1]).reason == results[1].reason
    choice = choose(chooser.spec, results)
    assert choice.number == 0
    assert "1 measured, 1 refused" in choice.reason
    with pytest.raises(EstimatorError, match=r"none of 1 candidates .* trial 1: max_depth="):
        choose(chooser.spec, results[1:])


def test_no_trial_begins_after_the_time_budget(
    search: Chooser, monkeypatch: pytest.MonkeyPatch
) -> None:
    import time

    proposed, now = search.propose(), time.time()
    monkeypatch.setattr(time, "time", lambda: now + 3601)
    found = search.fit(proposed[3])
    assert (found.state, found.run_id) == ("out of time", "")
    assert found.reason == "the time budget of 1 hour was used up before"


def test_a_space_may_be_a_function(own_world: World, tmp_path: Path) -> None:
    search = {"space": "tests.unit.tuning.test_selection:depths", "n_trials": 3}
    chooser = Chooser(own_world, tmp_path, search=search)
    found = chooser.fit(chooser.propose()[1])
    assert found.params == {"trees__max_depth": found.params["trees__max_depth"]}
    assert found.name.startswith("trial 1: max_depth=")


def depths(trial: Any) -> dict[str, Any]:
    return {"trees__max_depth": trial.suggest_int("depth", 2, 5)}
