from __future__ import annotations

import numpy as np

from mlops_tasks.drift import Baseline
from mlops_tasks.drift.samples import TwoSamples
from tests.unit.drift.samples import profile, words


def described(name: str, old: object, new: object) -> str:
    reference, current = profile(x=old), profile(x=new)
    (aspect,) = (one for one in Baseline(reference).aspects if one.name == name)
    return aspect.describe(TwoSamples(reference, current), 0)


def test_words_for_each_aspect() -> None:
    numbers = [0.0, 1.0, 2.0, 3.0], [2.0, 3.0, 4.0, 5.0]
    assert described("level", *numbers) == "mean 1.5 → 3.5 (+1.79 standard deviations)"
    assert described("shape", *numbers) == "percentiles 10th 0 → 2, 50th 1 → 3, 90th 3 → 5"
    assert described("missing", [0.0], [1.0, None]) == "missing 0 % → 50 %"
    letters = words("aab")
    assert described("shares", letters, words("abb")) == (
        "shares a 66.7 % → 33.3 %, b 33.3 % → 66.7 %"
    )
    usual = "(33.3 % on the reference's own days)"  # of three letters one was seen once
    assert described("unseen", letters, letters) == f"0 % of the rows in new categories {usual}"
    text = described("unseen", letters, words([*"vwxyz", "n" * 60]))
    assert text.startswith(f"100 % of the rows in new categories {usual}: nnnn")
    assert text.endswith("…, v, w and 3 more")
    assert described("missing", words([None, *"a" * 999]), letters) == "missing 0.1 % → 0 %"


def test_numbers_are_written_with_the_digits_that_distinguish_them() -> None:
    sides = np.full(300, 20_260_001.0), np.full(300, 20_260_099.0)
    assert "mean 20260001 → 20260099" in described("level", *sides)
