"""All data of the past, taken in once for all policies: what is known when is kept with them."""

from __future__ import annotations

from concurrent.futures import as_completed
from typing import TYPE_CHECKING

from mlops_tasks.backtest.processes import pool_of
from mlops_tasks.lake import Lake
from mlops_tasks.registry.ledger import Ledger
from mlops_tasks.trial.ingestion import TrialIngestion
from mlops_tasks.trial.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from mlops_tasks.sources import Connection
    from mlops_tasks.specs import DatasetSpec
    from mlops_tasks.specs.calendar import Step
    from mlops_tasks.trial.report import TrialStep
    from mlops_tasks.trial.span import Span

__all__ = ["take_in"]


def take_in(
    span: Span,
    lake: Path,
    connect: Callable[[str], Connection],
    n_processes: int,
    watch: Callable[[TrialStep], None],
) -> dict[str, set[str]]:
    """Take all data in, each partition once, in the order of the schedules.

    Parameters
    ----------
    span : Span
        What comes due when.
    lake : Path
        Folder of the lake.
    connect : callable
        Returns the connection of an id.
    n_processes : int
        How many datasets at once; one that is derived waits for those that it reads.
    watch : callable
        Called with each step as it is known.

    Returns
    -------
    dict of str to set of str
        By dataset, the partitions that are published.
    """
    calendar = span.calendar
    history = [step for steps in calendar.history() for step in steps]
    played = [step for key in span.rounds for step in calendar.news(key) + calendar.computed(key)]
    groups = _groups(calendar.datasets)
    known = {
        one.source.conn_id: connect(one.source.conn_id)
        for one in calendar.datasets
        if not one.source.reads
    }
    published: dict[str, set[str]] = {}
    if n_processes == 1 or len(groups) == 1:
        for group in groups:
            published |= _take(group, history, played, lake, known, watch)
        return published
    with pool_of(n_processes) as pool:
        work = [pool.submit(_take_quietly, one, history, played, lake, known) for one in groups]
        for future in as_completed(work):
            found, steps = future.result()
            published |= found
            for step in steps:
                watch(step)
    return published


def _groups(datasets: Sequence[DatasetSpec]) -> list[list[DatasetSpec]]:
    """Put datasets that read each other together, in their order."""
    groups: list[list[DatasetSpec]] = []
    for dataset in datasets:
        read = {item.dataset.name for item in dataset.source.reads}
        own = [group for group in groups if read & {one.name for one in group}]
        groups = [group for group in groups if group not in own]
        groups.append([*(one for group in own for one in group), dataset])
    return groups


def _take(
    datasets: Sequence[DatasetSpec],
    history: Sequence[Step],
    played: Sequence[Step],
    lake: Path,
    known: Mapping[str, Connection],
    watch: Callable[[TrialStep], None],
) -> dict[str, set[str]]:
    ingestion = TrialIngestion(
        known.__getitem__, Lake(lake), Ledger("sqlite://"), Journal(watch), run="mlops backtest"
    )
    ingestion.take_all(datasets, history)
    for dataset in datasets:
        ingestion.check_published(dataset)
    ingestion.take_all(datasets, played)
    return {dataset.name: ingestion.published[dataset.name] for dataset in datasets}


def _take_quietly(
    datasets: Sequence[DatasetSpec],
    history: Sequence[Step],
    played: Sequence[Step],
    lake: Path,
    known: Mapping[str, Connection],
) -> tuple[dict[str, set[str]], list[TrialStep]]:
    steps: list[TrialStep] = []
    return _take(datasets, history, played, lake, known, steps.append), steps
