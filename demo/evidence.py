"""Collect what the replay left behind: runs from Airflow, versions from MLflow, rows and ledger."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from demo.plan import ARRIVALS, DECIDE, MODEL

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from mlflow.entities.model_registry import ModelVersion

    from mlops_airflow.rest import AirflowApi, DagRun
    from mlops_tasks.lake import Lake
    from mlops_tasks.registry.ledger import Champion, Ledger, LedgerEntry
    from mlops_tasks.registry.tracking import Tracking

PREDICTIONS_TABLE = f"{MODEL}__predictions"
LABELS_TABLE = ARRIVALS.removesuffix(".ingest")
EVALUATION_TAG = "mlops.evaluation"


@dataclass(frozen=True, slots=True)
class Version:
    """One version of the registered model, as MLflow has it."""

    version: str
    run_id: str
    aliases: tuple[str, ...]
    tags: dict[str, str]
    evaluation: tuple[str, str] | None


@dataclass(frozen=True, slots=True)
class ScoredDay:
    """One day of predictions beside the labels of the same flights, from the tables.

    `n_labelled` predictions found their label in the partition of their own day, `n_misplaced`
    in another one. `n_late` labels were not there at the day's first ingestion.
    """

    day: str
    model_version: str
    n_predictions: int
    n_labelled: int
    n_misplaced: int
    n_late: int


@dataclass(frozen=True)
class Evidence:
    """Everything the report and the conditions look at; nothing in it is computed twice."""

    runs: list[DagRun] = field(default_factory=list)
    entries: list[LedgerEntry] = field(default_factory=list)
    champion: Champion | None = None
    versions: list[Version] = field(default_factory=list)
    scored: list[ScoredDay] = field(default_factory=list)

    @property
    def nights(self) -> list[str]:
        """Nights that were replayed to their decision."""
        return sorted({run.partition_key or "" for run in self.succeeded(DECIDE)})

    def succeeded(self, dag_id: str) -> list[DagRun]:
        """List a Dag's successful runs.

        Parameters
        ----------
        dag_id : str
            The Dag.

        Returns
        -------
        list of DagRun
            Oldest first.
        """
        return [run for run in self.runs if run.dag_id == dag_id and run.state == "success"]

    def of_kind(self, kind: str) -> list[LedgerEntry]:
        """List the ledger's newest entries of one kind.

        Parameters
        ----------
        kind : str
            Such as ``decision``.

        Returns
        -------
        list of LedgerEntry
            Sorted by key.
        """
        return [entry for entry in self.entries if entry.kind == kind]


def collect(api: AirflowApi, ledger: Ledger, lake: Lake, tracking: Tracking) -> Evidence:
    """Read the state of the loop from everywhere it is kept.

    Parameters
    ----------
    api : AirflowApi
        Runs.
    ledger : Ledger
        Decisions with their evidence.
    lake : Lake
        Predictions and labels.
    tracking : Tracking
        MLflow's registry.

    Returns
    -------
    Evidence
        What was found.
    """
    return Evidence(
        runs=api.runs(),
        entries=ledger.entries(),
        champion=ledger.champion(MODEL),
        versions=model_versions(tracking),
        scored=scored_days(lake, ledger.entries(model=LABELS_TABLE, history=True)),
    )


def model_versions(tracking: Tracking) -> list[Version]:
    """List the versions of the registered model.

    Parameters
    ----------
    tracking : Tracking
        MLflow.

    Returns
    -------
    list of Version
        In the order of their numbers; empty before the first training.
    """
    found = tracking.client.search_model_versions(f"name = '{MODEL}'")
    if not found:
        return []
    aliases = tracking.client.get_registered_model(MODEL).aliases
    return sorted(
        (_version(tracking, version, aliases) for version in found),
        key=lambda version: int(version.version),
    )


def scored_days(lake: Lake, validations: Sequence[LedgerEntry]) -> list[ScoredDay]:
    """Set predictions and labels side by side, day by day.

    Parameters
    ----------
    lake : Lake
        The tables.
    validations : sequence of LedgerEntry
        All validations of the labels, also those a refresh has replaced.

    Returns
    -------
    list of ScoredDay
        In order; empty before the first scoring.
    """
    days = lake.table(PREDICTIONS_TABLE).partitions()
    if not days:
        return []
    scored = _frame(lake, PREDICTIONS_TABLE, days, ["flight_id", "model_version"])
    labels = _frame(lake, LABELS_TABLE, days, ["flight_id"])
    joined = scored.merge(labels, on="flight_id", how="left", suffixes=("", "_label"))
    joined["labelled"] = joined["partition_key"] == joined["partition_key_label"]
    joined["misplaced"] = joined["partition_key_label"].notna() & ~joined["labelled"]
    late = late_labels(validations)
    return [
        ScoredDay(
            day=str(day),
            model_version=str(rows["model_version"].iloc[0]),
            n_predictions=len(rows),
            n_labelled=int(rows["labelled"].sum()),
            n_misplaced=int(rows["misplaced"].sum()),
            n_late=late.get(str(day), 0),
        )
        for day, rows in joined.groupby("partition_key")
    ]


def late_labels(validations: Sequence[LedgerEntry]) -> dict[str, int]:
    """Count the labels of each day that its first ingestion did not have.

    Parameters
    ----------
    validations : sequence of LedgerEntry
        Validations of the label dataset, oldest first for each day.

    Returns
    -------
    dict of str to int
        Labels gained by later ingestions, by day.
    """
    counts: dict[str, list[int]] = {}
    for entry in validations:
        if entry.kind == "validation":
            counts.setdefault(entry.key, []).append(int(entry.evidence["n_validated"]))
    return {day: found[-1] - found[0] for day, found in counts.items()}


def _frame(lake: Lake, table: str, days: list[str], columns: list[str]) -> pd.DataFrame:
    if not lake.exists(table):
        import pandas as pd

        return pd.DataFrame(columns=[*columns, "partition_key"])
    wanted = [*columns, "partition_key"]
    found = lake.table(table).read(first=days[0], last=days[-1], columns=wanted)
    frame: pd.DataFrame = found.to_pandas()
    return frame


def _version(tracking: Tracking, version: ModelVersion, aliases: Mapping[str, object]) -> Version:
    number = str(version.version)
    run_id = str(version.run_id)
    window = tracking.client.get_run(run_id).data.tags.get(EVALUATION_TAG, "")
    first, found, last = window.partition("..")
    return Version(
        version=number,
        run_id=run_id,
        aliases=tuple(sorted(name for name, of in aliases.items() if str(of) == number)),
        tags=dict(version.tags),
        evaluation=(first, last) if found else None,
    )
