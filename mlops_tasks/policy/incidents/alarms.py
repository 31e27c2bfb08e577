"""What the clock of the decisions sees is wrong: the evidence of one day as alarms."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING

from mlops_tasks.partitions import DAY
from mlops_tasks.policy.incidents.records import Alarm, Cause

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlops_tasks.policy.absence import Absence
    from mlops_tasks.policy.conditions import AlarmHistory
    from mlops_tasks.specs import DatasetSpec, ModelSpec

__all__ = ["WatchedEvidence", "incidents_of"]

_BY_ABSENCE = {
    "ingested": Cause.INGESTION,
    "labelled": Cause.INGESTION,
    "published": Cause.REFUSED,
    "scored": Cause.SCORING,
    "monitored": Cause.MONITORING,
}


@dataclass(frozen=True, slots=True)
class WatchedEvidence:
    """What is known of a model on one day, of which some may be wrong.

    Attributes
    ----------
    as_of : str
        The day.
    decided : str
        The decision of that day, in words.
    absences : tuple of Absence
        What the schedule promised and is not there.
    performance, drift : AlarmHistory or None
        As the decision weighed them.
    untold_since : str or None
        Day since which nobody can tell what predictions are worth.
    untold_lasts : bool
        Whether that is longer than the policy allows.
    moved : tuple of str or None
        Aliases that others have moved, in words; None where nobody could look.
    late : tuple of str
        Partitions that have no predictions and are past the model's deadline.
    champion, champion_since : str
        The champion, and when it became it, an instant in ISO format, UTC.
    """

    as_of: str
    decided: str = ""
    absences: tuple[Absence, ...] = ()
    performance: AlarmHistory | None = None
    drift: AlarmHistory | None = None
    untold_since: str | None = None
    untold_lasts: bool = False
    moved: tuple[str, ...] | None = None
    late: tuple[str, ...] = ()
    champion: str = ""
    champion_since: str = ""


def incidents_of(spec: ModelSpec, evidence: WatchedEvidence) -> tuple[Alarm, ...]:
    """Return what is wrong, one alarm for each model or dataset and cause.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    evidence : WatchedEvidence
        What is known.

    Returns
    -------
    tuple of Alarm
        None where all is well, as far as anybody can tell.
    """
    return tuple(_alarms(spec, evidence))


def _alarms(spec: ModelSpec, evidence: WatchedEvidence) -> Iterator[Alarm]:
    for absence in evidence.absences:
        yield _absent(spec, absence, evidence.as_of)
    for cause, history in (
        (Cause.PERFORMANCE, evidence.performance),
        (Cause.DRIFT, evidence.drift),
    ):
        if history is not None and history.alarm:
            yield _measured(spec, cause, history, evidence)
    if evidence.untold_lasts:
        yield _untold(spec, evidence)
    if evidence.moved:
        yield _moved(spec, evidence.moved, evidence.as_of)
    if evidence.late and spec.deadline is not None:
        yield _late(spec, evidence)


def _absent(spec: ModelSpec, absence: Absence, as_of: str) -> Alarm:
    datasets = {one.name: one for one in spec.datasets}
    dataset = datasets.get(absence.about, spec.rows)
    about_model = absence.about == spec.name
    return Alarm(
        subject=absence.about,
        cause=_BY_ABSENCE[absence.what],
        because=absence.text,
        fix=absence.fix,
        owner=spec.owner if about_model else dataset.owner,
        partitions=absence.partitions,
        grain=dataset.grain,
        n_rows=absence.n_rows,
        also="" if about_model else _follows(spec, absence.about),
        began_at=_taken(dataset, absence.partitions[0]),
        as_of=as_of,
    )


def _follows(spec: ModelSpec, dataset: str) -> str:
    if dataset in {one.name for one in spec.triggers}:
        return f"{spec.name} cannot score them"
    if dataset == spec.label.dataset.name:
        return f"nobody can tell what {spec.name} is worth on them"
    return f"{spec.name} does without them"


def _measured(
    spec: ModelSpec, cause: Cause, history: AlarmHistory, evidence: WatchedEvidence
) -> Alarm:
    task = f"{spec.name}.{'score' if cause is Cause.DRIFT else 'monitor'}"
    return Alarm(
        subject=spec.name,
        cause=cause,
        because=history.text,
        fix=(
            f"decided as of {evidence.as_of}: {evidence.decided}. Look at the page that {task} "
            "links to, and at what changed in the sources of the columns that it names"
        ),
        owner=spec.owner,
        partitions=history.alarm_days,
        grain=spec.rows.grain,
        began_at=_taken(spec.rows, history.alarm_days[0]),
        as_of=evidence.as_of,
    )


def _untold(spec: ModelSpec, evidence: WatchedEvidence) -> Alarm:
    since = evidence.untold_since or evidence.as_of
    told = evidence.performance.text if evidence.performance else "performance is not measured"
    return Alarm(
        subject=spec.name,
        cause=Cause.CANNOT_TELL,
        because=(
            f"nobody can tell since {since} what the predictions are worth, longer than "
            f"{spec.retrain.max_untold.words}: {told}"
        ),
        fix=(
            f"look at what {spec.label.dataset.name} gives; with few labels a longer "
            "PerformanceSpec(window=...), or a larger RetrainSpec(max_untold=...)"
        ),
        owner=spec.owner,
        began_at=DAY.begins(since).replace(tzinfo=UTC).isoformat(),
        as_of=evidence.as_of,
    )


def _moved(spec: ModelSpec, moved: tuple[str, ...], as_of: str) -> Alarm:
    return Alarm(
        subject=spec.name,
        cause=Cause.ALIASES,
        because="; ".join(moved),
        fix=(
            f'mlops ledger aliases {spec.name} --undo --because "..." puts them back, --adopt '
            "makes the version champion that others have chosen"
        ),
        owner=spec.owner,
        as_of=as_of,
    )


def _late(spec: ModelSpec, evidence: WatchedEvidence) -> Alarm:
    words = spec.deadline.words if spec.deadline else ""
    return Alarm(
        subject=spec.name,
        cause=Cause.DEADLINE,
        because=f"predictions are due {words} after the rows (deadline of the spec)",
        fix=f"what keeps them is an incident of its own: mlops incidents list {spec.name}",
        owner=spec.owner,
        partitions=evidence.late,
        grain=spec.rows.grain,
        began_at=_taken(spec.rows, evidence.late[0]),
        as_of=evidence.as_of,
    )


def _taken(dataset: DatasetSpec, partition: str) -> str:
    """Return when a partition is taken by its schedule."""
    tick = dataset.schedule.tick(partition, dataset.delay_steps)
    return tick.astimezone(UTC).isoformat(timespec="seconds")
