from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import roc_auc_score

from mlops_tasks.drift import Answer
from mlops_tasks.exceptions import NeverScoredError, PartitionNotFoundError
from mlops_tasks.lake import PartitionVersion, overwrite_partition
from mlops_tasks.monitoring import Check, MonitorResult, read_labelled_predictions
from mlops_tasks.monitoring import drift as measuring
from mlops_tasks.problem_types.binary.intervals import auc_standard_error
from mlops_tasks.profiles import Profile
from mlops_tasks.profiles.store import ProfileStore
from mlops_tasks.serialization import to_json
from mlops_tasks.specs import DriftSpec, PerformanceSpec
from mlops_tasks.steps.monitor import measure_drift, measure_performance
from mlops_tasks.steps.score import score
from tests.unit.conftest import copy_world
from tests.unit.orders import ROWS_PER_DAY, day, rows_of

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tasks.monitoring import LabelledPredictions
    from mlops_tasks.specs import ModelSpec
    from tests.unit.conftest import World

LAST = 17


@pytest.fixture(scope="module")
def template(world: World, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Score the last three days with version 1, once."""
    copy = copy_world(world, tmp_path_factory.mktemp("scored"))
    for number in range(LAST - 2, LAST + 1):
        rescore(copy, number)
    return copy


@pytest.fixture
def scored(template: World, tmp_path: Path) -> World:
    """Return a world whose last three days are scored, and whose labels are all there."""
    return copy_world(template, tmp_path)


def rescore(world: World, number: int, **changes: Any) -> None:
    score(
        world.spec,
        day(number),
        replace(world.champion, **changes),
        lake=world.lake,
        tracking=world.tracking,
        token=world.ledger.next_token(),
    )


def rescore_all(world: World) -> None:
    for number in range(LAST - 2, LAST + 1):
        rescore(world, number)


def importances(monkeypatch: pytest.MonkeyPatch, found: dict[str, float]) -> None:
    """Say what the champion makes of its features."""
    monkeypatch.setattr(measuring, "_importance", lambda *_: found)


def drift(world: World, spec: ModelSpec | None = None, number: int = LAST) -> MonitorResult:
    return measure_drift(
        spec or world.spec,
        day(number),
        world.champion,
        lake=world.lake,
        tracking=world.tracking,
    )


def performance(world: World, spec: ModelSpec | None = None, number: int = LAST) -> MonitorResult:
    outcomes = read_labelled_predictions(spec or world.spec, day(number), lake=world.lake)
    return measure_performance(outcomes, world.champion)


def checks(result: MonitorResult) -> dict[str, Check]:
    return {check.name: check for check in result.checks}


def change(world: World, table: str, number: int, column: str, values: list[Any]) -> None:
    rows = rows_of(number)[table]
    index = rows.schema.get_field_index(column)
    overwrite_partition(
        world.lake.table(table),
        day(number),
        rows.set_column(index, column, pa.array(values, rows.schema.field(column).type)),
        token=world.ledger.next_token() + 2**40,
    )


# --- drift


def test_data_like_that_of_training_raises_no_alarm(scored: World) -> None:
    result = drift(scored)
    assert result.alarms == ()
    assert set(checks(result)) == {*scored.spec.features, "score", "predicted_class"}
    assert (result.first, result.last) == (day(LAST - 2), day(LAST))
    assert (result.n_rows, result.model_version) == (3 * ROWS_PER_DAY, "1")


def test_data_that_moved_raises_an_alarm_with_its_number(scored: World) -> None:
    for number in range(LAST - 3, LAST + 1):
        slow = rows_of(number, slower=45)["traffic"]
        overwrite_partition(scored.lake.table("traffic"), day(number), slow, token=2**40)
    rescore_all(scored)
    result = drift(scored)
    assert {check.name for check in result.alarms} - {"predicted_class"} == {"speed", "score"}
    speed = checks(result)["speed"]
    assert speed.value is not None
    assert speed.value > speed.threshold > scored.spec.drift.min_effect
    assert speed.text.startswith("speed: mean ")
    assert f"effect {speed.value:.3f}, alarm above {speed.threshold:.3f}" in speed.text


def test_missing_values_and_new_categories_are_drift(
    scored: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    importances(monkeypatch, {})
    for number in range(LAST - 2, LAST + 1):
        change(scored, "orders", number, "shop", ["chandler"] * ROWS_PER_DAY)
    rescore_all(scored)
    assert "shop" in {check.name for check in drift(scored).alarms}
    for number in range(LAST - 2, LAST + 1):
        rows = scored.lake.table("orders").read(first=day(number), last=day(number))
        gone = rows.set_column(5, "distance", pa.nulls(ROWS_PER_DAY, pa.float64()))
        overwrite_partition(scored.lake.table("orders"), day(number), gone, token=2**41)
    rescore_all(scored)
    assert {"shop", "distance"} <= {check.name for check in drift(scored).alarms}


def test_scores_of_another_version_are_not_compared(scored: World) -> None:
    for number in range(LAST - 2, LAST):
        rescore(scored, number, version="0")
    assert f"score: {Answer.TOO_FEW}" in checks(drift(scored))["score"].text
    rescore(scored, LAST, version="0")
    assert not {"score", "predicted_class"} & set(checks(drift(scored)))


def test_too_few_rows_are_no_evidence(scored: World) -> None:
    wide = scored.spec.model_copy(update={"drift": DriftSpec(window="3d", min_rows=10_000)})
    result = drift(scored, wide)
    assert {check.value for check in result.checks} == {None}
    assert result.alarms == ()
    assert "too few rows to tell, at least 10000 are needed" in result.checks[0].text


def test_what_the_model_makes_little_of_ranks_low(
    scored: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(LAST - 2, LAST + 1):
        change(scored, "orders", number, "items", [50] * ROWS_PER_DAY)
    rescore_all(scored)
    places = []
    for weight in (1.0, 1e-6):
        equal = dict.fromkeys(scored.spec.features, 1.0)
        importances(monkeypatch, equal | {"items": weight})
        result = drift(scored)
        assert checks(result)["items"].alarm
        places.append([check.name for check in result.checks].index("items"))
    assert places == [0, len(scored.spec.features) + 1]


def test_a_feature_that_the_champion_never_had_is_no_evidence(scored: World) -> None:
    """Whoever adds a feature must not stop the monitor of the model in production."""
    sql = scored.lake.root.parent / "more.sql"
    text = scored.spec.features_sql.read_text()
    sql.write_text(text.replace("o.items,", "o.items, o.items * 2 AS twice,"))
    numeric = (*scored.spec.numeric, "twice")
    more = scored.spec.model_copy(update={"numeric": numeric, "features_sql": sql})
    rescore_all(replace(scored, spec=more))
    found = checks(drift(scored, more))
    assert "twice" not in found
    assert found["speed"].value is not None


def test_a_column_that_is_gone_or_holds_something_else_alarms(scored: World) -> None:
    """Neither can be compared: without a word of it, such a day would look stable."""
    store, table = ProfileStore(scored.lake), scored.spec.predictions_table
    assert "schema" not in checks(drift(scored))
    for number in range(LAST - 2, LAST + 1):
        (profile,) = store.read(table, first=day(number), last=day(number)).values()
        columns = dict(profile.columns)
        columns["distance"] = columns.pop("shop")  # a category now
        (commit,) = scored.lake.table(table).commits(first=day(number), last=day(number))
        version = PartitionVersion(table, day(number), commit.version, commit.n_rows, "")
        store.write(version, Profile.of_columns(80, columns))
    found = checks(drift(scored))["schema"]
    assert found.alarm
    assert found.text == "schema: gone: shop; changed: distance: numeric -> category"


def told_apart(world: World, limit: float | None, min_rows: int = 100) -> Check | None:
    limits = DriftSpec(window="3d", min_rows=min_rows, max_domain_auc=limit)
    spec = world.spec.model_copy(update={"drift": limits})
    return checks(drift(world, spec)).get("domain_classifier")


def test_a_classifier_is_asked_only_where_the_spec_says_so(
    scored: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert told_apart(scored, None) is None
    still = told_apart(scored, 0.7)
    assert still is not None
    assert not still.alarm
    assert still.value == pytest.approx(0.5, abs=0.1)
    monkeypatch.setattr("mlops_tasks.monitoring.domain_classifier._MAX_ROWS", 150)
    for number in range(LAST - 3, LAST + 1):
        slow = rows_of(number, slower=45)["traffic"]
        overwrite_partition(scored.lake.table("traffic"), day(number), slow, token=2**40)
    moved = told_apart(scored, 0.7)
    assert moved is not None
    assert moved.alarm
    assert moved.text.startswith(
        "domain_classifier: distinguishes 150 rows of the window from 150 of the training with a "
        "ROC AUC of"
    )
    assert moved.threshold == pytest.approx(
        0.7 + 2.326 * auc_standard_error(0.7, 150, 150), abs=1e-4
    )
    assert f"alarm above {moved.threshold:.3f}; mostly by speed" in moved.text


def test_a_classifier_with_too_few_rows_says_so(scored: World) -> None:
    found = told_apart(scored, 0.7, min_rows=10_000)
    assert found is not None
    assert (found.value, found.alarm) == (None, False)
    assert found.text == (
        f"domain_classifier: {3 * ROWS_PER_DAY} rows, too few to tell; at least 10000 are needed"
    )


@pytest.mark.parametrize("reference", ["trailing", "season"])
def test_scored_days_can_be_the_reference(scored: World, reference: str) -> None:
    last = LAST if reference == "trailing" else LAST - 360
    store, table = ProfileStore(scored.lake), scored.spec.predictions_table
    newest = store.read(table, first=day(LAST), last=day(LAST))[day(LAST)]
    for number in range(last - 9, last):
        rows = scored.lake.table(table).read(first=day(LAST), last=day(LAST))
        published = overwrite_partition(scored.lake.table(table), day(number), rows, token=2**40)
        store.write(published, newest)
    limits = DriftSpec(window="1d", reference=reference, reference_window="5d", min_rows=30)
    result = drift(scored, scored.spec.model_copy(update={"drift": limits}))
    assert result.alarms == ()
    assert {check.value for check in result.checks} == {0.0}
    page = (scored.lake.root / result.report).read_text()
    assert "5 scored days" in page


def test_a_reference_that_was_never_scored_is_named(scored: World) -> None:
    limits = DriftSpec(window="3d", reference="season")
    with pytest.raises(PartitionNotFoundError, match="0 scored days"):
        drift(scored, scored.spec.model_copy(update={"drift": limits}))


def test_a_day_that_was_never_scored_has_no_drift(scored: World) -> None:
    with pytest.raises(NeverScoredError, match=r"run late_orders\.score for it"):
        drift(scored, number=LAST + 1)


def test_the_report_tells_of_the_windows_before(scored: World) -> None:
    for number in (LAST - 1, LAST):
        result = drift(scored, number=number)
    page = (scored.lake.root / result.report).read_text()
    for number in (LAST - 1, LAST):
        assert f"to {day(number)}" in page
    name = f"drift/{day(LAST)}.html"
    assert scored.tracking.read_bytes(scored.champion.run_id, name).decode() == page


def test_a_monitor_result_is_plain_json(scored: World) -> None:
    for result in (drift(scored), performance(scored)):
        evidence = json.loads(json.dumps(to_json(result), allow_nan=False))
        assert evidence["checks"][0]["name"] == result.checks[0].name


def test_the_share_of_predicted_positives_follows_the_threshold(scored: World) -> None:
    """It is told from profiles, so another threshold needs no new scores."""
    told = []
    for threshold in (0.2, 0.5):
        spec = scored.spec.model_copy(update={"threshold": threshold})
        told.append(checks(drift(scored, spec))["predicted_class"].text)
    assert all("predicted_class: shares " in text for text in told)
    assert told[0] != told[1]


# --- performance


def test_performance_is_that_of_the_scored_rows_with_labels(scored: World) -> None:
    result = performance(scored)
    window = {"first": day(LAST - 2), "last": day(LAST)}
    scores = scored.lake.table("late_orders__predictions").read(**window).to_pylist()
    late = scored.lake.table("deliveries").read(**window).to_pylist()
    truth = {row["order_id"]: row["minutes_late"] > 10 for row in late}
    target = [truth[row["order_id"]] for row in scores]
    auc = roc_auc_score(target, [row["score"] for row in scores])
    found = checks(result)
    assert found["roc_auc"].value == pytest.approx(auc, abs=1e-4)
    gap = abs(np.mean([row["score"] for row in scores]) - np.mean(target))
    assert found["calibration_gap"].value == pytest.approx(gap, abs=1e-4)
    assert result.alarms == ()
    assert (result.coverage, result.n_rows) == (1.0, 3 * ROWS_PER_DAY)
    gate = scored.verdict.challenger["roc_auc"]
    assert found["roc_auc"].threshold < gate - 0.05
    assert f"{gate:.4f} at the gate" in found["roc_auc"].text


def test_predictions_that_are_worth_nothing_raise_an_alarm(scored: World) -> None:
    random = np.random.default_rng(1)
    for number in range(LAST - 2, LAST + 1):
        labels = rows_of(number)["deliveries"].column("minutes_late").to_pylist()
        change(scored, "deliveries", number, "minutes_late", random.permutation(labels).tolist())
    assert [check.name for check in performance(scored).alarms] == ["roc_auc"]


def test_a_share_of_positives_that_moved_raises_an_alarm(scored: World) -> None:
    for number in range(LAST - 2, LAST + 1):
        labels = rows_of(number)["deliveries"].column("minutes_late").to_pylist()
        change(scored, "deliveries", number, "minutes_late", [x + 12 for x in labels])
    found = checks(performance(scored))["calibration_gap"]
    assert found.alarm
    assert found.value is not None
    assert found.value > found.threshold > scored.spec.performance.max_calibration_gap


def test_coverage_is_the_share_of_the_day_whose_label_is_known(scored: World) -> None:
    labels = rows_of(LAST)["deliveries"].column("minutes_late").to_pylist()
    change(scored, "deliveries", LAST, "minutes_late", [*labels[:60], *[None] * 20])
    result = performance(scored)
    assert result.coverage == 0.75
    assert result.n_rows == 3 * ROWS_PER_DAY - 20


def test_rows_without_a_label_yet_change_no_figure(scored: World) -> None:
    labels = rows_of(LAST)["deliveries"].column("minutes_late").to_pylist()
    change(scored, "deliveries", LAST, "minutes_late", [*[None] * 20, *labels[20:]])
    before = performance(scored)
    rows = scored.lake.table("late_orders__predictions").read(first=day(LAST), last=day(LAST))
    unknown = set(rows_of(LAST)["orders"].column("order_id").to_pylist()[:20])
    other = [0.5 if row["order_id"] in unknown else row["score"] for row in rows.to_pylist()]
    rows = rows.set_column(1, "score", pa.array(other))
    overwrite_partition(scored.lake.table("late_orders__predictions"), day(LAST), rows, token=2**40)
    assert performance(scored) == before
    assert before.n_rows == 3 * ROWS_PER_DAY - 20


def test_only_the_version_that_scored_the_day_is_measured(scored: World) -> None:
    for number in (LAST - 2, LAST - 1):
        rescore(scored, number, version="0")
    result = performance(scored)
    assert (result.model_version, result.n_rows) == ("1", ROWS_PER_DAY)
    found = checks(result)["roc_auc"]
    assert (found.value, found.alarm) == (None, False)
    assert "80 labelled rows, fewer than 100: too few rows to tell" in found.text


@pytest.mark.parametrize("number", [LAST - 3, LAST + 5])
def test_a_day_that_was_never_scored_is_named(scored: World, number: int) -> None:
    with pytest.raises(NeverScoredError, match=f"{day(number)} was never scored"):
        performance(scored, number=number)


def test_a_model_that_never_scored_is_named(world: World) -> None:
    with pytest.raises(NeverScoredError, match=r"run late_orders\.score for it"):
        performance(world)


def test_labels_of_one_kind_have_no_auc_but_a_share(scored: World) -> None:
    for number in range(LAST - 2, LAST + 1):
        change(scored, "deliveries", number, "minutes_late", [0.0] * ROWS_PER_DAY)
    found = checks(performance(scored))
    assert (found["roc_auc"].value, found["roc_auc"].alarm) == (None, False)
    assert found["roc_auc"].text.startswith(
        "0 positive and 240 negative labels: too few to tell ROC AUC, at least 10 of each"
    )
    assert found["calibration_gap"].alarm


def test_a_window_without_any_label_is_too_few_to_tell(scored: World) -> None:
    for number in range(LAST - 2, LAST + 1):
        change(scored, "deliveries", number, "minutes_late", [None] * ROWS_PER_DAY)
    result = performance(scored)
    assert (result.n_rows, result.coverage, result.alarms) == (0, 0.0, ())
    assert "0 labelled rows, fewer than" in result.checks[0].text


def test_a_gap_within_sampling_error_is_no_alarm(scored: World) -> None:
    strict = PerformanceSpec(window="3d", min_rows=100, max_calibration_gap=0, max_loss=0)
    spec = scored.spec.model_copy(update={"performance": strict})
    found = checks(performance(scored, spec))
    share = 0.35
    assert found["calibration_gap"].threshold == pytest.approx(
        2.576 * math.sqrt(share * (1 - share) / 240), rel=0.15
    )


def test_alarms_are_the_checks_that_alarm() -> None:
    quiet = Check("a", None, 0.2, False, "too few rows to tell")
    loud = Check("b", 0.5, 0.2, True, "moved")
    result = MonitorResult("2024-03-01", "2024-03-03", 9, "1", (quiet, loud))
    assert result.alarms == (loud,)


# --- windows that suit the volume


def grown(world: World, **limits: Any) -> LabelledPredictions:
    limits = {"window": "1d", **limits}
    spec = world.spec.model_copy(update={"performance": PerformanceSpec(**limits)})
    return read_labelled_predictions(
        spec, day(LAST), lake=world.lake, version=lambda number: world.champion
    )


@pytest.mark.parametrize(
    ("limits", "n_days"),
    [
        ({"min_rows": ROWS_PER_DAY}, 1),
        ({"min_rows": ROWS_PER_DAY + 1}, 2),
        ({"min_rows": 10_000}, 3),
        ({"min_rows": 10_000, "max_window": "2d"}, 2),
        ({"smallest_change": 4.0}, 1),
        ({"smallest_change": 0.5}, 3),
    ],
)
def test_a_window_grows_until_it_shows_what_matters(
    scored: World, limits: dict[str, Any], n_days: int
) -> None:
    found = grown(scored, **limits)
    assert list(found.days) == [day(n) for n in range(LAST - n_days + 1, LAST + 1)]
    assert found.first == day(LAST - n_days + 1)
    assert len(found.outcomes()) == n_days * ROWS_PER_DAY


def test_rows_of_other_versions_do_not_count_for_a_window(scored: World) -> None:
    rescore(scored, LAST - 1, version="0")
    found = grown(scored, min_rows=ROWS_PER_DAY + 1)
    assert list(found.days) == [day(LAST - 2), day(LAST)]
    rescore(scored, LAST - 2, version="0")
    assert list(grown(scored, min_rows=ROWS_PER_DAY + 1).days) == [day(LAST)]


def test_a_window_grows_on_where_labels_are_missing(scored: World) -> None:
    rows = rows_of(LAST - 1)["deliveries"].slice(0, 10)
    table, token = scored.lake.table("deliveries"), scored.ledger.next_token() + 2**40
    overwrite_partition(table, day(LAST - 1), rows, token=token)
    found = grown(scored, min_rows=ROWS_PER_DAY + 20)
    assert found.first == day(LAST - 2)


@pytest.mark.parametrize(("min_rows", "n_days"), [(ROWS_PER_DAY, 1), (100, 2), (10_000, 3)])
def test_the_window_of_drift_grows_until_it_holds_enough_rows(
    scored: World, min_rows: int, n_days: int
) -> None:
    limits = DriftSpec(window="1d", min_rows=min_rows)
    found = drift(scored, scored.spec.model_copy(update={"drift": limits}))
    assert (found.first, found.n_rows) == (day(LAST - n_days + 1), n_days * ROWS_PER_DAY)
    assert (found.answer == "cannot_tell") is (min_rows == 10_000)
