"""Margins that the rows of a window are too few for."""

from __future__ import annotations

import numpy as np
import pytest

from mlops_tasks.checks.volume import unreachable_margins
from mlops_tasks.gate import GatePlan
from mlops_tasks.problem_types import Outcomes
from mlops_tasks.specs import GateSpec


@pytest.mark.parametrize(("n_rare", "found"), [(184, ["gate.non_inferiority roc_auc"]), (185, [])])
def test_a_margin_that_one_row_would_break_is_named(n_rare: int, found: list[str]) -> None:
    gate = GateSpec(non_inferiority={"roc_auc": 0.02, "log_loss": 0.01})
    rows = Outcomes(np.repeat([1, 0], [n_rare, 5000]), np.full(n_rare + 5000, 0.5))
    results = list(unreachable_margins(GatePlan.make(gate, "binary"), rows))
    assert [one.where for one in results] == found
    assert {one.answer for one in results} <= {"cannot tell"}
    for one in results:
        assert "of less than 185 nobody can tell that ROC AUC is not worse by 0.02" in one.message


def test_a_share_of_the_champions_value_is_not_known_before() -> None:
    rows = Outcomes(np.repeat([1, 0], [10, 50]), np.full(60, 0.5))
    gate = GateSpec(superiority=(), non_inferiority={"roc_auc": "5%", "recall": 0.0})
    assert not list(unreachable_margins(GatePlan.make(gate, "binary"), rows))
    assert not list(unreachable_margins(GatePlan.make(GateSpec(), "binary"), rows)), "defaults"
    numbers = Outcomes(np.arange(9.0), np.arange(9.0))
    assert not list(unreachable_margins(GatePlan.make(GateSpec(), "regression"), numbers))
