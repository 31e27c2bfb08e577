"""Decide: the one place that says whether to retrain, from all evidence known by a day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mlops_tasks.partitions import DAY, check_day, days_between
from mlops_tasks.policy import (
    Absence,
    AlarmHistory,
    drift_alarms,
    estimate_note,
    performance_alarms,
)
from mlops_tasks.problem_types import problem_type
from mlops_tasks.specs.policy import WEEKDAYS

if TYPE_CHECKING:
    from mlops_tasks.partitions import Duration
    from mlops_tasks.policy import Memory, PolicyEvidence
    from mlops_tasks.specs import ModelSpec, RetrainSpec

__all__ = ["DecisionNote", "Grounds", "RetrainDecision", "decide", "note_on"]


@dataclass(frozen=True, slots=True)
class Grounds:
    """What a decision has looked at.

    ``estimate`` says what the newest estimate is, where labels say less; it is no cause by itself.
    ``untold_since`` is the day since which nobody can tell what predictions are worth, and
    ``untold_lasts`` says that this is longer than the policy allows.
    """

    champion_version: str | None = None
    last_training: str | None = None
    performance: AlarmHistory | None = None
    drift: AlarmHistory | None = None
    estimate: str = ""
    absences: tuple[Absence, ...] = ()
    untold_since: str | None = None
    untold_lasts: bool = False


@dataclass(frozen=True, slots=True)
class RetrainDecision:
    """Retrain, not, or nobody can tell, always with a reason and the evidence looked at.

    ``help`` says what would let somebody tell.
    """

    retrain: bool
    cause: str
    reason: str
    evidence: Grounds = Grounds()
    help: tuple[str, ...] = ()

    @property
    def answer(self) -> Literal["retrain", "not_retrained", "cannot_tell"]:
        """One of three answers: nobody's no is written down where nobody can tell."""
        if self.retrain:
            return "retrain"
        return "cannot_tell" if self.cause == "cannot_tell" else "not_retrained"

    @property
    def text(self) -> str:
        """Answer and reason in a line."""
        if self.retrain:
            return f"retrain ({self.cause}): {self.reason}"
        words = "cannot tell" if self.cause == "cannot_tell" else "not retrained"
        return f"{words} because {self.reason}"


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
        ``none`` or what holds an alarm back: ``cooldown``, ``budget``, ``chain``, ``quiet``. It is
        ``cannot_tell`` where nothing alarms, and the schedule promised what is not there, or a
        monitor has no answer for the newest partition, or nobody knows which version was champion
        then.

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
    performance = performance_alarms(
        policy, evidence.performance, grain=spec.rows.grain, estimates=evidence.estimates
    )
    derived = problem_type(spec.problem_type).derived_columns
    drift = drift_alarms(
        policy,
        evidence.drift,
        derived=derived,
        grain=spec.rows.grain,
        lasting=evidence.lasting,
    )
    grounds = _grounds(spec, as_of, evidence, performance, drift)
    age = None if trained is None else days_between(trained, as_of)
    if age is not None and not _within(policy.max_age, trained, as_of):
        reason = f"the last training is {age} days old, the limit is {policy.max_age.words}"
        return RetrainDecision(True, "age", reason, grounds)
    found = performance if performance.alarm else drift
    if not found.alarm:
        return _without_alarm(spec, as_of, grounds, performance, drift)
    if held := _held_back(policy, as_of, trained, evidence.memory):
        cause, why = held
        return RetrainDecision(False, cause, f"{found.text}, but {why}", grounds)
    cause = "performance" if performance.alarm else "drift"
    return RetrainDecision(True, cause, found.text, grounds)


def _held_back(
    policy: RetrainSpec, as_of: str, trained: str | None, memory: Memory
) -> tuple[str, str] | None:
    """Return why an alarm is no reason to train now; None if it is."""
    cooldown = memory.cooldown(policy)
    if trained is not None and _within(cooldown, trained, as_of):
        failed = ""
        if cooldown != policy.cooldown:
            failed = f" after {memory.n_failed} challengers in a row that the gate kept out"
        age = days_between(trained, as_of)
        why = f"the last training was {age} days ago and the cool-down is {cooldown.words}{failed}"
        return "cooldown", why
    if policy.weekly_budget is not None and memory.n_spent(as_of) >= policy.weekly_budget:
        n = memory.n_spent(as_of)
        return "budget", f"{n} trainings were decided within a week (retrain.weekly_budget)"
    if memory.chain >= policy.max_chain:
        why = (
            f"{memory.chain} trainings in a row because of alarms have not helped "
            "(retrain.max_chain): look at the data and the labels, or trigger a training by hand"
        )
        return "chain", why
    if (today := _weekday(as_of)) in policy.quiet_days:
        return "quiet", f"no alarm retrains as of a {today} (retrain.quiet_days)"
    return None


def _weekday(day: str) -> str:
    return WEEKDAYS[DAY.begins(day).weekday()]


def _grounds(
    spec: ModelSpec,
    as_of: str,
    evidence: PolicyEvidence,
    performance: AlarmHistory,
    drift: AlarmHistory,
) -> Grounds:
    since = evidence.untold_since
    return Grounds(
        champion_version=evidence.champion,
        last_training=evidence.last_training,
        performance=performance,
        drift=drift,
        estimate=estimate_note(evidence.estimates, performance),
        absences=evidence.absences,
        untold_since=since,
        untold_lasts=since is not None and not _within(spec.retrain.max_untold, since, as_of),
    )


def _without_alarm(
    spec: ModelSpec,
    as_of: str,
    grounds: Grounds,
    performance: AlarmHistory,
    drift: AlarmHistory,
) -> RetrainDecision:
    """Say no where both monitors say that all is well, and else that nobody can tell."""
    missing = [one for one in grounds.absences if one.is_newest]
    told = "; ".join(filter(None, (performance.text, drift.text, grounds.estimate)))
    if not missing and performance.answer == drift.answer == "fine":
        others = "".join(f"; {one.text}" for one in grounds.absences)
        return RetrainDecision(False, "none", told + others, grounds)
    reason = "; ".join([*(one.text for one in missing), told])
    if not performance.days:
        reason = f"version {grounds.champion_version}: {reason}"
    lasting = grounds.untold_since
    if lasting is not None:
        reason += f"; nobody can tell since {lasting}, {days_between(lasting, as_of)} days"
        if grounds.untold_lasts:
            reason += f", longer than {spec.retrain.max_untold.words} (retrain.max_untold)"
    helps = [one.fix for one in grounds.absences]
    helps += _help_of_performance(spec, performance)
    if drift.days and drift.answer == "cannot_tell":
        helps.append("a longer DriftSpec(window=...), or a smaller DriftSpec(min_rows=...)")
    return RetrainDecision(False, "cannot_tell", reason, grounds, tuple(helps))


def _help_of_performance(spec: ModelSpec, performance: AlarmHistory) -> list[str]:
    """Say what would let somebody tell what the predictions are worth."""
    if performance.answer != "cannot_tell":
        return []
    if performance.days:
        return [
            "more labelled rows, or a larger change that matters: see PerformanceSpec(window=..., "
            "min_rows=...)"
        ]
    label = spec.label.dataset
    wait = f", {label.delay.words} after their rows" if label.delay else ""
    return [f"labels of what this version has scored, from {label.name}{wait}"]


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
    text = f"decided was: {then.text}; today: {now.text}"
    text = f"today it would be the same: {now.text}" if same else text
    return DecisionNote(same, text, then, now)
