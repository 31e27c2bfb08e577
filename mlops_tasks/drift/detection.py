"""Decide, column by column, whether a window drifted from its reference."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from mlops_tasks.drift.decision import Answer, ColumnDrift, DriftPolicy, Evidence, SchemaChange
from mlops_tasks.drift.measures import measure_categories, measure_numbers
from mlops_tasks.drift.movement import noise_quantile
from mlops_tasks.drift.pairs import Pairs
from mlops_tasks.drift.report import DriftReport
from mlops_tasks.drift.wording import draw_categories, draw_numbers, say
from mlops_tasks.exceptions import SpecError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mlops_tasks.drift.baseline import Baseline
    from mlops_tasks.drift.decision import Picture
    from mlops_tasks.drift.gauges import Aspect, Gauge, Readings
    from mlops_tasks.drift.movement import Movement
    from mlops_tasks.profiles import Profile

__all__ = ["compare_schemas", "detect_drift"]


def detect_drift(
    baseline: Baseline,
    current: Profile,
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
        What the model makes of each feature, at least 0, in any unit. Columns that it names rank
        by it; others rank fully (scores and labels are no features, and matter). None, or all zero:
        all rank the same. It silences nothing: a model may hardly use a feature on the days of its
        evaluation, and go astray on values that it has never seen.

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
    column gets an equal part of `DriftPolicy.level`. Days are taken as independent
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
    names = [name for scale, _ in baseline.scales for own in scale.names.values() for name in own]
    n_comparisons = sum(name in shared for name in names)
    judge = _Judge(policy, n_days, policy.level / max(n_comparisons, 1))
    pairs = Pairs(baseline.whole, current, shared)
    looks = _looks(pairs)
    columns = [
        ColumnDrift(
            name,
            current.columns[name].kind,
            _answer(evidence),
            weights.get(name),
            evidence,
            *looks[name],
        )
        for name, evidence in judge.evidence(baseline, current, pairs, shared).items()
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

    def evidence(
        self, baseline: Baseline, current: Profile, pairs: Pairs, names: Sequence[str]
    ) -> dict[str, tuple[Evidence, ...]]:
        """Judge every aspect of some columns that both sides have."""
        found: dict[str, tuple[Evidence, ...]] = dict.fromkeys(names, ())
        for scale, movements in baseline.scales:
            now = scale.read([current])
            for aspect, gauge in scale.gauges.items():
                told = self._measure(gauge, scale.reference[aspect], now[aspect], movements[aspect])
                for name, rows, squared, noise in zip(scale.names[aspect], *told, strict=True):
                    if name in found:
                        text = partial(say, aspect, pairs, name)
                        found[name] += (self._aspect(aspect, rows, squared, noise, text),)
        return found

    def _measure(
        self, gauge: Gauge, reference: Readings, now: Readings, movement: Movement
    ) -> tuple[list[float], list[float], list[float]]:
        """Return the rows of the smaller side, the squared effect, and its bound without drift."""
        squared = gauge.squared_effect(reference, now)
        sampling = gauge.noise(reference, now)
        expected = movement.expected(sampling, self.n_days)
        is_noisy = (expected > 0) & np.isfinite(expected)
        share = 1 - np.divide(sampling, expected, out=np.ones_like(expected), where=is_noisy)
        quantile = noise_quantile(gauge.curvature(now.n), self.level, share, movement.n_days)
        times = np.where(is_noisy, np.maximum(quantile, movement.largest), 1.0)
        rows = np.minimum(now.n, reference.n)
        return rows[0].tolist(), squared[0].tolist(), (expected * times)[0].tolist()

    def _aspect(
        self, aspect: Aspect, rows: float, squared: float, noise: float, text: Callable[[], str]
    ) -> Evidence:
        if rows < self.policy.min_rows:
            why = f"{rows:.0f} rows, fewer than {self.policy.min_rows}: too few rows to tell"
            return Evidence(aspect, None, None, False, f"{aspect}: {why}")
        effect, bound = math.sqrt(squared), self.policy.min_effect**2 + noise
        threshold = math.sqrt(bound)
        return Evidence(
            aspect,
            round(effect, 6) if effect < _UNBOUNDED else None,
            round(threshold, 6) if math.isfinite(threshold) else None,
            squared > bound,
            text(),
        )


def _shared(reference: Profile, current: Profile) -> list[str]:
    """List the columns that both sides have, of the same kind."""
    new = current.columns
    return [
        name
        for name, column in reference.columns.items()
        if name in new and new[name].kind == column.kind
    ]


def _looks(pairs: Pairs) -> dict[str, tuple[dict[str, float | None], Picture]]:
    """Return the measures and the picture of every column, for the reader."""
    measures, pictures = measure_numbers(pairs.numbers), draw_numbers(pairs.numbers)
    found = {name: (measures[name], pictures[name]) for name in pairs.numbers.names}
    for name, pair in pairs.categories.items():
        found[name] = measure_categories(pair), draw_categories(pair)
    return found


def _answer(evidence: tuple[Evidence, ...]) -> Answer:
    if any(one.alarm for one in evidence):
        return Answer.DRIFT
    return Answer.TOO_FEW if any(one.threshold is None for one in evidence) else Answer.STABLE


def _relative(importance: Mapping[str, float]) -> dict[str, float]:
    """Return importances as multiples of their mean."""
    total = sum(importance.values())
    if not total > 0:
        return {}
    return {name: value * len(importance) / total for name, value in importance.items()}
