"""What does not depend on a policy is done once: fits, verdicts, scorings, measurements.

A version is named by the day as of which it was trained: policies that train on the same night have
the same data, and share the fit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mlops_tasks.monitoring import read_labelled_predictions
from mlops_tasks.registry.versions import RegisteredVersion
from mlops_tasks.steps.evaluate import evaluate
from mlops_tasks.steps.monitor import measure_drift, measure_labels, measure_performance
from mlops_tasks.steps.score import score

if TYPE_CHECKING:
    from collections.abc import Collection

    from mlops_tasks.gate import Verdict
    from mlops_tasks.lake import TrainingPin
    from mlops_tasks.monitoring import MonitorResult
    from mlops_tasks.registry.versions import TrainResult
    from mlops_tasks.specs import ModelSpec
    from mlops_tasks.steps.score import ScoreResult
    from mlops_tasks.trial.dags import TrialDags, Worth

__all__ = ["Fit", "Versions"]


@dataclass(frozen=True, slots=True)
class Fit:
    """A training, before any gate."""

    pin: TrainingPin
    trained: TrainResult


class Versions:
    """All versions that policies have trained, with what is known of each.

    Parameters
    ----------
    trainer : TrialDags
        It trains: the model under its own name.
    worker : str, optional
        End of the names of its tables, where several processes play.

    Attributes
    ----------
    fits : dict of str to Fit
        By the day as of which they are.
    """

    def __init__(self, trainer: TrialDags, worker: str = "") -> None:
        self.spec, self._trainer, self._worker = trainer.spec, trainer, worker
        self._stores: dict[str, Any] = {"lake": trainer.lake, "tracking": trainer.tracking}
        self.fits: dict[str, Fit] = {}
        self._verdicts: dict[tuple[str, str | None], Verdict] = {}
        self._scored: dict[tuple[str, str], ScoreResult] = {}
        self._drift: dict[tuple[str, str], MonitorResult] = {}
        self._worth: dict[tuple[str, str], Worth] = {}

    def fit(self, as_of: str) -> Fit:
        """Train as of a day, once."""
        if as_of not in self.fits:
            self.fits[as_of] = Fit(*self._trainer.fit(as_of))
        return self.fits[as_of]

    def verdict(self, as_of: str, champion: RegisteredVersion | None) -> Verdict:
        """Judge a training beside a champion, once for each champion."""
        key = as_of, champion.version if champion else None
        if key not in self._verdicts:
            fit = self.fit(as_of)
            self._verdicts[key] = evaluate(
                self.spec, fit.pin, fit.trained, champion, **self._stores, explained=False
            )
        generation = champion.generation if champion else 0
        return replace(self._verdicts[key], champion_generation=generation)

    def version(self, as_of: str, verdict: Verdict) -> RegisteredVersion:
        """Return a training as the ledger of a policy has it."""
        trained = self.fits[as_of].trained
        return RegisteredVersion(
            name=self.spec.name,
            version=as_of,
            run_id=trained.run_id,
            model_uri=trained.model_uri,
            digest=trained.digest,
            artifacts={**trained.artifacts, **verdict.artifacts},
            metrics=verdict.challenger,
        )

    def table_of(self, version: str) -> ModelSpec:
        """Return the model with a table of predictions that this version alone has written."""
        name = f"{self.spec.name}__v{version.replace('-', '')}{self._worker}"
        return self.spec.model_copy(update={"name": name})

    def score(self, partition: str, version: RegisteredVersion) -> ScoreResult:
        """Score a partition with a version, once."""
        key = version.version, partition
        if key not in self._scored:
            own, token = self.table_of(version.version), self._trainer.ledger.next_token()
            self._scored[key] = score(own, partition, version, **self._stores, token=token)
        return self._scored[key]

    def has_scored(self, version: str, partitions: Collection[str]) -> set[str]:
        """Return which partitions a version has scored for any policy."""
        return {one for one in partitions if (version, one) in self._scored}

    def drift(self, partition: str, version: RegisteredVersion) -> MonitorResult:
        """Measure drift in a window that a version has scored alone, once."""
        key = version.version, partition
        if key not in self._drift:
            own = self.table_of(version.version)
            self._drift[key] = self.measure_drift(own, partition, version)
        return self._drift[key]

    def worth(self, partition: str, version: RegisteredVersion) -> Worth:
        """Measure what the rows of a version were worth, once: rows of others are left out."""
        key = version.version, partition
        if key not in self._worth:
            own = self.table_of(version.version)
            self._worth[key] = self.measure_worth(own, partition, version)
        return self._worth[key]

    def measure_drift(
        self, spec: ModelSpec, partition: str, version: RegisteredVersion
    ) -> MonitorResult:
        """Measure drift in a window of a table of predictions."""
        return measure_drift(spec, partition, version, **self._stores, page=False)

    def measure_worth(self, spec: ModelSpec, partition: str, version: RegisteredVersion) -> Worth:
        """Measure performance and labels in a window of a table of predictions."""
        lake = self._stores["lake"]
        predictions = read_labelled_predictions(
            spec, partition, lake=lake, version=lambda _: version
        )
        found = measure_performance(predictions, version)
        labels = measure_labels(predictions, found, version, **self._stores, page=False)
        return found, labels, None  # a backtest makes no estimates
