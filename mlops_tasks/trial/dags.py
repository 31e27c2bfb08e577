"""What the Dags of a model do, one after another in this process, in the stores of a trial."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from mlops_tasks.exceptions import NoChampionError, SmokeTestFailedError
from mlops_tasks.features import dataset_range
from mlops_tasks.gate import GatePlan
from mlops_tasks.monitoring import (
    as_evidence,
    estimate_of,
    estimate_outcomes,
    read_labelled_predictions,
)
from mlops_tasks.policy import later_windows, read_evidence
from mlops_tasks.registry.champions import champion_of, registered_version
from mlops_tasks.registry.ledger import EvidenceKind
from mlops_tasks.serialization import to_json
from mlops_tasks.steps.choose import choose
from mlops_tasks.steps.decide import decide
from mlops_tasks.steps.evaluate import evaluate
from mlops_tasks.steps.fit_candidate import fit_candidate
from mlops_tasks.steps.monitor import (
    estimate_performance,
    judge_estimate,
    measure_drift,
    measure_labels,
    measure_performance,
)
from mlops_tasks.steps.pin import pin_training_data
from mlops_tasks.steps.promote import promote
from mlops_tasks.steps.propose import propose
from mlops_tasks.steps.register import register
from mlops_tasks.steps.score import score
from mlops_tasks.steps.smoke_test import smoke_test
from mlops_tasks.steps.train import train
from mlops_tasks.trial import findings
from mlops_tasks.trial.report import Decision, Training

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mlops_tasks.gate import Verdict
    from mlops_tasks.lake import TrainingPin
    from mlops_tasks.monitoring import LabelledPredictions, MonitorResult
    from mlops_tasks.policy import PolicyEvidence
    from mlops_tasks.profiles.remembered import RememberedProfiles
    from mlops_tasks.registry.versions import RegisteredVersion, TrainResult
    from mlops_tasks.specs import DatasetSpec, ModelSpec
    from mlops_tasks.steps.decide import RetrainDecision
    from mlops_tasks.steps.score import ScoreResult
    from mlops_tasks.trial.journal import Journal
    from mlops_tasks.trial.stores import TrialStores
    from mlops_tasks.tuning import Choice

__all__ = ["TrialDags"]

Worth = tuple["MonitorResult", "MonitorResult", "MonitorResult | None"]

_RUN = "mlops try"
_TRIALS = 3


class TrialDags:
    """The Dags of a model, without Airflow; what its datasets' do is `TrialIngestion`.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    published : mapping of str to set of str
        By dataset, the partitions that are published by now, see `TrialIngestion`.
    stores : TrialStores
        Where everything goes.
    journal : Journal
        Where every step is written down.

    Attributes
    ----------
    trainings : list of Training
        In order.
    decisions : list of Decision
        In order.
    measured : dict of EvidenceKind to list of MonitorResult
        What monitoring found, in order.
    """

    run = _RUN
    #: Whether the first version is loaded from MLflow and asked all kinds of rows.
    tested = True
    #: Where there is more than one training to come, what they have in common.
    repeated: RememberedProfiles | None = None

    def __init__(
        self,
        spec: ModelSpec,
        published: Mapping[str, set[str]],
        stores: TrialStores,
        journal: Journal,
    ) -> None:
        self.spec, self.published, self.journal = spec, published, journal
        self.lake, self.ledger, self.tracking = stores.lake, stores.ledger, stores.tracking
        self.studies = stores.studies
        self.trainings: list[Training] = []
        self.decisions: list[Decision] = []
        self.measured: dict[EvidenceKind, list[MonitorResult]] = defaultdict(list)
        self._scored: set[str] = set()

    def train(self, as_of: str, cause: str) -> None:
        """Train, evaluate, register, and promote if the gate says so."""
        name, step = self.spec.name, self.journal.step
        pin, trained = self.fit(as_of)
        with step("evaluate", name, as_of) as note:
            verdict = self._evaluate(pin, trained)
            self._record(EvidenceKind.VERDICT, as_of, to_json(verdict) | {"run_id": trained.run_id})
            note.n_rows, note.answer = verdict.n_rows, findings.verdict_answer(verdict)
            note.text = f"{verdict.verdict}: {verdict.reason}"
        with step("register", name, as_of) as note:
            version = self._register(trained, verdict)
            note.text = f"version {version.version}"
        if self.tested and not self.trainings:  # later ones have the same estimator and features
            self._smoke_test(pin, version)
        with step("promote", name, as_of) as note:
            promoted = self._promote(version, verdict, as_of)
            note.text = "not promoted"
            if promoted:
                note.text = f"version {version.version} is the champion"
            elif verdict.verdict == "ask":
                note.text = "not promoted: a person would be asked"
        self.trainings.append(_training(pin, trained, verdict, version, cause))

    def score(self, partition: str) -> None:
        """Score a partition with the champion, once all its inputs are there; drift, estimate."""
        missing = [one.name for one in self.spec.triggers if not self._has(one, partition)]
        with self.journal.step("score", self.spec.name, partition) as note:
            if missing:
                note.answer, note.text = "cannot tell", f"waits for {' and '.join(missing)}"
                return
            champion = self._champion()
            result = self._score(partition, champion)
            note.n_rows, note.text = result.predictions.n_rows, findings.score_text(result)
        self._scored.add(partition)
        self._watch(EvidenceKind.DRIFT, self._drift, partition, champion)
        if self.spec.performance.estimate:
            self._watch(EvidenceKind.ESTIMATE, self._estimate, partition, champion)

    def _watch(
        self,
        kind: EvidenceKind,
        look: Callable[[str, RegisteredVersion], MonitorResult],
        partition: str,
        champion: RegisteredVersion,
    ) -> None:
        """Look at the window of a partition that was scored, and record what is found."""
        with self.journal.step(str(kind), self.spec.name, partition) as note:
            found = look(partition, champion)
            self._measured(kind, found, [one.dataset for one in self.spec.inputs])
            note.n_rows, note.answer = found.n_rows, findings.monitor_answer(found)
            note.text = findings.monitor_text(found)

    def monitor(self, partition: str) -> None:
        """Measure performance and labels of a scored partition whose labels are there."""
        label = self.spec.label.dataset
        if partition not in self._scored or not self._has(label, partition):
            return
        with self.journal.step("monitor", self.spec.name, partition) as note:
            found, labels, is_news = self._measure(partition)
            if is_news:
                for newer in later_windows(self.spec, partition, ledger=self.ledger):
                    self._measure(newer)
            both = replace(found, checks=(*found.checks, *labels.checks))
            note.n_rows, note.answer = found.n_rows, findings.monitor_answer(both)
            note.text = findings.monitor_text(both)

    def _measure(self, partition: str) -> tuple[MonitorResult, MonitorResult, bool]:
        """Return what was found of performance and labels, and whether the former is news."""
        found, labels, held = self._worth(partition)
        label = self.spec.label.dataset
        self._measured(EvidenceKind.LABELS, labels, [label])
        if held is not None:
            self._measured(EvidenceKind.ESTIMATE_OUTCOME, held, [label])
        return found, labels, self._measured(EvidenceKind.PERFORMANCE, found, [label])

    def decide(self, as_of: str) -> Decision:
        """Decide whether to train again, over all evidence known by then."""
        with self.journal.step("decide", self.spec.name, as_of) as note:
            found = self._decide(as_of, self._evidence(as_of))
            self._record(EvidenceKind.DECISION, as_of, found)
            note.answer = findings.decision_answer(found)
            note.text = found.text
        self.decisions.append(Decision(as_of, found.retrain, found.cause, found.reason))
        return self.decisions[-1]

    # --- the steps, each on its own: where a backtest plays them many times, it remembers them

    def fit(self, as_of: str) -> tuple[TrainingPin, TrainResult]:
        """Pin what is known by a day, choose among candidates if there are any, and fit."""
        name, step = self.spec.name, self.journal.step
        with step("pin", name, as_of) as note:
            pin = pin_training_data(self.spec, as_of, lake=self.lake)
            self._record(EvidenceKind.PIN, as_of, pin)
            note.text = findings.pin_text(pin)
        choice = self._choose(pin) if self.spec.selects else None
        with step("train", name, as_of) as note:
            stores: dict[str, Any] = {"lake": self.lake, "tracking": self.tracking}
            trained = train(self.spec, pin, **stores, choice=choice, repeated=self.repeated)
            note.n_rows, note.text = trained.n_rows, findings.train_text(trained)
        return pin, trained

    def _choose(self, pin: TrainingPin) -> Choice:
        """Measure candidates one after another, or a few trials of a search, and choose."""
        spec, step = self.spec, self.journal.step
        if spec.search is not None:  # that each works is what a trial is about
            few = min(spec.search.n_trials, _TRIALS)
            search = spec.search.model_copy(update={"n_trials": few})
            spec = spec.model_copy(update={"search": search})
        with step("propose", spec.name, pin.as_of) as note:
            candidates = propose(spec, pin, tracking=self.tracking, studies=self.studies)
            note.text = f"{len(candidates)} candidates"
        results = []
        for candidate in candidates:
            with step("candidate", spec.name, pin.as_of) as note:
                stores: dict[str, Any] = {
                    "lake": self.lake,
                    "tracking": self.tracking,
                    "studies": self.studies,
                }
                found = fit_candidate(spec, pin, candidate, **stores)
                note.text = findings.candidate_text(found)
                results.append(found)
        with step("choose", spec.name, pin.as_of) as note:
            choice = choose(spec, results, run_id=candidates[0].run_id)
            note.text = choice.reason
        return choice

    def _evaluate(self, pin: TrainingPin, trained: TrainResult) -> Verdict:
        try:
            champion = self._champion()
        except NoChampionError:
            champion = None
        plan = GatePlan.of(self.spec).registration(self.spec, pin, trained)
        self._record(EvidenceKind.PREREGISTRATION, f"{pin.as_of}/{trained.run_id}", plan)
        stores: dict[str, Any] = {"lake": self.lake, "tracking": self.tracking}
        return evaluate(self.spec, pin, trained, champion, **stores, registered=plan)

    def _register(self, trained: TrainResult, verdict: Verdict) -> RegisteredVersion:
        stores: dict[str, Any] = {"tracking": self.tracking, "ledger": self.ledger}
        return register(self.spec.name, trained, verdict, **stores, dag_run=self.run)

    def _promote(self, version: RegisteredVersion, verdict: Verdict, as_of: str) -> bool:
        return promote(version, verdict, as_of=as_of, tracking=self.tracking, ledger=self.ledger)

    def _champion(self) -> RegisteredVersion:
        return champion_of(self.spec.name, tracking=self.tracking, ledger=self.ledger)

    def _score(self, partition: str, champion: RegisteredVersion) -> ScoreResult:
        stores: dict[str, Any] = {"lake": self.lake, "tracking": self.tracking}
        return score(self.spec, partition, champion, **stores, token=self.ledger.next_token())

    def _drift(self, partition: str, champion: RegisteredVersion) -> MonitorResult:
        return measure_drift(self.spec, partition, champion, lake=self.lake, tracking=self.tracking)

    def _estimate(self, partition: str, champion: RegisteredVersion) -> MonitorResult:
        stores: dict[str, Any] = {"lake": self.lake, "tracking": self.tracking}
        return estimate_performance(
            self.spec, partition, champion, **stores, outcomes=self._outcomes(partition, champion)
        )

    def _outcomes(self, partition: str, champion: RegisteredVersion) -> tuple[MonitorResult, ...]:
        return estimate_outcomes(self.spec, partition, champion.version, ledger=self.ledger)

    def _worth(self, partition: str) -> Worth:
        """Return what predictions were worth, how labels were, and if the estimate has held."""
        known = partial(registered_version, self.spec.name, ledger=self.ledger)
        predictions = read_labelled_predictions(self.spec, partition, lake=self.lake, version=known)
        version = known(predictions.version)
        found = measure_performance(predictions, version)
        stores: dict[str, Any] = {"lake": self.lake, "tracking": self.tracking}
        labels = measure_labels(predictions, found, version, **stores)
        return found, labels, self._held(predictions)

    def _held(self, predictions: LabelledPredictions) -> MonitorResult | None:
        """Return whether the estimate that was made before the labels has held; None without."""
        about = self.spec, predictions.last, predictions.version
        estimate = estimate_of(*about, ledger=self.ledger)
        return None if estimate is None else judge_estimate(predictions, estimate)

    def _evidence(self, as_of: str) -> PolicyEvidence:
        return read_evidence(self.spec, as_of, ledger=self.ledger, lake=self.lake)

    def _decide(self, as_of: str, evidence: PolicyEvidence) -> RetrainDecision:
        return decide(self.spec, as_of, evidence)

    def _smoke_test(self, pin: TrainingPin, version: RegisteredVersion) -> None:
        """Load the version in a process of its own and ask it all kinds of rows, as a Dag does."""
        with self.journal.step("smoke test", self.spec.name, pin.as_of) as note:
            found = smoke_test(self.spec, pin, version, lake=self.lake, tracking=self.tracking)
            self._record(EvidenceKind.SMOKE_TEST, version.version, found)
            if not found.passed:
                raise SmokeTestFailedError(
                    f"model {self.spec.name!r}: {found.reason}; no Dag would promote such a version"
                )
            note.text = found.reason

    def _measured(
        self, kind: EvidenceKind, result: MonitorResult, datasets: list[DatasetSpec]
    ) -> bool:
        """Record a measurement, and say whether it is news."""
        before = self.ledger.newest(self.spec.name, kind, key=result.last)
        found = as_evidence(self.spec, result, datasets, lake=self.lake, before=before)
        if found is not None:
            self._record(kind, result.last, found)
        self.measured[kind].append(result)
        return found is not None

    def _record(self, kind: EvidenceKind, key: str, evidence: object) -> None:
        about = {"model": self.spec.name, "kind": kind, "key": key, "dag_run": self.run}
        self.ledger.record(**about, evidence=to_json(evidence))

    def _has(self, dataset: DatasetSpec, partition: str) -> bool:
        """Whether all of a dataset that belongs to one of the rows' partitions is published."""
        first, last = dataset_range(self.spec, dataset, partition, partition)
        published = self.published.get(dataset.name, set())
        return published.issuperset(dataset.calendar.range(first, last))


def _training(
    pin: TrainingPin,
    trained: TrainResult,
    verdict: Verdict,
    version: RegisteredVersion,
    cause: str,
) -> Training:
    name, measured = verdict.metric, verdict.challenger
    return Training(
        as_of=pin.as_of,
        cause=cause,
        train=pin.train,
        evaluation=pin.evaluation,
        verdict=verdict.verdict,
        reason=verdict.reason,
        version=version.version,
        metric=name,
        value=measured.get(name),
        lower=measured.get(f"{name}_lower"),
        upper=measured.get(f"{name}_upper"),
        n_train=trained.n_rows,
        n_evaluation=verdict.n_rows,
    )
