"""Categories written as numbers: declared or not, they are watched by their shares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

from mlops_tasks.drift import Answer, Baseline, detect_drift
from mlops_tasks.profiles import Profile
from tests.unit.drift.samples import profile

if TYPE_CHECKING:
    from mlops_tasks.drift import DriftReport

N = 800
KINDS = {
    "whole": pa.int64(),
    "small": pa.int8(),
    "double": pa.float64(),
    "decimal": pa.decimal128(9, 0),
    "text": pa.string(),
}


def rows(*counts: int) -> pa.Array:
    return pa.array(np.repeat(np.arange(1, len(counts) + 1), counts))


def compared(kind: pa.DataType, now: pa.Array, *, declared: bool) -> DriftReport:
    """Compare with thirty days of which shares of 50, 30 and 20 % move by a few rows."""

    def of(codes: pa.Array) -> Profile:
        batch = pa.record_batch({"x": codes.cast(pa.int64()).cast(pa.decimal128(19, 0)).cast(kind)})
        return Profile.of([batch], batch.schema, categorical=["x"] if declared else [])

    days = [of(rows(400 + d, 240 - d, 160)) for d in (-2, -1, 0, 1, 2)] * 6
    return detect_drift(Baseline.of(days), of(now), window="today")


@pytest.mark.parametrize("declared", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_codes_that_change_places_are_drift_whatever_their_type(kind: str, declared: bool) -> None:
    moved = compared(KINDS[kind], rows(400, 160, 240), declared=declared)
    assert moved.answer is Answer.DRIFT
    (column,) = moved.columns
    assert [one.aspect for one in column.evidence if one.alarm] == ["shares"]
    (told,) = [one.text for one in column.evidence if one.aspect == "shares"]
    assert told.startswith("shares ")
    assert {part.split()[0] for part in told[7:].split(", ")} == {"1", "2", "3"}
    same = compared(KINDS[kind], rows(401, 240, 159), declared=declared)
    assert same.answer is Answer.STABLE


@pytest.mark.parametrize("kind", KINDS)
def test_declared_numbers_are_judged_as_their_texts_are(kind: str) -> None:
    told = compared(KINDS[kind], rows(380, 170, 240, 10), declared=True)
    text = compared(pa.string(), rows(380, 170, 240, 10), declared=False)
    assert told.columns[0].evidence == text.columns[0].evidence


def test_long_codes_that_no_double_tells_apart_are_told_apart_when_declared() -> None:
    codes = 2**60 + np.arange(3)

    def of(*counts: int) -> Profile:
        batch = pa.record_batch({"shop": np.repeat(codes, counts)})
        return Profile.of([batch], batch.schema, categorical=["shop"])

    month = Baseline.of([of(400 + d, 240 - d, 160) for d in (-2, -1, 0, 1, 2)] * 6)
    assert detect_drift(month, of(400, 160, 240), window="today").answer is Answer.DRIFT
    assert detect_drift(month, of(400, 240, 160), window="today").answer is Answer.STABLE


def test_many_numbers_are_no_codes() -> None:
    random = np.random.default_rng(0)
    columns: dict[str, Any] = {
        "real": lambda: random.normal(size=N),
        "degrees": lambda: random.normal(15, 8, N).round(),
        "constant": lambda: np.ones(N),
        "weekday": lambda: random.integers(0, 7, N),
    }
    days = [profile(**{name: draw() for name, draw in columns.items()}) for _ in range(10)]
    aspects = (aspect for aspect in Baseline.of(days).aspects if aspect.name == "shares")
    assert [aspect.columns for aspect in aspects] == [("weekday",)]


def test_few_numbers_that_move_by_day_alarm_no_more_than_stated() -> None:
    """Counts and hours whose mean differs from day to day, and codes whose shares do."""
    random, alarms = np.random.default_rng(3), []

    def day() -> Profile:
        shares = random.dirichlet(np.array([0.5, 0.3, 0.15, 0.05]) * 60)
        return profile(
            codes=random.choice(4, 300, p=shares),
            hours=np.clip(random.normal(random.normal(8, 1), 2, 300).round(), 0, 23),
            counts=random.poisson(random.gamma(30, 0.1), 300),
            flag=(random.random(300) < random.beta(2, 60)).astype(int),
        )

    for _ in range(3):
        baseline = Baseline.of([day() for _ in range(28)])
        alarms += [detect_drift(baseline, day(), window="today").alarms for _ in range(30)]
    assert sum(map(bool, alarms)) < 6  # as often by chance once in 2,000 runs
