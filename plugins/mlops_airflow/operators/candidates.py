"""Choose what is trained: candidates side by side, each a task, inside the training window."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlops_airflow.hooks.database import StudiesHook
from mlops_airflow.hooks.mlflow import MlflowHook
from mlops_airflow.links import MlflowRunLink
from mlops_airflow.operators.base import StepOperator, dag_run_name
from mlops_tasks.lake import TrainingPin
from mlops_tasks.serialization import from_json, to_json
from mlops_tasks.steps.choose import choose
from mlops_tasks.steps.fit_candidate import fit_candidate
from mlops_tasks.steps.propose import propose
from mlops_tasks.tuning import Candidate, CandidateResult, selection_folds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context

    from mlops_tasks.specs import ModelSpec
    from mlops_tasks.tuning import Choice, Studies

__all__ = [
    "TILE",
    "ChooseCandidateOperator",
    "FitCandidateOperator",
    "ProposeCandidatesOperator",
]

_TILE = "candidate_tile"
#: The ``map_index_template`` of candidates: their parameters, and in the end what they were worth.
TILE = "{{ candidate_tile | default(task.candidate['name']) }}"


class _CandidateOperator(StepOperator):
    """What the three have in common: a model, its pin, and where searches are kept."""

    template_fields: Sequence[str] = ("pin",)

    def __init__(
        self,
        *,
        model: ModelSpec,
        pin: Any,
        studies_conn_id: str = StudiesHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model, self.pin, self.studies_conn_id = model, pin, studies_conn_id

    @property
    def studies(self) -> Studies | None:
        """Where searches are kept; None for a model that has none."""
        if self.model.search is None:
            return None
        return StudiesHook(self.studies_conn_id, ledger_conn_id=self.ledger_conn_id).get_studies()


class ProposeCandidatesOperator(_CandidateOperator):
    """Return the candidates of a training, or open a search and return its trials.

    Parameters
    ----------
    model : ModelSpec
        The model, with `candidates` or a `search`.
    pin : dict
        Output of `PinTrainingDataOperator`.
    studies_conn_id : str, default "studies_default"
        Connection of the database of searches; without it, a file beside the ledger's.

    Notes
    -----
    XCom: a list of `Candidate`, to be expanded over.
    """

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Propose."""
        pin = from_json(TrainingPin, self.pin)
        name, tracking = dag_run_name(context), self.tracking(context)
        found = propose(self.model, pin, tracking=tracking, studies=self.studies, name=name)
        self._report(pin, found)
        return [to_json(one) for one in found]

    def _report(self, pin: TrainingPin, found: Sequence[Candidate]) -> None:
        search = self.model.search
        self.report(
            f"proposed {len(found)} candidates of {self.model.name} as of {pin.as_of}",
            {
                "candidates": None if search else [one.name for one in found],
                "search": search
                and f"{len(found)} trials, {search.parallel} at once, "
                f"{search.time_budget.words} at most",
                "measured on": [
                    f"{' to '.join(fold.measured)}, fitted on {' to '.join(fold.fitted)}"
                    for fold in selection_folds(self.model, pin)
                ],
                "not looked at": f"the evaluation, {' to '.join(pin.evaluation)}",
                "study": found[0].study or None,
            },
        )


class FitCandidateOperator(_CandidateOperator):
    """Measure one candidate on parts of the training window that it is not fitted on.

    Parameters
    ----------
    model : ModelSpec
        The model.
    pin : dict
        Output of `PinTrainingDataOperator`.
    studies_conn_id : str, default "studies_default"
        As for `ProposeCandidatesOperator`.
    candidate : dict
        One of its output.

    Notes
    -----
    XCom: a `CandidateResult`. `TILE` as ``map_index_template`` names the task by it.
    """

    template_fields = ("pin", "candidate")
    operator_extra_links = (MlflowRunLink(),)

    def __init__(
        self,
        *,
        model: ModelSpec,
        pin: Any,
        candidate: Any,
        studies_conn_id: str = StudiesHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(model=model, pin=pin, studies_conn_id=studies_conn_id, **kwargs)
        self.candidate = candidate

    def execute(self, context: Context) -> dict[str, Any]:
        """Fit and measure."""
        candidate, pin = from_json(Candidate, self.candidate), from_json(TrainingPin, self.pin)
        tracking, context[_TILE] = self.tracking(context), candidate.name  # type: ignore[literal-required]
        stores: dict[str, Any] = {"lake": self.lake, "studies": self.studies}
        found = fit_candidate(self.model, pin, candidate, tracking=tracking, **stores)
        context[_TILE] = _tile(found)  # type: ignore[literal-required]
        if found.run_id:
            self.mlflow_run_url = MlflowHook(self.mlflow_conn_id).run_url(tracking, found.run_id)
        self._report(pin, found)
        return to_json(found)

    def _report(self, pin: TrainingPin, found: CandidateResult) -> None:
        self.report(
            f"{found.state}: {found.name} of {self.model.name} as of {pin.as_of}",
            {
                "because": found.reason,
                "estimator": found.estimator,
                "parameters": [f"{name} = {value}" for name, value in found.params.items()],
                "measured": [
                    f"{' to '.join(one.measured)}: {_number(one.value)} on {one.n_measured} rows, "
                    f"fitted on {one.n_fitted} in {one.seconds} s"
                    for one in found.scores
                ],
                "in the mean": None if found.value is None else _number(found.value),
                "MLflow run": getattr(self, "mlflow_run_url", None),
            },
        )


class ChooseCandidateOperator(_CandidateOperator):
    """Choose the best of all candidates.

    Parameters
    ----------
    model : ModelSpec
        The model.
    pin : dict
        Output of `PinTrainingDataOperator`.
    proposed : list of dict
        Its output.
    measured : list of dict
        Outputs of `FitCandidateOperator`.

    Notes
    -----
    XCom: a `Choice`, for `TrainModelOperator`.
    """

    template_fields = ("pin", "proposed", "measured")

    def __init__(
        self, *, model: ModelSpec, pin: Any, proposed: Any, measured: Any, **kwargs: Any
    ) -> None:
        super().__init__(model=model, pin=pin, **kwargs)
        self.proposed, self.measured = proposed, measured

    def execute(self, context: Context) -> dict[str, Any]:
        """Choose."""
        results = [from_json(CandidateResult, one) for one in self.measured]
        run_id = from_json(Candidate, self.proposed[0]).run_id
        found = choose(self.model, results, run_id=run_id)
        self._report(from_json(TrainingPin, self.pin), found)
        return to_json(found)

    def _report(self, pin: TrainingPin, found: Choice) -> None:
        self.report(
            f"chose {found.name} of {self.model.name} as of {pin.as_of}",
            {"because": found.reason, "candidates": [_tile(one) for one in found.candidates]},
        )


def _tile(found: CandidateResult) -> str:
    """Return what a task of a candidate is called when it is over."""
    if found.value is None:
        return f"{found.name}: {found.state}"
    return f"{found.name}: {_number(found.value)}"


def _number(value: float | None) -> str:
    return "not defined" if value is None else f"{value:.4f}"
