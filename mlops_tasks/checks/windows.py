"""Windows against the life of the data, and what a training needs of the machine."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mlops_tasks.checks.estimators import fitted
from mlops_tasks.checks.newest import newest_ended
from mlops_tasks.checks.refusals import refused
from mlops_tasks.checks.result import ALARM, CANNOT_TELL, FINE, CheckResult
from mlops_tasks.checks.volume import n_partitions
from mlops_tasks.features.training_windows import cut_windows
from mlops_tasks.partitions import DAY, shift_day

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlops_tasks.checks.sample import Sample
    from mlops_tasks.features.training_windows import TrainingWindows
    from mlops_tasks.specs import ModelSpec

__all__ = ["check_resources", "check_windows", "windows_by_now"]

# The rows of a training are in memory as features, as the estimator's frame and as its own copy.
_COPIES = 3
_YEAR = 365
_FEWEST_EVALUATED = 2


def check_windows(look: Sample) -> Iterator[CheckResult]:
    """Compare training, evaluation and monitoring with what there is and will be."""
    spec = look.spec
    try:
        last = look.partitions[-1]
    except Exception as error:
        yield refused(look, "windows", "train and evaluation", error)
        return
    begin, windows = _begin(spec), windows_by_now(look)
    there = spec.calendar.between(begin, last) + 1
    ended = spec.rows.last is not None and spec.rows.last <= newest_ended(spec.rows, look.now)
    training = n_partitions(spec, spec.train, last)
    evaluation = n_partitions(spec, spec.evaluation, last)
    life = f"{there} {spec.rows.grain}s from {begin} to {last}"
    if evaluation >= there:
        fix = "use a shorter evaluation" + ("" if ended else ", or wait for more data")
        text = f"the evaluation alone takes {evaluation} of {life}: none is left to train on"
        yield CheckResult("windows", f"evaluation {spec.evaluation}", ALARM, text, fix)
    elif not windows.train:
        text = f"evaluation and embargo take all of {life}: none is left to train on"
        fix = "use a shorter embargo or evaluation" + ("" if ended else ", or wait for more data")
        yield CheckResult("windows", f"embargo {spec.embargo}", ALARM, text, fix)
    elif evaluation < _FEWEST_EVALUATED:
        grain = spec.rows.grain
        text = (
            f"the evaluation is one {grain} alone: its rows do not tell how {grain}s differ, so "
            "what is particular to one may decide who is champion"
        )
        fix = f"use an evaluation of several {grain}s"
        yield CheckResult("windows", f"evaluation {spec.evaluation}", CANNOT_TELL, text, fix)
    elif training + evaluation > there:
        text = f"a training has {there - evaluation} of {training} {spec.rows.grain}s now: {life}"
        text += ", and no more come" if ended else ""
        yield CheckResult("windows", f"train {spec.train}", FINE, text)
    else:
        text = f"{training} + {evaluation} {spec.rows.grain}s of {life}"
        yield CheckResult("windows", "train and evaluation", FINE, text)
    if windows.train and windows.embargo != spec.embargo:
        text = (
            f"by default it is the label's delay, which is more than half of {life} before the "
            f"evaluation: trainings have {windows.embargo.words} until there is more"
        )
        yield CheckResult("windows", f"embargo {spec.embargo}", FINE, text)
    yield from _monitoring(look, begin, last, ended=ended)


def windows_by_now(look: Sample) -> TrainingWindows:
    """Return the windows of a training on everything up to the newest partition."""
    spec, last = look.spec, look.partitions[-1]
    return cut_windows(spec, spec.calendar.range(_begin(spec), last))


def _begin(spec: ModelSpec) -> str:
    """Return the first partition that all datasets may have."""
    first = max(dataset.start for dataset in spec.datasets).isoformat()
    begin = spec.calendar.key_of(spec.rows.partition(spec.rows.first).start, spec.timezone)
    return max(begin, spec.calendar.key_at(DAY.begins(first)))


def _monitoring(look: Sample, begin: str, last: str, *, ended: bool) -> Iterator[CheckResult]:
    spec, drift = look.spec, look.spec.drift
    there = spec.calendar.between(begin, last) + 1
    for name, window in (("drift", drift.window), ("performance", spec.performance.window)):
        if ended and n_partitions(spec, window, last) > there:
            text = f"{window.words} are longer than all there is, {begin} to {last}"
            yield CheckResult(
                "windows", f"{name}.window {window}", ALARM, text, "use a shorter one"
            )
    if drift.reference == "training":
        return
    before = drift.reference_window.days + drift.window.days
    before = before if drift.reference == "trailing" else _YEAR
    first = shift_day(spec.rows.start.isoformat(), before)
    end = spec.rows.end
    if end is not None and first > end.isoformat():
        text = f"the reference {drift.reference!r} needs {before} scored days before the window"
        fix = "use reference='training'"
        yield CheckResult("windows", "drift.reference", ALARM, text, fix)


def check_resources(look: Sample) -> Iterator[CheckResult]:
    """Estimate memory and time of a training from the rows at hand."""
    spec = look.spec
    try:
        found, last = fitted(look), look.partitions[-1]
        share = look.labelled.num_rows / max(1, look.features.num_rows)
        n_rows = look.per_partition(spec.rows) * share * n_partitions(spec, spec.train, last)
    except Exception as error:
        yield refused(look, "memory and time", f"train {spec.train}", error)
        return
    each = look.features.nbytes / max(1, look.features.num_rows)
    each += _COPIES * int(found.frame.memory_usage(deep=True).sum()) / len(found.frame)
    needed, machine = each * n_rows, _machine_bytes()
    seconds = found.fit_s * n_rows / len(found.frame)
    text = (
        f"a training has about {n_rows:,.0f} rows, which need some {needed / 1e9:.2g} GB of "
        f"{machine / 1e9:.0f} GB, and {seconds:.0f} s to fit"
    )
    if needed > machine:
        fix = "use a shorter training window, or a machine with more memory"
        yield CheckResult("memory and time", f"train {spec.train}", ALARM, text, fix)
        return
    yield CheckResult("memory and time", f"train {spec.train}", FINE, text)


def _machine_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
