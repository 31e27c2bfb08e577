"""A made-up world whose predictions are written, not made: a test says how hard a day is.

What the labels are follows from one number of each row; predictions know it, but not how often.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from scipy.special import expit, softmax

from mlops_tasks.backtest.runs import RunFolder
from mlops_tasks.lake import Lake, Pin, TrainingPin, overwrite_partition
from mlops_tasks.monitoring import (
    MonitorResult,
    as_evidence,
    estimate_of,
    estimate_outcomes,
    read_labelled_predictions,
)
from mlops_tasks.problem_types import gate_metric, problem_type
from mlops_tasks.registry.artifacts import PIN_FILE
from mlops_tasks.registry.ledger import EvidenceKind, Ledger
from mlops_tasks.registry.versions import RegisteredVersion
from mlops_tasks.serialization import to_json
from mlops_tasks.specs import PerformanceSpec
from mlops_tasks.specs.schema import arrow_schema
from mlops_tasks.steps.monitor import estimate_performance, judge_estimate
from tests.unit.orders import day, project, project_of, rows_of

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tasks.problem_types import Outcomes
    from mlops_tasks.specs import ModelSpec

__all__ = ["N_ROWS", "EstimatedWorld", "drawn", "outcomes_of"]

N_ROWS = 200
NAMES = ("Late", "early", "on time")
_MINUTES = {"Late": 20.0, "early": -10.0, "on time": 0.0}
#: By problem type, days on which predictions are worth less though they mean what they have meant.
HARDER: dict[str, dict[str, float]] = {
    "binary": {"spread": 0.4},
    "multiclass": {"spread": 0.4},
    "regression": {"shift": 1.5},
}


def drawn(
    kind: str,
    number: int,
    n: int = N_ROWS,
    *,
    shift: float = 0.0,
    spread: float = 1.0,
    other: bool = False,
) -> dict[str, Any]:
    """Draw a number for each row, what was predicted of it, and minutes late.

    With `other` the same number means something else: a change of concept.
    """
    random = np.random.default_rng([5, number])
    x = random.normal(shift, spread, n)
    means = -x if other else x
    if kind == "binary":
        late = random.random(n) < expit(1.5 * means - 0.5)
        return {"x": x, "minutes": np.where(late, 20.0, 0.0), "y_pred": expit(1.1 * x - 0.1)}
    if kind == "multiclass":
        zero = np.zeros(n)
        shares = softmax(np.column_stack([1.5 * means, -1.5 * means, zero]), axis=1)
        codes = (random.random((n, 1)) > shares.cumsum(axis=1)[:, :2]).sum(axis=1)
        y_pred = softmax(np.column_stack([1.1 * x, -1.1 * x, zero + 0.2]), axis=1)
        return {"x": x, "minutes": [_MINUTES[NAMES[code]] for code in codes], "y_pred": y_pred}
    noise = random.normal(0, np.exp(0.4 * x)) * (4 if other else 1)
    return {"x": x, "minutes": 10 + 3 * x + noise, "y_pred": 10 + 3 * x}


def outcomes_of(kind: str, found: dict[str, Any]) -> Outcomes:
    """Put what was drawn side by side, as metrics take it."""
    from mlops_tasks.problem_types import Outcomes

    minutes = np.asarray(found["minutes"])
    n = len(minutes)
    days = np.arange(n) * 12 // n
    if kind == "binary":
        return Outcomes((minutes > 10).astype(np.int64), found["y_pred"], days)
    if kind == "multiclass":
        codes = np.select([minutes > 10, minutes < -5], [0, 1], 2)
        return Outcomes(codes, found["y_pred"], days, classes=NAMES)
    return Outcomes(minutes, found["y_pred"], days)


def _published(kind: str, y_pred: Any) -> dict[str, Any]:
    """Return the columns of predictions."""
    if kind == "binary":
        return {"score": y_pred}
    if kind == "regression":
        unknown = pa.nulls(len(y_pred), pa.float64())
        return {"prediction": y_pred, "prediction_lower": unknown, "prediction_upper": unknown}
    columns = ("probability_%4Cate", "probability_early", "probability_on%20time")
    return {
        "predicted_class": [NAMES[code] for code in y_pred.argmax(axis=1)],
        "confidence": y_pred.max(axis=1),
        **{name: y_pred[:, code].copy() for code, name in enumerate(columns)},
    }


@dataclass
class EstimatedWorld:
    """Stores, a champion, and days that are scored, estimated, labelled and judged."""

    home: Path
    kind: str = "binary"
    limits: dict[str, Any] = field(default_factory=dict)
    token: int = 1

    def __post_init__(self) -> None:
        limits = {"window": "3d", "max_window": "3d", "min_rows": 100, **self.limits}
        changes = {"performance": PerformanceSpec(**limits), "train": "5d", "evaluation": "2d"}
        made = project if self.kind == "binary" else partial(project_of, problem_type=self.kind)
        self.spec: ModelSpec = made(self.home / "project", **changes)
        self.lake, self.ledger = Lake(self.home / "lake"), Ledger("sqlite://")
        self.tracking = RunFolder(str(self.home / "runs"))
        pin = Pin("deliveries", day(0), day(6), (1,), ("order_id",), 560, "d")
        known = TrainingPin(day(8), (day(0), day(4)), (day(5), day(6)), {}, pin)
        content = json.dumps(to_json(known)).encode()
        self.tracking.log_bytes("run", PIN_FILE, content)
        metric = gate_metric(self.spec)
        value = metric.value(outcomes_of(self.kind, drawn(self.kind, 999, 20_000)))
        self.champion = RegisteredVersion(
            *(self.spec.name, "1", "run", "models:/m-1", "digest"), metrics={metric.name: value}
        )

    @property
    def metric(self) -> str:
        return problem_type(self.kind).metric

    def score(self, number: int, *, version: str = "1", **how: Any) -> None:
        """Publish the rows of a day and what was predicted of them."""
        found, rows = drawn(self.kind, number, **how), rows_of(number, n=N_ROWS)
        place = rows["orders"].column_names.index("distance")
        rows["orders"] = rows["orders"].set_column(place, "distance", pa.array(found["x"]))
        for one in self.spec.inputs:
            table = rows[one.dataset.name].cast(arrow_schema(one.dataset))
            self._write(one.dataset.name, number, table, day(number))
        keys = rows["orders"].column("order_id")
        columns = {"order_id": keys, **_published(self.kind, found["y_pred"])}
        table = pa.table({**columns, "model_version": [version] * N_ROWS})
        self._write(self.spec.predictions_table, number, table, day(number))

    def label(
        self, number: int, *, known: int | None = None, share: float = 1.0, **how: Any
    ) -> None:
        """Publish the labels of a day, known two days after it."""
        found, rows = drawn(self.kind, number, **how), rows_of(number, n=N_ROWS)["deliveries"]
        place = rows.column_names.index("minutes_late")
        rows = rows.set_column(place, "minutes_late", pa.array(found["minutes"], pa.float64()))
        dataset = self.spec.label.dataset
        table = rows.slice(0, round(share * N_ROWS)).cast(arrow_schema(dataset))
        self._write(dataset.name, number, table, day(number + 2 if known is None else known))

    def estimate(self, number: int) -> MonitorResult:
        """Estimate a scored day as its Dag does, and record it."""
        outcomes = estimate_outcomes(self.spec, day(number), "1", ledger=self.ledger)
        stores: dict[str, Any] = {"lake": self.lake, "tracking": self.tracking}
        found = estimate_performance(
            self.spec, day(number), self.champion, **stores, outcomes=outcomes
        )
        self._record(EvidenceKind.ESTIMATE, found, self.spec.rows)
        return found

    def judge(self, number: int) -> MonitorResult | None:
        """Compare the estimate of a labelled day with its labels, and record it."""
        predictions = read_labelled_predictions(self.spec, day(number), lake=self.lake)
        estimate = estimate_of(self.spec, day(number), "1", ledger=self.ledger)
        found = None if estimate is None else judge_estimate(predictions, estimate)
        if found is not None:
            self._record(EvidenceKind.ESTIMATE_OUTCOME, found, self.spec.label.dataset)
        return found

    def _record(self, kind: EvidenceKind, found: MonitorResult, dataset: Any) -> None:
        name = self.spec.name
        before = self.ledger.newest(name, kind, key=found.last)
        said = as_evidence(self.spec, found, [dataset], lake=self.lake, before=before)
        if said is not None:
            self.ledger.record(model=name, kind=kind, key=found.last, evidence=to_json(said))

    def _write(self, name: str, number: int, rows: pa.Table, known_at: str) -> None:
        self.token += 1
        overwrite_partition(
            self.lake.table(name), day(number), rows, token=self.token, known_at=known_at
        )
