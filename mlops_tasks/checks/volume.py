"""Volume: whether the windows hold as many rows as gate and monitoring need."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mlops_tasks.checks.estimators import fitted
from mlops_tasks.checks.refusals import refused
from mlops_tasks.checks.result import ALARM, CANNOT_TELL, FINE, CheckResult
from mlops_tasks.exceptions import SpecError
from mlops_tasks.gate import GatePlan
from mlops_tasks.partitions import Duration, window_start
from mlops_tasks.problem_types import Outcomes, problem_type

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlops_tasks.checks.sample import Sample
    from mlops_tasks.specs import DriftSpec, ModelSpec, PerformanceSpec

__all__ = ["check_volume", "n_partitions", "unreachable_margins"]

# Rows are counted in a few partitions only: so close below a limit, other weeks may have enough.
_NEAR = 0.8
_MOST_OUTCOMES = 200_000


def n_partitions(spec: ModelSpec, length: Duration, last: str) -> int:
    """Return how many partitions a window of a model up to `last` has."""
    return spec.calendar.between(window_start(spec.calendar, last, length), last) + 1


def check_volume(look: Sample) -> Iterator[CheckResult]:
    """Count rows in the newest partitions and compare each window with what is asked of it."""
    spec = look.spec
    try:
        last = look.partitions[-1]
        rows = look.per_partition(spec.rows)
        share = look.labelled.num_rows / max(1, look.features.num_rows)
    except Exception as error:
        yield refused(look, "volume", f"dataset {spec.rows.name!r}", error)
        return
    drift, performance = spec.drift, spec.performance
    windows = (
        ("drift", _longest(drift), drift.min_rows, rows, "rows"),
        ("performance", _longest(performance), performance.rows_wanted, rows * share,
         "labelled rows"),
    )  # fmt: skip
    for name, window, least, each, what in windows:
        seen = each * n_partitions(spec, window, last)
        yield _window(spec, name, window, least, seen, each, what)
    if look.learnable:
        text = "the newest rows do not say how many there are of each class"
        yield CheckResult(
            "volume", "gate.min_class_rows", CANNOT_TELL, text, "fix the labels first"
        )
        return
    yield from _classes(look, last, rows * share)


def _longest(limits: DriftSpec | PerformanceSpec) -> Duration:
    """Return how long a window may grow."""
    return max(limits.window, limits.max_window, key=lambda length: length.days)


def _window(
    spec: ModelSpec, name: str, window: Duration, least: int, seen: float, each: float, what: str
) -> CheckResult:
    where = f"{name}.max_window {window}"
    shown = f"{seen:,.0f} {what} in {window.words}"
    if round(seen) >= least:
        return CheckResult("volume", where, FINE, f"about {shown}; {least:,} are needed")
    if seen >= _NEAR * least:
        text = (
            f"about {shown}, and {least:,} are needed ({name}.min_rows): some weeks may have them"
        )
        fix = "let it grow longer, or use a smaller min_rows, to be judged always"
        return CheckResult("volume", where, CANNOT_TELL, text, fix)
    enough = _long_enough(spec, math.ceil(least / each)) if each else ""
    return CheckResult(
        "volume",
        where,
        ALARM,
        f"{shown}: with {name}.min_rows={least} nothing will ever be judged",
        f"use a max_window of {enough}, or a smaller min_rows" if enough else "look at the labels",
    )


def _long_enough(spec: ModelSpec, n: int) -> str:
    """Return a window of at least `n` partitions, in whole weeks where it is days."""
    grain = spec.calendar.name
    if grain == "month":
        return f"{n} months"
    days = math.ceil(n * spec.calendar.period.total_seconds() / 86_400)
    if days <= 7:
        return f"{days} days"
    return f"{7 * math.ceil(days / 7)} days"


def _classes(look: Sample, last: str, each: float) -> Iterator[CheckResult]:
    """Ask the problem type whether gate and performance have rows enough of each class."""
    spec, problem = look.spec, problem_type(look.spec.problem_type)
    try:
        outcomes = _outcomes(look)
    except Exception as error:
        yield refused(look, "volume", "gate.min_class_rows", error)
        return
    for name, window, least in (
        ("gate", spec.evaluation, spec.gate.min_class_rows),
        ("performance", _longest(spec.performance), spec.performance.min_class_rows),
    ):
        where = f"{name}.min_class_rows"
        n_rows = round(each * n_partitions(spec, window, last))
        few = problem.too_few(_as_many(outcomes, n_rows), least)
        needed = problem.least(least)
        longer = f"use a longer {'evaluation' if name == 'gate' else 'performance.max_window'}"
        if few and not problem.too_few(_as_many(outcomes, round(n_rows / _NEAR)), least):
            text = f"some {few} rows in {window.words}, and {needed} are needed: close"
            yield CheckResult("volume", where, CANNOT_TELL, text, longer)
        elif few:
            yield CheckResult(
                "volume",
                where,
                ALARM,
                f"some {few} rows in {window.words}, and {needed} are needed: the answer is always "
                "that nobody can tell",
                longer,
            )
        else:
            text = f"{window.words} have the {needed} that are needed"
            yield CheckResult("volume", where, FINE, text)
            if name == "gate":
                yield from _margins(look, _as_many(outcomes, n_rows))


def _margins(look: Sample, outcomes: Outcomes) -> Iterator[CheckResult]:
    try:
        plan = GatePlan.of(look.spec)
    except SpecError:  # the check of the gate says so
        return
    yield from unreachable_margins(plan, outcomes)


def unreachable_margins(plan: GatePlan, outcomes: Outcomes) -> Iterator[CheckResult]:
    """Look for margins that an equal challenger cannot be shown to keep: one row would break them.

    Of those that the spec names. The interval of a difference has one row more, of the worst kind:
    of n rows of the rarer class its weight is above ``-ln(level) / n`` with the chance that the
    gate may be wrong with.
    """
    import numpy as np

    if plan.problem.name != "binary":
        return
    n_rows = int(np.bincount(outcomes.y_true.astype(np.int64), minlength=2).min())
    for metric in plan.metrics:
        margin = plan.gate.non_inferiority.get(metric.name)
        if metric.low == 0 and metric.high == 1 and isinstance(margin, float | int) and margin:
            needed = math.ceil(-math.log(plan.level) / margin)
            if n_rows < needed:
                yield CheckResult(
                    "volume",
                    f"gate.non_inferiority {metric.name}",
                    CANNOT_TELL,
                    f"some {n_rows} rows of the rarer class, and of less than {needed} nobody can "
                    f"tell that {metric.title} is not worse by {margin:g}, unless it is better",
                    "use a longer evaluation, or a larger margin",
                )


def _outcomes(look: Sample) -> Outcomes:
    spec, found = look.spec, fitted(look)
    problem = problem_type(spec.problem_type)
    predictions = problem.predict(spec, found.model, found.frame)
    import pyarrow as pa

    return problem.outcomes(spec, pa.chunked_array([pa.array(found.target)]), predictions)


def _as_many(outcomes: Outcomes, n_rows: int) -> Outcomes:
    """Return `n_rows` outcomes: these repeated, or a part of them."""
    import numpy as np

    n_rows = min(n_rows, _MOST_OUTCOMES)
    order = np.random.default_rng(0).permutation(len(outcomes))
    chosen = np.resize(order, n_rows)
    return Outcomes(
        outcomes.y_true[chosen],
        outcomes.y_pred[chosen],
        classes=outcomes.classes,
        threshold=outcomes.threshold,
    )
