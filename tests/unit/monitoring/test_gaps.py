"""Gaps of a window: counted, named, and nothing is concluded from too little."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

from mlops_tasks.drift import Answer, Baseline, DriftReport, detect_drift, render_page
from mlops_tasks.drift.page import heat_table
from mlops_tasks.monitoring.gaps import limited, window_coverage
from mlops_tasks.monitoring.results import Check
from mlops_tasks.partitions import DAY, MONTH, Coverage
from mlops_tasks.profiles import Profile
from mlops_tasks.serialization import from_json, to_json
from mlops_tasks.steps.pin import pin_training_data
from tests.unit.orders import day, fill_lake

if TYPE_CHECKING:
    from mlops_tasks.lake import Lake
    from mlops_tasks.specs import ModelSpec


@pytest.mark.parametrize(
    ("there", "enough", "text"),
    [
        (["2024-01", "2024-02", "2024-03"], True, ""),
        (["2024-01", "2024-03"], True, "1 of 3 months is missing: 2024-02"),
        (["2024-03"], False, "2 of 3 months are missing: 2024-01, 2024-02"),
    ],
)
def test_a_window_says_what_is_missing(there: list[str], enough: bool, text: str) -> None:
    found = Coverage.of(MONTH, "2024-01", "2024-03", there)
    assert (found.enough, found.text) == (enough, text)


def test_at_most_a_few_are_named() -> None:
    found = Coverage.of(DAY, "2024-01-01", "2024-01-10", {"2024-01-10"})
    assert found.text.endswith("2024-01-01, 2024-01-02, 2024-01-03 and 6 more")


def test_nobody_can_tell_on_less_than_half_a_window() -> None:
    checks = [Check("score", 0.5, 0.1, True, "score: moved")]
    assert limited(checks, Coverage("day", 7, ("2024-03-01",))) == checks
    (check,) = limited(checks, Coverage("day", 2, ("2024-03-01", "2024-03-02")))
    assert (check.value, check.alarm) == (None, False)
    assert check.text.startswith("score: nobody can tell, 2 of 2 days are missing")


def test_nothing_is_missing_before_the_first_scoring() -> None:
    lake: Any = SimpleNamespace(table=lambda name: SimpleNamespace(partitions=lambda: scored))
    spec: Any = SimpleNamespace(predictions_table="p", calendar=DAY)
    scored = ["2024-03-05", "2024-03-07"]
    found = window_coverage(spec, lake, "2024-03-01", "2024-03-07", there=scored)
    assert (found.n_wanted, found.missing) == (3, ("2024-03-06",))
    scored = ["2023-01-01", "2024-03-07"]  # a jump of fourteen months
    found = window_coverage(spec, lake, "2024-03-01", "2024-03-07", there=["2024-03-07"])
    assert (found.n_wanted, len(found.missing), found.enough) == (7, 6, False)


def report(coverage: Coverage | None) -> DriftReport:
    random = np.random.default_rng(3)

    def profile(mean: float) -> Profile:
        rows = pa.record_batch({"x": random.normal(mean, 1, 500)})
        return Profile.of([rows], rows.schema)

    found = detect_drift(Baseline.of([profile(0)]), profile(3), window="2024-03-07")
    return replace(found, coverage=coverage)


def test_the_page_says_what_of_its_window_is_missing() -> None:
    some = report(Coverage("day", 7, ("2024-03-02",)))
    assert some.answer is Answer.DRIFT
    assert "1 of 7 days is missing: 2024-03-02" in some.lines[-2]
    assert '<p class="few">1 of 7 days is missing: 2024-03-02.</p>' in render_page([some])
    assert from_json(DriftReport, to_json(some)) == some
    assert "missing: 2" not in render_page([report(Coverage("day", 7)), report(None)])


def test_too_little_of_a_window_is_no_drift_on_its_page_either() -> None:
    gone = tuple(f"2024-03-0{day}" for day in range(1, 5))
    little = report(Coverage("day", 7, gone))
    assert little.answer is Answer.GAPS
    assert little.headline.startswith(
        "2024-03-07 against reference: too much of the window is missing to tell (4 of 7 days are "
    )
    page = render_page([report(None), little])
    assert "Nobody can tell" in page
    names, (cells,) = heat_table([report(None), little])
    assert names == ["x"]
    assert [(cell.is_alarm, cell.mark) for cell in cells][1] == (False, "?")
    assert cells[0].is_alarm


def test_a_pin_names_its_gaps_and_takes_nothing_older_for_them(spec: ModelSpec, lake: Lake) -> None:
    fill_lake(lake, spec, [0, 1, 2, 3, 6, 7, 8, 9, 11, 13])
    pin = pin_training_data(spec, day(15), lake=lake)
    assert pin.evaluation == (day(11), day(13)), "four days, of which two are there"
    assert pin.train == (day(0), day(9))
    assert pin.missing == {"train": (day(4), day(5)), "evaluation": (day(10), day(12))}
    assert pin.coverage("evaluation", DAY).text.startswith("2 of 4 days are missing")
    assert pin.coverage("train", DAY).n_wanted == 10
