"""What a training chooses among: candidates, the corners of a search, and room to compare them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlops_tasks.checks.estimators import fitted
from mlops_tasks.checks.refusals import refused
from mlops_tasks.checks.result import ALARM, CANNOT_TELL, FINE, CheckResult
from mlops_tasks.checks.windows import windows_by_now
from mlops_tasks.exceptions import NoLabelsError
from mlops_tasks.lake import Pin, TrainingPin
from mlops_tasks.problem_types import problem_type
from mlops_tasks.problem_types.estimator import build_estimator, fit_estimator
from mlops_tasks.registry.modelfiles import try_saving
from mlops_tasks.tuning import Candidate, candidate_spec, check_installed, selection_folds
from mlops_tasks.tuning.sampling import sampled_parameters

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlops_tasks.checks.sample import Sample
    from mlops_tasks.specs import ModelSpec, SearchSpec

__all__ = ["check_selection"]

_NO_PIN = Pin("", "", "", (), (), 0, "")


def check_selection(look: Sample) -> Iterator[CheckResult]:
    """Build and fit all candidates on a few rows, or a search's corners, and look for room."""
    spec = look.spec
    if not spec.selects:
        return
    try:
        yield from _room(look)
    except Exception as error:
        yield refused(look, "candidates", f"train {spec.train}", error)
    if spec.search is not None:
        yield from _search(look, spec.search)
        return
    for number, one in enumerate(spec.candidates):
        named = Candidate(number, one.name, one.estimator or spec.estimator, one.params)
        where = f"candidate {one.name!r}"
        try:
            _try(look, candidate_spec(spec, named))
        except Exception as error:
            yield refused(look, "candidates", where, error)
            continue
        yield CheckResult("candidates", where, FINE, "built, and fitted on a few rows")


def _try(look: Sample, spec: ModelSpec) -> None:
    """Build an estimator and fit it on a few rows, as the trial before each fit does."""
    problem, rows = problem_type(spec.problem_type), fitted(look)
    model = build_estimator(spec, problem)
    if not try_saving(model, rows.frame, rows.target, package=spec.package):
        fit_estimator(spec, problem, model, rows.frame, rows.target)  # which says why


def _search(look: Sample, search: SearchSpec) -> Iterator[CheckResult]:
    """Try the ends of each range and each of the values; of a function, what it suggests once."""
    spec, where = look.spec, "search"
    try:
        check_installed()
        samples = sampled_parameters(search, seed=spec.random_state)
        built = [_with(spec, params) for params in samples]
        for one in built:
            build_estimator(one, problem_type(spec.problem_type))
    except Exception as error:  # also of the project's function
        yield refused(look, "candidates", where, error)
        return
    failed: list[Exception] = []
    for one in built:
        try:
            _try(look, one)
        except Exception as error:
            failed.append(error)
    if len(failed) == len(built):
        yield refused(look, "candidates", where, failed[0])
    elif failed:
        text = f"{len(failed)} of {len(built)} samples of it are refused, the first: {failed[0]}"
        fix = "such trials cost their time and are never chosen; narrow the space"
        yield CheckResult("candidates", where, CANNOT_TELL, text, fix)
    else:
        text = f"{len(built)} samples of its space built, and fitted on a few rows"
        yield CheckResult("candidates", where, FINE, text)


def _with(spec: ModelSpec, params: dict[str, Any]) -> ModelSpec:
    return candidate_spec(spec, Candidate(0, "", spec.estimator, params))


def _room(look: Sample) -> Iterator[CheckResult]:
    """Cut the windows that a training would have by now, and look for parts to compare on."""
    spec, where = look.spec, f"train {look.spec.train}"
    windows = windows_by_now(look)
    if spec.split == "random" or not windows.train:
        return  # the check of the windows says what is wrong
    pin = TrainingPin(
        *(windows.evaluation[-1], (windows.train[0], windows.train[-1])),
        evaluation=(windows.evaluation[0], windows.evaluation[-1]),
        inputs={},
        labels=_NO_PIN,
        embargo=str(windows.embargo) if windows.embargo else "",
    )
    try:
        n_folds = len(selection_folds(spec, pin))
    except NoLabelsError as error:
        yield CheckResult("candidates", where, ALARM, str(error))
        return
    parts = "part" if n_folds == 1 else "parts"
    text = f"compared on {n_folds} later {parts} of {pin.train[0]} to {pin.train[1]}"
    yield CheckResult("candidates", where, FINE, text)
