"""Evaluate: challenger and champion on the same later rows, and the gate's verdict."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mlops_tasks.features import days_of_rows, labelled_rows, model_frame, split_days
from mlops_tasks.gate import (
    GatePlan,
    check_registration,
    further_criteria,
    gate_report,
    hold_back,
    judge,
    worst_slices,
)
from mlops_tasks.gate.criteria import ALARM
from mlops_tasks.gate.explanation import Explanation, Side, explain
from mlops_tasks.gate.groups import find_groups
from mlops_tasks.gate.latency import measure_latency
from mlops_tasks.gate.overlap import refuse_overlap
from mlops_tasks.gate.page import GateFacts, publish_page
from mlops_tasks.gate.serving import latency_criterion, size_criterion
from mlops_tasks.lake import TrainingPin
from mlops_tasks.problem_types import TARGET, problem_type
from mlops_tasks.problem_types.outcomes import day_codes
from mlops_tasks.problem_types.shifts import day_deviation, movement
from mlops_tasks.profiles import Profile
from mlops_tasks.profiles.archive import pack_days
from mlops_tasks.registry.artifacts import GATE_REPORT, IMPORTANCE, PIN_FILE, SCORE_PROFILES
from mlops_tasks.registry.champions import load_version
from mlops_tasks.serialization import from_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pandas as pd
    import pyarrow as pa

    from mlops_tasks.gate import Criterion, Verdict
    from mlops_tasks.gate.slices import Groups
    from mlops_tasks.lake import Lake
    from mlops_tasks.partitions import Coverage
    from mlops_tasks.problem_types import Outcomes
    from mlops_tasks.registry.tracking import Tracking
    from mlops_tasks.registry.versions import RegisteredVersion, TrainResult
    from mlops_tasks.specs import ModelSpec, TableModel

__all__ = ["evaluate"]

# Single rows that the challenger is timed with, and seconds for them at most.
_TIMED_ROWS, _TIMED_S = 100, 0.3


def evaluate(
    spec: ModelSpec | TableModel,
    pin: TrainingPin,
    challenger: TrainResult,
    champion: RegisteredVersion | None,
    *,
    lake: Lake,
    tracking: Tracking,
    registered: Mapping[str, Any] | None = None,
    moved_to: str | None = None,
    explained: bool = True,
) -> Verdict:
    """Score challenger and champion on the pinned evaluation window and judge.

    Parameters
    ----------
    spec : ModelSpec or TableModel
        The model, with its gate.
    pin : TrainingPin
        The evaluation window; it lies after the challenger's training window.
    challenger : TrainResult
        The newly trained model.
    champion : RegisteredVersion or None
        The version in production; None for a first one.
    lake, tracking : Lake, Tracking
        Where data and models are.
    registered : mapping, optional
        The plan as it was written down before, see `GatePlan.registration`.
    moved_to : str, optional
        The version that became champion after the day of a training of the past, if another one:
        such a training changes no champion.
    explained : bool, default True
        Whether people will ask why: without it there is neither page nor explanation, no slices
        are searched for that nobody named, and drifted columns are ranked without what the model
        makes of them. The verdict is the same.

    Returns
    -------
    Verdict
        "promote" if the challenger is shown to be better in one of the gate's metrics, worse by no
        more than allowed in the others, and within all limits; a first champion must be better than
        the gate's floor, or than a constant. "ask" where a person decides. "cannot_tell" when the
        rows are too few, otherwise "keep": ties keep the champion, and so do leak suspects of the
        challenger's training that the spec does not allow. The whole report is the artifact
        ``gate.json`` of the run, why the challenger predicts so ``explanation.json``, and both are
        drawn in ``gate.html``, whose copy beside the lake `report` names.

    Raises
    ------
    PreregistrationError
        If the gate is another one than registered.
    LeakageError
        If a model was trained on days of the evaluation window.
    """
    plan = GatePlan.of(spec)
    registration = plan.registration(spec, pin, challenger)
    check_registration(registration, registration if registered is None else registered)
    scored = _score(spec, pin, challenger, champion, lake, tracking)
    training = _on_training(spec, pin, challenger, scored.model, lake, tracking)
    both, coverage = (scored.ours, scored.rival), pin.coverage("evaluation", spec.calendar)
    groups = find_groups(spec, scored.rows)
    further = [
        *further_criteria(plan, groups, *both, training=training),
        *_serving(spec, plan, scored),
    ]
    verdict = judge(plan, *both, champion, further=further)
    if explained:
        found = worst_slices(spec, plan, scored.rows, *both)
        verdict = replace(verdict, worst_slices=tuple(found))
    verdict = _limited(verdict, coverage)
    verdict = hold_back(verdict, challenger.suspects, spec.allow_leak_suspects)
    verdict = _of_the_past(verdict, pin.as_of, moved_to)
    verdict = replace(verdict, assumed=pin.assumed, plan=registration["digest"])
    verdict = replace(verdict, challenger=verdict.challenger | _by_itself(plan, scored.ours))
    _log(verdict, challenger, pin, tracking)
    report = gate_report(spec.name, verdict, registration, plan.level)
    said = json.dumps(report, indent=2).encode()
    explanation = _explanation(spec, pin, scored, groups) if explained else None
    artifacts = _stored(spec, challenger.run_id, scored, explanation, tracking) | {
        GATE_REPORT: tracking.log_evidence(challenger.run_id, GATE_REPORT, said)
    }
    if explanation is None:
        return replace(verdict, artifacts=artifacts, criteria=_brief(verdict))
    about = spec.name, pin.as_of, challenger.run_id, pin.evaluation
    facts = GateFacts(*about, registration, coverage.text)
    page, shown = publish_page(facts, verdict, explanation, lake=lake, tracking=tracking)
    return replace(verdict, artifacts=artifacts | shown, criteria=_brief(verdict), report=page)


def _by_itself(plan: GatePlan, ours: Outcomes) -> dict[str, float]:
    """Return what monitoring must know of chance and days, beside the metrics of the version."""
    found = movement(ours)
    if found is None or not found.n_days:
        return found.as_metrics() if found else {}
    of_day = f"{plan.metric.name}_of_day"
    return found.as_metrics() | {of_day: day_deviation(plan.metric, ours, seed=plan.seed)}


def _brief(verdict: Verdict) -> tuple[Criterion, ...]:
    """Leave out the many slices that nothing is known of: gate.json has them."""
    return tuple(one for one in verdict.criteria if one.kind != "slice" or one.answer == ALARM)


@dataclass(frozen=True, slots=True)
class _Scored:
    """The rows of the evaluation, with what both have predicted."""

    rows: pa.Table
    model: Any
    frame: pd.DataFrame
    predictions: Mapping[str, pa.Array]
    ours: Outcomes
    n_bytes: int = 0
    champion: Side | None = None

    @property
    def rival(self) -> Outcomes | None:
        """The outcomes of the champion."""
        return None if self.champion is None else self.champion.outcomes


def _score(
    spec: ModelSpec | TableModel,
    pin: TrainingPin,
    challenger: TrainResult,
    champion: RegisteredVersion | None,
    lake: Lake,
    tracking: Tracking,
) -> _Scored:
    problem, trained = problem_type(spec.problem_type), pin
    refuse_overlap("challenger", pin, pin, spec.calendar, spec.timezone)
    if champion is not None:
        trained = from_json(TrainingPin, json.loads(tracking.read_artifact(champion, PIN_FILE)))
        who = f"champion version {champion.version}"
        refuse_overlap(who, trained, pin, spec.calendar, spec.timezone)
    rows = labelled_rows(spec, pin, pin.evaluation, lake=lake, learn=False)
    model, n_bytes = tracking.load_sized(challenger.model_uri, challenger.digest)
    frame = model_frame(spec, model, rows)
    predictions = problem.predict(spec, model, frame)
    days = day_codes(days_of_rows(spec, rows))
    ours = problem.outcomes(spec, rows.column(TARGET), predictions, days)
    rival = None
    if champion is not None:
        old = load_version(champion, tracking=tracking)
        known = model_frame(spec, old, rows)
        theirs = problem.predict(spec, old, known)
        rival = Side(old, known, problem.outcomes(spec, rows.column(TARGET), theirs, days), trained)
    return _Scored(rows, model, frame, predictions, ours, n_bytes, rival)


def _serving(spec: ModelSpec | TableModel, plan: GatePlan, scored: _Scored) -> Iterator[Criterion]:
    """Ask what the challenger needs for one row, and how large it is."""
    gate, problem = spec.gate, problem_type(spec.problem_type)
    yield size_criterion(plan, scored.n_bytes, gate.max_model_mb)
    if gate.max_latency_ms is None:
        return

    def score(rows: pa.Table) -> object:
        return problem.predict(spec, scored.model, model_frame(spec, scored.model, rows))

    found = measure_latency(score, scored.rows.slice(0, _TIMED_ROWS), most_s=_TIMED_S)
    yield latency_criterion(plan, found, gate.max_latency_ms)


def _explanation(
    spec: ModelSpec | TableModel, pin: TrainingPin, scored: _Scored, groups: list[Groups]
) -> Explanation:
    """Explain the challenger, by the slices of the gate if it has any."""
    slices = {one.name: one.values for one in groups} or None
    return explain(
        spec,
        Side(scored.model, scored.frame, scored.ours, pin),
        scored.champion,
        scored.rows.column(TARGET).to_numpy(zero_copy_only=False),
        slices=slices,
        min_slice_rows=spec.gate.min_slice_rows,
        shap=spec.gate.shap,
    )


def _on_training(
    spec: ModelSpec | TableModel,
    pin: TrainingPin,
    challenger: TrainResult,
    model: Any,
    lake: Lake,
    tracking: Tracking,
) -> Outcomes | None:
    """Ask the challenger for its training window, if the gate looks at it."""
    if spec.gate.max_overfit_gap is None:
        return None
    problem = problem_type(spec.problem_type)
    if pin.labels.first > pin.train[0]:  # evaluated alone, on other rows than pinned at training
        stored = tracking.read_json(challenger.run_id, PIN_FILE)
        pin = from_json(TrainingPin, stored)
    rows = labelled_rows(spec, pin, pin.train, lake=lake, learn=False)
    predictions = problem.predict(spec, model, model_frame(spec, model, rows))
    return problem.outcomes(
        spec, rows.column(TARGET), predictions, day_codes(days_of_rows(spec, rows))
    )


def _stored(
    spec: ModelSpec | TableModel,
    run_id: str,
    scored: _Scored,
    explanation: Explanation | None,
    tracking: Tracking,
) -> dict[str, str]:
    """Store what later steps compare with, and return the digests."""
    profiles = pack_days(_prediction_profiles(spec, scored.rows, scored.predictions))
    kept = {SCORE_PROFILES: tracking.log_evidence(run_id, SCORE_PROFILES, profiles)}
    if explanation is not None:
        found = {one.feature: one.challenger for one in explanation.importance}
        importance = {str(name): found[str(name)] for name in scored.frame.columns}
        kept[IMPORTANCE] = tracking.log_evidence(run_id, IMPORTANCE, importance)
    return kept


def _of_the_past(verdict: Verdict, as_of: str, moved_to: str | None) -> Verdict:
    """Let a training of the past change no champion."""
    if moved_to is None or verdict.verdict not in ("promote", "ask"):
        return verdict
    reason = (
        f"{verdict.reason}; but version {moved_to} has become champion since {as_of}, and a "
        "training of the past changes no champion"
    )
    return replace(verdict, verdict="keep", reason=reason)


def _limited(verdict: Verdict, coverage: Coverage) -> Verdict:
    """Conclude nothing from a window of which less than half is there."""
    if coverage.enough:
        return verdict
    return replace(verdict, verdict="cannot_tell", reason=f"of the evaluation {coverage.text}")


def _prediction_profiles(
    spec: ModelSpec | TableModel, rows: pa.Table, predictions: Mapping[str, pa.Array]
) -> dict[str, Profile]:
    names = problem_type(spec.problem_type).profiled
    scored = rows.select([spec.as_of])
    for name in names:
        scored = scored.append_column(name, predictions[name])
    return {
        day: Profile.of(part.to_batches(), part.schema, columns=names)
        for day, part in split_days(spec, scored).items()
    }


def _log(verdict: Verdict, challenger: TrainResult, pin: TrainingPin, tracking: Tracking) -> None:
    tracking.log_batch(
        challenger.run_id,
        metrics={f"eval_{name}": value for name, value in verdict.challenger.items()}
        | {"eval_n_rows": float(verdict.n_rows)},
        tags={
            "mlops.verdict": verdict.verdict,
            "mlops.verdict_reason": verdict.reason,
            "mlops.evaluation": "..".join(pin.evaluation),
        },
        model_id=challenger.model_id,
    )
    rival = {f"champion_{name}": value for name, value in (verdict.champion or {}).items()}
    tracking.log_batch(challenger.run_id, metrics=rival)
