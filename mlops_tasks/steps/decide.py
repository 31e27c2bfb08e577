"""Decide: the one place that says whether to retrain, from all evidence known by a night."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlops_tasks.partitions import check_partition, days_between
from mlops_tasks.problem_types.binary.classes import PREDICTED
from mlops_tasks.serialization import to_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlops_tasks.registry.ledger import LedgerEntry
    from mlops_tasks.specs import ModelSpec, RetrainSpec

__all__ = ["RetrainDecision", "champion_then", "decide", "note_on"]


@dataclass(frozen=True, slots=True)
class RetrainDecision:
    """Yes or no, always with a reason and the evidence looked at."""

    retrain: bool
    cause: str
    reason: str
    evidence: dict[str, Any]


def champion_then(
    entries: Sequence[LedgerEntry], night: str, champion_version: str | None
) -> str | None:
    """Return the version that was champion on a night, as far as was known on that night.

    Parameters
    ----------
    entries : sequence of LedgerEntry
        All entries of one model, also those that newer ones have replaced.
    night : str
        The night.
    champion_version : str or None
        The champion of today.

    Returns
    -------
    str or None
        The champion of today unless something was decided or promoted as of a later night: then
        the last one promoted before that. None if there was none, or it is not written down.
    """
    promotions = [entry for entry in entries if entry.kind == "promotion"]
    later = [e.seq for e in entries if e.kind in {"promotion", "decision"} and e.key > night]
    if not later or not promotions:
        return champion_version
    before = [entry for entry in promotions if entry.seq < min(later)]
    return max(before, key=lambda entry: entry.seq).evidence["version"] if before else None


def decide(
    spec: ModelSpec, night: str, champion_version: str | None, entries: Sequence[LedgerEntry]
) -> RetrainDecision:
    """Say yes or no to a retraining as of one night, and why.

    Parameters
    ----------
    spec : ModelSpec
        The model, with its policy.
    night : str
        The night; what became known later is ignored.
    champion_version : str or None
        The version in production today. A night of the past is judged with that night's champion,
        see `champion_then`.
    entries : sequence of LedgerEntry
        All entries of this model, also those that newer ones have replaced.

    Returns
    -------
    RetrainDecision
        ``cause`` is one of ``no_champion``, ``age``, ``performance``, ``drift`` or, for a no,
        ``cooldown``, ``none`` or ``cannot_tell``: nobody knows which version was champion on that
        night. Evidence of another version than the champion never counts.

    Raises
    ------
    PartitionKeyError
        If `night` is no day.
    """
    check_partition(night)
    if champion_version is None:
        return RetrainDecision(True, "no_champion", "there is no champion yet", {"night": night})
    version = champion_then(entries, night, champion_version)
    if version is None:
        reason = (
            f"no version is known to have been champion on {night}; version {champion_version} is "
            "by now, and a training of the past would change nothing"
        )
        return RetrainDecision(False, "cannot_tell", reason, {"night": night})
    return _weigh(spec, night, version, entries)


def note_on(then: dict[str, Any], now: RetrainDecision) -> dict[str, Any]:
    """Describe what would be decided today about a night that has its decision.

    Parameters
    ----------
    then : dict
        Evidence of the decision, as the ledger has it.
    now : RetrainDecision
        What `decide` says today.

    Returns
    -------
    dict
        Evidence of a note: ``same``, ``text``, ``then`` and ``now``, plain JSON.
    """
    same = (then["retrain"], then["cause"]) == (now.retrain, now.cause)
    old, new = (
        f"{'retrain' if retrain else 'no'} ({cause}): {reason}"
        for retrain, cause, reason in (
            (then["retrain"], then["cause"], then["reason"]),
            (now.retrain, now.cause, now.reason),
        )
    )
    text = f"today it would be the same: {new}" if same else f"decided was {old}; today: {new}"
    return {"same": same, "text": text, "then": then, "now": to_json(now)}


def _weigh(
    spec: ModelSpec, night: str, version: str, entries: Sequence[LedgerEntry]
) -> RetrainDecision:
    trained = max((e.key for e in entries if e.kind == "verdict" and e.key <= night), default=None)
    age = None if trained is None else days_between(trained, night)
    ours = _known(night, version, entries)
    causes = {
        "performance": _performance(spec.retrain, ours),
        "drift": _drift(spec.retrain, ours),
    }
    evidence: dict[str, Any] = {
        "night": night,
        "champion_version": version,
        "last_training": trained,
        **{cause: found for cause, found in causes.items()},
    }
    if age is not None and age >= spec.retrain.max_age_days:
        reason = f"the last training is {age} days old, the limit is {spec.retrain.max_age_days}"
        return RetrainDecision(True, "age", reason, evidence)
    alarming = [(cause, found) for cause, found in causes.items() if found["alarm"]]
    if not alarming:
        return RetrainDecision(False, "none", _quiet(causes), evidence)
    cause, found = alarming[0]
    if age is not None and age < spec.retrain.cooldown_days:
        reason = (
            f"{found['text']}, but the last training was {age} days ago and the cool-down is "
            f"{spec.retrain.cooldown_days} days"
        )
        return RetrainDecision(False, "cooldown", reason, evidence)
    return RetrainDecision(True, cause, found["text"], evidence)


def _known(night: str, version: str, entries: Sequence[LedgerEntry]) -> list[LedgerEntry]:
    """Return the newest evidence of each day about one version that was known by a night."""
    known = {
        (entry.kind, entry.key): entry
        for entry in sorted(entries, key=lambda entry: entry.seq)
        if entry.evidence.get("model_version") == version
        and max(entry.key, entry.evidence.get("known_at", "")) <= night
    }
    return sorted(known.values(), key=lambda entry: entry.key)


def _performance(policy: RetrainSpec, entries: list[LedgerEntry]) -> dict[str, Any]:
    newest = [entry for entry in entries if entry.kind == "performance"][-policy.of_last :]
    return _windows(policy, "performance", {e.key: e.evidence["checks"] for e in newest})


def _drift(policy: RetrainSpec, entries: list[LedgerEntry]) -> dict[str, Any]:
    newest = [entry for entry in entries if entry.kind == "drift"][-policy.of_last :]
    # The classes are cut from the scores, which count already.
    counted = {
        entry.key: [check for check in entry.evidence["checks"] if check["name"] != PREDICTED]
        for entry in newest
    }
    return _windows(policy, "drift", counted, at_least=policy.min_drifted)


def _windows(
    policy: RetrainSpec, what: str, checks: dict[str, list[Any]], *, at_least: int = 1
) -> dict[str, Any]:
    """Judge n of the last k days, the newest included."""
    days = sorted(checks)
    alarms = {day: [check["text"] for check in checks[day] if check["alarm"]] for day in days}
    hit = [day for day in days if len(alarms[day]) >= at_least]
    untold = [day for day in days if all(check.get("value", 0) is None for check in checks[day])]
    alarm = len(hit) >= policy.windows and days[-1] == hit[-1]
    text = f"{what} alarmed on {len(hit)} of the last {len(days)} days"
    if alarm:
        text += f" ({', '.join(hit)}): {alarms[days[-1]][0]}"
        more = len(alarms[days[-1]]) - 1
        text += f" and {more} more" if more else ""
    elif untold:
        text += f", on {len(untold)} nobody can tell"
    return {"alarm": alarm, "days": days, "alarm_days": hit, "untold_days": untold, "text": text}


def _quiet(causes: dict[str, dict[str, Any]]) -> str:
    return "; ".join(found["text"] for found in causes.values())
