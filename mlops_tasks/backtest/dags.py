"""The Dags of a model under one policy: the loop of a trial, with what is known already."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import NoChampionError
from mlops_tasks.lake import overwrite_partition
from mlops_tasks.partitions import DAY, window_start
from mlops_tasks.policy import read_evidence
from mlops_tasks.profiles.store import ProfileStore
from mlops_tasks.registry.champions import registered_version
from mlops_tasks.steps.decide import decide
from mlops_tasks.trial.dags import TrialDags

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlops_tasks.backtest.policies import Policy
    from mlops_tasks.backtest.versions import Versions
    from mlops_tasks.gate import Verdict
    from mlops_tasks.lake import TrainingPin
    from mlops_tasks.monitoring import MonitorResult
    from mlops_tasks.partitions import Duration
    from mlops_tasks.policy import PolicyEvidence
    from mlops_tasks.registry.versions import RegisteredVersion, TrainResult
    from mlops_tasks.specs import ModelSpec
    from mlops_tasks.steps.decide import RetrainDecision
    from mlops_tasks.steps.score import ScoreResult
    from mlops_tasks.trial.dags import Worth
    from mlops_tasks.trial.journal import Journal
    from mlops_tasks.trial.stores import TrialStores

__all__ = ["Night", "PolicyDags"]


@dataclass(frozen=True, slots=True)
class Night:
    """What monitoring said when a decision was taken, whatever the policy may look at."""

    as_of: str
    performance_alarm: bool
    drift_alarm: bool
    cause: str


class PolicyDags(TrialDags):
    """The Dags of a model under one policy.

    Steps run as in a trial. What another policy has done already, with the same version on the same
    rows, is not done again; an unchanged window of monitoring is one that a single version scored.

    Parameters
    ----------
    policy : Policy
        The policy.
    versions : Versions
        What is shared with the other policies.
    published, stores, journal
        As of `TrialDags`.

    Attributes
    ----------
    served : dict of str to str
        By partition, the version that scored it.
    nights : list of Night
        One for each decision.
    """

    run = "mlops backtest"
    tested = False  # there is no MLflow to load a version from

    def __init__(
        self,
        policy: Policy,
        versions: Versions,
        published: Mapping[str, set[str]],
        stores: TrialStores,
        journal: Journal,
    ) -> None:
        super().__init__(policy.of(versions.spec), published, stores, journal)
        self.policy, self.versions = policy, versions
        self.served: dict[str, str] = {}
        self.nights: list[Night] = []
        self._n_rows: dict[str, int] = {}
        self._copied: dict[str, str] = {}
        self._registered: dict[str, RegisteredVersion] = {}

    def fit(self, as_of: str) -> tuple[TrainingPin, TrainResult]:
        """Train as of a day, or find that another policy has."""
        found = self.versions.fit(as_of)
        return found.pin, found.trained

    def _evaluate(self, pin: TrainingPin, trained: TrainResult) -> Verdict:
        try:
            champion = self._champion()
        except NoChampionError:
            champion = None
        return self.versions.verdict(pin.as_of, champion)

    def _register(self, trained: TrainResult, verdict: Verdict) -> RegisteredVersion:
        # The ledger alone decides; MLflow only follows it, and there is none.
        as_of = next(day for day, fit in self.versions.fits.items() if fit.trained is trained)
        version = replace(self.versions.version(as_of, verdict), name=self.spec.name)
        self.ledger.register(version, recorded_by=self.run)
        return version

    def _promote(self, version: RegisteredVersion, verdict: Verdict, as_of: str) -> bool:
        if verdict.verdict != "promote":
            return False
        evidence = {"reason": verdict.reason, "digest": version.digest}
        self.ledger.promote(
            self.spec.name,
            version=version.version,
            generation=verdict.champion_generation,
            key=as_of,
            evidence=evidence,
            dag_run=self.run,
        )
        return True

    def _champion(self) -> RegisteredVersion:
        now = self.ledger.champion(self.spec.name)
        if now is None:
            raise NoChampionError(f"model {self.spec.name!r} has no champion yet")
        return replace(self._version(now.version), generation=now.generation)

    def _version(self, version: str) -> RegisteredVersion:
        if version not in self._registered:
            found = registered_version(self.spec.name, version, ledger=self.ledger)
            self._registered[version] = found
        return self._registered[version]

    def _score(self, partition: str, champion: RegisteredVersion) -> ScoreResult:
        self.served[partition] = champion.version
        found = self.versions.score(partition, champion)
        self._n_rows[partition] = found.predictions.n_rows
        return found

    def _drift(self, partition: str, champion: RegisteredVersion) -> MonitorResult:
        drift = self.spec.drift
        window = self.spec.calendar.range(self._begin(partition, drift.window), partition)
        enough = sum(self._n_rows.get(key, 0) for key in window) >= drift.min_rows
        length = drift.window if enough else max(drift.window, drift.max_window, key=_days)
        if drift.reference == "training" and self._alone(partition, length):
            return self.versions.drift(partition, champion)
        # Another reference is scored days, of any version.
        self._copy(
            self._begin(partition, length) if drift.reference == "training" else "", partition
        )
        return self.versions.measure_drift(self.spec, partition, champion)

    def _worth(self, partition: str) -> Worth:
        version = self._version(self.served[partition])
        asked = self.spec.performance
        longest = max(asked.window, asked.max_window, key=_days)
        begin = self._begin(partition, longest)
        scored = self.spec.calendar.range(max(begin, min(self.served)), partition)
        if all(key in self.served for key in scored):
            return self.versions.worth(partition, version)
        self._copy(begin, partition)
        return self.versions.measure_worth(self.spec, partition, version)

    def _begin(self, partition: str, window: Duration) -> str:
        return window_start(self.spec.calendar, partition, window)

    def _alone(self, partition: str, window: Duration) -> bool:
        """Whether one version has scored a window, so that its own table is that of the policy."""
        keys = self.spec.calendar.range(self._begin(partition, window), partition)
        scored = {key: self.served[key] for key in keys if key in self.served}
        if len(set(scored.values())) != 1:
            return False
        return self.versions.has_scored(self.served[partition], keys) == set(scored)

    def _copy(self, begin: str, partition: str) -> None:
        """Copy what was scored for this policy into its own table, profiles included."""
        wanted = {key: one for key, one in self.served.items() if begin <= key <= partition}
        for key, version in sorted(wanted.items()):
            if self._copied.get(key) != version:
                self._copy_partition(key, self.versions.table_of(version))
                self._copied[key] = version

    def _copy_partition(self, key: str, source: ModelSpec) -> None:
        import pyarrow as pa

        rows = self.lake.table(source.predictions_table).read(first=key, last=key)
        table = self.lake.table(self.spec.predictions_table)
        for field in table.schema if table.exists else ():  # a class that this one does not know
            if field.name not in rows.column_names:
                rows = rows.append_column(field, pa.nulls(rows.num_rows, field.type))
        token, known_at = self.ledger.next_token(), self.spec.rows.partition(key).keys(DAY)[-1]
        published = overwrite_partition(table, key, rows, token=token, known_at=known_at)
        ProfileStore(self.lake).copy(source.predictions_table, published)

    def _evidence(self, as_of: str) -> PolicyEvidence:
        # All data are there, and predictions in tables that policies share: nothing is absent.
        return read_evidence(self.spec, as_of, ledger=self.ledger)

    def _decide(self, as_of: str, evidence: PolicyEvidence) -> RetrainDecision:
        found = seen = decide(self.spec, as_of, evidence)
        if not (self.policy.performance and self.policy.drift):
            shown = replace(
                evidence,
                performance=evidence.performance if self.policy.performance else (),
                drift=evidence.drift if self.policy.drift else (),
            )
            found = decide(self.spec, as_of, shown)
        about = seen.evidence
        performance, drift = about.performance, about.drift
        night = Night(
            as_of,
            performance_alarm=bool(performance and performance.alarm),
            drift_alarm=bool(drift and drift.alarm),
            cause=found.cause,
        )
        self.nights.append(night)
        return found


def _days(length: Duration) -> int:
    return length.days
