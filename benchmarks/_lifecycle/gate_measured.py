"""One verdict on made-up rows; see `fresh.in_fresh_process`."""

from __future__ import annotations

import json
import sys

import numpy as np
import pyarrow as pa
import scipy.special

from benchmarks._lake.fresh import clocked
from mlops_tasks.gate import GatePlan, judge
from mlops_tasks.gate.groups import labelled_groups
from mlops_tasks.gate.slices import slice_criteria
from mlops_tasks.problem_types import Outcomes
from mlops_tasks.problem_types.costs import Costs
from mlops_tasks.specs import GateSpec

PRELOADED = scipy.special
_OTHERS = ("average_precision", "brier", "accuracy", "balanced_accuracy", "precision", "recall")


def main() -> None:
    """Judge once, and prove that all was asked."""
    order = json.load(sys.stdin)
    n, random = order["n_rows"], np.random.default_rng(0)
    hidden = random.normal(size=n)
    y = (random.random(n) < scipy.special.expit(2 * hidden - 6)).astype(np.int64)
    days = np.arange(n) * order["n_days"] // n
    ours, rival = (
        Outcomes(y, scipy.special.expit(2 * hidden - 6 + random.normal(size=n) * noise), days,
                 threshold=0.05)
        for noise in (0.5, 0.7)
    )  # fmt: skip
    names = pa.array(np.array([f"group {one}" for one in range(10)])).take(
        pa.array(random.integers(0, 10, n))
    )
    gate = GateSpec(
        non_inferiority={name: 0.02 for name in (*_OTHERS, "f2")}, slices={"group": "group"}
    )
    costs = Costs.of({"false_alarm": 1, "miss": 20}, "binary")
    plan = GatePlan.make(gate, "binary", costs=costs)
    assert len(plan.metrics) == 10, [one.name for one in plan.metrics]
    with clocked() as facts:
        groups = labelled_groups("group", names, 100)
        further = slice_criteria(plan, [groups], ours, rival)
        verdict = judge(plan, ours, rival, further=further)
        facts["verdict"], facts["criteria"] = verdict.verdict, len(verdict.criteria)
    assert len(further) == 100


if __name__ == "__main__":
    main()
