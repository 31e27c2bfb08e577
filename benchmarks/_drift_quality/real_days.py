"""Real days as they were: each against the other days of its month."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks._drift_quality.ours import profile
from benchmarks._drift_quality.population import days_of_year
from mlops_tasks.drift import Answer, Baseline, detect_drift

if TYPE_CHECKING:
    from datetime import date

__all__ = ["RealDays", "judge_real_days"]


@dataclass(frozen=True, slots=True)
class RealDays:
    """Which real days alarm.

    Parameters
    ----------
    n : int
        Days judged.
    knowing, naive : dict of date to str
        Days that alarm with what they alarm for: when the reference's own days are known, and when
        its rows are taken for independent.
    """

    n: int
    knowing: dict[date, str]
    naive: dict[date, str]


def judge_real_days() -> RealDays:
    """Compare every day of 2013 with the other days of its month.

    Returns
    -------
    RealDays
        With the days that alarm.
    """
    days = {day: profile(month, month.rows) for day, month in days_of_year().items()}
    knowing: dict[date, str] = {}
    naive: dict[date, str] = {}
    for day, current in days.items():
        others = [p for d, p in days.items() if d.month == day.month and d != day]
        reference = Baseline.of(others, f"{day:%B}")
        for baseline, found in ((reference, knowing), (Baseline(reference.whole), naive)):
            report = detect_drift(baseline, current, window=f"{day}")
            if report.answer is Answer.DRIFT:
                found[day] = ", ".join(column.name for column in report.alarms)
    return RealDays(len(days), knowing, naive)
