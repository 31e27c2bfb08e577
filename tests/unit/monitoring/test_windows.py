"""The window suits the volume: it grows by rows and days, never by what they say."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from mlops_tasks.monitoring.performance import performance_checks
from mlops_tasks.monitoring.windows import Sight, sight_of
from mlops_tasks.problem_types import Outcomes
from mlops_tasks.problem_types.shifts import Movement
from mlops_tasks.registry.versions import RegisteredVersion
from mlops_tasks.specs import GateSpec, PerformanceSpec

KNOWN = Movement(2.3)  # of one row at a share of 30 %


def spec(**limits: Any) -> Any:
    problem = limits.pop("problem_type", "binary")
    return SimpleNamespace(
        name="m",
        problem_type=problem,
        threshold=0.5,
        gate=GateSpec(),
        costs=None,
        performance=PerformanceSpec(**limits),
    )


def version(known: Movement | None = KNOWN, **metrics: float) -> RegisteredVersion:
    kept = metrics | (known.as_metrics() if known else {})
    return RegisteredVersion("m", "3", "run", "models:/m-1", "digest", metrics=kept)


def rows(n: int, shift: float = 0.0, seed: int = 0) -> Outcomes:
    random = np.random.default_rng(seed)
    logit = random.normal(-1, 1, n)
    score, true = 1 / (1 + np.exp(-logit)), 1 / (1 + np.exp(-logit - shift))
    return Outcomes((random.random(n) < true).astype(np.int64), score, np.arange(n) // 7)


@pytest.mark.parametrize(
    ("change", "least", "most"), [(None, 215, 260), (1.0, 70, 90), (0.25, 730, 800)]
)
def test_smaller_changes_need_more_rows(change: float | None, least: int, most: int) -> None:
    sight = sight_of(spec(smallest_change=change), version())
    n = next(n for n in range(1, 2000) if sight.enough(_days(n)))
    assert least <= n <= most
    assert sight.rows_needed(_days(n // 2)) == pytest.approx(n, abs=9)
    assert (sight.stricter(_days(n)), sight.stricter(_days(29))) == (1.0, None)
    assert sight.stricter(_days(n // 4 + 9)) == pytest.approx(2, rel=0.2) or n // 4 < 30


def _days(n: int) -> list[int]:
    """Spread rows over six weeks, whose level is 1.5 %."""
    return [n // 42 + (number < n % 42) for number in range(42)]


def test_false_alarms_are_kept_by_the_year_and_not_by_the_window() -> None:
    sight = sight_of(spec(), version())
    assert sight.level([9] * 42) == sight.level([9] * 90) == pytest.approx(0.015)
    assert sight.level([9] * 7) == sight.level([9]) == pytest.approx(0.015 / 6)
    assert sight.beyond_chance([9] * 42) == pytest.approx(2.4324, abs=1e-4)
    assert sight.rows_needed([900] * 7) > 1.3 * sight.rows_needed([1] * 42)
    assert sight_of(spec(), version(None)).level([9]) == 0.01


def test_days_that_differ_need_more_days_whatever_their_rows() -> None:
    sight = sight_of(spec(), version(Movement(2.3, 0.2, 0.0, 100)))
    assert not sight.enough([100_000])
    n = next(n for n in range(1, 99) if sight.enough([1000] * n))
    assert 2 <= n <= 4
    lasting = sight_of(spec(), version(Movement(2.3, 0.2, 0.7, 100)))
    assert next(n for n in range(1, 99) if lasting.enough([1000] * n)) > 2 * n


@pytest.mark.parametrize(("n_days", "by_rows"), [(5, True), (13, True), (14, False)])
def test_an_evaluation_of_few_days_is_judged_by_rows(n_days: int, by_rows: bool) -> None:
    sight = sight_of(spec(), version(Movement(2.3, 0.5, 0.0, n_days)))
    assert (sight.min_rows, sight.movement is None) == ((500, True) if by_rows else (0, False))
    assert sight.enough([500]) is by_rows


def test_rows_that_the_spec_names_suffice() -> None:
    sight = sight_of(spec(min_rows=40), version())
    assert (sight.enough([39]), sight.enough([40]), sight.stricter([39])) == (False, True, None)
    old = sight_of(spec(), version(None))
    assert (old.enough([499]), old.enough([500]), old.rows_needed([9])) == (False, True, 500)


def test_a_number_matters_as_a_share() -> None:
    sight = sight_of(spec(problem_type="regression"), version(Movement(0.3)))
    assert (sight.smallest, sight.words) == (0.1, "targets larger or smaller by 10 %")
    assert sight.rows_needed([1] * 42) == pytest.approx((0.3 * 2.6857 / 0.1) ** 2, abs=1)


def check(outcomes: Outcomes, sizes: list[int], champion: RegisteredVersion, **more: Any) -> Any:
    about = cast("Any", spec(min_class_rows=1, **more))
    return performance_checks(about, outcomes, champion, day_sizes=sizes)


def test_too_few_rows_are_no_answer_and_say_how_many_are_needed() -> None:
    metric, gap = check(rows(100), _days(100), version())
    assert (metric.value, gap.value, gap.answer) == (None, None, "cannot_tell")
    assert gap.text.startswith(
        "100 labelled rows, fewer than 233, which show odds × 1.5: too few rows to tell; predicted"
    )
    metric, gap = check(rows(20), _days(20), version())
    assert gap.text == (
        "20 labelled rows, fewer than 233, which show odds × 1.5: too few rows to tell"
    )


def test_a_large_change_alarms_before_there_are_rows_enough() -> None:
    alarms = [check(rows(100, 3.0, seed), _days(100), version())[1].alarm for seed in range(20)]
    assert sum(alarms) >= 18
    quiet = [check(rows(100, 0.0, seed), _days(100), version())[1].alarm for seed in range(200)]
    assert sum(quiet) <= 1, "a look at 4 in 10 of the rows costs next to none of the level"


def test_without_a_change_the_level_holds_and_with_one_it_is_seen() -> None:
    champion, sizes = version(), _days(259)
    quiet = [check(rows(259, 0.0, seed), sizes, champion)[1] for seed in range(400)]
    assert sum(one.alarm for one in quiet) <= 15, "16 or more of 400 happen once in 1000 trials"
    assert all(one.value is not None for one in quiet)
    seen = [check(rows(259, np.log(1.5), seed), sizes, champion)[1].alarm for seed in range(200)]
    assert sum(seen) >= 90


def test_days_that_differ_by_themselves_are_no_alarm() -> None:
    """A week with four tenths of a day's usual movement more than none, on very many rows."""
    week = rows(40_000, 0.2, 1)
    still = version(Movement(2.3, 0.0, 0.0, 28))
    moving = version(Movement(2.3, 0.5, 0.3, 28))
    assert check(week, [5715] * 7, still)[1].alarm
    assert not check(week, [5715] * 7, moving)[1].alarm


def test_a_metric_that_chance_hides_is_not_called_fine() -> None:
    champion = version(roc_auc=0.73, roc_auc_lower=0.4, roc_auc_upper=0.95)
    metric, gap = check(rows(300), _days(300), champion)
    assert (metric.value, gap.answer) == (None, "fine")
    assert "is what chance and days explain" in metric.text
    sure = version(roc_auc=0.73, roc_auc_lower=0.72, roc_auc_upper=0.74)
    assert check(rows(2000), [2000], sure)[0].answer == "fine"


def test_a_sight_is_plain() -> None:
    assert Sight(0.4, "odds × 1.5", KNOWN, 0).share([]) == 0.0
