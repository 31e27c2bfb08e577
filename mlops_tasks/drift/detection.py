"""Decide, column by column, whether a window drifted from its reference."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlops_tasks.drift.columns import present_rows
from mlops_tasks.drift.decision import Answer, ColumnDrift, DriftPolicy, Evidence, SchemaChange
from mlops_tasks.drift.report import DriftReport
from mlops_tasks.exceptions import SpecError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlops_tasks.drift.baseline import Baseline, Yardstick
    from mlops_tasks.drift.columns import TableProfile

__all__ = ["compare_schemas", "detect_drift"]


def detect_drift(
    baseline: Baseline,
    current: TableProfile,
    *,
    window: str,
    n_days: int = 1,
    policy: DriftPolicy | None = None,
    importance: Mapping[str, float] | None = None,
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
    n_days : int, default 1
        Days of the window, at least 1: a week moves less than a day.
    policy : DriftPolicy, optional
        When to alarm; the default keeps any false alarm of a table below 1 %.
    importance : mapping of str to float, optional
        What the model makes of each feature, at least 0, in any unit. Columns that it names weigh
        by it, and alarm only above `DriftPolicy.min_importance`; others weigh fully (scores and
        labels are no features, and matter). None, or all zero: all weigh the same.

    Returns
    -------
    DriftReport
        Columns sorted by severity times importance, strongest first.

    Raises
    ------
    SpecError
        If the window has less than one day.

    Notes
    -----
    The package's own page, `mlops_tasks.drift`, tells how it is decided. Each aspect of each
    column that can alarm gets an equal part of `DriftPolicy.level`. Days are taken as independent
    of each other: several of one window count as several.

    Examples
    --------
    >>> import numpy as np, pyarrow as pa
    >>> from mlops_tasks.drift.baseline import Baseline
    >>> from mlops_tasks.profiles import Profile
    >>> random = np.random.default_rng(0)
    >>> def profile(shift):
    ...     batch = pa.record_batch({"x": random.normal(shift, 1, 1000)})
    ...     return Profile.of([batch], batch.schema)
    >>> month = Baseline.of([profile(0.0) for _ in range(30)])
    >>> [str(detect_drift(month, profile(x), window="today").answer) for x in (0.0, 0.5)]
    ['stable', 'drift']
    """
    if n_days < 1:
        raise SpecError(f"the window {window} has {n_days} days; n_days must be at least 1")
    policy = policy or DriftPolicy()
    weights = _relative(importance or {})
    shared = _shared(baseline.whole, current)
    ignored = {name for name in shared if weights.get(name, 1.0) < policy.min_importance}
    n_comparisons = sum(len(baseline.yardsticks[name]) for name in shared if name not in ignored)
    judge = _Judge(policy, n_days, policy.level / max(n_comparisons, 1))
    columns = [
        _column(judge, baseline, current, name, weights.get(name), name in ignored)
        for name in shared
    ]
    return DriftReport(
        window=window,
        reference=baseline.label,
        n_rows=current.n_rows,
        n_reference=baseline.whole.n_rows,
        n_reference_days=len(baseline.days),
        n_comparisons=n_comparisons,
        policy=policy,
        schema=compare_schemas(baseline.whole, current),
        columns=tuple(sorted(columns, key=lambda one: (-one.rank, one.name))),
    )


def compare_schemas(reference: TableProfile, current: TableProfile) -> SchemaChange:
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
    return SchemaChange(
        added=tuple(sorted(set(new) - set(old))),
        removed=tuple(sorted(set(old) - set(new))),
        changed=tuple(
            f"{name}: {old[name].kind} -> {new[name].kind}"
            for name in sorted(set(old) & set(new))
            if old[name].kind != new[name].kind
        ),
    )


# Standard deviations. Only a constant that became another one is further away.
_UNBOUNDED = 1e6


@dataclass(frozen=True)
class _Judge:
    """A policy, with the chance of a false alarm that each single comparison may have."""

    policy: DriftPolicy
    n_days: int
    level: float

    def aspect(self, yardstick: Yardstick, reference: Any, current: Any) -> Evidence:
        from mlops_tasks.drift.wording import say

        aspect = yardstick.gauge.aspect
        n = current.n if aspect == "missing" else present_rows(current)
        n_reference = reference.n if aspect == "missing" else yardstick.n_present
        if min(n, n_reference) < self.policy.min_rows:
            text = f"{aspect}: {min(n, n_reference)} rows, fewer than {self.policy.min_rows}"
            return Evidence(aspect, None, None, False, f"{text}: too few rows to tell")
        squared, noise = self._measure(yardstick, current)
        alarm = squared > self.policy.min_effect**2 + noise
        threshold = math.sqrt(self.policy.min_effect**2 + noise)
        effect = math.sqrt(squared)
        return Evidence(
            aspect,
            round(effect, 6) if effect < _UNBOUNDED else None,
            round(threshold, 6) if math.isfinite(threshold) else None,
            alarm,
            say(aspect, reference, current),
        )

    def _measure(self, yardstick: Yardstick, current: Any) -> tuple[float, float]:
        """Return the squared effect, and what it stays under without drift."""
        from mlops_tasks.drift.movement import noise_quantile

        gauge, movement = yardstick.gauge, yardstick.movement
        now = gauge.read(current)
        squared = float(gauge.squared_effect(yardstick.reference, now))
        sampling = float(gauge.noise(yardstick.reference, now))
        expected = movement.expected(sampling, self.n_days)
        if not expected > 0 or not math.isfinite(expected):
            return squared, expected
        quantile = noise_quantile(
            gauge.curvature(float(now.n)), self.level, 1 - sampling / expected, movement.n_days
        )
        return squared, expected * max(quantile, movement.largest)


def _shared(reference: TableProfile, current: TableProfile) -> list[str]:
    """List the columns that both sides have, of the same kind."""
    new = current.columns
    return [
        name
        for name, column in reference.columns.items()
        if name in new and new[name].kind == column.kind
    ]


def _column(
    judge: _Judge,
    baseline: Baseline,
    current: TableProfile,
    name: str,
    importance: float | None,
    is_ignored: bool,
) -> ColumnDrift:
    from mlops_tasks.drift.measures import measure_column
    from mlops_tasks.drift.wording import draw

    old, new = baseline.whole.columns[name], current.columns[name]
    evidence = tuple(judge.aspect(stick, old, new) for stick in baseline.yardsticks[name])
    if any(one.alarm for one in evidence):
        answer = Answer.DRIFT
    elif any(one.threshold is None for one in evidence):
        answer = Answer.TOO_FEW
    else:
        answer = Answer.STABLE
    measures = measure_column(old, new)
    return ColumnDrift(
        name, old.kind, answer, importance, is_ignored, evidence, measures, draw(old, new)
    )


def _relative(importance: Mapping[str, float]) -> dict[str, float]:
    """Return importances as multiples of their mean."""
    total = sum(importance.values())
    if not total > 0:
        return {}
    return {name: value * len(importance) / total for name, value in importance.items()}
