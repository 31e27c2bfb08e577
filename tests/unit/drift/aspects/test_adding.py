"""A new aspect is one class, and one entry of the registry."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from mlops_tasks.drift import Baseline, aspects, detect_drift, render_page
from mlops_tasks.drift.aspects import Aspect, ReferenceProfiles
from mlops_tasks.drift.effects import CohensH, Readings, never_certain
from mlops_tasks.drift.samples import NumberSamples, TwoSamples
from mlops_tasks.profiles import Profile
from tests.unit.drift.samples import profile


class NegativeShare(Aspect):
    name = "negative"

    def learn(self, reference: ReferenceProfiles) -> None:
        self.reference, self.days = self.read([reference.whole]), self.read(reference.days)
        self.effect = CohensH(np.ones((len(self.columns), 1)), never_certain(self.reference))

    def read(self, profiles: Sequence[Profile]) -> Readings:
        numbers = NumberSamples(profiles, self.columns)
        shares = numbers.cdf(np.full((len(self.columns), 1), np.nextafter(0, -1)))
        return Readings(shares, numbers.n_present, numbers.rank_error**2 / 3)

    def describe(self, samples: TwoSamples, i: int) -> str:
        both = self.read([samples.reference, samples.current]).values[:, i, 0]
        return f"negative {both[0]:.0%} → {both[1]:.0%}"


def test_a_class_and_a_line_add_an_aspect(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aspects, "ASPECTS", (*aspects.ASPECTS, NegativeShare))
    random = np.random.default_rng(0)
    month = Baseline.of([profile(x=random.exponential(size=500)) for _ in range(28)])
    today = random.exponential(size=500) * np.where(random.random(500) < 0.2, -1, 1)
    report = detect_drift(month, profile(x=today), window="today")
    (negative,) = [one for one in report.columns[0].evidence if one.aspect == "negative"]
    assert negative.alarm
    assert negative.text == "negative 0% → 17%"
    assert negative.text in render_page([report])
    assert any("negative effect" in line for line in report.lines)
