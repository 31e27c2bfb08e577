"""The whole loop for a number and for three classes, with real stores."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from sklearn.metrics import log_loss, mean_absolute_error

from mlops_tasks.exceptions import FeatureError, NoLabelsError
from mlops_tasks.features import build_targets, feature_frame, labelled_rows
from mlops_tasks.monitoring import read_labelled_predictions
from mlops_tasks.policy import drift_alarms, performance_alarms
from mlops_tasks.registry.artifacts import CLASSES, LABEL_PROFILES
from mlops_tasks.registry.champions import champion_of
from mlops_tasks.specs import LabelSpec
from mlops_tasks.steps.evaluate import evaluate
from mlops_tasks.steps.monitor import measure_drift, measure_labels, measure_performance
from mlops_tasks.steps.pin import pin_training_data
from mlops_tasks.steps.promote import promote
from mlops_tasks.steps.register import register
from mlops_tasks.steps.score import score
from mlops_tasks.steps.train import train
from tests.unit.orders import day, fill_lake, project_of
from tests.unit.stores import Stores, copy_stores, new_stores

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tasks.lake import Lake
    from mlops_tasks.registry.ledger import Ledger
    from mlops_tasks.registry.tracking import Tracking
    from mlops_tasks.specs import ModelSpec

N_DAYS, AS_OF = 22, 15
CLASS_NAMES = ("Late", "early", "on time")


def loop(spec: ModelSpec, lake: Lake, tracking: Tracking, ledger: Ledger, *, as_of: int) -> Any:
    """Pin, train, evaluate, register and promote."""
    pin = pin_training_data(spec, day(as_of), lake=lake)
    trained = train(spec, pin, lake=lake, tracking=tracking)
    champion = None
    if as_of > AS_OF:
        champion = champion_of(spec.name, tracking=tracking, ledger=ledger)
    verdict = evaluate(spec, pin, trained, champion, lake=lake, tracking=tracking)
    version = register(spec.name, trained, verdict, tracking=tracking, ledger=ledger)
    promote(version, verdict, as_of=day(as_of), tracking=tracking, ledger=ledger)
    return pin, trained, verdict


def target_and_frame(spec: ModelSpec, pin: Any, window: tuple[str, str], lake: Lake) -> Any:
    rows = labelled_rows(spec, pin, window, lake=lake)
    return rows.column("y").to_numpy(zero_copy_only=False), feature_frame(spec, rows)


@dataclass(frozen=True)
class Loop:
    """Stores with all days in them, and a first champion as of one of them."""

    spec: ModelSpec
    stores: Stores
    pin: Any
    trained: Any
    verdict: Any

    @property
    def parts(self) -> tuple[ModelSpec, Lake, Tracking, Ledger]:
        return self.spec, self.stores.lake, self.stores.tracking, self.stores.ledger


@pytest.fixture(scope="module")
def loops(tmp_path_factory: pytest.TempPathFactory, mlflow_template: Path) -> dict[str, Loop]:
    """Play it once for each kind of target."""
    found = {}
    for kind in ("regression", "multiclass"):
        home = tmp_path_factory.mktemp(kind)
        spec = project_of(home / "project", kind)
        stores = new_stores(home / "stores", mlflow_template, spec.name, "other_orders")
        fill_lake(stores.lake, spec, range(N_DAYS))
        done = loop(spec, stores.lake, stores.tracking, stores.ledger, as_of=AS_OF)
        found[kind] = Loop(spec, stores, *done)
    return found


@pytest.fixture
def regression(loops: dict[str, Loop], tmp_path: Path) -> Loop:
    """A copy of this test's own."""
    found = loops["regression"]
    return replace(found, stores=copy_stores(found.stores, tmp_path / "stores"))


@pytest.fixture
def multiclass(loops: dict[str, Loop], tmp_path: Path) -> Loop:
    """A copy of this test's own."""
    found = loops["multiclass"]
    return replace(found, stores=copy_stores(found.stores, tmp_path / "stores"))


@pytest.fixture(params=["regression", "multiclass"])
def other(request: pytest.FixtureRequest) -> Loop:
    found: Loop = request.getfixturevalue(request.param)
    return found


def test_a_number_from_its_label_to_its_checks(regression: Loop) -> None:
    spec, lake, tracking, ledger = regression.parts
    pin, trained, verdict = regression.pin, regression.trained, regression.verdict

    y, _ = target_and_frame(spec, pin, pin.train, lake)
    assert y.dtype == np.float64
    assert trained.target["y_mean"] == pytest.approx(y.mean(), rel=1e-5)
    assert trained.classes == ()
    model = tracking.load(trained.model_uri, trained.digest)
    y, frame = target_and_frame(spec, pin, pin.evaluation, lake)
    mae = mean_absolute_error(y, model.predict(frame))
    assert (verdict.verdict, verdict.metric) == ("promote", "mae")
    assert verdict.challenger["mae"] == pytest.approx(mae)
    constant = mean_absolute_error(y, np.full(len(y), np.median(y)))
    assert verdict.difference["value"] == pytest.approx(constant - mae)
    assert "mean absolute error" in verdict.reason.lower()
    assert "a constant" in verdict.reason

    champion = champion_of(spec.name, tracking=tracking, ledger=ledger)
    for number in range(AS_OF, N_DAYS):
        found = score(spec, day(number), champion, lake=lake, tracking=tracking, token=number)
    rows = lake.table(spec.predictions_table).read(first=day(N_DAYS - 1), last=day(N_DAYS - 1))
    predicted = rows.column("prediction").to_numpy()
    assert rows.column("prediction_lower").null_count == rows.num_rows
    assert found.summary.startswith(f"mean prediction {predicted.mean():.5g}, ")

    drift = measure_drift(spec, day(N_DAYS - 1), champion, lake=lake, tracking=tracking)
    assert "prediction" in {check.name for check in drift.checks}
    assert not drift.alarms
    known = read_labelled_predictions(spec, day(N_DAYS - 1), lake=lake)
    performance = measure_performance(known, champion)
    metric, gap = performance.checks
    y = known.rows().column("y").to_numpy()
    p = known.predictions().column("prediction").to_numpy()
    assert (metric.name, metric.value) == ("mae", round(float(np.abs(y - p).mean()), 4))
    assert metric.threshold > verdict.challenger["mae"] * 1.1 - 1e-4
    assert gap.value == pytest.approx(abs(p.mean() - y.mean()), abs=1e-4)
    assert not performance.alarms
    labels = measure_labels(known, performance, champion, lake=lake, tracking=tracking)
    assert labels.checks[0].text.startswith("mean label ")
    assert labels.report


def test_a_number_that_moves_and_a_model_that_fails_are_found(regression: Loop) -> None:
    spec, lake, tracking, ledger = regression.parts
    champion = champion_of(spec.name, tracking=tracking, ledger=ledger)
    moved = spec.label.dataset
    for number in range(AS_OF + 1, N_DAYS):
        _shift_labels(lake, moved.name, day(number), 40.0)
        score(spec, day(number), champion, lake=lake, tracking=tracking, token=number)
    known = read_labelled_predictions(spec, day(N_DAYS - 1), lake=lake)
    performance = measure_performance(known, champion)
    assert [check.alarm for check in performance.checks] == [True, True]
    labels = measure_labels(known, performance, champion, lake=lake, tracking=tracking)
    assert labels.checks[0].alarm
    assert "the model predicts worse" in labels.checks[0].text


def _shift_labels(lake: Lake, name: str, key: str, by: float) -> None:
    from mlops_tasks.lake import overwrite_partition

    table = lake.table(name)
    rows = table.read(first=key, last=key)
    place = rows.column_names.index("minutes_late")
    rows = rows.set_column(place, "minutes_late", pc.add(rows.column("minutes_late"), by))
    overwrite_partition(table, key, rows, token=2**40, known_at=key)


def test_classes_from_their_label_to_their_checks(multiclass: Loop) -> None:
    spec, lake, tracking, ledger = multiclass.parts
    pin, trained, verdict = multiclass.pin, multiclass.trained, multiclass.verdict

    assert trained.classes == CLASS_NAMES
    champion = champion_of(spec.name, tracking=tracking, ledger=ledger)
    stored = json.loads(tracking.read_artifact(champion, CLASSES))
    assert tuple(stored["classes"]) == CLASS_NAMES
    assert LABEL_PROFILES in champion.artifacts
    tags = tracking.by_version(spec.name, champion.version).tags
    assert json.loads(tags["mlops.classes"]) == list(CLASS_NAMES)
    model = tracking.load(trained.model_uri, trained.digest)
    y, frame = target_and_frame(spec, pin, pin.evaluation, lake)
    assert (verdict.verdict, verdict.metric) == ("promote", "log_loss")
    assert verdict.challenger["log_loss"] == pytest.approx(
        log_loss(y, model.predict_proba(frame), labels=list(CLASS_NAMES))
    )
    assert {"accuracy", "f1_macro"} <= set(verdict.challenger)

    for number in range(AS_OF, N_DAYS):
        found = score(spec, day(number), champion, lake=lake, tracking=tracking, token=number)
    rows = lake.table(spec.predictions_table).read(first=day(N_DAYS - 1), last=day(N_DAYS - 1))
    columns = [f"probability_{name}" for name in ("%4Cate", "early", "on%20time")]
    shares = np.column_stack([rows.column(name).to_numpy() for name in columns])
    assert shares.sum(axis=1) == pytest.approx(1)
    likeliest = np.array(CLASS_NAMES)[shares.argmax(axis=1)]
    assert rows.column("predicted_class").to_pylist() == likeliest.tolist()
    assert found.summary.startswith("predicted ")

    drift = measure_drift(spec, day(N_DAYS - 1), champion, lake=lake, tracking=tracking)
    assert {"predicted_class", "confidence"} <= {check.name for check in drift.checks}
    known = read_labelled_predictions(spec, day(N_DAYS - 1), lake=lake)
    performance = measure_performance(known, champion)
    metric, gap = performance.checks
    assert (metric.name, metric.alarm) == ("log_loss", False)
    assert gap.name == "calibration_gap"
    assert any(name in gap.text for name in CLASS_NAMES)
    labels = measure_labels(known, performance, champion, lake=lake, tracking=tracking)
    assert labels.checks[0].text.startswith("label shares ")


def test_a_class_that_is_new_after_the_training_is_counted_and_not_fatal(multiclass: Loop) -> None:
    spec, lake, tracking, ledger = multiclass.parts
    champion = champion_of(spec.name, tracking=tracking, ledger=ledger)
    late = LabelSpec(
        dataset=spec.label.dataset,
        target="CASE WHEN minutes_late > 30 THEN 'lost' WHEN minutes_late > 10 THEN 'Late' "
        "WHEN minutes_late < -5 THEN 'early' ELSE 'on time' END",
    )
    newer = spec.model_copy(update={"label": late})
    last = day(N_DAYS - 1)
    for number in range(N_DAYS - 3, N_DAYS):
        score(newer, day(number), champion, lake=lake, tracking=tracking, token=number)
    known = read_labelled_predictions(newer, last, lake=lake)
    outcomes = known.outcomes()
    n_lost = known.rows().column("y").to_pylist().count("lost")
    assert n_lost > 0
    assert int((outcomes.y_true < 0).sum()) == n_lost
    measured = measure_performance(known, champion)
    assert "new since the training" in measured.checks[0].text
    # The next version knows it, and the table has a column more; the old version's is null in it.
    _, trained, _ = loop(newer, lake, tracking, ledger, as_of=N_DAYS - 1)
    assert trained.classes == ("Late", "early", "lost", "on time")


def test_versions_of_different_classes_share_one_table(multiclass: Loop) -> None:
    spec, lake, tracking, ledger = multiclass.parts
    champion = champion_of(spec.name, tracking=tracking, ledger=ledger)
    score(spec, day(16), champion, lake=lake, tracking=tracking, token=1)
    coarse = LabelSpec(
        dataset=spec.label.dataset,
        target="CASE WHEN minutes_late > 10 THEN 'slow' ELSE 'on time' END",
    )
    other = spec.model_copy(update={"label": coarse, "name": "other_orders"})
    loop(other, lake, tracking, ledger, as_of=AS_OF)
    two = champion_of("other_orders", tracking=tracking, ledger=ledger)
    score(spec, day(17), two, lake=lake, tracking=tracking, token=2)
    rows = lake.table(spec.predictions_table).read(first=day(17), last=day(17))
    assert rows.column("probability_early").null_count == rows.num_rows
    assert rows.column("probability_slow").null_count == 0
    score(spec, day(18), champion, lake=lake, tracking=tracking, token=3)
    rows = lake.table(spec.predictions_table).read(first=day(18), last=day(18))
    assert rows.column("probability_slow").null_count == rows.num_rows


@pytest.mark.parametrize(
    ("kind", "target", "match"),
    [
        ("binary", "minutes_late", "gives DOUBLE and must be true or false, or 0 and 1; write a c"),
        ("binary", "7", r"gives 7 for \{'order_id': .*\} and must be true or false"),
        ("multiclass", "minutes_late", "gives DOUBLE and must be a text or an integer that names"),
        ("multiclass", "minutes_late > 1", "gives BOOLEAN and must be a text or an integer"),
        ("regression", "order_id", "gives VARCHAR and must be a finite number; write CAST"),
        ("regression", "'inf'::DOUBLE", r"gives inf for \{'order_id': .*must be a finite number"),
        ("regression", "'nan'::DOUBLE", r"gives nan for \{'order_id': .*null means unknown"),
        ("regression", "delivered_at", "gives TIMESTAMP WITH TIME ZONE and must be a finite"),
    ],
)
def test_a_target_of_another_kind_is_refused_before_any_fit(
    tmp_path: Path, lake: Lake, kind: str, target: str, match: str
) -> None:
    spec = project_of(tmp_path / "other", "regression")
    label = LabelSpec(dataset=spec.label.dataset, target=target)
    spec = spec.model_copy(update={"problem_type": kind, "label": label})
    fill_lake(lake, spec, range(1))
    labels = lake.table(label.dataset.name).read(first=day(0), last=day(0))
    with pytest.raises(FeatureError, match=match):
        build_targets(spec, labels)


def test_unknown_targets_are_left_out_and_integers_name_classes(tmp_path: Path, lake: Lake) -> None:
    spec = project_of(tmp_path / "other", "multiclass")
    target = "CASE WHEN minutes_late > 10 THEN 7 WHEN minutes_late < 0 THEN 12 END"
    spec = spec.model_copy(update={"label": LabelSpec(dataset=spec.label.dataset, target=target)})
    fill_lake(lake, spec, range(1))
    labels = lake.table(spec.label.dataset.name).read(first=day(0), last=day(0))
    found = build_targets(spec, labels)
    late = labels.column("minutes_late").to_numpy()
    assert found.schema.field("y").type == pa.string()
    assert found.column("y").to_pylist().count("7") == (late > 10).sum()
    assert found.num_rows == ((late > 10) | (late < 0)).sum()


@pytest.mark.parametrize(
    ("kind", "target", "match"),
    [
        ("regression", "3.0", "and all of them are 3"),
        ("multiclass", "'one'", "of 1 class, and at least two are needed"),
        ("multiclass", "order_id", r"of \d+ classes, such as .* and at most 100 are expected"),
        ("binary", "true", "of 1 of the 2 classes that are needed"),
    ],
)
def test_what_nothing_can_be_learnt_from_is_refused_before_any_fit(
    loops: dict[str, Loop], tracking: Tracking, kind: str, target: str, match: str
) -> None:
    spec, lake = loops["regression"].spec, loops["regression"].stores.lake
    label = LabelSpec(dataset=spec.label.dataset, target=target)
    estimator = "tests.unit.orders:build" + ("_regressor" if kind == "regression" else "")
    spec = spec.model_copy(update={"problem_type": kind, "label": label, "estimator": estimator})
    pin = pin_training_data(spec, day(15), lake=lake)
    with pytest.raises(NoLabelsError, match=match):
        train(spec, pin, lake=lake, tracking=tracking)


def test_the_gate_keeps_a_champion_that_is_as_good(other: Loop) -> None:
    _, _, verdict = loop(*other.parts, as_of=N_DAYS - 1)
    assert verdict.verdict in {"keep", "promote"}
    assert verdict.champion is not None
    assert verdict.champion_version == "1"
    assert "the champion" in verdict.reason
    assert verdict.difference["lower"] <= verdict.difference["value"]


def test_policies_take_the_checks_of_every_kind(other: Loop) -> None:
    spec, lake, tracking, ledger = other.parts
    champion = champion_of(spec.name, tracking=tracking, ledger=ledger)
    for number in range(AS_OF, N_DAYS):
        score(spec, day(number), champion, lake=lake, tracking=tracking, token=number)
    last = day(N_DAYS - 1)
    drift = measure_drift(spec, last, champion, lake=lake, tracking=tracking)
    known = read_labelled_predictions(spec, last, lake=lake)
    performance = measure_performance(known, champion)
    assert not drift_alarms(spec.retrain, [drift]).alarm
    assert not performance_alarms(spec.retrain, [performance]).alarm
