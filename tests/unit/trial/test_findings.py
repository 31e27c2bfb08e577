from __future__ import annotations

import pytest

from mlops_tasks.steps.decide import RetrainDecision
from mlops_tasks.trial.findings import decision_answer


@pytest.mark.parametrize(
    ("cause", "retrain", "answer"),
    [
        ("none", False, "fine"),
        ("age", True, "fine"),
        ("no_champion", True, "fine"),
        ("drift", True, "alarm"),
        ("cooldown", False, "alarm"),
        ("budget", False, "alarm"),
        ("cannot_tell", False, "cannot tell"),
    ],
)
def test_an_alarm_that_is_held_back_is_not_fine(cause: str, retrain: bool, answer: str) -> None:
    assert decision_answer(RetrainDecision(retrain, cause, "why")) == answer
