from __future__ import annotations

import itertools
import json
import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_tasks.drift import (
    Answer,
    Baseline,
    DriftPolicy,
    DriftReport,
    Evidence,
    SchemaChange,
    detect_drift,
    render_page,
)
from mlops_tasks.drift.baseline import MAX_DAYS
from mlops_tasks.drift.detection import compare_schemas
from mlops_tasks.exceptions import PartitionNotFoundError, SpecError
from mlops_tasks.profiles import Profile
from mlops_tasks.serialization import from_json, to_json
from tests.unit.drift.samples import day, month, profile


@pytest.fixture(scope="module")
def january() -> Baseline:
    return month(np.random.default_rng(1))


def test_no_drift_no_alarm(january: Baseline) -> None:
    random = np.random.default_rng(2)
    reports = [detect_drift(january, day(random), window=str(i)) for i in range(40)]
    assert {report.answer for report in reports} == {Answer.STABLE}


def test_chance_alone_keeps_the_level_over_all_columns() -> None:
    """No smallest effect: only the threshold for noise is left. 20 % stated, so that it shows."""
    policy, alarms, days = DriftPolicy(level=0.2, min_effect=0.0), 0, 0
    for seed in range(4):
        random = np.random.default_rng([3, seed])
        baseline = month(random)
        for _ in range(20):
            report = detect_drift(baseline, day(random), window="today", policy=policy)
            alarms, days = alarms + (report.answer is Answer.DRIFT), days + 1
    assert alarms / days < 0.2 + 3 * math.sqrt(0.2 * 0.8 / days)
    assert alarms > 0, "a threshold that nothing ever reaches has no power"


def test_a_shift_is_found_in_its_columns_only(january: Baseline) -> None:
    report = detect_drift(january, day(np.random.default_rng(4), shift=0.5), window="today")
    assert [column.name for column in report.alarms] == ["x"]
    (x,) = report.alarms
    assert {one.aspect for one in x.evidence if one.alarm} == {"shape", "level"}
    assert "standard deviations" in x.evidence[2].text
    assert report.columns[0] is x


def test_a_new_category_is_found(january: Baseline) -> None:
    report = detect_drift(january, day(np.random.default_rng(5), spare=0.03), window="today")
    assert [column.name for column in report.alarms] == ["kind"]
    assert "in new categories: C" in report.alarms[0].evidence[2].text


def test_missing_values_are_found(january: Baseline) -> None:
    random = np.random.default_rng(6)
    today = day(random)
    gone = profile(
        x=pa.array(random.normal(size=500), mask=random.random(500) < 0.1),
        z=np.where(random.random(500) < 0.3, np.nan, random.exponential(1, 500)),
        kind=pa.array([None] * 500, pa.string()),
        at=pa.array([None] * 500, pa.timestamp("us")),
    )
    assert not detect_drift(january, today, window="today").alarms
    report = detect_drift(january, gone, window="today")
    assert {column.name for column in report.alarms} == {"x", "z", "kind", "at"}
    texts = {
        c.name: next(e.text for e in c.evidence if e.aspect == "missing") for c in report.columns
    }
    assert "NaN" in texts["z"]
    assert texts["kind"] == "missing 0 % → 100 %"


def test_too_few_rows_are_an_answer_of_their_own(january: Baseline) -> None:
    report = detect_drift(january, day(np.random.default_rng(7), 99, shift=9.0), window="today")
    assert report.answer is Answer.TOO_FEW
    assert {column.answer for column in report.columns} == {Answer.TOO_FEW}
    assert "99 rows, fewer than 100: too few rows to tell" in report.columns[0].evidence[0].text
    thin = Baseline(day(np.random.default_rng(8), 60))
    assert detect_drift(thin, day(np.random.default_rng(9)), window="x").answer is Answer.TOO_FEW


def test_one_column_may_have_too_few_while_others_tell(january: Baseline) -> None:
    random = np.random.default_rng(10)
    x = pa.array(random.normal(size=500), mask=np.arange(500) >= 50)
    report = detect_drift(january, profile(x=x, z=random.exponential(1, 500)), window="today")
    answers = {column.name: column.answer for column in report.columns}
    assert answers["x"] is Answer.DRIFT  # most of it is missing, that much is certain
    assert [e.threshold for e in report.alarms[0].evidence if e.aspect == "level"] == [None]


def test_importance_ranks_and_silences_nothing(january: Baseline) -> None:
    moved = day(np.random.default_rng(11), shift=0.6, spare=0.1)
    weights = {"x": 0.0, "z": 3.0, "kind": 1.0}
    report = detect_drift(january, moved, window="today", importance=weights)
    assert [column.name for column in report.alarms] == ["kind", "x"]
    x = next(column for column in report.columns if column.name == "x")
    assert (x.answer, x.alarm, x.rank) == (Answer.DRIFT, True, 0.0)
    all_weigh_the_same = detect_drift(january, moved, window="today", importance={"x": 0.0})
    assert {column.rank > 1 for column in all_weigh_the_same.alarms} == {True}
    assert report.n_comparisons == all_weigh_the_same.n_comparisons


def test_the_days_of_the_reference_set_the_yardstick() -> None:
    """Weather: each day has a level of its own. Rows taken for independent cry wolf every day."""
    random = np.random.default_rng(12)
    days = [profile(t=random.normal(random.normal(0, 0.5), 1, 500)) for _ in range(70)]
    reference, future = days[:35], days[35:]
    knows, naive = Baseline.of(reference), Baseline(Baseline.of(reference).whole)
    counts = [
        sum(bool(detect_drift(one, today, window="x").alarms) for today in future)
        for one in (knows, naive)
    ]
    assert counts[0] == 0
    assert counts[1] > 25
    # A week moves less than a day, so less is allowed to it.
    week = Baseline.of(future[:7]).whole
    one, seven = (detect_drift(knows, week, window="x", n_days=n) for n in (1, 7))
    assert seven.columns[0].evidence[1].threshold < 0.6 * one.columns[0].evidence[1].threshold


def test_no_day_alarms_below_the_most_unusual_day_of_the_reference() -> None:
    random = np.random.default_rng(13)
    usual = [profile(x=random.normal(0, 1, 500)) for _ in range(29)]
    storm = profile(x=random.normal(3, 1, 500))
    with_storm, without = Baseline.of([*usual, storm]), Baseline.of(usual)
    again = profile(x=random.normal(2.5, 1, 500))
    assert not detect_drift(with_storm, again, window="x").alarms
    assert detect_drift(without, again, window="x").alarms


def days_looked_at(baseline: Baseline) -> set[int]:
    return {int(n) for aspect in baseline.aspects for n in aspect.day_effect.n_days}


def test_many_days_are_thinned_and_odd_ones_left_out() -> None:
    random = np.random.default_rng(14)
    days = [profile(x=random.normal(size=40)) for _ in range(2 * MAX_DAYS)]
    baseline = Baseline.of(days)
    assert len(baseline.days) == MAX_DAYS
    assert days_looked_at(baseline) == {MAX_DAYS}
    changed = Baseline(days[0], (profile(x=["a"] * 40), profile(y=[1.0]), *days[:3]))
    assert days_looked_at(changed) == {0}


def test_a_reference_of_some_columns_judges_them_alike(january: Baseline) -> None:
    today = day(np.random.default_rng(15), shift=0.3)
    found = detect_drift(january.only(["kind", "x"]), today, window="x")
    assert {column.name for column in found.columns} == {"kind", "x"}
    whole = {column.name: column for column in detect_drift(january, today, window="x").columns}
    for column in found.columns:
        effects = [one.effect for one in column.evidence]
        assert effects == [one.effect for one in whole[column.name].evidence]


def test_constants_that_change_have_no_bound() -> None:
    old, new = (profile(x=np.full(500, value)) for value in (1.0, 2.0))
    report = detect_drift(Baseline(old), new, window="today")
    level = report.alarms[0].evidence[2]
    assert (level.aspect, level.effect, level.alarm, level.severity) == (
        "level",
        None,
        True,
        1000.0,
    )
    restless = Baseline.of([profile(x=np.full(500, float(i))) for i in range(6)])
    assert not detect_drift(restless, new, window="today").alarms


def test_schemas_are_compared_by_name_and_kind(january: Baseline) -> None:
    other = profile(x=["a"] * 200, new=np.arange(200.0))
    change = compare_schemas(january.whole, other)
    assert change == SchemaChange(("new",), ("at", "kind", "z"), ("x: numeric -> category",))
    assert change.text == "gone: at, kind, z; changed: x: numeric -> category; new: new"
    report = detect_drift(january, other, window="today")
    assert report.columns == ()
    assert report.answer is Answer.DRIFT
    assert not SchemaChange(added=("y",)).alarm


def test_a_reference_without_days_is_refused() -> None:
    with pytest.raises(PartitionNotFoundError, match="'January' has no profile"):
        Baseline.of([], "January")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"level": 0.0}, "level, a chance"),
        ({"level": 0.6}, "level, a chance"),
        ({"min_effect": -0.1}, "min_effect"),
        ({"min_rows": 29}, "min_rows"),
    ],
)
def test_a_wrong_policy_is_refused(wrong: dict[str, float], said: str) -> None:
    with pytest.raises(SpecError, match=said):
        DriftPolicy(**wrong)  # type: ignore[arg-type]


def test_a_window_has_a_day(january: Baseline) -> None:
    with pytest.raises(SpecError, match="n_days must be at least 1"):
        detect_drift(january, january.whole, window="today", n_days=0)


NUMBERS = st.lists(
    st.one_of(st.none(), st.floats(), st.integers(-9, 9).map(float)), min_size=1, max_size=12
)
TEXTS = st.lists(st.one_of(st.none(), st.text(max_size=3)), min_size=1, max_size=12)


@settings(max_examples=25, deadline=None)
@given(NUMBERS, NUMBERS, TEXTS, TEXTS)
def test_whatever_comes_there_is_an_answer(
    x: list[float | None], y: list[float | None], a: list[str | None], b: list[str | None]
) -> None:
    def many(numbers: list[float | None], words: list[str | None]) -> Profile:
        numbers, words = (list(itertools.islice(itertools.cycle(v), 120)) for v in (numbers, words))
        return profile(x=pa.array(numbers, pa.float64()), a=pa.array(words, pa.string()))

    baseline = Baseline.of([many(x, a)] * 6)
    report = detect_drift(baseline, many(y, b), window="today")
    raw = json.dumps(to_json(report), allow_nan=False)
    assert from_json(DriftReport, json.loads(raw)) == report
    assert not detect_drift(baseline, many(x, a), window="today").alarms
    assert "today" in render_page([report])


def test_severity_without_a_threshold() -> None:
    assert Evidence("level", None, None, False, "").severity == 0.0
    assert Evidence("level", 5.0, 0.001, True, "").severity == 1000.0
