"""Return whether the loop has closed: seven conditions, each with what was found."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from demo.plan import LABEL_DELAY, TRAIN

if TYPE_CHECKING:
    from demo.evidence import Evidence
    from mlops_tasks.registry.ledger import LedgerEntry

CAUSES_BY_ALARM = ("drift", "performance")


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that must have happened, and whether it has."""

    name: str
    holds: bool
    evidence: str


def loop_conditions(evidence: Evidence) -> list[Condition]:
    """Look for every part of the loop in what the replay left behind.

    Parameters
    ----------
    evidence : Evidence
        From `demo.evidence.collect`.

    Returns
    -------
    list of Condition
        The loop has closed when all hold.
    """
    return [
        _first_champion(evidence),
        _nights_scored(evidence),
        _late_labels(evidence),
        _retrain_request(evidence),
        _challenger(evidence),
        _gate_verdict(evidence),
        _not_retrained(evidence),
    ]


def has_closed(evidence: Evidence) -> bool:
    """Return whether all conditions hold.

    Parameters
    ----------
    evidence : Evidence
        From `demo.evidence.collect`.

    Returns
    -------
    bool
        True when the loop has closed.
    """
    return all(condition.holds for condition in loop_conditions(evidence))


def requests(evidence: Evidence) -> list[LedgerEntry]:
    """List the decisions to retrain that an alarm caused and Airflow carried out.

    Parameters
    ----------
    evidence : Evidence
        From `demo.evidence.collect`.

    Returns
    -------
    list of LedgerEntry
        Decisions whose night has a training that an asset event started.
    """
    trained = {
        run.partition_key for run in evidence.succeeded(TRAIN) if run.run_type == "asset_triggered"
    }
    return [
        entry
        for entry in evidence.of_kind("decision")
        if entry.evidence["retrain"]
        and entry.evidence.get("cause") in CAUSES_BY_ALARM
        and entry.key in trained
    ]


def _first_champion(evidence: Evidence) -> Condition:
    name = "a first champion was trained and promoted"
    known = {version.version for version in evidence.versions}
    for entry in evidence.of_kind("promotion"):
        if entry.evidence.get("previous") is None and str(entry.evidence["version"]) in known:
            text = f"version {entry.evidence['version']} as of {entry.key}"
            return Condition(name, True, f"{text}: {entry.evidence.get('reason')}")
    return Condition(name, False, "no promotion without a predecessor in the ledger and MLflow")


def _nights_scored(evidence: Evidence) -> Condition:
    name = "nights were scored with it"
    first = [e for e in evidence.of_kind("promotion") if e.evidence.get("previous") is None]
    version = str(first[0].evidence["version"]) if first else None
    days = [day for day in evidence.scored if day.model_version == version]
    n_rows = sum(day.n_predictions for day in days)
    return Condition(name, bool(days), f"{len(days)} days, {n_rows:,} flights by version {version}")


def _late_labels(evidence: Evidence) -> Condition:
    labelled = [day for day in evidence.scored if day.n_labelled]
    late = sum(day.n_late for day in labelled)
    misplaced = sum(day.n_misplaced for day in evidence.scored)
    return Condition(
        "labels arrived late and were joined to the right day",
        bool(labelled) and late > 0 and misplaced == 0,
        f"{sum(day.n_labelled for day in labelled):,} predictions of {len(labelled)} days have "
        f"their label, {late:,} of them came only with the refresh; {misplaced} lie in the "
        "partition of another day",
    )


def _retrain_request(evidence: Evidence) -> Condition:
    name = "an alarm on real change produced a retrain request"
    found = [f"{entry.key}: {entry.evidence['reason']}" for entry in requests(evidence)]
    return Condition(name, bool(found), "; ".join(found) or "none yet")


def _challenger(evidence: Evidence) -> Condition:
    name = "the training it caused produced a challenger"
    found = [
        f"{verdict.key}: version {version}"
        for verdict in _caused_verdicts(evidence)
        if (version := challenger_version(evidence, verdict)) is not None
    ]
    return Condition(name, bool(found), "; ".join(found) or "none yet")


def _gate_verdict(evidence: Evidence) -> Condition:
    name = "the gate gave it a verdict on matured labels"
    found = []
    for verdict in _caused_verdicts(evidence):
        window = evaluation_window(evidence, verdict)
        if window is None or date.fromisoformat(window[1]) > (
            date.fromisoformat(verdict.key) - LABEL_DELAY
        ):
            continue
        text = f"{verdict.key}: {verdict.evidence['verdict']} on {verdict.evidence['n_rows']:,}"
        found.append(f"{text} flights of {window[0]} to {window[1]}")
    return Condition(name, bool(found), "; ".join(found) or "none yet")


def _not_retrained(evidence: Evidence) -> Condition:
    name = "a night's recorded decision is: not retrained because ..."
    found = [
        entry
        for entry in evidence.of_kind("decision")
        if not entry.evidence["retrain"] and entry.evidence.get("reason")
    ]
    if not found:
        return Condition(name, False, "none yet")
    text = f"{len(found)} nights, the last one {found[-1].key}: {found[-1].evidence['reason']}"
    return Condition(name, True, text)


def _caused_verdicts(evidence: Evidence) -> list[LedgerEntry]:
    asked = {entry.key for entry in requests(evidence)}
    return [entry for entry in evidence.of_kind("verdict") if entry.key in asked]


def challenger_version(evidence: Evidence, verdict: LedgerEntry) -> str | None:
    """Find the registered version a verdict is about.

    Parameters
    ----------
    evidence : Evidence
        With MLflow's versions.
    verdict : LedgerEntry
        Entry of kind ``verdict``.

    Returns
    -------
    str or None
        Its number, None if MLflow does not have it.
    """
    for version in evidence.versions:
        if version.run_id == verdict.evidence.get("run_id"):
            return version.version
    return None


def evaluation_window(evidence: Evidence, verdict: LedgerEntry) -> tuple[str, str] | None:
    """Find the days a verdict rests on.

    Parameters
    ----------
    evidence : Evidence
        With MLflow's versions.
    verdict : LedgerEntry
        Entry of kind ``verdict``.

    Returns
    -------
    tuple of (str, str) or None
        First and last day; None if MLflow does not say.
    """
    for version in evidence.versions:
        if version.run_id == verdict.evidence.get("run_id"):
            return version.evaluation
    return None
