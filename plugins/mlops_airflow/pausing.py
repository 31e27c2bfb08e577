"""Start and stop a model: which of its Dags are unpaused or paused, and in which order.

A paused Dag loses the asset events that arrive meanwhile, so who hears an event is awake before who
sends it: consumers start first and stop last.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mlops_tasks.specs.calendar import ingestions, with_inputs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from mlops_airflow.rest import AirflowApi, Dag
    from mlops_tasks.specs import DatasetSpec, ModelSpec

__all__ = [
    "Switch",
    "all_dags",
    "has_ended",
    "start_order",
    "starting",
    "stopping",
    "switch",
]

_RUNNING, _PAUSED = "running", "paused"


@dataclass(frozen=True, slots=True)
class Switch:
    """One Dag: how it was, how it is to be, and what that means.

    Attributes
    ----------
    dag_id : str
        The Dag.
    was, becomes : str
        ``running`` or ``paused``.
    note : str
        When it runs next, or why it is left as it is.
    """

    dag_id: str
    was: str
    becomes: str
    note: str


def all_dags(spec: ModelSpec) -> list[str]:
    """Return all of a model's Dags, in the order in which they start."""
    return [f"{spec.name}.reproduce", *start_order(spec)]


def start_order(spec: ModelSpec) -> list[str]:
    """Return the Dags of a model's loop, consumers first: what a replay needs.

    The decision comes last: before there are data and scores it has nothing to decide on.
    """
    takes = [dag_id for one in with_inputs(spec.datasets) for dag_id in ingestions(one)]
    consumers = [
        f"{spec.name}.{verb}" for verb in ("rollback", "release", "train", "monitor", "score")
    ]
    return [*consumers, *reversed(takes), f"{spec.name}.decide"]


def starting(
    spec: ModelSpec, dags: Mapping[str, Dag], *, now: datetime | None = None
) -> list[Switch]:
    """Return what starts a model, in its order.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    dags : mapping of str to Dag
        Airflow's Dags; all of the model must be there.
    now : datetime, optional
        For tests.

    Returns
    -------
    list of Switch
        One for each of its Dags.
    """
    next_runs = _next_runs(spec, now or datetime.now(UTC))
    return [
        Switch(name, _state(dags[name]), _RUNNING, next_runs[name] if dags[name].is_paused else "")
        for name in all_dags(spec)
    ]


def stopping(
    spec: ModelSpec,
    dags: Mapping[str, Dag],
    others: Iterable[ModelSpec],
    consumers: Mapping[str, Iterable[str]],
) -> list[Switch]:
    """Return what stops a model, in its order: what others need is left as it is.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    dags : mapping of str to Dag
        Airflow's Dags; all of the model must be there.
    others : iterable of ModelSpec
        All models.
    consumers : mapping of str to iterable of str
        By asset, the Dags that wait for its events.

    Returns
    -------
    list of Switch
        One for each of its Dags.
    """
    kept = _kept(spec, dags, others, consumers)
    switches = []
    for name in reversed(all_dags(spec)):
        was = _state(dags[name])
        if (who := kept.get(name)) and was == _RUNNING:
            switches.append(Switch(name, was, was, f"left running: {who} reads it"))
        else:
            switches.append(Switch(name, was, _PAUSED, ""))
    return switches


def switch(api: AirflowApi, switches: Iterable[Switch]) -> None:
    """Do it, in the order given; what is as it is to be is left alone."""
    for one in switches:
        if one.was != one.becomes:
            api.set_paused(one.dag_id, paused=one.becomes == _PAUSED)


def _state(dag: Dag) -> str:
    return _PAUSED if dag.is_paused else _RUNNING


def _next_runs(spec: ModelSpec, now: datetime) -> dict[str, str]:
    """Return when each Dag runs next once it is unpaused."""
    waiting = ("release", "train", "monitor", "score")
    found = {f"{spec.name}.{verb}": "at the next event" for verb in waiting}
    found[f"{spec.name}.rollback"] = "from its form"
    found[f"{spec.name}.reproduce"] = "on the first of a month, or from its form"
    for dataset in with_inputs(spec.datasets):
        delays = (dataset.delay_steps, dataset.refresh_steps or 0)
        for dag_id, delay in zip(ingestions(dataset), delays, strict=False):
            found[dag_id] = _next_ingestion(dataset, delay, now)
    as_of = spec.schedule.known_on(spec.schedule.newest_before(now))
    found[f"{spec.name}.decide"] = (
        "never: its data have ended" if has_ended(spec, now=now) else f"at once, as of {as_of}"
    )
    return found


def has_ended(spec: ModelSpec, *, now: datetime | None = None) -> bool:
    """Return whether nothing of a model runs by itself any more: its rows, and all labels, are in.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    now : datetime, optional
        For tests.

    Returns
    -------
    bool
        Whether its last decision has been due.
    """
    as_of = spec.schedule.known_on(spec.schedule.newest_before(now or datetime.now(UTC)))
    ends = [one.last_as_of(one.last) if one.last else None for one in spec.datasets]
    return spec.rows.last is not None and as_of > max(filter(None, ends), default="")


def _next_ingestion(dataset: DatasetSpec, delay: int, now: datetime) -> str:
    if dataset.source.reads:
        return "at the next event"
    newest = dataset.schedule.newest_before(now, delay)
    if dataset.last is not None and newest > dataset.last:
        return f"never: its data have ended with {dataset.last}"
    return f"at once, for {newest}" if newest >= dataset.first else f"for {dataset.first}"


def _kept(
    spec: ModelSpec,
    dags: Mapping[str, Dag],
    others: Iterable[ModelSpec],
    consumers: Mapping[str, Iterable[str]],
) -> dict[str, str]:
    """Return the Dags that others need, and who that is."""
    own, kept = set(start_order(spec)), dict[str, str]()
    for other in others:
        if other.name != spec.name and _is_started(other, dags):
            for dataset in with_inputs(other.datasets):
                kept |= dict.fromkeys(ingestions(dataset), f"model {other.name}")
    # What derives from a dataset comes after it: backwards, its own keepers are known.
    for dataset in reversed(with_inputs(spec.datasets)):
        for name in _heard(dataset, consumers):
            if (name not in own or name in kept) and name in dags and not dags[name].is_paused:
                kept |= dict.fromkeys(ingestions(dataset), kept.get(name) or name)
    return kept


def _heard(dataset: DatasetSpec, consumers: Mapping[str, Iterable[str]]) -> Iterator[str]:
    yield from consumers.get(dataset.name, ())
    yield from consumers.get(f"{dataset.name}.refreshed", ())


def _is_started(spec: ModelSpec, dags: Mapping[str, Dag]) -> bool:
    names = (f"{spec.name}.{verb}" for verb in ("score", "monitor", "decide", "train"))
    return any(name in dags and not dags[name].is_paused for name in names)
