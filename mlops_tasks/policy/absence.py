"""Absence as evidence: what the schedule promises by a day, and is not there."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from mlops_tasks.features import dataset_range
from mlops_tasks.partitions import shift_day
from mlops_tasks.registry.ledger import EvidenceKind
from mlops_tasks.specs.calendar import due_between, labelled_on, scored_on, with_inputs

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from mlops_tasks.lake import Lake
    from mlops_tasks.registry.ledger import Ledger
    from mlops_tasks.specs import DatasetSpec, ModelSpec

__all__ = ["Absence", "find_absences"]

# How far back is looked: what is missing for longer has been reported before.
_LOOK_BACK_DAYS, _LOOK_BACK_PERIODS = 14, 3
_NAMED = 3


@dataclass(frozen=True, slots=True)
class Absence:
    """Partitions that the schedule promises and that are not there.

    Attributes
    ----------
    what : str
        What did not happen to them: ``ingested``, ``published``, ``scored``, ``labelled``, or
        ``monitored``.
    about : str
        The dataset or the model.
    partitions : tuple of str
        Their keys, in order.
    since : str
        Day as of which the first of them was due.
    is_newest : bool
        Whether the newest one that is due is among them, so that the present is not known.
    n_rows : int or None
        Rows that wait in them, where that is known.
    text : str
        What is missing, in words.
    fix : str
        What to do.
    """

    what: str
    about: str
    partitions: tuple[str, ...]
    since: str
    is_newest: bool
    n_rows: int | None
    text: str
    fix: str


def find_absences(
    spec: ModelSpec, as_of: str, *, lake: Lake, ledger: Ledger, champion_since: str
) -> tuple[Absence, ...]:
    """Compare what the schedules promise by a day with what is there.

    Each partition is missed once, where it is first missing: of one that was not ingested nobody
    expects that it is scored. Nothing is missed that is older than two weeks, or three partitions.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    as_of : str
        The day: what comes due later is not missed yet.
    lake : Lake
        Where data and predictions are.
    ledger : Ledger
        Where monitoring writes down what it has measured.
    champion_since : str
        Day as of which the model has had a champion. What came due by then could not be scored.

    Returns
    -------
    tuple of Absence
        In the order of the loop: ingested, published, labelled, scored, monitored.
    """
    return tuple(_Search(spec, as_of, lake, ledger, champion_since).absences())


class _Search:
    """One look at all that is due, with what is there by table."""

    def __init__(
        self, spec: ModelSpec, as_of: str, lake: Lake, ledger: Ledger, champion_since: str
    ) -> None:
        self.spec, self.as_of, self.lake, self.ledger = spec, as_of, lake, ledger
        self.champion_since = champion_since

    def absences(self) -> Iterator[Absence]:
        """Yield what is missing, in the order of the loop."""
        label = self.spec.label.dataset
        published: dict[str, Mapping[str, int]] = {}
        for dataset in with_inputs(self.spec.datasets):
            due = self._due(dataset, dataset.due)
            raw, published[dataset.name] = (
                self._rows(name, due) for name in (f"{dataset.name}__raw", dataset.name)
            )
            gone = [key for key in due if key not in published[dataset.name]]
            refused = [key for key in gone if key in raw]
            never = [key for key in gone if key not in raw]
            what = "labelled" if dataset.name == label.name else "ingested"
            yield from self._missing(what, dataset, never, newest=due[-1:])
            held = sum(raw[key] for key in refused)
            yield from self._missing("published", dataset, refused, newest=due[-1:], n_rows=held)
        yield from self._of_model(published)

    def _of_model(self, published: Mapping[str, Mapping[str, int]]) -> Iterator[Absence]:
        spec, rows = self.spec, self.spec.rows
        due = self._due(rows, partial(scored_on, spec), after=self.champion_since)
        due = [key for key in due if self._all(spec.triggers, key, published)]
        scored = self._rows(spec.predictions_table, due)
        gone = [key for key in due if key not in scored]
        waiting = sum(published[rows.name].get(key, 0) for key in gone)
        yield from self._missing("scored", None, gone, newest=due[-1:], n_rows=waiting)
        measured = self._measured(EvidenceKind.DRIFT, due)
        unmeasured = {key for key in due if key in scored and key not in measured}
        labelled = self._due(rows, partial(labelled_on, spec), after=self.champion_since)
        labelled = [key for key in labelled if self._all([spec.label.dataset], key, published)]
        judged = self._measured(EvidenceKind.PERFORMANCE, labelled)
        there = self._rows(spec.predictions_table, labelled)
        unjudged = {key for key in labelled if key in there and key not in judged}
        newest = [*due[-1:], *labelled[-1:]]
        yield from self._missing("monitored", None, sorted(unmeasured | unjudged), newest=newest)

    def _due(
        self, dataset: DatasetSpec, due: Callable[[str], str], *, after: str = ""
    ) -> list[str]:
        """Return which partitions came due lately."""
        days = max(_LOOK_BACK_DAYS, _LOOK_BACK_PERIODS * dataset.calendar.period.days)
        begin = max(after, shift_day(self.as_of, -days))
        return due_between(dataset, dataset.first, due, begin, self.as_of)

    def _rows(self, name: str, keys: Sequence[str]) -> dict[str, int]:
        """Return how many rows a table has in those of some partitions that it has."""
        table = self.lake.table(name)
        if not keys or not table.exists:
            return {}
        found = table.commits(first=keys[0], last=keys[-1])
        return {commit.partition: commit.n_rows for commit in found}

    def _all(
        self,
        datasets: Iterable[DatasetSpec],
        partition: str,
        published: Mapping[str, Mapping[str, int]],
    ) -> bool:
        """Whether all is published that belongs to one of the rows' partitions."""
        return all(
            published[one.name].keys() >= set(one.calendar.range(*self._range(one, partition)))
            for one in datasets
        )

    def _range(self, dataset: DatasetSpec, partition: str) -> tuple[str, str]:
        return dataset_range(self.spec, dataset, partition, partition)

    def _measured(self, kind: EvidenceKind, keys: Sequence[str]) -> Collection[str]:
        if not keys:
            return ()
        n = len(self.spec.calendar.range(keys[0], keys[-1])) + 1
        entries = self.ledger.newest_of_keys(self.spec.name, kind, n, as_of=self.as_of)
        return {entry.key for entry in entries}

    def _missing(
        self,
        what: str,
        dataset: DatasetSpec | None,
        gone: Sequence[str],
        *,
        newest: Sequence[str],
        n_rows: int = 0,
    ) -> Iterator[Absence]:
        """Yield what is missing, if anything is."""
        if not gone:
            return
        spec = self.spec
        about, grain = (dataset.name, dataset.grain) if dataset else (spec.name, spec.rows.grain)
        since = dataset.due(gone[0]) if dataset else scored_on(spec, gone[0])
        n, more = len(gone), len(gone) - _NAMED
        named = ", ".join(gone[:_NAMED]) + (f" and {more} more" if more > 0 else "")
        verb, plural = ("is", "") if n == 1 else ("are", "s")
        waiting = f", {n_rows:,} rows wait" if n_rows else ""
        text = f"{n} {grain}{plural} of {about} {verb} not {what}: {named}{waiting}"
        dag = _DAGS[what].format(about=about, model=spec.name)
        yield Absence(
            what=what,
            about=about,
            partitions=tuple(gone),
            since=since,
            is_newest=not set(newest).isdisjoint(gone),
            n_rows=n_rows or None,
            text=text,
            fix=f"look at the run of {dag} for {gone[-1]}, or start it with this partition key",
        )


_DAGS = {
    "ingested": "{about}.ingest",
    "labelled": "{about}.ingest",
    "published": "{about}.ingest (its task validate says why the rows were refused)",
    "scored": "{model}.score",
    "monitored": "{model}.score (task drift) and {model}.monitor",
}
