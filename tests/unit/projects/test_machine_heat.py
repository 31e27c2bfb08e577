"""A second model over the derived dataset that machine failures are predicted from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from mlops_tasks.partitions import shift_day
from mlops_tasks.serialization import from_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.projects.conftest import Project


def days(first: str, n: int) -> list[str]:
    return [shift_day(first, number) for number in range(n)]


def test_two_models_read_one_derived_dataset(project: Callable[[str, str], Project]) -> None:
    from mlops_tasks.lake import Pin

    heat = project("machine_heat", "machines")
    heat.take_in(days("2024-02-15", 52))
    last = heat.lake.table("machine_trends").read(first="2024-04-06", last="2024-04-06")
    week = heat.lake.table("readings").read(first="2024-03-31", last="2024-04-06").to_pandas()
    wanted = week.groupby("machine_id")["temperature"].mean()
    found = last.to_pandas().set_index("machine_id")["week_temperature"]
    assert found.sort_index().to_numpy() == pytest.approx(wanted.sort_index().to_numpy())
    (commit,) = heat.lake.table("machine_trends").commits(first="2024-04-06", last="2024-04-06")
    heat.lake.table("readings").verify_pin(from_json(Pin, commit.inputs["readings"]))

    _, verdict = heat.train("2024-04-07")
    assert (verdict.verdict, verdict.metric) == ("promote", "mae")
    # What it is to predict scatters by 3 degrees around what can be known.
    assert verdict.challenger["rmse"] == pytest.approx(3, abs=0.6)
    _, performance, _ = heat.watch(days("2024-03-31", 7))
    assert not performance.alarms
    predictions = heat.lake.table("machine_heat__predictions").read(
        first="2024-04-06", last="2024-04-06"
    )
    assert np.isfinite(predictions.column("prediction").to_numpy()).all()
