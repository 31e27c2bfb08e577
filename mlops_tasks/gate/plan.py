"""What a gate will look at, and how: known, hashed and written down before anything is scored."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlops_tasks.exceptions import PreregistrationError, SpecError
from mlops_tasks.problem_types import problem_type
from mlops_tasks.problem_types.costs import Costs
from mlops_tasks.problem_types.metrics import find_metric

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlops_tasks.lake import TrainingPin
    from mlops_tasks.problem_types import Outcomes, ProblemType
    from mlops_tasks.problem_types.metrics import Metric
    from mlops_tasks.registry.versions import TrainResult
    from mlops_tasks.specs import EstimatorSpec, GateSpec

__all__ = ["GatePlan", "check_registration", "plan_digest", "resolved"]

_LOG_LOSS, _EXPECTED_COST = "log_loss", "expected_cost"
_OF_TWO_CLASSES = ("equalized_odds_difference", "demographic_parity_difference")


@dataclass(frozen=True, slots=True)
class GatePlan:
    """The gate of a model with its metrics found.

    Attributes
    ----------
    gate : GateSpec
        The conditions.
    problem : ProblemType
        Of the model.
    superiority : tuple of Metric
        To be better in any of them is enough; the primary one first.
    others : tuple of Metric
        In which a challenger may only not be worse.
    margins : dict of str to float or str
        By how much at most, by metric, of all of them.
    seed : int
        Of the bootstrap.
    """

    gate: GateSpec
    problem: ProblemType
    superiority: tuple[Metric, ...]
    others: tuple[Metric, ...]
    margins: dict[str, float | str]
    seed: int = 0

    @classmethod
    def of(cls, spec: EstimatorSpec) -> GatePlan:
        """Return the plan of a model.

        Raises
        ------
        SpecError
            If there is no such metric of the problem type, or a limit that it has no use for.
        """
        costs = None if spec.costs is None else Costs.of(spec.costs, spec.problem_type)
        return cls.make(spec.gate, spec.problem_type, costs=costs, seed=spec.random_state)

    @classmethod
    def make(
        cls, gate: GateSpec, kind: str, *, costs: Costs | None = None, seed: int = 0
    ) -> GatePlan:
        """Return the plan of a gate on a problem type."""
        problem = problem_type(kind)
        _check_fairness(gate, kind)
        primary = gate.metric or problem.metric
        known = {primary: _find(primary, kind, costs, "gate.metric")}
        for name in _further(gate, problem, primary):
            known[name] = _find(name, kind, costs, "gate.superiority")
        others = dict.fromkeys(gate.non_inferiority) | (
            {_EXPECTED_COST: None} if costs is not None and costs.by_class else {}
        )
        found = {name: _find(name, kind, costs, "gate.non_inferiority") for name in others}
        margins = {
            name: gate.non_inferiority.get(name, _margin(metric))
            for name, metric in (known | found).items()
        }
        rest = tuple(metric for name, metric in found.items() if name not in known)
        return cls(gate, problem, tuple(known.values()), rest, margins, seed)

    @property
    def metric(self) -> Metric:
        """The primary metric, which monitoring watches, too."""
        return self.superiority[0]

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """All metrics that are compared."""
        return (*self.superiority, *self.others)

    @property
    def reported(self) -> tuple[Metric, ...]:
        """Metrics that are shown beside them."""
        return tuple(find_metric(name, self.problem.name) for name in self.problem.reported)

    def failing(self, kind: str) -> str:
        """Return what follows from a criterion of this kind that fails: a veto, or a question."""
        return "ask" if kind in self.gate.ask_on else "veto"

    @property
    def level(self) -> float:
        """Chance that a challenger which is no better is promoted."""
        return (1 - self.gate.confidence) / 2

    def margin(self, metric: Metric, champion: Outcomes) -> float:
        """Return by how much a challenger may be worse, in the metric's own unit."""
        margin = self.margins[metric.name]
        return resolved(margin, metric.value(champion) if isinstance(margin, str) else 0.0)

    def resolved_overfit(self, on_training: float) -> float:
        """Return the limit of the overfit gap, in the metric's own unit."""
        return resolved(self.gate.max_overfit_gap or 0.0, on_training)

    def registration(
        self, spec: EstimatorSpec, pin: TrainingPin, challenger: TrainResult
    ) -> dict[str, Any]:
        """Return what is written down before anything is scored, with its digest.

        Parameters
        ----------
        spec : EstimatorSpec
            The model.
        pin : TrainingPin
            The data of the training and of the evaluation.
        challenger : TrainResult
            What will be judged.

        Returns
        -------
        dict
            Plain JSON; ``digest`` is the SHA-256 of the rest in canonical form.
        """
        first, last = pin.evaluation
        plan = {
            "format": 1,
            "problem_type": self.problem.name,
            "superiority": [metric.name for metric in self.superiority],
            "margins": self.margins,
            "gate": self.gate.model_dump(mode="json", exclude={"non_inferiority", "superiority"}),
            "costs": spec.costs,
            "threshold": spec.threshold,
            "seed": self.seed,
            "as_of": pin.as_of,
            "evaluation": {"first": first, "last": last},
            "pins": {one.table: one.digest for one in pin.pins},
            "challenger": {"run_id": challenger.run_id, "digest": challenger.digest},
        }
        return plan | {"digest": plan_digest(plan)}


def plan_digest(plan: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a plan, of its JSON with sorted keys and without spaces."""
    plain = {name: value for name, value in plan.items() if name != "digest"}
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def check_registration(plan: Mapping[str, Any], registered: Mapping[str, Any]) -> None:
    """Refuse to judge by another plan than the one that was registered first.

    Parameters
    ----------
    plan : mapping
        From `GatePlan.registration`.
    registered : mapping
        The first one that the ledger has of this challenger.

    Raises
    ------
    PreregistrationError
        Naming what differs.
    """
    if plan["digest"] == registered.get("digest") == plan_digest(registered):
        return
    differ = sorted(
        name for name in {*plan, *registered} - {"digest"} if plan.get(name) != registered.get(name)
    )
    raise PreregistrationError(
        f"the gate of run {plan['challenger']['run_id']} as of {plan['as_of']} was registered as "
        f"plan {str(registered.get('digest'))[:12]}, and the spec now says plan "
        f"{plan['digest'][:12]}; {', '.join(differ) or 'the entry of the ledger'} differs. A gate "
        "is not changed once its rows can have been seen: put the spec back, or clear the task "
        "train as well, and the new plan is registered with the new run"
    )


def resolved(margin: float | str, value: float) -> float:
    """Return a margin as a number; a share is one of `value`."""
    if isinstance(margin, str):
        return float(margin.removesuffix("%")) / 100 * abs(value)
    return float(margin)


def _further(gate: GateSpec, problem: ProblemType, primary: str) -> tuple[str, ...]:
    if gate.superiority is not None:
        return gate.superiority
    return (problem.guard,) if problem.guard and problem.guard != primary else ()


def _margin(metric: Metric) -> float | str:
    if metric.name == _LOG_LOSS:
        return 0.01
    is_share = metric.low >= 0 and metric.high <= 1 and metric.name != _EXPECTED_COST
    return 0.02 if is_share and math.isfinite(metric.high) else "2%"


def _find(name: str, kind: str, costs: Costs | None, field: str) -> Metric:
    try:
        return find_metric(name, kind, costs)
    except SpecError as error:
        raise SpecError(f"{field}: {error}") from None


def _check_fairness(gate: GateSpec, kind: str) -> None:
    for name, limits in gate.fairness.items():
        if kind != "binary" and (wrong := sorted(set(limits) & set(_OF_TWO_CLASSES))):
            raise SpecError(
                f"gate.fairness: {name!r} limits {wrong}, which a {kind} model has not; write "
                "error_gap"
            )
