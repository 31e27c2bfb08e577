"""A rare class with late labels and a cost matrix, from its source to its checks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mlops_tasks.partitions import shift_day

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.projects.conftest import Project


def days(first: str, n: int) -> list[str]:
    return [shift_day(first, number) for number in range(n)]


def test_failures_are_judged_by_their_cost_and_a_new_sensor_is_seen(
    project: Callable[[str, str], Project],
) -> None:
    machines = project("machine_failures", "machines")
    assert machines.spec.threshold == pytest.approx(1 / 26)
    machines.take_in(days("2024-02-15", 75))
    trained, verdict = machines.train("2024-04-29")
    assert trained.target["y_share"] < 0.03
    assert (verdict.verdict, verdict.metric) == ("promote", "expected_cost")
    assert verdict.challenger["expected_cost"] < 25 * verdict.challenger["y_share"]

    machines.take_in(days("2024-04-30", 21))
    quiet, performance, _ = machines.watch(days("2024-04-29", 7))
    assert not quiet.alarms
    assert performance.checks[0].name == "expected_cost"
    moved, performance, _ = machines.watch(days("2024-05-06", 7), grows=True)
    assert "temperature" in {check.name for check in moved.alarms}
    # 1 in 200 fails: what a week shows of that is no answer yet, and is not called fine.
    gap = performance.checks[1]
    assert (gap.name, gap.answer) == ("calibration_gap", "cannot_tell")
    _, performance, _ = machines.watch(days("2024-05-13", 7), grows=True)
    assert "calibration_gap" in {check.name for check in performance.alarms}
