"""A concept that changes while features stay: within how many weeks it is seen, by volume.

Rows are made day by day with known chances, and given to what the product runs every night: the
window that suits the volume, the checks of performance, and the decision with its memory.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from benchmarks._shared.figures import Figure
from benchmarks._shared.parts import Measured
from mlops_tasks.monitoring import Check, MonitorResult
from mlops_tasks.monitoring.performance import performance_checks
from mlops_tasks.monitoring.windows import sight_of
from mlops_tasks.policy import PolicyEvidence
from mlops_tasks.problem_types import Outcomes, gate_metric
from mlops_tasks.problem_types.metrics import measure as measure_metric
from mlops_tasks.problem_types.shifts import day_deviation, movement
from mlops_tasks.registry.versions import RegisteredVersion
from mlops_tasks.specs import DatasetSpec, InputSpec, LabelSpec, ModelSpec
from mlops_tasks.specs.source import SqlSource
from mlops_tasks.steps.decide import decide

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    Array = npt.NDArray[Any]
    Kind = Literal["regression", "binary", "multiclass"]

__all__ = ["measure"]

FIRST = date(2024, 1, 1)
EVALUATION_DAYS = 28
#: Rows a week, and within how many weeks of its labels a change must be seen.
WITHIN = {50: 6, 500: 3, 5000: 1}
CLASSES = ("a", "b", "c")
_NAMES: dict[Kind, str] = {
    "regression": "target + 10 %",
    "binary": "odds × 1.5",
    "multiclass": "odds of a class × 1.5",
}


@dataclass(frozen=True, slots=True)
class World:
    """Where rows come from.

    Attributes
    ----------
    kind : str
        The problem type.
    rows_a_week : int
        On average; each day has a number of its own (Poisson).
    day : float
        By how much days differ by themselves: standard deviation of their log odds, or of their
        share of the mean target.
    """

    kind: Kind
    rows_a_week: int
    day: float = 0.0

    def draw(self, random: np.random.Generator, number: int, *, changed: bool) -> Outcomes:
        """Return the rows of a day."""
        n = max(int(random.poisson(self.rows_a_week / 7)), 1)
        days, shift = np.full(n, number), self.day * random.normal()
        if self.kind == "regression":
            predicted = random.normal(100, 30, n)
            target = predicted + 100 * shift + random.normal(0, 30, n)
            return Outcomes(target * (1.1 if changed else 1.0), predicted, days)
        shift += np.log(1.5) if changed else 0.0
        if self.kind == "binary":
            logits = random.normal(-1, 1, n)
            hits = random.random(n) < _share(logits + shift)
            return Outcomes(hits.astype(np.int64), _share(logits), days)
        logits = random.normal(0, 1, (n, 3))
        score = _softmax(logits)
        true = _softmax(logits + np.array([shift, 0, 0]))
        codes = (random.random((n, 1)) > true.cumsum(axis=1)).sum(axis=1).clip(max=2)
        return Outcomes(codes, score, days, classes=CLASSES)


def _share(logits: Array) -> Array:
    return 1 / (1 + np.exp(-logits))


def _softmax(logits: Array) -> Array:
    odds: Array = np.exp(logits)
    found: Array = odds / odds.sum(axis=1, keepdims=True)
    return found


class Life:
    """A model from its gate on: a day of labelled rows, and a decision, every night."""

    def __init__(self, world: World, seed: int) -> None:
        self.world, self.random = world, np.random.default_rng([seed, world.rows_a_week])
        self.spec = _spec(world.kind)
        judged = _joined([self._day(n, changed=False) for n in range(EVALUATION_DAYS)])
        self.champion = _version(self.spec, judged)
        self.sight = sight_of(self.spec, self.champion)
        self.days: list[Outcomes] = []
        self.results: list[MonitorResult] = []

    def nights(self, n: int, *, changed: bool) -> Iterator[str]:
        """Yield the answer of each of the next nights."""
        for _ in range(n):
            number = EVALUATION_DAYS + len(self.days)
            self.days.append(self._day(number, changed=changed))
            self.results.append(self._measured(number))
            yield self._decided(number)

    @property
    def window_days(self) -> int:
        """How many days the window of the newest night has."""
        newest = self.results[-1]
        return (date.fromisoformat(newest.last) - date.fromisoformat(newest.first)).days + 1

    def _day(self, number: int, *, changed: bool) -> Outcomes:
        return self.world.draw(self.random, number, changed=changed)

    def _measured(self, number: int) -> MonitorResult:
        sizes, limits = [len(one) for one in self.days], self.spec.performance
        n = min(limits.window.days, len(sizes))
        while not self.sight.enough(sizes[-n:]) and n < min(limits.max_window.days, len(sizes)):
            n += 1
        rows = _joined(self.days[-n:])
        checks = performance_checks(self.spec, rows, self.champion, day_sizes=sizes[-n:])
        return MonitorResult(_key(number - n + 1), _key(number), len(rows), "1", checks)

    def _decided(self, number: int) -> str:
        key, policy = _key(number), self.spec.retrain
        quiet = MonitorResult(key, key, 1, "1", (Check("score", 0.0, 0.1, False, "no drift"),))
        evidence = PolicyEvidence(
            champion="1",
            champion_now="1",
            performance=tuple(self.results[-policy.of_last :]),
            drift=(quiet,),
        )
        return decide(self.spec, key, evidence).answer


def measure(*, quick: bool) -> Measured:
    """Measure how soon a change is seen, and how often one is where there is none."""
    figures, lines = [], []
    for kind in _NAMES:
        for rows_a_week, weeks in WITHIN.items():
            world = World(kind, rows_a_week)
            n_lives, n_years = (3, 1) if quick else (60, {50: 20, 500: 5, 5000: 2}[rows_a_week])
            seen = _seen(world, weeks, n_lives)
            alarms, untold, window = _quiet(world, n_years)
            what = f"{kind}, {_NAMES[kind]}, {rows_a_week:,} rows a week"
            share = float(np.mean([found <= weeks for found in seen]))
            median = float(np.median(seen))
            required = f"at most {weeks}"
            figures += [
                Figure(f"{what}: median until seen", median, "weeks", required, median <= weeks),
                Figure(f"{what}: seen within {weeks} weeks", share, "of the changes"),
                Figure(
                    f"{what}: false alarms", round(alarms, 2), "a year", "at most 1", alarms <= 1
                ),
                Figure(f"{what}: cannot tell in a first year", round(untold, 3), "of the nights"),
            ]
            lines.append([what, f"{window} days", f"{median:.1f}", f"{share:.0%}", f"{alarms:.2f}"])
    for world in (World("regression", 5000, day=0.1), World("binary", 5000, day=0.3)):
        alarms, _, window = _quiet(world, 1 if quick else 3)
        what = f"{world.kind}, 5,000 rows a week, days differ by {world.day:g}"
        figures.append(Figure(f"{what}: false alarms", alarms, "a year", "at most 1", alarms <= 1))
        lines.append([what, f"{window} days", "", "", f"{alarms:.2f}"])
    head = ["what", "window", "weeks until seen (median)", "seen in time", "false alarms a year"]
    return Measured(figures, {"Volume": [head, *lines]}, list(_NOTES))


def _seen(world: World, weeks: int, n_lives: int) -> list[float]:
    """Return after how many weeks each of some lives is decided to be trained again."""
    found = []
    for seed in range(n_lives):
        life = Life(world, seed)
        for _ in life.nights(_days_before(life), changed=False):
            pass
        life.results = [_without_alarms(one) for one in life.results]
        answers = list(life.nights(3 * 7 * weeks, changed=True))
        night = answers.index("retrain") + 1 if "retrain" in answers else np.inf
        found.append(night / 7)
    return found


def _days_before(life: Life) -> int:
    """Return the days until the window is full, so that the change lies behind rows of before."""
    each = max(life.world.rows_a_week / 7, 1)
    n = 1
    while not life.sight.enough([round(each)] * n) and n < life.spec.performance.max_window.days:
        n += 1
    return max(n, 7)


def _without_alarms(result: MonitorResult) -> MonitorResult:
    """Forget what alarmed before the change: it is no detection of it."""
    return replace(result, checks=tuple(replace(one, alarm=False) for one in result.checks))


def _quiet(world: World, n_years: int) -> tuple[float, float, int]:
    """Return false alarms a year, the share of nights without an answer, and the window."""
    alarms, untold, n, window = 0, 0, 0, 0
    for seed in range(n_years):
        life, free_from = Life(world, 1000 + seed), 0
        for night, answer in enumerate(life.nights(365, changed=False)):
            n, untold = n + 1, untold + (answer == "cannot_tell")
            if answer == "retrain" and night >= free_from:
                alarms += 1
                free_from = night + max(life.window_days, 7)  # until its rows have left the window
        window = life.window_days
    return alarms / n_years, untold / n, window


# --- what is needed around it


def _key(number: int) -> str:
    return (FIRST + timedelta(days=number)).isoformat()


def _joined(days: list[Outcomes]) -> Outcomes:
    true, predicted, codes = (
        np.concatenate([getattr(one, name) for one in days])
        for name in ("y_true", "y_pred", "days")
    )
    return Outcomes(true, predicted, codes, classes=days[0].classes)


def _version(spec: ModelSpec, judged: Outcomes) -> RegisteredVersion:
    """Return the champion as the gate leaves it: its metric, and what rows and days do."""
    metric, known = gate_metric(spec), movement(judged)
    assert known is not None
    gate = spec.gate
    found = measure_metric(metric, judged, confidence=gate.confidence, n_bootstrap=gate.n_bootstrap)
    kept = {
        metric.name: found.value,
        f"{metric.name}_lower": found.lower,
        f"{metric.name}_upper": found.upper,
        f"{metric.name}_of_day": day_deviation(metric, judged),
    }
    return RegisteredVersion(
        "m", "1", "run", "models:/m", "digest", metrics=kept | known.as_metrics()
    )


def _spec(kind: Kind) -> ModelSpec:
    def dataset(name: str) -> DatasetSpec:
        return DatasetSpec(
            name=name,
            description="Made-up rows.",
            source=SqlSource(conn_id="none", query="SELECT 1 WHERE :partition = ''"),
            columns={"id": "string", "at": "timestamp", "y": "float64"},
            key=("id",),
            start=FIRST,
        )

    return ModelSpec(
        name="m",
        description="Predicts made-up rows.",
        inputs=(InputSpec(dataset=dataset("rows")),),
        label=LabelSpec(dataset=dataset("labels"), target="y"),
        problem_type=kind,
        features_python="benchmarks:features",
        as_of="at",
        numeric=("x",),
        estimator="benchmarks:estimator",
    )


_NOTES = (
    "Default specs, a decision every night, labels at once: what labels come later adds to it. The "
    "champion is calibrated and was evaluated on 28 days of the same volume; the change comes at "
    "once, when the window is full of rows from before, and stays.",
    "A number is 100 on average, its predictions differ by 30 and it differs from them by 30. A "
    "binary model ranks with a ROC AUC of 0.75, 31 % are true. Three classes are equally likely.",
    "A false alarm is a night that asks for a training although nothing has changed; nights whose "
    "windows share its rows are not counted again.",
)
