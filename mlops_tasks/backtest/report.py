"""What a backtest came to: each policy beside the oracle, on two parts of the past."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mlops_tasks.serialization import to_json

if TYPE_CHECKING:
    from mlops_tasks.trial.report import Training

__all__ = ["BacktestReport", "Figures", "OracleResult", "PeriodShown", "PolicyResult"]


@dataclass(frozen=True, slots=True)
class PeriodShown:
    """One period: its first and last round, the day before which a version can be new to it."""

    first: str
    last: str
    n_rows: int
    fresh: float | None = None


@dataclass(frozen=True, slots=True)
class Figures:
    """What a policy came to in some periods.

    Attributes
    ----------
    n_periods : int
        Of which the metric is defined.
    metric : float or None
        Mean of it over these.
    n_trainings, n_promoted : int
        Trainings after the first one, and those that the gate let through.
    fit_s : float
        Seconds that they took.
    performance_alarms, drift_alarms : int
        Decisions on which either alarmed by the policy's own rule, whether it looks at it or not.
    harm : int
        Periods in which a model trained just before would have been better by more than the
        tolerance.
    recovery : float or None
        Mean number of rounds until such a stretch was over; None where there was none.
    drift_without_harm, harm_without_drift : int
        Periods.
    cost : float
        Loss of all periods and cost of the trainings, in units of the metric times periods.
    regret : float
        By how much that is more than of the oracle.
    """

    n_periods: int
    metric: float | None
    n_trainings: int
    n_promoted: int = 0
    fit_s: float = 0.0
    performance_alarms: int = 0
    drift_alarms: int = 0
    harm: int = 0
    recovery: float | None = None
    drift_without_harm: int = 0
    harm_without_drift: int = 0
    cost: float = 0.0
    regret: float = 0.0


@dataclass(frozen=True, slots=True)
class PolicyResult:
    """One policy.

    Attributes
    ----------
    name, title : str
        As of `Policy`.
    values : tuple of float or None
        The metric by period.
    harm : tuple of bool
        Whether a new model would have been better, by period.
    trainings : tuple of Training
        In order, the first one included.
    trained_in : tuple of int
        By training after the first one, the period after which it was.
    chosen, shown : Figures
        Of the periods on which settings are chosen, and of those on which they are shown.
    """

    name: str
    title: str
    values: tuple[float | None, ...]
    harm: tuple[bool, ...]
    trainings: tuple[Training, ...]
    trained_in: tuple[int, ...]
    chosen: Figures
    shown: Figures


@dataclass(frozen=True, slots=True)
class OracleResult:
    """The cheapest path over trainings before each period, with all labels known beforehand."""

    values: tuple[float | None, ...]
    trained: tuple[str, ...]
    trained_in: tuple[int, ...]
    chosen: Figures
    shown: Figures


@dataclass(frozen=True, slots=True)
class BacktestReport:
    """What `backtest` returns.

    Attributes
    ----------
    model, metric, metric_title : str
        The model, and the gate's metric.
    greater_is_better : bool
        Its direction.
    first, last, played_from : str
        The range of partitions, and the first round that was played.
    grain : str
        What the rounds are.
    periods : tuple of PeriodShown
        In order.
    n_chosen : int
        Periods on which settings are chosen; the later ones show what they are worth.
    tolerance : float
        Difference of the metric that matters.
    training_cost : float
        What a training costs, in units of the metric over one period.
    policies : tuple of PolicyResult
        In the order of the comparison.
    oracle : OracleResult
        The bound.
    choice : str
        The policy that was cheapest on the periods to choose on.
    n_fits, n_decisions : int
        Fits that were really made, and decisions taken.
    seconds : float
        How long all took; not compared.
    steps : dict of str to float
        Seconds by step; not compared.
    """

    model: str
    metric: str
    metric_title: str
    greater_is_better: bool
    first: str
    last: str
    played_from: str
    grain: str
    periods: tuple[PeriodShown, ...]
    n_chosen: int
    tolerance: float
    training_cost: float
    policies: tuple[PolicyResult, ...]
    oracle: OracleResult
    choice: str
    n_fits: int
    n_decisions: int
    seconds: float = field(default=0.0, compare=False)
    steps: dict[str, float] = field(default_factory=dict, compare=False)

    def policy(self, name: str) -> PolicyResult | None:
        """Return a policy by its name, if it was compared."""
        return next((one for one in self.policies if one.name == name), None)

    def beside(self, name: str, other: str) -> float | None:
        """Return by how much the metric of one policy is better than of another; below 0: worse."""
        both = [self.policy(name), self.policy(other)]
        values = [one.shown.metric if one else None for one in both]
        if values[0] is None or values[1] is None:
            return None
        gain = values[0] - values[1]
        return gain if self.greater_is_better else -gain

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return to_json(self)
