"""What a pack holds, gathered from the ledger, the run of the training, the lake and the spec."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from importlib.metadata import version as installed
from typing import TYPE_CHECKING, Any

from mlops_tasks.exceptions import EvidencePackError
from mlops_tasks.lake import TrainingPin
from mlops_tasks.registry.artifacts import EXPLANATION, GATE_REPORT, IMPORTANCE, PIN_FILE
from mlops_tasks.registry.champions import registered_version
from mlops_tasks.registry.ledger import EvidenceKind
from mlops_tasks.registry.ledger.records import CHAMPION_MOVES
from mlops_tasks.registry.pack.contract import contract_results
from mlops_tasks.registry.pack.environment import environment_of
from mlops_tasks.registry.pack.ledger_extract import extract
from mlops_tasks.registry.pack.lineage import lineage
from mlops_tasks.registry.pack.specification import intended_use, specification
from mlops_tasks.serialization import from_json, to_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlops_tasks.lake import Lake
    from mlops_tasks.registry.ledger import Ledger, LedgerEntry
    from mlops_tasks.registry.tracking import Tracking
    from mlops_tasks.registry.versions import RegisteredVersion
    from mlops_tasks.specs import EstimatorSpec

__all__ = ["FORMAT", "Contents", "gather"]

#: Of a pack: a newer minor version has more in it, a newer major one means something else by it.
FORMAT = "1.0"
_ASKED = (EvidenceKind.RELEASE_REQUEST, EvidenceKind.APPROVAL)
_OF_GROUPS = ("fairness", "slice")
_MONITORED = {EvidenceKind.DRIFT, EvidenceKind.PERFORMANCE}


@dataclass(frozen=True, slots=True)
class Contents:
    """The documents of a pack, each plain JSON; where there is nothing, ``why_not`` says why.

    Attributes
    ----------
    identity : dict
        Which version of which model, who promoted it and when, and as of when the pack speaks.
    intended_use, specification : dict
        What the spec says.
    pins, contract : dict
        The exact rows, and what the checks said of them.
    gate, fairness, explanation, approvals : dict
        On what evidence, and on whose word, it was promoted.
    environment, lineage, ledger : dict
        What it was made in and from, and what the ledger says of the model.
    """

    identity: dict[str, Any]
    intended_use: dict[str, Any] = field(default_factory=dict)
    specification: dict[str, Any] = field(default_factory=dict)
    pins: dict[str, Any] = field(default_factory=dict)
    contract: dict[str, Any] = field(default_factory=dict)
    gate: dict[str, Any] = field(default_factory=dict)
    fairness: dict[str, Any] = field(default_factory=dict)
    explanation: dict[str, Any] = field(default_factory=dict)
    approvals: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)
    lineage: dict[str, Any] = field(default_factory=dict)
    ledger: dict[str, Any] = field(default_factory=dict)


def gather(
    model: str,
    version: str,
    spec: EstimatorSpec | None,
    *,
    lake: Lake,
    tracking: Tracking,
    ledger: Ledger,
) -> Contents:
    """Gather everything that is known of a promoted version.

    Parameters
    ----------
    model, version : str
        Registered model and version.
    spec : EstimatorSpec or None
        Its spec as it is now; None where there is none, which the pack then says.
    lake : Lake
        Knows the pinned partitions.
    tracking : Tracking
        Where its run is.
    ledger : Ledger
        What was decided, and what vouches for the artifacts of the run.

    Returns
    -------
    Contents
        The same stores give the same.

    Raises
    ------
    UnknownVersionError
        If the ledger does not know the version.
    EvidencePackError
        If it was never promoted.
    UnsafeModelError
        If an artifact of its run is not what the ledger says.
    """
    known = registered_version(model, version, ledger=ledger)
    entries = sorted(ledger.entries(model=model, history=True), key=lambda entry: entry.seq)
    promotion = _promotion(known, entries)
    pin = _pin(known, tracking)
    gate = _gate(known, spec, entries, tracking)
    monitored = {e.key for e in entries if e.kind in _MONITORED and _is_about(e, known)}
    predictions = spec.predictions_table if spec else f"{model}__predictions"
    return Contents(
        identity=_identity(known, promotion, entries, pin),
        intended_use=intended_use(spec),
        specification=specification(spec),
        pins=to_json(pin) if pin else {"why_not": f"the ledger has no digest of its {PIN_FILE}"},
        contract=contract_results(pin, lake=lake, ledger=ledger) if pin else {"why_not": "no pin"},
        gate=gate,
        fairness=_fairness(gate),
        explanation=_explanation(known, spec, tracking),
        approvals=_approvals(promotion, entries),
        environment=environment_of(known, tracking=tracking),
        lineage=lineage(known, pin, table=predictions, n_monitored=len(monitored)),
        ledger=extract(entries, ledger.head()),  # read last: no entry lies behind it
    )


def _promotion(version: RegisteredVersion, entries: Sequence[LedgerEntry]) -> LedgerEntry:
    """Return the newest entry that made the version the champion."""
    for entry in reversed(entries):
        if entry.kind in CHAMPION_MOVES and entry.evidence.get("version") == version.version:
            return entry
    raise EvidencePackError(
        f"version {version.version} of {version.name!r} was never promoted, and evidence packs are "
        f"of promoted versions; `mlops history {version.name}` lists them"
    )


def _identity(
    version: RegisteredVersion,
    promotion: LedgerEntry,
    entries: Sequence[LedgerEntry],
    pin: TrainingPin | None,
) -> dict[str, Any]:
    newest = max(entry.recorded_at for entry in entries)
    return {
        "format": FORMAT,
        "made_by": f"mlops-airflow {installed('mlops-airflow')}",
        "model": version.name,
        "version": version.version,
        "previous": promotion.evidence.get("previous"),
        "generation": promotion.evidence.get("generation"),
        "as_of": pin.as_of if pin else "",
        "promoted_at": promotion.recorded_at.isoformat(timespec="seconds"),
        "promoted_in": promotion.dag_run,
        "promoted_because": promotion.evidence.get("reason", ""),
        "run_id": version.run_id,
        "files_digest": version.digest,
        "artifacts": dict(version.artifacts),
        "state_of": newest.isoformat(timespec="microseconds"),
    }


def _gate(
    version: RegisteredVersion,
    spec: EstimatorSpec | None,
    entries: Sequence[LedgerEntry],
    tracking: Tracking,
) -> dict[str, Any]:
    """Return the verdict that the ledger has, and the gate's own report where there is one."""
    verdicts = [
        entry
        for entry in entries
        if entry.kind == EvidenceKind.VERDICT and entry.evidence.get("run_id") == version.run_id
    ]
    said: dict[str, Any] = {"why_not": "no gate has judged it"}
    if verdicts:
        said = dict(verdicts[-1].evidence)
    tested = [e for e in entries if (e.kind, e.key) == (EvidenceKind.SMOKE_TEST, version.version)]
    if tested:
        said["smoke_test"] = tested[-1].evidence
    if GATE_REPORT in version.artifacts:
        said["report"] = json.loads(tracking.read_artifact(version, GATE_REPORT))
    hidden = [f"{name}=" for name in spec.features if spec.hides(name)] if spec else []
    shown: dict[str, Any] = _without_groups(said, hidden) if hidden else said
    return shown


def _without_groups(value: Any, hidden: Sequence[str]) -> Any:
    """Leave out what is about a group of a column that has become personal since."""
    if isinstance(value, dict):
        return {name: _without_groups(one, hidden) for name, one in value.items()}
    if isinstance(value, list):
        kept = [one for one in value if not any(name in json.dumps(one) for name in hidden)]
        return [_without_groups(one, hidden) for one in kept]
    return value


def _fairness(gate: dict[str, Any]) -> dict[str, Any]:
    """Return what the gate has compared between groups of people, and of any slices."""
    judged = gate.get("report", {}).get("verdict", gate).get("criteria", ())
    found: dict[str, Any] = {
        kind: [one for one in judged if one["kind"] == kind] for kind in _OF_GROUPS
    }
    if not found["fairness"]:
        found["why_not"] = "no gate has compared groups of people: the spec sets no limit for them"
    return found


def _explanation(
    version: RegisteredVersion, spec: EstimatorSpec | None, tracking: Tracking
) -> dict[str, Any]:
    """Return what the model makes of its features, as the evaluation has measured it."""
    said: dict[str, Any] = {}
    if EXPLANATION in version.artifacts:
        report = json.loads(tracking.read_artifact(version, EXPLANATION))
        # A column may have become personal since the training.
        report["dependence"] = [
            one
            for one in report.get("dependence", ())
            if spec is None or not spec.hides(one["feature"])
        ]
        said["report"] = report
        if said["report"].pop("reasons", None):
            said["left_out"] = "reasons of single predictions: values of rows do not leave the run"
    if IMPORTANCE in version.artifacts:
        importance = json.loads(tracking.read_artifact(version, IMPORTANCE))
        ordered = sorted(importance.items(), key=lambda item: (-item[1], item[0]))
        said["importance"] = dict(ordered)
    return said or {"why_not": "its run has no importance of features that the ledger knows"}


def _approvals(promotion: LedgerEntry, entries: Sequence[LedgerEntry]) -> dict[str, Any]:
    """Return who was asked about this version, and who said what; by whom it was promoted."""
    version = promotion.evidence["version"]
    asked = [entry for entry in entries if entry.kind in _ASKED and entry.key == version]
    said: dict[str, Any] = {
        "promoted": _word(promotion),
        "asked": [_word(entry) for entry in asked],
    }
    if not any(entry.kind == EvidenceKind.APPROVAL for entry in asked):
        who = promotion.by if promotion.by not in ("", "schedule") else ""
        word = f"{who} had it promoted" if who else "the gate's verdict alone promoted it"
        said["why_not"] = f"nobody was asked for an approval: {word}"
    return said


def _word(entry: LedgerEntry) -> dict[str, Any]:
    return {
        "kind": str(entry.kind),
        "seq": entry.seq,
        "at": entry.recorded_at.isoformat(timespec="seconds"),
        "by": entry.by,
        "dag_run": entry.dag_run,
        "said": entry.evidence,
    }


def _is_about(entry: LedgerEntry, version: RegisteredVersion) -> bool:
    return bool(entry.evidence.get("model_version") == version.version)


def _pin(version: RegisteredVersion, tracking: Tracking) -> TrainingPin | None:
    """Return what it was trained on; None for one that was adopted without."""
    if PIN_FILE not in version.artifacts:
        return None
    return from_json(TrainingPin, json.loads(tracking.read_artifact(version, PIN_FILE)))
