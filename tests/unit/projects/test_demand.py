"""A weekly number with a snapshot input, from its source to its checks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tasks.partitions import WEEK

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.projects.conftest import Project


def weeks(first: str, n: int) -> list[str]:
    return [WEEK.shift(first, number) for number in range(n)]


def test_sales_are_predicted_and_a_competitor_is_seen(
    project: Callable[[str, str], Project],
) -> None:
    demand = project("demand", "demand")
    demand.take_in(weeks("2023-01-02", 57))  # to 2024-01-29
    _, verdict = demand.train("2024-02-11")
    assert (verdict.verdict, verdict.metric) == ("promote", "mae")
    assert verdict.challenger["r2"] > 0.6
    rows = demand.lake.table("offers").read(first="2024-01-29", last="2024-01-29")
    assert rows.num_rows == 12 * 15, "two stores opened with the year"

    demand.take_in(weeks("2024-02-05", 8))
    drift, performance, _ = demand.watch(weeks("2024-02-05", 4))
    assert not performance.alarms
    assert [check.name for check in performance.checks] == ["mae", "calibration_gap"]
    assert not {"price", "region"} & {check.name for check in drift.alarms}
    risen, _, _ = demand.watch(weeks("2024-03-04", 4))
    assert "price" in {check.name for check in risen.alarms}
    demand.take_in(weeks("2024-07-01", 4))
    _, performance, _ = demand.watch(weeks("2024-07-01", 4))
    assert "calibration_gap" in {check.name for check in performance.alarms}
