"""Decide: the one place that says whether to retrain, from all evidence known by a day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlops_tasks.partitions import DAY, check_day, days_between
from mlops_tasks.policy import AlarmHistory, drift_alarms, performance_alarms
from mlops_tasks.problem_types import problem_type

if TYPE_CHECKING:
    from mlops_tasks.partitions import Duration
    from mlops_tasks.policy import PolicyEvidence
    from mlops_tasks.specs import ModelSpec

__all__ = ["DecisionNote", "Grounds", "RetrainDecision", "decide", "note_on"]


@dataclass(frozen=True, slots=True)
class Grounds:
    """What a decision has looked at."""

    champion_version: str | None = None
    last_training: str | None = None
    performance: AlarmHistory | None = None
    drift: AlarmHistory | None = None


@dataclass(frozen=True, slots=True)
class RetrainDecision:
    """Yes or no, always with a reason and the evidence looked at."""

    retrain: bool
    cause: str
    reason: str
    evidence: Grounds = Grounds()

    @property
    def text(self) -> str:
        """Answer, cause and reason in a line; that nothing is a cause need not be said."""
        cause = "" if self.cause == "none" else f" ({self.cause})"
        return f"{'retrain' if self.retrain else 'no'}{cause}: {self.reason}"


@dataclass(frozen=True, slots=True)
class DecisionNote:
    """What would be decided today about a day that has its decision."""

    same: bool
    text: str
    then: RetrainDecision
    now: RetrainDecision


def decide(spec: ModelSpec, as_of: str, evidence: PolicyEvidence) -> RetrainDecision:
    """Say yes or no to a retraining as of one day, and why.

    Parameters
    ----------
    spec : ModelSpec
        The model, with its policy.
    as_of : str
        The day.
    evidence : PolicyEvidence
        What was known by then, see `read_evidence`.

    Returns
    -------
    RetrainDecision
        ``cause`` is one of ``no_champion``, ``age``, ``performance``, ``drift`` or, for a no,
        ``cooldown``, ``none`` or ``cannot_tell``: nobody knows which version was champion then.

    Raises
    ------
    PartitionKeyError
        If `as_of` is no day.
    """
    check_day(as_of)
    if evidence.champion_now is None:
        return RetrainDecision(True, "no_champion", "there is no champion yet")
    if evidence.champion is None:
        reason = (
            f"no version is known to have been champion on {as_of}; version "
            f"{evidence.champion_now} is by now, and a training of the past would change nothing"
        )
        return RetrainDecision(False, "cannot_tell", reason)
    policy, trained = spec.retrain, evidence.last_training
    grain = spec.rows.grain
    performance = performance_alarms(policy, evidence.performance, grain=grain)
    derived = problem_type(spec.problem_type).derived_columns
    drift = drift_alarms(policy, evidence.drift, derived=derived, grain=grain)
    grounds = Grounds(evidence.champion, trained, performance, drift)
    age = None if trained is None else days_between(trained, as_of)
    if age is not None and not _within(policy.max_age, trained, as_of):
        reason = f"the last training is {age} days old, the limit is {policy.max_age.words}"
        return RetrainDecision(True, "age", reason, grounds)
    found = performance if performance.alarm else drift
    if not found.alarm:
        return RetrainDecision(False, "none", f"{performance.text}; {drift.text}", grounds)
    if age is not None and _within(policy.cooldown, trained, as_of):
        reason = (
            f"{found.text}, but the last training was {age} days ago and the cool-down is "
            f"{policy.cooldown.words}"
        )
        return RetrainDecision(False, "cooldown", reason, grounds)
    cause = "performance" if performance.alarm else "drift"
    return RetrainDecision(True, cause, found.text, grounds)


def _within(length: Duration, trained: str | None, as_of: str) -> bool:
    """Whether a training is more recent than a length of time."""
    return trained is not None and trained > DAY.key_at(length.before(DAY.begins(as_of)))


def note_on(then: RetrainDecision, now: RetrainDecision) -> DecisionNote:
    """Describe what would be decided today about a day that has its decision.

    Parameters
    ----------
    then : RetrainDecision
        The decision, as the ledger has it.
    now : RetrainDecision
        What `decide` says today.

    Returns
    -------
    DecisionNote
        Whether it is the same, in a flag and in words.
    """
    same = (then.retrain, then.cause) == (now.retrain, now.cause)
    text = f"decided was {then.text}; today: {now.text}"
    text = f"today it would be the same: {now.text}" if same else text
    return DecisionNote(same, text, then, now)
