"""The life of a model without Airflow: rows are taken in, challengers judged, released or kept.

What the operators of ``<model>.train`` and ``<model>.release`` write to the ledger is written here,
too: what follows reads nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlops_tasks.gate import GatePlan
from mlops_tasks.partitions import Duration
from mlops_tasks.registry.champions import champion_of
from mlops_tasks.registry.ledger import EvidenceKind
from mlops_tasks.registry.releases import Answer
from mlops_tasks.serialization import to_json
from mlops_tasks.specs.calendar import Calendar
from mlops_tasks.steps.evaluate import evaluate
from mlops_tasks.steps.pin import pin_training_data
from mlops_tasks.steps.register import register
from mlops_tasks.steps.release import Release, check_approval, release, request_release
from mlops_tasks.steps.score import score
from mlops_tasks.steps.smoke_test import smoke_test
from mlops_tasks.steps.train import train
from mlops_tasks.trial.ingestion import TrialIngestion
from mlops_tasks.trial.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mlops_tasks.gate import Verdict
    from mlops_tasks.lake import Lake, TrainingPin
    from mlops_tasks.registry.ledger import Ledger
    from mlops_tasks.registry.releases import ReleaseRequest
    from mlops_tasks.registry.tracking import Tracking
    from mlops_tasks.registry.versions import RegisteredVersion
    from mlops_tasks.sources import Connection
    from mlops_tasks.specs import ModelSpec

RUN = "story"


@dataclass(frozen=True)
class Judged:
    """A registered challenger, and what the gate said."""

    spec: ModelSpec
    pin: TrainingPin
    verdict: Verdict
    version: RegisteredVersion
    request: ReleaseRequest | None

    @property
    def number(self) -> str:
        """Its number in the registry."""
        return self.version.version


class Story:
    """One model, whose rows are taken in up to a round.

    Parameters
    ----------
    spec : ModelSpec
        The model of a project.
    first : str
        The first round after the training's history.
    stores : Tracking, Ledger and Lake
        Where everything goes.
    connect : callable
        Returns the connection of a source.
    """

    def __init__(
        self,
        spec: ModelSpec,
        first: str,
        *,
        tracking: Tracking,
        ledger: Ledger,
        lake: Lake,
        connect: Callable[[str], Connection],
    ) -> None:
        self.spec, self.tracking, self.ledger, self.lake = spec, tracking, ledger, lake
        self.calendar = Calendar(spec, first)
        self.as_of, self.first = self.calendar.cutoff, self.calendar.first
        self._ingestion = TrialIngestion(connect, lake, ledger, Journal(lambda step: None), run=RUN)

    def take_in(self) -> None:
        """Ingest, validate and publish the history, and the rows of the first round."""
        for steps in (*self.calendar.history(), self.calendar.news(self.first)):
            self._ingestion.take_all(self.calendar.datasets, steps)

    def challenge(self, **changes: Any) -> Judged:
        """Train a version with some fields of the spec changed, judge, register and test it."""
        spec = changed(self.spec, **changes)
        pin = pin_training_data(spec, self.as_of, lake=self.lake)
        self._record(EvidenceKind.PIN, self.as_of, pin)
        trained = train(spec, pin, lake=self.lake, tracking=self.tracking)
        plan = GatePlan.of(spec).registration(spec, pin, trained)
        self._record(EvidenceKind.PREREGISTRATION, f"{pin.as_of}/{trained.run_id}", plan)
        champion = None
        if self.ledger.champion(spec.name) is not None:
            champion = champion_of(spec.name, tracking=self.tracking, ledger=self.ledger)
        stores: dict[str, Any] = {"lake": self.lake, "tracking": self.tracking}
        verdict = evaluate(spec, pin, trained, champion, registered=plan, **stores)
        evidence = to_json(verdict) | {"run_id": trained.run_id}
        self._record(EvidenceKind.VERDICT, pin.as_of, evidence)
        version = register(
            *(spec.name, trained, verdict),
            tracking=self.tracking,
            ledger=self.ledger,
            dag_run=RUN,
            by="schedule",
        )
        tested = smoke_test(spec, pin, version, **stores)
        self._record(EvidenceKind.SMOKE_TEST, version.version, tested)
        assert tested.passed, tested.reason
        request = request_release(version, verdict, as_of=pin.as_of)
        if request is not None:
            self._record(EvidenceKind.RELEASE_REQUEST, version.version, request)
        return Judged(spec, pin, verdict, version, request)

    def answer(self, judged: Judged, by: str, *, approved: bool, comment: str) -> Answer:
        """Let a person answer the request, as `approve` does when somebody has clicked."""
        assert judged.request is not None
        said = f"{'approved' if approved else 'rejected'} by {by}: {comment}"
        given = Answer(judged.number, approved, said, by, comment, judged.request.evidence)
        if approved:
            given = check_approval(
                *(judged.version, judged.request, given),
                authors=(judged.request.author,),
                tracking=self.tracking,
            )
        self._record(EvidenceKind.APPROVAL, judged.number, given, by=by)
        return given

    def release(self, judged: Judged) -> Release:
        """Move the champion if gate or person said so."""
        name, number = self.spec.name, judged.number
        return release(name, number, tracking=self.tracking, ledger=self.ledger, dag_run=RUN)

    def score(self, partition: str) -> int:
        """Score a partition with the champion; return how many rows."""
        champion = champion_of(self.spec.name, tracking=self.tracking, ledger=self.ledger)
        about: dict[str, Any] = {"lake": self.lake, "tracking": self.tracking}
        token = self.ledger.next_token()
        found = score(self.spec, partition, champion, token=token, **about)
        return found.predictions.n_rows

    def page(self, judged: Judged) -> Path:
        """Return the gate's page about a challenger."""
        return self.lake.root / judged.verdict.report

    def _record(self, kind: EvidenceKind, key: str, evidence: object, *, by: str = "") -> None:
        self.ledger.record(
            model=self.spec.name,
            kind=kind,
            key=key,
            evidence=to_json(evidence),
            dag_run=RUN,
            by=by or "schedule",
        )


def changed(spec: ModelSpec, **changes: Any) -> ModelSpec:
    """Return a spec with other fields."""
    if "train" in changes:
        changes["train"] = Duration.of(changes["train"])
    return spec.model_copy(update=changes)
