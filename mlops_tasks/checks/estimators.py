"""The estimator: built, fitted, asked, saved and loaded on a few rows."""

from __future__ import annotations

import time
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlops_tasks.checks.refusals import NotKnownError, refused
from mlops_tasks.checks.result import ALARM, CANNOT_TELL, FINE, CheckResult
from mlops_tasks.features import feature_frame
from mlops_tasks.features.weights import row_weights
from mlops_tasks.problem_types import TARGET, problem_type
from mlops_tasks.problem_types.estimator import build_estimator, fit_estimator

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    from mlops_tasks.checks.sample import Sample
    from mlops_tasks.specs import ModelSpec

__all__ = ["Fitted", "check_estimator", "fitted"]

_MOST_ROWS = 3000
_OF_EACH_CLASS = 20
_MOST_CLASSES = 1000
_SINGLE_ROWS = 5
_UNSEEN = "a value that no training had"


@dataclass(frozen=True, slots=True)
class Fitted:
    """The estimator, fitted on a few labelled rows.

    Attributes
    ----------
    model : estimator
        Fitted.
    frame : DataFrame
        The rows.
    target : array
        Their target.
    fit_s : float
        How long it took.
    """

    model: Any
    frame: pd.DataFrame
    target: npt.NDArray[Any]
    fit_s: float


def fitted(look: Sample) -> Fitted:
    """Return the estimator, fitted on the newest labelled rows."""
    return look.ask("fitted", lambda: _fit(look))


def _fit(look: Sample) -> Fitted:
    from mlops_tasks.registry.modelfiles import try_saving

    spec, problem = look.spec, problem_type(look.spec.problem_type)
    _built(look)
    model = build_estimator(spec, problem)
    rows = look.labelled
    if why := look.learnable:
        raise NotKnownError(f"{rows.num_rows:,} labelled rows, {why}: there is nothing to fit")
    target = rows.column(TARGET).to_numpy(zero_copy_only=False)
    chosen = _few(target)
    rows, target = rows.take(chosen), target[chosen]
    frame, weights = feature_frame(spec, rows), row_weights(spec, rows)
    with _quietly():
        try_saving(model, frame, target, package=spec.package)
        started = time.monotonic()
        fit_estimator(spec, problem, model, frame, target, weights)
        fit_s = time.monotonic() - started
        problem.predict(spec, model, frame)
    return Fitted(model, frame, target, fit_s)


def _built(look: Sample) -> Any:
    """Build it; whoever asks first reports why it cannot be built."""
    spec = look.spec
    return look.ask("built", lambda: build_estimator(spec, problem_type(spec.problem_type)))


@contextmanager
def _quietly() -> Iterator[None]:
    import joblib
    from threadpoolctl import threadpool_limits

    with (
        warnings.catch_warnings(),
        joblib.parallel_config(backend="sequential"),
        threadpool_limits(1),
    ):
        warnings.simplefilter("ignore")
        yield


def _few(target: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Return positions of rows, evenly spaced, with some of each class."""
    import numpy as np

    if len(target) <= _MOST_ROWS:
        return np.arange(len(target))
    chosen = set(np.linspace(0, len(target) - 1, _MOST_ROWS).astype(int).tolist())
    classes = np.unique(target)
    if len(classes) <= _MOST_CLASSES:
        for one in classes:
            chosen.update((target == one).nonzero()[0][:_OF_EACH_CLASS].tolist())
    return np.array(sorted(chosen), dtype=np.int64)


def check_estimator(look: Sample) -> Iterator[CheckResult]:
    """Fit it on the newest rows as a training does; ask it what a scoring may ask."""
    spec = look.spec
    where = f"estimator {spec.estimator!r}"
    try:
        _built(look)
        if why := look.learnable:
            text = f"built, and not fitted: {look.labelled.num_rows:,} labelled rows, {why}"
            yield CheckResult("estimator", where, CANNOT_TELL, text, "fix the labels first")
            return
        found = fitted(look)
    except Exception as error:
        yield refused(look, "estimator", where, error)
        return
    try:
        wrong = [text for text in (_odd_rows(spec, found), _random(look), _alone(found)) if text]
    except Exception as error:
        yield refused(look, "estimator", where, error)
        return
    yield from (CheckResult("estimator", where, ALARM, text) for text in wrong)
    if not wrong:
        text = (
            f"{type(found.model).__name__}: fitted on {len(found.frame):,} rows in "
            f"{found.fit_s:.2f} s, saved, loaded, and answers the same"
        )
        yield CheckResult("estimator", where, FINE, text)


def _odd_rows(spec: ModelSpec, found: Fitted) -> str:
    """Ask for rows with a new category, and with nulls where the contract allows them."""
    from mlops_tasks.exceptions import EstimatorError

    rows = found.frame.head(2).copy()
    nullable = {
        name for one in spec.datasets for name, kind in one.columns.items() if kind.endswith("?")
    }
    for name in spec.categorical:
        rows[name] = _UNSEEN
    for name in spec.numeric:
        if name in nullable:
            rows[name] = float("nan")
    try:
        with _quietly():
            problem_type(spec.problem_type).predict(spec, found.model, rows)
    except EstimatorError as error:
        return f"rows with a new category, or with a null that the contract allows: {error}"
    return ""


def _random(look: Sample) -> str:
    """Fit a second one: with the same random_state it must answer the same."""
    from mlops_tasks.registry.modelfiles import model_answer, same_answers

    spec, found = look.spec, fitted(look)
    problem = problem_type(spec.problem_type)
    second = build_estimator(spec, problem)
    with _quietly():
        fit_estimator(spec, problem, second, found.frame, found.target)
        if spec.weight is not None:
            return ""
        first, again = (model_answer(one, found.frame) for one in (found.model, second))
    n_other = int((~same_answers(first, again)).sum())
    if not n_other:
        return ""
    return (
        f"fitted twice on the same rows it answers otherwise for {n_other:,} of {len(first):,} of "
        "them: hand random_state= on to every part that draws at random"
    )


def _alone(found: Fitted) -> str:
    """Ask for rows one by one: the answer to a row depends on that row alone."""
    from mlops_tasks.registry.modelfiles import model_answer, same_answers

    rows = found.frame.head(_SINGLE_ROWS)
    with _quietly():
        together = model_answer(found.model, rows)
        for at in range(len(rows)):
            alone = model_answer(found.model, rows.iloc[[at]])
            if not same_answers(together[[at]], alone).all():
                return (
                    "answers otherwise for a row alone than for the same row among others; use "
                    "transformers that keep what they have learnt in the fit"
                )
    return ""
