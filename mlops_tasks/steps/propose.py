"""Propose: what a training will choose among, each a task of its own."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import SpecError
from mlops_tasks.problem_types import gate_metric, problem_type
from mlops_tasks.problem_types.estimator import build_estimator
from mlops_tasks.registry.reproduction import pack_project
from mlops_tasks.serialization import to_json
from mlops_tasks.tuning import Candidate, candidate_spec, selection_folds

if TYPE_CHECKING:
    from mlops_tasks.lake import TrainingPin
    from mlops_tasks.registry.tracking import Tracking
    from mlops_tasks.specs import ModelSpec
    from mlops_tasks.tuning import Studies

__all__ = ["propose"]


def propose(
    spec: ModelSpec,
    pin: TrainingPin,
    *,
    tracking: Tracking,
    studies: Studies | None = None,
    name: str = "",
) -> tuple[Candidate, ...]:
    """Return the candidates of a training, after a look at whether they can be compared.

    Parameters
    ----------
    spec : ModelSpec
        The model, with candidates or a search.
    pin : TrainingPin
        From `pin_training_data`.
    tracking : Tracking
        Where the run of the training is opened, to which all of them belong.
    studies : Studies, optional
        Where a search is kept.
    name : str, optional
        Of what trains, such as its Dag run: a search belongs to it and to the pinned data.

    Returns
    -------
    tuple of Candidate
        Those of the spec, or the trials of a search, which find their parameters themselves.

    Raises
    ------
    NoLabelsError
        If the training window is too short to compare anything in it.
    SpecError, EstimatorError
        If one of them cannot be built.
    """
    selection_folds(spec, pin)
    gate_metric(spec)
    run_id = tracking.open_run(spec.name, f"train {pin.as_of}")
    if spec.search is not None:
        if studies is None:
            raise SpecError(f"model {spec.name!r}: a search needs studies=, where it is kept")
        study = _study(spec, pin, name)
        studies.open(study, spec.search.n_trials)
        return tuple(
            Candidate(number, f"trial {number}", spec.estimator, study=study, run_id=run_id)
            for number in range(spec.search.n_trials)
        )
    found = tuple(
        Candidate(number, one.name, one.estimator or spec.estimator, one.params, run_id=run_id)
        for number, one in enumerate(spec.candidates)
    )
    for candidate in found:
        build_estimator(candidate_spec(spec, candidate), problem_type(spec.problem_type))
    return found


def _study(spec: ModelSpec, pin: TrainingPin, name: str) -> str:
    """Name a search by all that its trials depend on: of other data, nothing is gone on with."""
    search = spec.search.space if spec.search else None
    code = hashlib.sha256(pack_project(spec)).hexdigest()
    model = [code, spec.estimator, spec.estimator_params, spec.features, spec.random_state]
    about = {"pin": pin.digest, "space": to_json({"space": search}), "model": model}
    digest = hashlib.sha256(json.dumps(about, sort_keys=True, default=str).encode()).hexdigest()
    return f"{name or spec.name} {digest[:16]}"
