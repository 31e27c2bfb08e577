"""What a step came to, in one line and one of three answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlops_tasks.gate import Verdict
    from mlops_tasks.lake import TrainingPin
    from mlops_tasks.monitoring import MonitorResult
    from mlops_tasks.registry.versions import TrainResult
    from mlops_tasks.steps.decide import RetrainDecision
    from mlops_tasks.steps.score import ScoreResult
    from mlops_tasks.steps.validate import ValidationResult
    from mlops_tasks.trial.report import Answer
    from mlops_tasks.tuning import CandidateResult

__all__ = [
    "candidate_text",
    "decision_answer",
    "monitor_answer",
    "monitor_text",
    "pin_text",
    "score_text",
    "train_text",
    "validation_text",
    "verdict_answer",
]


def validation_text(result: ValidationResult) -> str:
    """Say what was published, and what was not."""
    parts = [f"{result.published.n_rows:,} rows published"]
    if result.n_quarantined:
        reasons = ", ".join(f"{n} × {why}" for why, n in result.quarantined_by_reason.items())
        parts.append(f"{result.n_quarantined} quarantined ({reasons})")
    if not result.changed:
        parts.append("the same as before")
    return "; ".join([*parts, *result.warnings])


def pin_text(pin: TrainingPin) -> str:
    """Say which windows were pinned."""
    return f"train on {' to '.join(pin.train)}, evaluate on {' to '.join(pin.evaluation)}"


def candidate_text(found: CandidateResult) -> str:
    """Say what a candidate was worth."""
    worth = found.state if found.value is None else f"{found.value:.4f}"
    return f"{found.name}: {worth}" + (f", {found.reason}" if found.reason else "")


def train_text(trained: TrainResult) -> str:
    """Say what the target was like."""
    described = ", ".join(f"{name} {value:g}" for name, value in trained.target.items())
    classes = f"{len(trained.classes)} classes" if trained.classes else ""
    return "; ".join(filter(None, (described, classes)))


def verdict_answer(verdict: Verdict) -> Answer:
    """Return whether a model may score: it, or the champion that it did not beat."""
    if verdict.verdict == "cannot_tell":
        return "cannot tell"
    return "fine" if verdict.verdict == "promote" or verdict.champion_version else "alarm"


def score_text(result: ScoreResult) -> str:
    """Say what was predicted, by which version, and of what it had never seen."""
    unseen = ", ".join(f"{n} rows with {name}" for name, n in result.unseen_categories.items())
    never = f"; never seen in training: {unseen}" if unseen else ""
    return f"version {result.model_version}: {result.summary}{never}"


def monitor_answer(result: MonitorResult) -> Answer:
    """Return the answer of all checks: one that cannot tell is not counted as fine."""
    if result.alarms:
        return "alarm"
    unknown = not result.checks or any(check.value is None for check in result.checks)
    return "cannot tell" if unknown else "fine"


def monitor_text(result: MonitorResult) -> str:
    """Say what alarms, else what cannot tell, else the strongest check."""
    silent = [check for check in result.checks if check.value is None and not check.alarm]
    first = (*result.alarms, *silent, *result.checks)[:1]
    count = f"{len(result.alarms)} of {len(result.checks)} checks alarm"
    if not result.alarms and silent:
        count = f"{len(silent)} of {len(result.checks)} checks cannot tell"
    return ": ".join([count, *(check.text for check in first)])


def decision_answer(decision: RetrainDecision) -> Answer:
    """Return whether anything is wrong with the champion."""
    if decision.answer == "cannot_tell":
        return "cannot tell"
    # An alarm that is held back is one; age and a first training are none.
    return "fine" if decision.cause in ("none", "age", "no_champion") else "alarm"
