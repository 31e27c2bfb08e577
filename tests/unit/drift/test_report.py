from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from mlops_tasks.drift.aspects import aspects_of
from mlops_tasks.drift.baseline import Baseline
from mlops_tasks.drift.decision import Answer, Evidence, Picture
from mlops_tasks.drift.detection import detect_drift
from mlops_tasks.drift.formatting import short_number
from mlops_tasks.drift.histograms import draw_all
from mlops_tasks.drift.report import DriftReport
from mlops_tasks.drift.samples import TwoSamples
from mlops_tasks.exceptions import SpecError
from mlops_tasks.serialization import from_json, to_json
from tests.unit.drift.samples import day, month, profile


@pytest.fixture(scope="module")
def january() -> Baseline:
    return month(np.random.default_rng(1))


def moved(january: Baseline) -> DriftReport:
    return detect_drift(
        january, day(np.random.default_rng(2), shift=0.7, spare=0.1), window="today"
    )


def test_a_report_survives_json(january: Baseline) -> None:
    report = moved(january)
    raw = json.loads(json.dumps(to_json(report), allow_nan=False))
    assert from_json(DriftReport, raw) == report
    assert raw["columns"][0]["answer"] == "drift"


def test_the_lines_say_what_moved_and_what_it_rests_on(january: Baseline) -> None:
    lines = moved(january).lines
    assert lines[0] == "today against January: drift in 2 of 4 columns (x, kind)"
    assert any("new categories: C" in line and "alarm above" in line for line in lines)
    assert any(line.startswith("  x: mean ") for line in lines)
    assert lines[-1].startswith(
        "  500 rows against 15000 (30 days); 12 comparisons, any false alarm"
    )


def test_the_lines_of_quiet_and_of_small_days(january: Baseline) -> None:
    quiet = detect_drift(january, day(np.random.default_rng(4)), window="today")
    assert quiet.lines[0] == "today against January: no drift in 4 columns"
    few = detect_drift(january, day(np.random.default_rng(4), 50), window="today")
    assert (
        few.lines[0]
        == "today against January: too few rows to tell (50 rows, 100 with a value needed)"
    )
    assert len(few.lines) == 2
    alone = detect_drift(Baseline(january.whole), day(np.random.default_rng(4)), window="today")
    assert "(too few days)" in alone.lines[-1]


def test_a_broken_schema_is_told(january: Baseline) -> None:
    random = np.random.default_rng(5)
    report = detect_drift(january, profile(x=random.normal(size=500)), window="today")
    assert report.headline == "today against January: schema: gone: at, kind, z"
    both = detect_drift(january, profile(x=random.normal(1, 1, 500)), window="today")
    assert both.headline.endswith("drift in 1 of 1 columns (x); schema: gone: at, kind, z")


def test_small_and_many_columns_are_told(january: Baseline) -> None:
    report = detect_drift(january, day(np.random.default_rng(6), shift=0.7), window="today")
    first = moved(january).columns[0]
    few = replace(first, name="few", answer=Answer.TOO_FEW)
    many = replace(report, columns=(*(replace(first, name=f"c{i}") for i in range(12)), few))
    assert "  and 2 more" in many.lines
    assert "  too few rows to tell: few" in many.lines


def test_an_unbounded_effect_is_told() -> None:
    old, new = (profile(x=np.full(500, value)) for value in (1.0, 2.0))
    lines = detect_drift(Baseline(old), new, window="today").lines
    assert any("mean 1 → 2 [level effect unbounded" in line for line in lines)


def described(name: str, old: object, new: object) -> str:
    reference, current = profile(x=old), profile(x=new)
    (aspect,) = (one for one in aspects_of(reference) if one.name == name)
    return aspect.describe(TwoSamples(reference, current), 0)


def drawn(old: object, new: object) -> Picture:
    return draw_all(TwoSamples(profile(x=old), profile(x=new)))["x"]


def words(values: Iterable[str | None]) -> pa.Array:
    return pa.array(list(values), pa.string())


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


def test_an_unknown_kind_of_change_does_not_alarm() -> None:
    assert Evidence("level", 0.1, 0.2, False, "").severity == pytest.approx(0.5)
    assert short_number(-2_500_000.0) == "-2.5e+06"


def test_what_was_told_of_few_days_or_columns_is_said() -> None:
    random = np.random.default_rng(0)
    few = Baseline.of([day(random) for _ in range(7)])
    assert (
        "with 28 days, perhaps more with fewer" in detect_drift(few, day(random), window="w").basis
    )
    holes = profile(x=pa.array([None] * 490 + [1.0] * 10), y=random.normal(size=500))
    half = detect_drift(Baseline(holes), holes, window="w")
    assert half.headline == "w against reference: no drift in 1 of 2 columns"


@pytest.mark.parametrize("importance", [-1.0, float("nan"), float("inf")])
def test_an_importance_that_is_none_is_refused(january: Baseline, importance: float) -> None:
    with pytest.raises(SpecError, match="importance of x is no number of at least 0"):
        detect_drift(january, january.whole, window="w", importance={"x": importance})


def test_numbers_are_written_with_the_digits_that_part_them() -> None:
    sides = np.full(300, 20_260_001.0), np.full(300, 20_260_099.0)
    assert "mean 20260001 → 20260099" in described("level", *sides)
