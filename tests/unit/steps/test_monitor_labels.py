"""The labels of a window against those of the training."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from mlops_tasks.drift import DriftReport
from mlops_tasks.lake import overwrite_partition
from mlops_tasks.monitoring import Check, MonitorResult, read_labelled_predictions
from mlops_tasks.monitoring.labels import interpret
from mlops_tasks.problem_types import LABEL
from mlops_tasks.profiles.archive import unpack_days
from mlops_tasks.registry.artifacts import LABEL_PROFILES
from mlops_tasks.reports import newest_facts
from mlops_tasks.serialization import from_json, to_json
from mlops_tasks.specs import DriftSpec, PerformanceSpec
from mlops_tasks.steps.monitor import measure_labels, measure_performance
from tests.unit.conftest import copy_world
from tests.unit.orders import ROWS_PER_DAY, day, rows_of
from tests.unit.steps.test_monitor import LAST, change, rescore_all

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tasks.specs import ModelSpec
    from tests.unit.conftest import World

WINDOW = (LAST - 2, LAST - 1, LAST)


@pytest.fixture(scope="module")
def template(world: World, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Score the last three days with version 1, once."""
    copy = copy_world(world, tmp_path_factory.mktemp("labelled"))
    rescore_all(copy)
    return copy


@pytest.fixture
def scored(template: World, tmp_path: Path) -> World:
    """Return a world whose last three days are scored, and whose labels are all there."""
    return copy_world(template, tmp_path)


def labels(world: World, spec: ModelSpec | None = None, number: int = LAST) -> MonitorResult:
    outcomes = read_labelled_predictions(spec or world.spec, day(number), lake=world.lake)
    performance = measure_performance(outcomes, world.champion)
    return measure_labels(
        outcomes, performance, world.champion, lake=world.lake, tracking=world.tracking
    )


def minutes_late(number: int) -> list[float]:
    return list(rows_of(number)["deliveries"].column("minutes_late").to_pylist())


def make_late(world: World, minutes: float) -> None:
    """Deliver everything later than the orders were."""
    for number in WINDOW:
        late = [x + minutes for x in minutes_late(number)]
        change(world, "deliveries", number, "minutes_late", late)


def share_of(numbers: Any) -> float:
    late = [x > 10 for number in numbers for x in minutes_late(number)]
    return sum(late) / len(late)


# --- what the training keeps


def test_a_training_keeps_the_labels_of_its_days(world: World) -> None:
    days = unpack_days(world.tracking.read_bytes(world.trained.run_id, LABEL_PROFILES))
    assert (min(days), max(days)) == world.pin.train
    counts = [dict(profile.columns[LABEL].counts) for profile in days.values()]  # type: ignore[union-attr]
    assert sum(sum(found.values()) for found in counts) == world.trained.n_rows
    positive = sum(found["positive"] for found in counts)
    assert positive / world.trained.n_rows == pytest.approx(
        world.trained.target["y_share"], abs=1e-4
    )


# --- the comparison


def test_labels_like_those_of_the_training_raise_no_alarm(scored: World) -> None:
    result = labels(scored)
    (check,) = result.checks
    assert (check.name, check.alarm) == (LABEL, False)
    assert check.value is not None
    assert check.value < check.threshold
    old, new = share_of(range(10)), share_of(WINDOW)
    assert check.text.startswith(f"label share {100 * old:.3g} % → {100 * new:.3g} %; effect ")
    assert (result.first, result.last, result.coverage) == (day(WINDOW[0]), day(LAST), 1.0)
    assert (result.n_rows, result.model_version) == (3 * ROWS_PER_DAY, "1")


def test_a_prior_shift_is_told_in_one_line(scored: World) -> None:
    make_late(scored, 12)
    result = labels(scored)
    (check,) = result.checks
    assert check.alarm
    assert check.value is not None
    assert check.value > check.threshold > scored.spec.drift.min_effect
    assert check.text.startswith("label share ")
    assert f"; effect {check.value:.3f}, alarm above {check.threshold:.3f}; " in check.text
    assert "\n" not in check.text
    json.dumps(to_json(result), allow_nan=False)


def test_the_report_is_kept_where_those_of_drift_are(scored: World) -> None:
    for number in (LAST - 1, LAST):
        result = labels(scored, number=number)
    page = (scored.lake.root / result.report).read_text()
    assert f"Labels of late_orders: {day(LAST - 2)} to {day(LAST)}" in page
    assert f"{day(LAST - 3)} to {day(LAST - 1)}" in page, "the heatmap lacks the day before"
    assert "the training data of version 1" in page
    logged = scored.tracking.read_bytes(scored.champion.run_id, f"labels/{day(LAST)}.html")
    assert logged.decode() == page
    (_, facts) = newest_facts(
        scored.lake.root, "late_orders__labels", first=day(LAST - 1), last=day(LAST)
    )
    report = from_json(DriftReport, facts)
    assert [column.name for column in report.columns] == [LABEL]
    assert report.policy.level == scored.spec.drift.level / 3


def test_on_less_than_half_a_window_nobody_can_tell(scored: World) -> None:
    make_late(scored, 12)
    wide = PerformanceSpec(window="8d", min_rows=30)
    spec = scored.spec.model_copy(update={"performance": wide})
    # A first scoring long ago: five of the eight days of the window are missing.
    rows = scored.lake.table(spec.predictions_table).read(first=day(LAST), last=day(LAST))
    overwrite_partition(scored.lake.table(spec.predictions_table), day(0), rows, token=2**41)
    result = labels(scored, spec)
    (check,) = result.checks
    assert (check.value, check.alarm) == (None, False)
    assert check.text.startswith("label: nobody can tell, 5 of 8 days are missing: ")
    assert result.gaps.startswith("5 of 8 days are missing: ")
    page = (scored.lake.root / result.report).read_text()
    assert "too much of the window is missing to tell (5 of 8 days" in page


def test_a_window_of_one_day_is_named_by_it(scored: World) -> None:
    short = PerformanceSpec(window="1d", min_rows=30)
    limits = DriftSpec(min_rows=30)
    spec = scored.spec.model_copy(update={"performance": short, "drift": limits})
    page = (scored.lake.root / labels(scored, spec).report).read_text()
    assert f"Labels of late_orders: {day(LAST)}<" in page


def test_too_few_labels_are_no_evidence(scored: World) -> None:
    make_late(scored, 100)
    spec = scored.spec.model_copy(update={"drift": DriftSpec(min_rows=1000)})
    (check,) = labels(scored, spec).checks
    assert (check.value, check.alarm) == (None, False)
    assert "→ 100 % on 240 rows: too few rows to tell, at least 1000 are needed" in check.text


# --- labels that are not there yet


def test_days_whose_labels_are_still_coming_are_left_out(scored: World) -> None:
    """Those that come first may all be of one kind."""
    late = [None] * 20 + [60.0] * (ROWS_PER_DAY - 20)
    change(scored, "deliveries", LAST, "minutes_late", late)
    result = labels(scored)
    (check,) = result.checks
    assert not check.alarm
    assert (result.n_rows, result.coverage) == (2 * ROWS_PER_DAY, 0.75)
    assert f"→ {100 * share_of(WINDOW[:2]):.3g} %" in check.text
    assert check.text.endswith(f"left out until more labels come: {day(LAST)} (75 % labelled)")
    change(scored, "deliveries", LAST, "minutes_late", [60.0] * ROWS_PER_DAY)
    after = labels(scored)
    assert after.n_rows == 3 * ROWS_PER_DAY
    assert "left out" not in after.checks[0].text


@pytest.mark.parametrize("min_coverage", [0.8, 0.0])
def test_a_window_without_mature_labels_says_so(scored: World, min_coverage: float) -> None:
    for number in WINDOW:
        change(scored, "deliveries", number, "minutes_late", [None] * ROWS_PER_DAY)
    limits = PerformanceSpec(window="3d", min_rows=100, min_coverage=min_coverage)
    result = labels(scored, scored.spec.model_copy(update={"performance": limits}))
    (check,) = result.checks
    assert (check.value, check.alarm, result.report, result.n_rows) == (None, False, "", 0)
    assert f"no day has labels for {100 * min_coverage:g} % of its predictions yet" in check.text
    assert "at most 0 %; if more never come, lower min_coverage in PerformanceSpec" in check.text


def test_a_version_that_was_trained_before_labels_were_profiled_is_named(scored: World) -> None:
    artifacts = dict(scored.champion.artifacts)
    del artifacts[LABEL_PROFILES]
    result = labels(replace(scored, champion=replace(scored.champion, artifacts=artifacts)))
    (check,) = result.checks
    assert (check.value, check.alarm, result.report) == (None, False, "")
    assert "label: no profile of labels in version 1; it was trained before" in check.text


# --- what labels and performance mean together


def performance(*, auc: bool | None, gap: bool) -> MonitorResult:
    """Return the checks of a performance; True alarms, None cannot be told."""
    ranking = Check("roc_auc", None if auc is None else 0.7, 0.6, bool(auc), "")
    calibration = Check("calibration_gap", 0.01, 0.03, gap, "")
    return MonitorResult("2024-03-01", "2024-03-03", 300, "1", (ranking, calibration))


@pytest.mark.parametrize(
    ("moved", "auc", "gap", "part"),
    [
        (False, False, False, ""),
        (
            False,
            True,
            False,
            "labels moved no further than days do, so the model or its inputs fail",
        ),
        (
            False,
            True,
            True,
            "labels moved no further than days do, so the model or its inputs fail",
        ),
        (False, False, True, "labels moved no further than days do, but the predictions are off"),
        (True, False, True, "prior shift: the model still ranks, but its predictions are off"),
        (True, False, False, "the world moved and the model followed"),
        (True, True, True, "more than a prior shift"),
        (True, None, True, "nobody can tell yet"),
    ],
)
def test_a_moved_world_is_told_from_a_failing_model(
    moved: bool, auc: bool | None, gap: bool, part: str
) -> None:
    said = interpret(moved=moved, performance=performance(auc=auc, gap=gap).checks)
    assert said.startswith(part) or part in said
    assert bool(said) == bool(part)


def test_a_failing_model_is_not_blamed_on_the_labels(scored: World) -> None:
    """Labels that are only shuffled have the share of the training."""
    for number in WINDOW:
        change(scored, "deliveries", number, "minutes_late", minutes_late(number)[::-1])
    (check,) = labels(scored).checks
    assert not check.alarm
    assert "no further than days do, so the model or its inputs fail" in check.text


def test_only_rows_of_the_version_that_scored_the_day_count(scored: World) -> None:
    table = scored.spec.predictions_table
    rows = scored.lake.table(table).read(first=day(LAST - 1), last=day(LAST - 1))
    index = rows.schema.get_field_index("model_version")
    other = rows.set_column(index, "model_version", pa.array(["0"] * rows.num_rows))
    overwrite_partition(scored.lake.table(table), day(LAST - 1), other, token=2**40)
    assert labels(scored).n_rows == 2 * ROWS_PER_DAY
