"""Decide: the one place that says whether to retrain, from all evidence known by a night."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from mlops_tasks.classes import PREDICTED
from mlops_tasks.types import RetrainDecision

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlops_tasks.ledger import LedgerEntry
    from mlops_tasks.spec import ModelSpec, RetrainSpec

__all__ = ["decide"]


def decide(
    spec: ModelSpec, night: str, champion_version: str | None, entries: Sequence[LedgerEntry]
) -> RetrainDecision:
    """Say yes or no to a retraining as of one night, and why.

    Parameters
    ----------
    spec : ModelSpec
        The model, with its policy.
    night : str
        The night; entries with a later key are not known yet and are ignored.
    champion_version : str or None
        The version in production.
    entries : sequence of LedgerEntry
        Entries of this model of the kinds ``drift``, ``performance`` and ``verdict``.

    Returns
    -------
    RetrainDecision
        ``cause`` is one of ``no_champion``, ``age``, ``performance``, ``drift`` or, for a no,
        ``cooldown`` or ``none``. Evidence of another version than the champion never counts.
    """
    if champion_version is None:
        return RetrainDecision(True, "no_champion", "there is no champion yet", {"night": night})
    known = [entry for entry in entries if entry.key <= night]
    trained = max((entry.key for entry in known if entry.kind == "verdict"), default=None)
    age = None if trained is None else _days(trained, night)
    ours = [e for e in known if e.evidence.get("model_version") == champion_version]
    causes = {
        "performance": _performance(spec.retrain, ours),
        "drift": _drift(spec.retrain, ours),
    }
    evidence: dict[str, Any] = {
        "night": night,
        "champion_version": champion_version,
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


def _performance(policy: RetrainSpec, entries: list[LedgerEntry]) -> dict[str, Any]:
    newest = [entry for entry in entries if entry.kind == "performance"][-policy.of_last :]
    alarms = {
        entry.key: [check["text"] for check in entry.evidence["checks"] if check["alarm"]]
        for entry in newest
    }
    return _windows(policy, "performance", alarms)


def _drift(policy: RetrainSpec, entries: list[LedgerEntry]) -> dict[str, Any]:
    newest = [entry for entry in entries if entry.kind == "drift"][-policy.of_last :]
    alarms = {}
    for entry in newest:
        # The classes are cut from the scores, which count already.
        counted = [one for one in entry.evidence["checks"] if one["name"] != PREDICTED]
        drifted = [check["text"] for check in counted if check["alarm"]]
        alarms[entry.key] = drifted if len(drifted) >= policy.min_drifted else []
    return _windows(policy, "drift", alarms)


def _windows(policy: RetrainSpec, what: str, alarms: dict[str, list[str]]) -> dict[str, Any]:
    """Judge n of the last k days, the newest included."""
    days = sorted(alarms)
    hit = [day for day in days if alarms[day]]
    alarm = len(hit) >= policy.windows and bool(days) and days[-1] == hit[-1]
    text = f"{what} alarmed on {len(hit)} of the last {len(days)} days"
    if alarm:
        text += f" ({', '.join(hit)}): {alarms[days[-1]][0]}"
        more = len(alarms[days[-1]]) - 1
        text += f" and {more} more" if more else ""
    return {"alarm": alarm, "days": days, "alarm_days": hit, "text": text}


def _quiet(causes: dict[str, dict[str, Any]]) -> str:
    return "; ".join(found["text"] for found in causes.values())


def _days(first: str, last: str) -> int:
    return (date.fromisoformat(last) - date.fromisoformat(first)).days
