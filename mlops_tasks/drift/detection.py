"""Decide, column by column, whether a window drifted from its reference."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mlops_tasks.drift.decision import Answer, ColumnDrift, DriftPolicy, SchemaChange
from mlops_tasks.drift.report import DriftReport
from mlops_tasks.exceptions import SpecError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mlops_tasks.drift.baseline import Baseline
    from mlops_tasks.drift.decision import Evidence
    from mlops_tasks.drift.samples import TwoSamples
    from mlops_tasks.partitions import Coverage
    from mlops_tasks.profiles import Profile

__all__ = ["compare_schemas", "detect_drift"]


def detect_drift(
    baseline: Baseline,
    current: Profile,
    *,
    window: str,
    n_days: float = 1,
    policy: DriftPolicy | None = None,
    importance: Mapping[str, float] | None = None,
    coverage: Coverage | None = None,
) -> DriftReport:
    """Compare a window with its reference.

    Parameters
    ----------
    baseline : Baseline
        The reference.
    current : Profile
        Of the window: of one day, or of several merged.
    window : str
        What people call it, such as its day.
    n_days : float, default 1
        Days of the window, at least 1: a week moves less than a day. Of days that differ much in
        their rows, `effective_days`.
    policy : DriftPolicy, optional
        When to alarm; the default keeps any false alarm of a table below 1 %.
    importance : mapping of str to float, optional
        What the model makes of each feature, at least 0, in any unit. Columns that it names rank
        by it; others rank fully (scores and labels are no features, and matter). None, or all zero:
        all rank the same. It silences nothing: a model may hardly use a feature on the days of its
        evaluation, and go astray on values that it has never seen.
    coverage : Coverage, optional
        How much of the window is there: on less than half of it nothing is concluded.

    Returns
    -------
    DriftReport
        Columns sorted by severity times importance, strongest first.

    Raises
    ------
    SpecError
        If the window has less than one day, or an importance is negative or NaN.

    Notes
    -----
    The package's own page, `mlops_tasks.drift`, says how it is decided. Each aspect of each column
    gets an equal part of `DriftPolicy.level`. Days are taken as independent of each other: several
    of one window count as several.

    Examples
    --------
    >>> import numpy as np, pyarrow as pa
    >>> from mlops_tasks.drift import Baseline, detect_drift
    >>> from mlops_tasks.profiles import Profile
    >>> random = np.random.default_rng(0)
    >>> def profile(shift):
    ...     batch = pa.record_batch({"x": random.normal(shift, 1, 1000)})
    ...     return Profile.of([batch], batch.schema)
    >>> month = Baseline.of([profile(0.0) for _ in range(30)])
    >>> [str(detect_drift(month, profile(x), window="today").answer) for x in (0.0, 0.5)]
    ['stable', 'drift']
    """
    if not 1 <= n_days < math.inf:
        raise SpecError(f"the window {window} has {n_days} days; n_days must be at least 1")
    if wrong := [name for name, value in (importance or {}).items() if not 0 <= value < math.inf]:
        raise SpecError(f"the importance of {', '.join(wrong)} is no number of at least 0")
    from mlops_tasks.drift.alarm_rule import AlarmRule
    from mlops_tasks.drift.day_effects import MIN_DAYS
    from mlops_tasks.drift.samples import TwoSamples

    policy = policy or DriftPolicy()
    samples = TwoSamples(baseline.whole, current)
    looked_at = [n for aspect in baseline.aspects for n in aspect.columns if n in samples.names]
    rule = AlarmRule(policy, n_days, policy.level / max(len(looked_at), 1))
    evidence: dict[str, tuple[Evidence, ...]] = dict.fromkeys(samples.names, ())
    for aspect in baseline.aspects:
        for name, one in rule.apply(aspect, samples):
            evidence[name] += (one,)
    columns = _columns(samples, evidence, importance or {})
    return DriftReport(
        window=window,
        reference=baseline.label,
        n_rows=current.n_rows,
        n_reference=baseline.whole.n_rows,
        n_reference_days=len(baseline.days) if len(baseline.days) >= MIN_DAYS else 0,
        n_comparisons=len(looked_at),
        policy=policy,
        schema=compare_schemas(baseline.whole, current),
        columns=tuple(sorted(columns, key=lambda one: (-one.rank, one.name))),
        coverage=coverage,
    )


def compare_schemas(reference: Profile, current: Profile) -> SchemaChange:
    """Find the columns that came, went, or changed their kind.

    Parameters
    ----------
    reference, current : Profile
        Two profiles of one table.

    Returns
    -------
    SchemaChange
        Names in alphabetical order.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from mlops_tasks.profiles import Profile
    >>> def profile(**columns):
    ...     batch = pa.record_batch(columns)
    ...     return Profile.of([batch], batch.schema)
    >>> compare_schemas(profile(x=[1], y=[2]), profile(x=["a"], z=[2])).text
    'gone: y; changed: x: numeric -> category; new: z'
    """
    old, new = reference.columns, current.columns
    kinds = {name: (old[name].kind, new[name].kind) for name in sorted(set(old) & set(new))}
    return SchemaChange(
        added=tuple(sorted(set(new) - set(old))),
        removed=tuple(sorted(set(old) - set(new))),
        changed=tuple(f"{name}: {a} -> {b}" for name, (a, b) in kinds.items() if a != b),
    )


def _columns(
    samples: TwoSamples,
    evidence: Mapping[str, tuple[Evidence, ...]],
    importance: Mapping[str, float],
) -> Iterator[ColumnDrift]:
    from mlops_tasks.drift.histograms import draw_all
    from mlops_tasks.drift.measures import measure_all

    total = sum(importance.values())
    weights = {name: one * len(importance) / total for name, one in importance.items() if total}
    measures, pictures, current = measure_all(samples), draw_all(samples), samples.current.columns
    for name, own in evidence.items():
        kind, look = current[name].kind, (measures[name], pictures[name])
        yield ColumnDrift(name, kind, _answer(own), weights.get(name), own, *look)


def _answer(evidence: tuple[Evidence, ...]) -> Answer:
    if any(one.alarm for one in evidence):
        return Answer.DRIFT
    return Answer.TOO_FEW if any(one.threshold is None for one in evidence) else Answer.STABLE
