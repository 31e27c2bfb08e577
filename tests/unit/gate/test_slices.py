"""Slices, fairness and limits: harm that is there is found, and what is not there is not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from fairlearn.metrics import demographic_parity_difference, equalized_odds_difference

from mlops_tasks.exceptions import FeatureError, SpecError
from mlops_tasks.gate import Criterion, GatePlan, further_criteria, judge, worst_slices
from mlops_tasks.gate.fairness import within
from mlops_tasks.gate.groups import bin_names, find_groups
from mlops_tasks.gate.limits import (
    calibration_criterion,
    expected_calibration_error,
    overfit_criterion,
)
from mlops_tasks.gate.slices import slice_criteria
from mlops_tasks.problem_types import Outcomes
from mlops_tasks.problem_types.metrics import Interval, measure
from mlops_tasks.specs import GateSpec


@dataclass
class Model:
    """What the gate asks of a spec."""

    gate: GateSpec
    problem_type: str = "binary"
    name: str = "m"
    costs: Any = None
    random_state: int = 0
    threshold: float = 0.5
    categorical: tuple[str, ...] = ("group",)
    numeric: tuple[str, ...] = ("distance",)
    personal: frozenset[str] = field(default=frozenset())

    @property
    def has_personal(self) -> bool:
        return bool(self.personal)

    def hides(self, column: str) -> bool:
        return column in self.personal


def drawn(seed: int = 0, n: int = 4000) -> tuple[pa.Table, Outcomes, Outcomes]:
    """Draw rows of three groups; the challenger is better, but of one of them it knows nothing."""
    random = np.random.default_rng(seed)
    hidden = random.normal(size=n)
    y = (random.random(n) < 1 / (1 + np.exp(-2 * hidden))).astype(int)
    group = random.choice(["a", "b", "c"], n, p=[0.6, 0.3, 0.1])
    ours, rival = (
        1 / (1 + np.exp(-(slope * hidden + random.normal(size=n) * noise)))
        for slope, noise in ((2.0, 0.3), (1.5, 1.0))
    )
    rows = pa.table({"group": group, "distance": random.random(n) * 100, "y": y})
    return rows, Outcomes(y, ours), Outcomes(y, rival)


def spoilt(ours: Outcomes, rows: pa.Table, group: str) -> Outcomes:
    wrong = np.asarray(rows.column("group").to_pylist()) == group
    return Outcomes(ours.y_true, np.where(wrong, 1 - ours.y_pred, ours.y_pred))


def criteria(model: Model, rows: pa.Table, *both: Outcomes | None) -> list[Criterion]:
    return further_criteria(GatePlan.of(model), find_groups(model, rows), *both)  # type: ignore[arg-type]


SLICED = GateSpec(
    slices={"group": "group", "distance": (20, 50), "near": "distance < 30"}, n_bootstrap=60
)


def test_groups_are_columns_bins_and_expressions() -> None:
    rows, _, _ = drawn()
    found = find_groups(Model(SLICED), rows)  # type: ignore[arg-type]
    assert [groups.name for groups in found] == ["group", "distance", "near"]
    assert [groups.labels for groups in found] == [
        ("a", "b", "c"),
        ("50 and above", "20 to 50", "below 20"),
        ("false", "true"),
    ]
    distance, group = (rows.column(name).to_numpy() for name in ("distance", "group"))
    assert (distance[found[1].rows("20 to 50")] >= 20).all()
    assert (distance[found[1].rows("20 to 50")] < 50).all()
    assert (group[found[0].rows("c")] == "c").all()
    assert sum(len(found[0].rows(label)) for label in "abc") == 4000
    assert bin_names([]) == ["all"]


def test_small_groups_and_missing_values() -> None:
    rows = pa.table(
        {"g": ["x"] * 50 + [None] * 30 + ["y"] * 9, "distance": [1.0] * 80 + [None] * 9}
    )
    gate = GateSpec(slices={"g": "g", "distance": (5,)}, min_slice_rows=10)
    named, binned = find_groups(Model(gate), rows)  # type: ignore[arg-type]
    assert (named.labels, named.left_out) == (("x", "(missing)"), 1)
    assert list(named.codes[[0, 50, 80]]) == [0, 1, -1]
    assert (binned.labels, binned.left_out) == (("below 5",), 1)


def test_groups_of_a_personal_column_show_no_value() -> None:
    rows, _, _ = drawn()
    hidden = Model(SLICED, personal=frozenset({"group", "distance"}))
    for groups in find_groups(hidden, rows):  # type: ignore[arg-type]
        assert groups.labels[:2] == ("#1", "#2")


@pytest.mark.parametrize(
    ("slices", "error", "message"),
    [
        ({"g": "colour"}, FeatureError, "gate.slices 'g'.*colour"),
        ({"colour": (1, 2)}, SpecError, "no column 'colour'; there are: distance, group"),
        ({"group": (1, 2)}, SpecError, "'group' is string and is to be cut into bins"),
        ({"d": "distance"}, SpecError, "4000 different values, and is to have groups: cut"),
        ({"g": "random()"}, FeatureError, "answers otherwise each time"),
        ({"g": "y"}, FeatureError, '"y" not found'),
        ({"g": "count(*)"}, FeatureError, "gives 1 values for 4000 rows|GROUP BY"),
    ],
)
def test_what_makes_no_groups_is_refused(
    slices: dict[str, Any], error: type[Exception], message: str
) -> None:
    rows, _, _ = drawn()
    with pytest.raises(error, match=message):
        find_groups(Model(GateSpec(slices=slices)), rows)  # type: ignore[arg-type]


def test_a_harmed_group_is_found_and_vetoes_and_a_person_may_be_asked_instead() -> None:
    rows, ours, rival = drawn()
    harmed = spoilt(ours, rows, "c")
    plan = GatePlan.of(Model(SLICED))  # type: ignore[arg-type]
    assert judge(plan, ours, rival).verdict == "promote"
    fine = criteria(Model(SLICED), rows, ours, rival)
    assert {one.answer for one in fine} <= {"fine", "cannot tell"}
    assert judge(plan, ours, rival, further=fine).verdict == "promote"
    found = criteria(Model(SLICED), rows, harmed, rival)
    broken = {one.name for one in found if one.answer == "alarm"}
    assert broken == {"roc_auc in group=c", "log_loss in group=c"}
    alarm = next(one for one in found if one.answer == "alarm")
    assert alarm.upper is not None
    assert alarm.upper < (alarm.margin or 0) == -0.02
    assert alarm.n_rows == int((rows.column("group").to_numpy() == "c").sum())
    sure = Outcomes(ours.y_true, np.where(ours.y_true == 1, 0.8, 0.2))
    for gate, verdict in (
        (SLICED, "keep"),
        (SLICED.model_copy(update={"ask_on": ("slice",)}), "ask"),
    ):
        asked = Model(gate)
        found = criteria(asked, rows, spoilt(sure, rows, "c"), rival)
        other = GatePlan.of(asked)  # type: ignore[arg-type]
        assert judge(other, spoilt(sure, rows, "c"), rival, further=found).verdict == verdict


def test_of_many_groups_without_harm_none_is_blamed_more_often_than_stated() -> None:
    """Two equal models of forty groups: each alone at the level would blame one of them mostly."""
    plan = GatePlan.make(
        GateSpec(slices=("g",), n_bootstrap=60, superiority=(), metric="brier", confidence=0.8,
                 non_inferiority={"brier": 0}),
        "binary",
    )  # fmt: skip
    random, blamed, alone = np.random.default_rng(3), 0, 0
    for _ in range(15):
        y = random.integers(0, 2, 4000)
        both = [Outcomes(y, np.clip(0.5 + random.normal(size=4000) / 9, 0, 1)) for _ in range(2)]
        values = pa.table({"g": np.arange(4000) % 40})
        spec = Model(plan.gate)
        groups = find_groups(spec, values)  # type: ignore[arg-type]
        found = slice_criteria(plan, groups, *both)
        assert len(found) == 20, "the largest twenty"
        blamed += any(one.answer == "alarm" for one in found)
        plain = (2 * one.value + 0 for one in found if one.value is not None)
        alone += sum(1 for one in plain if one < 0) > 0
    assert blamed <= 5, "10 % of 15, within three standard errors"
    assert alone == 15


def test_slices_of_a_first_model_are_not_worse_than_anything() -> None:
    rows, ours, _ = drawn()
    assert criteria(Model(SLICED), rows, ours, None) == []


def test_the_worst_groups_are_found_and_decide_nothing() -> None:
    rows, ours, rival = drawn()
    model = Model(GateSpec(n_bootstrap=60))
    plan = GatePlan.of(model)  # type: ignore[arg-type]
    found = worst_slices(model, plan, rows, spoilt(ours, rows, "b"), rival)  # type: ignore[arg-type]
    assert len(found) == 5
    assert found[0].name == "log_loss in group=b"
    assert found[0].text.startswith("log loss in group=b worse than that of the champion by ")
    assert {one.failing for one in found} == {"report"}
    assert [one.upper for one in found] == sorted(one.upper or 0 for one in found)
    first = worst_slices(model, plan, rows, ours, None)  # type: ignore[arg-type]
    assert "than that of a constant by" in first[0].text


# --- fairness


def fair(limits: dict[str, float], ours: Outcomes, rows: pa.Table, **more: Any) -> list[Criterion]:
    gate = GateSpec(slices=("group",), fairness={"group": limits}, n_bootstrap=60, **more)
    kind = "regression" if ours.y_true.dtype.kind == "f" else "binary"
    return [one for one in criteria(Model(gate, kind), rows, ours, None) if one.kind == "fairness"]


def test_differences_between_groups_are_those_of_fairlearn() -> None:
    rows, ours, _ = drawn()
    harmed = spoilt(ours, rows, "c")
    group = rows.column("group").to_pylist()
    limits = {"equalized_odds_difference": 0.1, "demographic_parity_difference": 0.2}
    odds, parity = fair(limits, harmed, rows)
    known: dict[str, Any] = {"sensitive_features": group}
    pair = harmed.y_true, harmed.decided
    assert odds.value == pytest.approx(equalized_odds_difference(*pair, **known))
    assert parity.value == pytest.approx(demographic_parity_difference(*pair, **known))
    assert (odds.answer, odds.margin) == ("alarm", 0.1)
    assert odds.lower is not None
    assert odds.lower > 0.1
    assert (fair(limits, ours, rows)[1].answer, parity.failing) == ("fine", "veto")


def test_a_gap_of_the_error() -> None:
    rows, ours, _ = drawn()
    harmed = spoilt(ours, rows, "c")
    (gap,) = fair({"error_gap": 0.3}, harmed, rows, ask_on=("fairness",))
    wrong = harmed.decided != harmed.y_true
    group = rows.column("group").to_numpy()
    shares = [wrong[group == one].mean() for one in "abc"]
    assert gap.value == pytest.approx(max(shares) - min(shares))
    assert (gap.answer, gap.failing, gap.kind) == ("alarm", "ask", "fairness")
    random = np.random.default_rng(1)
    y = random.normal(size=4000)
    noise = random.normal(size=4000) * np.where(group == "b", 2.0, 1.0)
    (gap,) = fair({"error_gap": 0.5}, Outcomes(y, y + noise), rows)
    errors = [np.abs(noise[group == one]).mean() for one in "abc"]
    assert gap.value == pytest.approx(max(errors) - min(errors))
    assert gap.answer == "alarm"


def test_one_group_cannot_be_compared() -> None:
    rows, ours, _ = drawn(n=200)
    (odds,) = fair({"equalized_odds_difference": 0.1}, ours, rows, min_slice_rows=150)
    assert odds.answer == "cannot tell"
    assert "0 group of at least 150 rows, and two are needed" in odds.text


def test_a_group_without_true_rows_cannot_be_compared() -> None:
    rows, ours, _ = drawn()
    group = rows.column("group").to_numpy()
    none = Outcomes(np.where(group == "c", 0, ours.y_true), ours.y_pred)
    (odds,) = fair({"equalized_odds_difference": 0.1}, none, rows)
    assert (odds.answer, odds.value) == ("cannot tell", None)


@pytest.mark.parametrize(
    ("interval", "answer"),
    [
        ((0.1, 0.05, 0.2), "fine"),
        ((0.1, 0.05, 0.2001), "cannot tell"),
        ((0.3, 0.2, 0.4), "cannot tell"),
        ((0.3, 0.2001, 0.4), "alarm"),
    ],
)
def test_an_interval_and_a_limit(interval: tuple[float, ...], answer: str) -> None:
    assert within(Interval(*interval), 0.2) == answer


# --- calibration and overfit


def test_a_calibration_error_holds_what_is_true() -> None:
    """Of scores that are right, and of ones that are 0.1 too high."""
    held, random = [0, 0], np.random.default_rng(5)
    for _ in range(30):
        true = random.uniform(0.1, 0.8, 2000)
        y = (random.random(2000) < true).astype(int)
        for place, error in enumerate((0.0, 0.1)):
            found = expected_calibration_error(Outcomes(y, true + error), confidence=0.9)
            held[place] += found.lower <= error <= found.upper
            assert 0 <= found.lower <= found.value <= found.upper
    assert min(held) >= 25


def test_a_calibration_error_of_classes_and_of_numbers() -> None:
    random = np.random.default_rng(6)
    y = random.integers(0, 3, 3000)
    sure = np.full((3000, 3), 0.05)
    sure[np.arange(3000), np.where(random.random(3000) < 0.6, y, (y + 1) % 3)] = 0.9
    found = expected_calibration_error(Outcomes(y, sure, classes=("a", "b", "c")), confidence=0.95)
    assert found.value == pytest.approx(0.3, abs=0.03)
    assert found.lower > 0.15
    numbers = random.normal(size=3000)
    found = expected_calibration_error(Outcomes(numbers, numbers * 0 + 0.5), confidence=0.95)
    assert found.lower < 0.5 < found.upper


def test_limits_of_calibration() -> None:
    rows, ours, _ = drawn()
    true = np.clip(ours.y_pred, 0.01, 0.99)
    loud = Outcomes(ours.y_true, true**4 / (true**4 + (1 - true) ** 4))
    for outcomes, most, answer in ((loud, 0.02, "alarm"), (loud, 0.9, "fine")):
        gate = GateSpec(max_calibration_error=most)
        (found,) = criteria(Model(gate), rows, outcomes, None)
        assert (found.kind, found.answer, found.margin) == ("calibration", answer, most)


@pytest.mark.parametrize("metric", ["roc_auc", "log_loss"])
def test_a_model_that_knows_its_training_by_heart(metric: str) -> None:
    _, ours, rival = drawn()
    perfect = Outcomes(ours.y_true, np.where(ours.y_true == 1, 0.99, 0.01))
    for training, most, answer in (
        (perfect, 0.05, "alarm"),
        (ours, 0.05, "fine"),
        (perfect, "400%", "fine" if metric == "roc_auc" else "alarm"),
    ):
        plan = GatePlan.make(
            GateSpec(metric=metric, max_overfit_gap=most, n_bootstrap=60), "binary"
        )
        found = overfit_criterion(plan, training, ours)
        assert (found.kind, found.answer) == ("overfit", answer)
        assert found.lower is not None
        assert found.lower <= (found.value or 0) <= (found.upper or 0)
    assert len(rival) == 4000


@pytest.mark.parametrize(("ask_on", "failing"), [((), "veto"), (("calibration",), "ask")])
def test_a_limit_of_calibration_says_all_that_it_was_judged_by(
    ask_on: tuple[str, ...], failing: str
) -> None:
    ours = drawn()[1]
    gate = GateSpec(max_calibration_error=0.25, confidence=0.9, ask_on=ask_on)
    measured = expected_calibration_error(ours, confidence=0.9)
    found = calibration_criterion(GatePlan.make(gate, "binary"), ours, 0.25)
    assert found == Criterion(
        name="expected_calibration_error",
        kind="calibration",
        answer="fine",
        text=f"expected calibration error {measured.value:.4f}, 90% interval "
        f"{measured.lower:.4f} to {measured.upper:.4f}, within 0.25",
        value=measured.value,
        lower=measured.lower,
        upper=measured.upper,
        margin=0.25,
        confidence=0.9,
        failing=failing,
        n_rows=4000,
    )


def test_a_calibration_error_is_surer_where_less_confidence_is_asked_for() -> None:
    ours = drawn()[1]
    narrow, wide = (expected_calibration_error(ours, confidence=one) for one in (0.5, 0.99))
    assert narrow.value == wide.value
    assert narrow.upper < wide.upper


def test_equal_predictions_are_binned_in_the_order_of_the_rows() -> None:
    """Else the processor's own way of sorting would decide what the error is."""
    y, predicted = np.repeat([1, 0], 1500), np.tile([0.2, 0.8], 1500)
    found = expected_calibration_error(Outcomes(y, predicted), confidence=0.95)
    # Of each prediction five bins: two of ones, one of both, two of zeros.
    assert found.value == pytest.approx((0.8 + 0.8 + 0.3 + 0.2 + 0.2) / 5)


def test_a_calibration_that_nothing_bounds_cannot_be_told() -> None:
    few = Outcomes(np.array([0.1, 2.0]), np.array([0.4, 0.6]))  # a row in each bin
    gate = GateSpec(max_calibration_error=0.2)
    found = calibration_criterion(GatePlan.make(gate, "regression"), few, 0.2)
    assert (found.answer, found.upper, found.n_rows) == ("cannot tell", None, 2)
    assert "too few rows to tell whether within 0.2" in found.text


@pytest.mark.parametrize("metric", ["roc_auc", "log_loss"])
def test_a_limit_of_overfit_says_all_that_it_was_judged_by(metric: str) -> None:
    """The interval of the difference is that of both, put together by MOVER."""
    _, ours, rival = drawn()
    gate = GateSpec(
        metric=metric, max_overfit_gap=0.2, confidence=0.9, n_bootstrap=50, ask_on=("overfit",)
    )
    plan = GatePlan.make(gate, "binary")
    how = {"confidence": 0.9, "n_bootstrap": 50, "seed": plan.seed}
    training = Outcomes(ours.y_true[:3000], ours.y_pred[:3000])
    seen, later = (measure(plan.metric, rows, **how) for rows in (training, rival))
    if metric == "log_loss":  # the less the better: what is lost is how much it grows
        seen, later = later, seen
    found = overfit_criterion(plan, training, rival)
    gap = seen.value - later.value
    assert gap > 0.01, "the training rows are those that it does well on"
    lower = gap - ((seen.value - seen.lower) ** 2 + (later.upper - later.value) ** 2) ** 0.5
    upper = gap + ((seen.upper - seen.value) ** 2 + (later.value - later.lower) ** 2) ** 0.5
    assert (found.value, found.lower, found.upper) == pytest.approx((gap, lower, upper))
    assert (found.name, found.kind, found.answer) == (metric, "overfit", "fine")
    assert (found.margin, found.confidence, found.failing) == (0.2, 0.9, "ask")
    assert found.n_rows == 3000
    assert found.text == (
        f"{plan.metric.title} on the training window better by {gap:.4f}, 90% interval "
        f"{lower:.4f} to {upper:.4f}, within 0.2"
    )


@pytest.mark.parametrize("place", [0, 1])
def test_an_overfit_of_rows_that_have_no_metric_cannot_be_told(place: int) -> None:
    """Of one class only, there is no order to be right about."""
    _, ours, _ = drawn()
    both = [ours, ours]
    both[place] = Outcomes(np.ones(500, dtype=np.int64), np.linspace(0.1, 0.9, 500))
    gate = GateSpec(max_overfit_gap=0.2, n_bootstrap=50, ask_on=("overfit",))
    found = overfit_criterion(GatePlan.make(gate, "binary"), *both)
    assert (found.name, found.kind, found.answer) == ("roc_auc", "overfit", "cannot tell")
    assert (found.failing, found.n_rows) == ("ask", len(both[1]))
    assert found.value is None


def test_days_are_the_units_of_slices_too() -> None:
    """Codes of days that a slice has only some of are counted rightly."""
    rows, ours, rival = drawn()
    days = np.arange(4000) // 250
    by_day = [Outcomes(one.y_true, one.y_pred, days) for one in (ours, rival)]
    found = criteria(Model(SLICED), rows, *by_day)
    named = np.array([f"day {day}" for day in days])
    texts = [Outcomes(one.y_true, one.y_pred, named) for one in (ours, rival)]
    codes = [one.value for one in criteria(Model(SLICED), rows, *texts)]
    assert [one.value for one in found] == codes
    assert {one.answer for one in found} <= {"fine", "cannot tell"}
