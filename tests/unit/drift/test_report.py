from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from mlops_tasks.drift import Answer, Baseline, DriftReport, Evidence, detect_drift
from mlops_tasks.drift.formatting import short_number
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


def test_json_begins_with_the_answer_and_a_sentence(january: Baseline) -> None:
    random = np.random.default_rng(4)
    quiet = detect_drift(january, day(random), window="today")
    few = detect_drift(january, day(random, 50), window="today")
    found = [list(to_json(report).items())[:2] for report in (quiet, moved(january), few)]
    sentence = "today against January: "
    assert found == [
        [("answer", "stable"), ("headline", f"{sentence}no drift in 4 columns")],
        [("answer", "drift"), ("headline", f"{sentence}drift in 2 of 4 columns (x, kind)")],
        [
            ("answer", "too few rows to tell"),
            ("headline", f"{sentence}too few rows to tell (50 rows, 100 with a value needed)"),
        ],
    ]


def test_the_answer_follows_the_columns(january: Baseline) -> None:
    """Also where a report is put together from two, or read from a file that lacks it."""
    report = moved(january)
    few = replace(report, columns=(replace(report.columns[0], answer=Answer.TOO_FEW),))
    assert few.answer is Answer.TOO_FEW
    raw = to_json(report) | {"answer": "stable"}
    del raw["headline"]
    assert from_json(DriftReport, raw) == report


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


def test_a_broken_schema_is_reported(january: Baseline) -> None:
    random = np.random.default_rng(5)
    report = detect_drift(january, profile(x=random.normal(size=500)), window="today")
    assert report.headline == "today against January: schema: gone: at, kind, z"
    both = detect_drift(january, profile(x=random.normal(1, 1, 500)), window="today")
    assert both.headline.endswith("drift in 1 of 1 columns (x); schema: gone: at, kind, z")


def test_small_and_many_columns_are_named(january: Baseline) -> None:
    report = detect_drift(january, day(np.random.default_rng(6), shift=0.7), window="today")
    first = moved(january).columns[0]
    few = replace(first, name="few", answer=Answer.TOO_FEW)
    many = replace(report, columns=(*(replace(first, name=f"c{i}") for i in range(12)), few))
    assert "  and 2 more" in many.lines
    assert "  too few rows to tell: few" in many.lines


def test_an_unbounded_effect_is_named() -> None:
    old, new = (profile(x=np.full(500, value)) for value in (1.0, 2.0))
    lines = detect_drift(Baseline(old), new, window="today").lines
    assert any("mean 1 → 2 [level effect unbounded" in line for line in lines)


def test_an_unknown_kind_of_change_does_not_alarm() -> None:
    assert Evidence("level", 0.1, 0.2, False, "").severity == pytest.approx(0.5)
    assert short_number(-2_500_000.0) == "-2.5e+06"


def test_few_days_and_few_columns_are_named() -> None:
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
