from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pytest

from mlops_tasks.drift.decision import Picture
from mlops_tasks.drift.histograms import draw_all
from mlops_tasks.drift.samples import TwoSamples
from tests.unit.drift.samples import profile, words


def drawn(old: object, new: object) -> Picture:
    return draw_all(TwoSamples(profile(x=old), profile(x=new)))["x"]


def test_pictures_of_numbers() -> None:
    random = np.random.default_rng(7)
    old, new = random.normal(size=900), random.normal(1, 1, 900)
    picture = drawn(old, new)
    assert picture.is_ordered
    assert len(picture.labels) == len(picture.reference) == len(picture.current) == 25
    assert sum(picture.reference) == pytest.approx(1, abs=1e-3)
    nothing = pa.array([None], pa.float64())
    assert drawn(nothing, nothing) == Picture((), (), (), is_ordered=True)
    assert drawn(old, nothing).current == ()
    assert drawn(nothing, new).reference == ()
    assert drawn([1.0, 1.0], [1.0]) == Picture(("up to 1", "above 1"), (1.0, 0.0), (1.0, 0.0), True)
    times = pa.array([0, 86_400_000_000], pa.timestamp("us"))
    assert drawn(times, times).labels[-1].startswith("above 1970-01-0")


def test_pictures_of_categories() -> None:
    def draw(old: Iterable[str], new: Iterable[str]) -> Picture:
        return drawn(words(old), words(new))

    picture = draw("aab", "abc")
    assert picture.labels == ("a", "b", "c")
    assert picture.reference == pytest.approx((2 / 3, 1 / 3, 0), abs=1e-4)
    crowd = draw("abcdefghijklmnop", "a")
    assert (len(crowd.labels), crowd.labels[-1]) == (13, "4 more")
    assert crowd.reference[-1] == pytest.approx(4 / 16)
    uncounted = draw("ab", (f"{i:05d}" for i in range(5000)))
    assert (uncounted.labels, uncounted.current) == (("a", "b", "(other)"), (0.0, 0.0, 1.0))
    assert draw("ab", ()).current == ()
