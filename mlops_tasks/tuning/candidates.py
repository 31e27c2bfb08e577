"""Candidates of a training, what they were worth, and which one was chosen."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeVar

from mlops_tasks.specs import EstimatorSpec
from mlops_tasks.specs.selection import Scalar  # noqa: TC001 (read back from JSON)

__all__ = ["Candidate", "CandidateResult", "Choice", "FoldScore", "candidate_spec"]

Spec = TypeVar("Spec", bound=EstimatorSpec)
State = Literal["measured", "pruned", "refused", "out of time"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """One set of parameters to try, or one trial of a search, which gets its parameters later.

    Attributes
    ----------
    number : int
        Its place, from 0.
    name : str
        As it is shown.
    estimator : str
        Import path.
    params : dict
        For ``set_params``.
    study : str
        Name of the search that it is a trial of; empty of a candidate that the spec names.
    run_id : str
        The MLflow run of the training that it belongs to.
    """

    number: int
    name: str
    estimator: str
    params: dict[str, Scalar] = field(default_factory=dict)
    study: str = ""
    run_id: str = ""


@dataclass(frozen=True, slots=True)
class FoldScore:
    """What a candidate was worth on one part of the training window.

    Attributes
    ----------
    fitted, measured : tuple of str
        First and last partition, both inclusive; all of the window of a random split.
    n_fitted, n_measured : int
        Their rows.
    value : float or None
        The gate's metric; None where it is not defined on these rows.
    seconds : float
        Of the fit.
    """

    fitted: tuple[str, str]
    measured: tuple[str, str]
    n_fitted: int
    n_measured: int
    value: float | None
    seconds: float


@dataclass(frozen=True, slots=True)
class CandidateResult:
    """What became of a candidate.

    Attributes
    ----------
    number, name, estimator, params
        As of the `Candidate`; of a trial with the parameters that the search gave it.
    state : str
        ``"measured"`` on every fold; ``"pruned"``: ended early, others were better by far;
        ``"refused"`` by the estimator; ``"out of time"``.
    value : float or None
        Mean of the metric over all folds, if it was measured on all of them.
    scores : tuple of FoldScore
        By fold.
    run_id : str
        Its own MLflow run, a child of the training's.
    reason : str
        Why it was not measured.
    """

    number: int
    name: str
    estimator: str
    params: dict[str, Scalar]
    state: State
    value: float | None
    scores: tuple[FoldScore, ...] = ()
    run_id: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """The candidate that is trained, why, and what else was tried.

    Attributes
    ----------
    number, name, estimator, params
        Of the chosen one: all that a repetition of the training needs.
    metric : str
        What they were compared by.
    value : float
        Of the chosen one, inside the training window.
    reason : str
        For people.
    run_id : str
        The MLflow run of the training, parent of all candidates' runs.
    candidates : tuple of CandidateResult
        All of them.
    """

    number: int
    name: str
    estimator: str
    params: dict[str, Scalar]
    metric: str
    value: float
    reason: str
    run_id: str = ""
    candidates: tuple[CandidateResult, ...] = ()


def candidate_spec(spec: Spec, candidate: Candidate | CandidateResult | Choice) -> Spec:
    """Return the model as it is with a candidate: its estimator and its parameters.

    Parameters
    ----------
    spec : EstimatorSpec
        The model; its own parameters hold where the candidate is of the same estimator.
    candidate : Candidate, CandidateResult or Choice
        Which one.

    Returns
    -------
    EstimatorSpec
        A copy.
    """
    own = spec.estimator_params if candidate.estimator == spec.estimator else {}
    return spec.model_copy(
        update={
            "estimator": candidate.estimator,
            "estimator_params": {**own, **candidate.params},
        }
    )
