"""What comes due when: by delays, late rows, snapshots, derived datasets, and grains."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from mlops_tasks.partitions import DAY, Duration
from mlops_tasks.specs import InputSpec, LabelSpec
from mlops_tasks.specs.calendar import Calendar, Step, with_inputs
from tests.quality.discovery import DAGS
from tests.unit import machines, orders

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mlops_tasks.specs import ModelSpec


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let projects be imported for one test only."""
    monkeypatch.syspath_prepend(DAGS)
    mine = {path.name for path in DAGS.iterdir()}
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] in mine]:
        sys.modules.pop(name)


@pytest.fixture
def demand(example: None) -> ModelSpec:
    from demand.spec import MODEL

    return MODEL


@pytest.fixture
def failures(example: None) -> ModelSpec:
    from machine_failures.spec import MODEL

    return MODEL


def first_keys(steps: list[Step]) -> dict[str, str]:
    return {step.dag_id: step.partition_key for step in reversed(steps)}


def last_keys(steps: list[Step]) -> dict[str, str]:
    return {step.dag_id: step.partition_key for step in steps}


def test_weeks_come_due_by_their_own_delays(demand: ModelSpec) -> None:
    calendar = Calendar(demand, "2024-06-10")
    assert calendar.cutoff == "2024-06-09"
    sources, derived = calendar.history()
    assert derived == []
    assert last_keys(sources) == {
        "offers.ingest": "2024-06-03",
        "stores.ingest": "2024-06-03",
        "sales.ingest": "2024-05-27",
    }
    assert calendar.as_of("2024-06-10") == "2024-06-16"
    assert calendar.news("2024-06-10") == [
        Step("offers.ingest", "2024-06-10"),
        Step("stores.ingest", "2024-06-10"),
        Step("sales.ingest", "2024-06-03"),
    ]
    assert calendar.scored_after("2024-06-10") == ["2024-06-10"]
    assert calendar.labelled_after("2024-06-10") == ["2024-06-03"]


def test_a_scoring_waits_for_its_latest_input(tmp_path: Path) -> None:
    inputs = (
        InputSpec(dataset=orders.orders_dataset(tmp_path)),
        InputSpec(dataset=orders.traffic_dataset(tmp_path, delay="3d"), lookback="1d"),
    )
    calendar = Calendar(orders.project(tmp_path / "project", inputs=inputs), "2024-03-20")
    assert calendar.scored_after("2024-03-20") == ["2024-03-17"]
    # The labels of the 17th came a day before its predictions, late ones come for the 15th.
    assert calendar.labelled_after("2024-03-20") == ["2024-03-15", "2024-03-17"]


def test_nothing_comes_after_the_end_of_the_data(demand: ModelSpec) -> None:
    # The rows' last week is that of 30 December; its sales come a week later.
    calendar = Calendar(demand, "2024-12-30")
    assert calendar.scored_after("2024-12-30") == ["2024-12-30"]
    assert calendar.scored_after("2025-01-06") == []
    assert calendar.news("2025-01-06") == [Step("sales.ingest", "2024-12-30")]


def test_the_first_training_needs_its_windows_before_what_is_labelled(demand: ModelSpec) -> None:
    calendar = Calendar(demand, "2024-06-10")
    # Sales to 27 May are known; four weeks of evaluation are from 6 May. What is sold in the week
    # before is counted a week later, in the evaluation; two weeks before that are from 15 April.
    assert calendar.trained_from(Duration.of("14d")) == "2024-04-15"


def test_history_is_as_long_as_the_windows_of_the_first_training(demand: ModelSpec) -> None:
    sources, _ = Calendar(demand, "2024-06-10").history()
    # Sales to 2 June; 28 days of evaluation from 6 May, a week of embargo before it, 364 days of
    # training from 1 May 2023. That Monday begins before its snapshot is taken, and before that of
    # the week before: at one.
    assert first_keys(sources) == {
        "offers.ingest": "2023-05-01",
        "stores.ingest": "2023-04-17",
        "sales.ingest": "2023-05-01",
    }


def test_a_given_beginning_limits_the_history(demand: ModelSpec) -> None:
    sources, _ = Calendar(demand, "2024-06-10", begin="2024-04-01").history()
    assert first_keys(sources)["offers.ingest"] == "2024-04-01"
    assert first_keys(sources)["stores.ingest"] == "2024-03-18"


def test_derived_datasets_follow_their_inputs(failures: ModelSpec) -> None:
    calendar = Calendar(failures, "2024-05-02")
    assert [one.name for one in calendar.datasets] == ["readings", "machine_trends", "failures"]
    sources, derived = calendar.history()
    assert {step.dag_id for step in derived} == {"machine_trends.ingest"}
    assert {step.dag_id for step in sources} == {"readings.ingest", "failures.ingest"}
    assert derived[-1].partition_key == "2024-05-01"
    # Whether a machine fails within two weeks is known 15 days after.
    assert calendar.news("2024-05-02") == [
        Step("readings.ingest", "2024-05-02"),
        Step("failures.ingest", "2024-04-17"),
    ]
    assert calendar.computed("2024-05-02") == [Step("machine_trends.ingest", "2024-05-02")]
    assert calendar.scored_after("2024-05-02") == ["2024-05-02"]


def test_what_looks_back_is_taken_in_earlier_through_derived_datasets_too(
    failures: ModelSpec,
) -> None:
    sources, derived = Calendar(failures, "2024-05-02", begin="2024-03-10").history()
    assert first_keys(derived) == {"machine_trends.ingest": "2024-03-10"}
    assert first_keys(sources)["readings.ingest"] == "2024-03-04", "six days before"
    before = Calendar(failures, "2024-05-02", begin="2024-01-03").history()[0]
    assert first_keys(before)["readings.ingest"] == "2024-01-01", "the first there is"


def test_late_rows_are_news_again(tmp_path: Path) -> None:
    label = LabelSpec(
        dataset=orders.deliveries_dataset(tmp_path, refresh_after="9d"),
        target="minutes_late > 10",
    )
    calendar = Calendar(orders.project(tmp_path / "project", label=label), "2024-03-20")
    assert "deliveries.refresh" in calendar.dag_ids
    assert [one for one in calendar.news("2024-03-20") if one.dag_id.startswith("del")] == [
        Step("deliveries.ingest", "2024-03-18"),
        Step("deliveries.refresh", "2024-03-11"),
    ]
    assert calendar.labelled_after("2024-03-20") == ["2024-03-11", "2024-03-18"]


def test_a_round_of_hours_is_a_day(tmp_path: Path) -> None:
    spec = machines.project(tmp_path / "plant", "hour")
    calendar = Calendar(spec, "2024-03-30T05")
    assert calendar.grain is DAY
    assert calendar.first == "2024-03-30"
    assert calendar.as_of("2024-03-30") == "2024-03-30"
    # The clocks of Berlin go forward on the 31st; hours are those of UTC.
    scored = calendar.scored_after("2024-03-31")
    assert len(scored) == 23
    assert calendar.labelled_after("2024-03-31") == scored
    begin = datetime(2024, 3, 30, 23, tzinfo=UTC)
    assert scored == [f"{begin + timedelta(hours=n):%Y-%m-%dT%H}" for n in range(23)]


def test_each_dataset_comes_once_and_after_what_it_is_computed_from(
    demand: ModelSpec, failures: ModelSpec
) -> None:
    found = with_inputs([*failures.datasets, *demand.datasets, *failures.datasets])
    assert [one.name for one in found] == [
        *("readings", "machine_trends", "failures"),
        *("offers", "stores", "sales"),
    ]
