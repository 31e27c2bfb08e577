"""Evidence for and against drift: every aspect of every column against what chance explains."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from mlops_tasks.drift.decision import Evidence
from mlops_tasks.drift.movement import noise_quantile
from mlops_tasks.drift.wording import say

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mlops_tasks.drift.baseline import Baseline
    from mlops_tasks.drift.decision import DriftPolicy
    from mlops_tasks.drift.gauges import Aspect, Gauge, Readings
    from mlops_tasks.drift.movement import Movement
    from mlops_tasks.drift.pairs import Pairs
    from mlops_tasks.profiles import Profile

__all__ = ["Judge"]

# Standard deviations. Only a constant that became another one is further away.
_UNBOUNDED = 1e6


@dataclass(frozen=True)
class Judge:
    """A policy, with the chance of a false alarm that each single comparison may have."""

    policy: DriftPolicy
    n_days: float
    level: float

    def evidence(
        self, baseline: Baseline, current: Profile, pairs: Pairs, names: Sequence[str]
    ) -> dict[str, tuple[Evidence, ...]]:
        """Judge every aspect of some columns that both sides have."""
        found: dict[str, tuple[Evidence, ...]] = dict.fromkeys(names, ())
        for scale, movements in baseline.scales:
            now = scale.read([current])
            for aspect, gauge in scale.gauges.items():
                old = scale.reference[aspect]
                told = self._measure(gauge, old, now[aspect], movements[aspect])
                shares = old.values[0, :, 0].tolist()
                columns = zip(scale.names[aspect], shares, *told, strict=True)
                for name, share, rows, squared, noise in columns:
                    if name in found:
                        text = partial(say, aspect, pairs, name, share)
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
        rows = np.minimum(now.rows, reference.rows)
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
