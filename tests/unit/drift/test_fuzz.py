"""Whatever two profiles of one table hold, drift has an answer that survives JSON."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mlops_tasks.drift import Baseline, DriftReport, detect_drift, draw_heatmap, render_page
from mlops_tasks.profiles import Profile
from mlops_tasks.serialization import from_json, to_json
from tests.unit.profiles.rows import SCHEMA, VALUES

ZONES = ("UTC", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe")
#: Columns whose zone differs from one profile to the next.
AWAY = "away"
EXTREMES: dict[str, tuple[Any, ...]] = {
    "whole": (2**63 - 1, -(2**63), 2**53 + 1, 0),
    "real": (float("nan"), float("inf"), -float("inf"), 1.7e308, -1.7e308, 5e-324, -0.0),
    "text": ("", "👩🏽‍🚀", "\x00", "é", "é", "a" * 300),
}


def value(name: str) -> st.SearchStrategy[Any]:
    extremes = EXTREMES.get(name)
    return VALUES[name] | st.sampled_from(extremes) if extremes else VALUES[name]


ROW = st.fixed_dictionaries({name: value(name) for name in VALUES})
#: Few rows, many times over: from `min_rows` on there is an answer, below it there is none.
ROWS = st.tuples(st.lists(ROW, min_size=0, max_size=8), st.sampled_from([1, 40, 400]))
SIDES = st.tuples(st.sampled_from(ZONES), ROWS)


def profile(side: tuple[str, tuple[list[dict[str, Any]], int]]) -> Profile:
    zone, (rows, times) = side
    few = pa.Table.from_pylist(rows, SCHEMA)
    table = pa.concat_tables([few] * times).combine_chunks()
    away = table["moment"].cast(pa.timestamp("us", tz=zone))
    table = table.append_column(AWAY, away)
    return Profile.of(table.to_batches(), table.schema)


def numbers(report: DriftReport) -> list[float]:
    found = [n for c in report.columns for e in c.evidence for n in (e.effect, e.threshold)]
    found += [n for c in report.columns for n in c.measures.values()]
    found += [n for c in report.columns for n in (*c.picture.reference, *c.picture.current)]
    return [n for n in found if n is not None]


def check(baseline: Baseline, current: Profile) -> DriftReport:
    report = detect_drift(baseline, current, window="today")
    assert set(current.columns) == {one.name for one in report.columns}
    assert np.isfinite(numbers(report)).all()
    raw = json.dumps(to_json(report), allow_nan=False)
    assert from_json(DriftReport, json.loads(raw)) == report
    assert "today" in render_page([report])
    assert report.lines
    return report


EMPTY: tuple[str, tuple[list[dict[str, Any]], int]] = ("UTC", ([], 1))
NOTHING = ("UTC", ([dict.fromkeys(VALUES)], 400))


@settings(max_examples=25, deadline=None)
@given(st.lists(SIDES, min_size=1, max_size=2), SIDES)
@example([EMPTY], EMPTY)
@example([NOTHING], NOTHING)
@example([NOTHING], EMPTY)
def test_any_two_profiles_of_one_schema_have_an_answer(days: list[Any], today: Any) -> None:
    few = [profile(day) for day in days]
    for n_times in (1, 3):  # days of their own are looked at from 5 on
        check(Baseline.of(few * n_times), profile(today))


@settings(max_examples=10, deadline=None)
@given(SIDES)
def test_what_stays_the_same_never_alarms(day: Any) -> None:
    same = profile(day)
    assert not check(Baseline.of([same] * 6), same).alarms


@pytest.mark.parametrize("sides", [*itertools.permutations(ZONES, 2)])
def test_the_same_instants_in_another_zone_are_the_same(sides: tuple[str, str]) -> None:
    moments = [datetime(2013, 3, 10, tzinfo=UTC) + timedelta(hours=i) for i in range(300)]

    def of(zone: str) -> Profile:
        at = pa.array(moments, pa.timestamp("us", tz=zone))
        batch = pa.record_batch({"at": at})
        return Profile.of([batch], batch.schema)

    old, new = map(of, sides)
    report = check(Baseline.of([old] * 6), new)
    assert not report.alarms
    assert report.columns[0].measures["kolmogorov_smirnov_statistic"] == 0.0


def test_instants_of_mixed_zones_in_one_column() -> None:
    zones = [timezone(timedelta(minutes=m)) for m in (0, -570, 345, 840)]
    moments = [datetime(2013, 1, 1, tzinfo=UTC) + timedelta(hours=i) for i in range(200)]
    mixed = [m.astimezone(zones[i % 4]) for i, m in enumerate(moments)]
    sides = [
        pa.record_batch({"at": pa.array(m, pa.timestamp("us", tz="UTC"))}) for m in (moments, mixed)
    ]
    old, new = (Profile.of([side], side.schema) for side in sides)
    assert check(Baseline.of([old] * 6), new).columns[0].measures["wasserstein_distance"] == 0.0


def test_a_million_different_texts_have_an_answer() -> None:
    """Names that are new every day are no drift."""

    def of(first: int, n: int) -> Profile:
        codes = pa.array(np.arange(first, first + n)).cast(pa.string())
        batch = pa.record_batch({"x": codes})
        return Profile.of([batch], batch.schema)

    old = of(0, 10**6)
    assert not check(Baseline(old), of(10**6, 10**5)).alarms
    one = pa.record_batch({"x": ["7"] * 1000})
    report = check(Baseline(old), Profile.of([one], one.schema))
    assert report.columns[0].measures["new_category_share"] is None
    assert draw_heatmap([report])[:4] == b"\x89PNG"
