"""Performance and labels at the very bounds of their alarms, from intervals that are given."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pyarrow as pa
import pytest

from mlops_tasks.drift import Answer, DriftPolicy
from mlops_tasks.monitoring import (
    Check,
    LabelledPredictions,
    MonitorResult,
    labels,
    performance,
)
from mlops_tasks.monitoring.labels import interpret
from mlops_tasks.problem_types import LABEL, Outcomes
from mlops_tasks.problem_types.metrics import Interval, find_metric, measure, share_interval
from mlops_tasks.registry.artifacts import LABEL_PROFILES
from mlops_tasks.registry.versions import RegisteredVersion
from mlops_tasks.specs import DriftSpec, GateSpec, PerformanceSpec
from mlops_tasks.steps import monitor
from mlops_tasks.steps.monitor import measure_labels, measure_performance

if TYPE_CHECKING:
    from collections.abc import Callable

FIRST, LAST = "2024-03-01", "2024-03-02"
TINY = 2.0**-20
METRICS = {"roc_auc": 0.75, "roc_auc_lower": 0.625, "roc_auc_upper": 0.8}


def version(**changes: Any) -> RegisteredVersion:
    fields: dict[str, Any] = {"metrics": METRICS} | changes
    return RegisteredVersion("m", "3", "run", "models:/m-1", "digest", **fields)


def outcomes(target: Any, scores: Any, **limits: Any) -> LabelledPredictions:
    """Give the last day the rows; the first one has none."""
    spec = SimpleNamespace(
        name="m",
        predictions_table="m__predictions",
        problem_type="binary",
        threshold=0.5,
        gate=GateSpec(),
        costs=None,
        performance=PerformanceSpec(**{"min_rows": 1, "min_class_rows": 1} | limits),
        drift=DriftSpec(min_rows=37, min_effect=0.25),
    )
    rows = pa.table({"y": np.asarray(target, np.int64), "score": np.asarray(scores, float)})
    days = {FIRST: rows.slice(0, 0), LAST: rows}
    return LabelledPredictions(cast("Any", spec), FIRST, LAST, "3", days, {FIRST: 0.5, LAST: 0.9})


def measured(
    target: Any, scores: Any, champion: RegisteredVersion | None = None, **limits: Any
) -> MonitorResult:
    return measure_performance(outcomes(target, scores, **limits), champion or version())


# --- performance


def test_what_is_measured_is_about_the_window() -> None:
    found = measured([0, 1, 1], [0.1, 0.5, 0.9])
    assert (found.first, found.last, found.n_rows) == (FIRST, LAST, 3)
    assert (found.model_version, found.coverage) == ("3", 0.9)
    assert [check.name for check in found.checks] == ["roc_auc", "calibration_gap"]


@pytest.mark.parametrize(("less", "alarm"), [(0.0, False), (TINY, True)])
def test_a_roc_auc_that_just_reaches_its_floor(
    monkeypatch: pytest.MonkeyPatch, less: float, alarm: bool
) -> None:
    """The error at the gate is 4, that of today 3, so both are 5, in 32nds."""
    auc = 19 / 32 - less
    asked: list[Any] = []

    def measured_as(metric: Any, of: Outcomes, **settings: Any) -> Interval:
        asked.append((metric.name, list(of.y_true), list(of.y_pred), list(of.days), settings))
        return Interval(auc, 0.1, auc + 3 / 32)

    monkeypatch.setattr(performance, "measure", measured_as)
    target, scores = [0, 1, 1], [0.1, 0.5, 0.9]
    check = measured(target, scores, max_loss=3 / 32).checks[0]
    text = f"ROC AUC {auc:.4f} on 3 labelled rows, 0.7500 at the gate; alarm below 0.5938"
    bounds = {"lower": 0.1, "upper": round(auc + 3 / 32, 4)}
    assert check == Check("roc_auc", round(auc, 4), 0.5938, alarm, text, **bounds)
    settings = {"confidence": 0.98, "n_bootstrap": 200}
    assert asked == [("roc_auc", target, scores, [LAST] * 3, settings)]


@pytest.mark.parametrize(
    ("metric", "value", "text"),
    [
        ("log_loss", 0.5625, "alarm above 0.5625"),
        ("roc_auc", 0.4375, "alarm below 0.4375"),
    ],
)
def test_a_loss_may_be_a_share_of_what_the_gate_measured(
    monkeypatch: pytest.MonkeyPatch, metric: str, value: float, text: str
) -> None:
    """12.5 % of 0.5 is 0.0625; neither interval has any width."""
    champion = version(metrics={metric: 0.5})
    about = outcomes([0, 1, 1], [0.1, 0.5, 0.9], max_loss="12.5%")
    about.spec.gate = GateSpec(metric=metric)  # type: ignore[misc]
    worse = TINY if metric == "log_loss" else -TINY
    for seen, alarm in ((value, False), (value + worse, True)):
        monkeypatch.setattr(
            performance, "measure", lambda *_, seen=seen, **__: Interval(*[seen] * 3)
        )
        check = measure_performance(about, champion).checks[0]
        assert (check.name, check.alarm) == (metric, alarm)
        assert check.text.endswith(text)


def test_a_loss_has_the_room_above_it_that_the_gate_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """0.5 at the gate, 0.0625 more is allowed; 0.1875 and 0.25 of the two intervals: 0.3125."""
    kept = {"log_loss": 0.5, "log_loss_lower": 0.375, "log_loss_upper": 0.75}
    about = outcomes([0, 1, 1], [0.1, 0.5, 0.9], max_loss=0.0625)
    about.spec.gate = GateSpec(metric="log_loss")  # type: ignore[misc]
    for seen, alarm in ((0.8125, False), (0.8125 + TINY, True)):
        found = Interval(seen, seen - 0.1875, seen)
        monkeypatch.setattr(performance, "measure", lambda *_, found=found, **__: found)
        check = measure_performance(about, version(metrics=kept)).checks[0]
        assert (check.name, check.threshold, check.alarm) == ("log_loss", 0.8125, alarm)


def test_a_metric_that_is_not_defined_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(performance, "measure", lambda *_, **__: Interval(*[np.nan] * 3))
    needs = find_metric("roc_auc", "binary").needs
    text = f"ROC AUC is not defined on these 2 rows, nobody can tell; it needs {needs}"
    check = measured([0, 1], [0.1, 0.5]).checks[0]
    assert check == Check("roc_auc", None, 0.0, False, text)


def test_figures_have_four_places() -> None:
    random = np.random.default_rng(2)
    target, scores = np.tile([0, 1, 1], 9), random.random(27)
    auc, gap = measured(target, scores).checks
    rows = Outcomes(target, scores, np.full(27, LAST))
    found = measure(find_metric("roc_auc", "binary"), rows, confidence=0.98, n_bootstrap=200)
    room = np.hypot(found.upper - found.value, 0.125)
    share = share_interval(18, 27, confidence=0.99)
    for check, value, threshold in (
        (auc, found.value, 0.75 - max(0.05, room)),
        (gap, abs(scores.mean() - 2 / 3), max(0.03, 2 / 3 - share.lower)),
    ):
        assert (check.value, check.threshold) == (round(value, 4), round(threshold, 4))
        assert check.value != round(value, 5)
        assert check.threshold != round(threshold, 5)


def test_a_gate_that_kept_no_bounds_leaves_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(performance, "measure", lambda *_, **__: Interval(0.5, 0.4, 0.625))
    champion = version(metrics={"roc_auc": 0.75})
    check = measured([0, 1], [0.1, 0.5], champion, max_loss=0.125).checks[0]
    assert (check.threshold, check.alarm) == (0.625, True)


def test_a_version_that_passed_no_gate_is_not_compared() -> None:
    text = "cannot tell: the gate has measured no ROC AUC of this version to compare with"
    check = measured([0, 1], [0.1, 0.5], version(metrics={})).checks[0]
    assert check == Check("roc_auc", None, 0.0, False, text)


@pytest.mark.parametrize("n_positive", [1, 3])
def test_one_label_too_few_of_a_kind_and_just_enough(n_positive: int) -> None:
    target, scores = np.repeat([1, 0], [n_positive, 4 - n_positive]), np.full(4, 0.5)
    text = (
        f"{n_positive} positive and {4 - n_positive} negative labels: too few to tell ROC AUC, "
        "at least 2 of each are needed"
    )
    check = measured(target, scores, min_class_rows=2).checks[0]
    assert check == Check("roc_auc", None, 0.0, False, text)
    assert measured(target, scores, min_class_rows=1).checks[0].value == 0.5


def test_one_row_too_few_and_just_enough() -> None:
    target, scores = [0, 1, 1], [0.1, 0.5, 0.9]
    text = "3 labelled rows, fewer than 4: too few rows to tell"
    assert measured(target, scores, min_rows=4).checks == tuple(
        Check(name, None, 0.0, False, text) for name in ("roc_auc", "calibration_gap")
    )
    assert all(check.value is not None for check in measured(target, scores, min_rows=3).checks)


@pytest.mark.parametrize(
    ("mean", "gap", "ceiling", "alarm"),
    [
        (0.75, 0.25, 0.25, False),
        (0.75 + TINY, 0.25, 0.25, True),
        (0.375, 0.125, 0.125, False),
        (0.375 - TINY, 0.125, 0.125, True),
        (0.5, 0.0, 0.125, False),
    ],
)
def test_a_calibration_gap_that_just_reaches_its_ceiling(
    monkeypatch: pytest.MonkeyPatch, mean: float, gap: float, ceiling: float, alarm: bool
) -> None:
    asked: list[Any] = []

    def observed(of: Outcomes, *, confidence: float, at_their_word: bool) -> Any:
        assert not at_their_word, "of a version from before what chance does was kept"
        asked.append((list(of.y_true), confidence))
        return [("positive", mean, Interval(0.5, 0.375, 0.75))]

    monkeypatch.setattr(performance, "calibration", observed)
    check = measured([0, 1, 1], np.full(3, mean), max_calibration_gap=0.125).checks[1]
    text = (
        f"predicted {mean:.4f}, observed 0.5000 positive on 3 labelled rows; alarm above a gap of "
        f"{ceiling:.4f}"
    )
    assert check == Check("calibration_gap", gap, ceiling, alarm, text)
    assert asked == [([0, 1, 1], 0.99)]


@pytest.mark.parametrize(
    ("share", "predicted", "given", "allowed"),
    [
        (0.02, 0.01, {}, 0.005),  # a quarter of the rarer class, far below 3 points
        (0.98, 0.99, {}, 0.005),
        (0.5, 0.4, {}, 0.03),
        (0.02, 0.01, {"max_relative_gap": 0.5}, 0.01),
    ],
)
def test_a_rare_class_is_watched_by_its_relative_gap(
    monkeypatch: pytest.MonkeyPatch,
    share: float,
    predicted: float,
    given: dict[str, float],
    allowed: float,
) -> None:
    exact = [("positive", predicted, Interval(share, share, share))]
    monkeypatch.setattr(performance, "calibration", lambda *_, **__: exact)
    check = measured([0, 1, 1], [0.1, 0.5, 0.9], **given).checks[1]
    assert check.threshold == pytest.approx(allowed)
    assert check.alarm is (abs(share - predicted) > allowed + 1e-12)


def test_the_class_that_is_off_most_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = [
        (name, predicted, Interval(share, share, share))
        for name, predicted, share in (("billing", 0.61, 0.6), ("refund", 0.01, 0.02))
    ]
    monkeypatch.setattr(performance, "calibration", lambda *_, **__: parts)
    check = measured([0, 1, 1], [0.1, 0.5, 0.9]).checks[1]
    assert check.text.startswith("predicted 0.0100, observed 0.0200 refund on 3 labelled rows")
    assert check.alarm


# --- labels


def found_performance(
    auc: bool | None = False, gap: bool = False, metric: str = "roc_auc"
) -> MonitorResult:
    checks = (
        Check(metric, None if auc is None else 0.7, 0.6, bool(auc), ""),
        Check("calibration_gap", 0.1, 0.2, gap, ""),
    )
    return MonitorResult(FIRST, LAST, 3, "3", checks)


USUAL = "labels moved no further than days do"


@pytest.mark.parametrize(
    ("moved", "auc", "gap", "said"),
    [
        (False, False, False, ""),
        (False, None, False, ""),
        (False, True, False, f"{USUAL}, so the model or its inputs fail"),
        (False, True, True, f"{USUAL}, so the model or its inputs fail"),
        (False, False, True, f"{USUAL}, but the predictions are off"),
        (True, True, False, "and the model ranks worse: more than a prior shift"),
        (True, None, True, "whether the model still ranks, nobody can tell yet"),
        (
            True,
            False,
            True,
            "prior shift: the model still ranks, but its predictions are off; training again helps",
        ),
        (
            True,
            False,
            False,
            "the world moved and the model followed: it ranks and is calibrated",
        ),
    ],
)
def test_labels_and_performance_together(
    moved: bool, auc: bool | None, gap: bool, said: str
) -> None:
    assert interpret(moved=moved, performance=found_performance(auc, gap).checks) == said


@pytest.mark.parametrize(
    ("alarm", "gap", "said"),
    [
        (True, False, "and the model predicts worse"),
        (None, False, "whether the model still predicts well, nobody can tell yet"),
        (
            False,
            True,
            "prior shift: the model still predicts well, but its predictions are off; training "
            "again helps",
        ),
        (
            False,
            False,
            "the world moved and the model followed: it predicts well and is calibrated",
        ),
    ],
)
def test_a_metric_that_ranks_nothing_is_not_said_to(
    alarm: bool | None, gap: bool, said: str
) -> None:
    checks = found_performance(alarm, gap, "log_loss").checks
    assert interpret(moved=True, performance=checks) == said


KNOWN = version(artifacts={LABEL_PROFILES: "digest"})


class Compared:
    """What `measure_labels` asks of others, and an answer of the drift detection."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **column: Any) -> None:
        self.asked: dict[str, Any] = {}
        weak = SimpleNamespace(severity=1, effect=0.9, threshold=0.8)
        strong = SimpleNamespace(severity=2, effect=0.5, threshold=0.25)
        fields = {"answer": None, "alarm": True, "evidence": [weak, strong]} | column
        self.report = SimpleNamespace(columns=[SimpleNamespace(**fields)], n_rows=6)
        monkeypatch.setattr(labels, "unpack_days", lambda content: {"a": content, "b": "b"})
        monkeypatch.setattr(labels, "Baseline", SimpleNamespace(of=self.baseline))
        asked = SimpleNamespace(profile_labels=self.profile, describe_labels=self.describe)
        monkeypatch.setattr(labels, "problem_type", {"binary": asked}.__getitem__)
        monkeypatch.setattr(labels, "detect_drift", self.detect)
        monkeypatch.setattr(monitor, "publish_page", self.publish)

    def read_artifact(self, champion: RegisteredVersion, name: str) -> str:
        assert (champion.version, name) == ("3", LABEL_PROFILES)
        return "a"

    def baseline(self, days: list[str], name: str) -> Any:
        assert (days, name) == (["a", "b"], "the training data of version 3")
        return SimpleNamespace(whole=SimpleNamespace(columns={LABEL: 0.125}))

    def profile(self, column: Any) -> Any:
        self.asked["y"] = column.to_pylist()
        return SimpleNamespace(columns={LABEL: 0.5})

    def describe(self, sides: tuple[Any, Any]) -> str:
        old, new = (side.columns[LABEL] for side in sides)
        return f"label share {100 * old:g} % → {100 * new:g} %"

    def detect(self, reference: Any, current: Any, **how: Any) -> Any:
        assert (reference.whole.columns[LABEL], current.columns[LABEL]) == (0.125, 0.5)
        self.asked |= how
        return self.report

    def publish(self, report: Any, day: str, **where: Any) -> str:
        assert report is self.report
        self.asked["page"] = (day, where)
        return "page.html"


def label_of(
    tracking: Any,
    about: LabelledPredictions,
    champion: RegisteredVersion = KNOWN,
    performance: MonitorResult | None = None,
) -> MonitorResult:
    stores: Any = {"lake": "lake", "tracking": tracking}
    return measure_labels(about, performance or found_performance(), champion, **stores)


@pytest.mark.parametrize("first", [FIRST, LAST])
def test_labels_are_compared_and_the_page_is_kept(
    monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    compared = Compared(monkeypatch)
    about = outcomes([0, 1, 1], [0.1, 0.5, 0.9])
    object.__setattr__(about, "first", first)
    about.days[FIRST] = about.days[LAST].slice(0, 1)  # not mature: its row is left out
    found = label_of(compared, about)
    assert (found.first, found.last, found.n_rows) == (first, LAST, 3)
    assert (found.model_version, found.coverage, found.report) == ("3", 0.9, "page.html")
    limits = about.spec.drift
    assert compared.asked == {
        "y": [0, 1, 1],
        "window": LAST if first == LAST else f"{FIRST} to {LAST}",
        "n_days": 1.0,
        "policy": DriftPolicy(limits.level_of_part, 0.25, 37),
        "coverage": about.there,
        "page": (
            LAST,
            {
                "topic": "labels",
                "table": "m__labels",
                "spec": about.spec,
                "champion": KNOWN,
                "lake": "lake",
                "tracking": compared,
            },
        ),
    }
    (check,) = found.checks
    assert check == Check(
        LABEL,
        0.5,
        0.25,
        True,
        f"{LABEL} share 12.5 % → 50 %; effect 0.500, alarm above 0.250; the world moved and the "
        f"model followed: it ranks and is calibrated; left out until more labels come: "
        f"{FIRST} (50 % labelled)",
    )


def told(monkeypatch: pytest.MonkeyPatch, change: Callable[[Any], None], **column: Any) -> Check:
    about = outcomes([0, 1, 1], [0.1, 0.5, 0.9])
    change(about)
    (check,) = label_of(Compared(monkeypatch, **column), about).checks
    return check


def test_labels_that_did_not_move_are_told_in_fewer_words(monkeypatch: pytest.MonkeyPatch) -> None:
    evidence = [SimpleNamespace(severity=0, effect=None, threshold=None)]

    def all_labelled(about: Any) -> None:
        about.coverage[FIRST] = 1.0

    check = told(monkeypatch, all_labelled, alarm=False, evidence=evidence)
    text = f"{LABEL} share 12.5 % → 50 %; effect 0.000, alarm above 0.000"
    assert check == Check(LABEL, 0.0, 0.0, False, text)


def test_too_few_labels_have_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    check = told(monkeypatch, lambda _: None, answer=Answer.TOO_FEW)
    text = f"{LABEL} share 12.5 % → 50 % on 6 rows: {Answer.TOO_FEW}, at least 37 are needed"
    assert check == Check(LABEL, None, 0.25, False, text)


@pytest.mark.parametrize(
    ("enough", "days"), [(0.9, 1), (0.9 + TINY, 0), (0.5, 2), (0.0, 2)], ids=str
)
def test_a_day_is_mature_when_just_enough_is_labelled(
    monkeypatch: pytest.MonkeyPatch, enough: float, days: int
) -> None:
    compared = Compared(monkeypatch)
    found = label_of(compared, outcomes([0, 1], [0.1, 0.5], min_coverage=enough))
    assert found.n_rows == (2 if days else 0)
    (check,) = found.checks
    assert ("left out" in check.text) == (days == 1)
    if not days:
        text = (
            f"{LABEL}: no day has labels for 90 % of its predictions yet, at most 90 %; if more "
            "never come, lower min_coverage in PerformanceSpec"
        )
        assert check == Check(LABEL, None, 0.25, False, text)
        assert (found.report, compared.asked) == ("", {})


def test_a_day_without_any_label_is_never_mature(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = Compared(monkeypatch)
    about = outcomes([0, 1], [0.1, 0.5], min_coverage=0.0)
    about.coverage[FIRST] = 0.0
    (check,) = label_of(compared, about).checks
    assert check.text.endswith(f"left out until more labels come: {FIRST} (0 % labelled)")


def test_all_days_that_are_waited_for_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    about = outcomes([0, 1], [0.1, 0.5])
    about.days["2024-02-29"] = about.days[FIRST]
    about.coverage["2024-02-29"] = 0.25
    (check,) = label_of(Compared(monkeypatch), about).checks
    assert check.text.endswith(
        f"more labels come: {FIRST} (50 % labelled), 2024-02-29 (25 % labelled)"
    )


def test_a_version_that_kept_no_labels_is_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = Compared(monkeypatch)
    found = label_of(compared, outcomes([0, 1], [0.1, 0.5]), version())
    text = (
        f"{LABEL}: no profile of labels in version 3; it was trained before labels were profiled, "
        "the next version will have one"
    )
    assert found.checks == (Check(LABEL, None, 0.25, False, text),)
    assert (found.report, found.n_rows, compared.asked) == ("", 2, {})
