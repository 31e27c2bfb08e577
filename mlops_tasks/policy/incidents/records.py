"""What an incident is: one cause, from its first alarm to how it ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

__all__ = ["Alarm", "Cause", "Incident", "impact_of"]


class Cause(StrEnum):
    """What alarms have in common: of each there is at most one open incident."""

    INGESTION = "ingestion"
    REFUSED = "refused"
    SCORING = "scoring"
    MONITORING = "monitoring"
    DRIFT = "drift"
    PERFORMANCE = "performance"
    CANNOT_TELL = "cannot_tell"
    DECISION = "decision"
    TRAINING = "training"
    RELEASE = "release"
    REPRODUCTION = "reproduction"
    ALIASES = "aliases"
    DEADLINE = "deadline"
    SHADOW = "shadow"
    WORSE = "worse"
    MAINTENANCE = "maintenance"

    @property
    def words(self) -> str:
        """What it is, in a few words."""
        return _WORDS[self][0]

    @property
    def steps(self) -> tuple[int, ...]:
        """Numbers of partitions from which on it is worse than before."""
        return _SLOW if self in _LASTING else _STEPS


_STEPS, _SLOW = (3, 7, 30), (7, 30)
# What lasts by its nature: another day of the same is no news.
_LASTING = {Cause.DRIFT, Cause.PERFORMANCE, Cause.MONITORING, Cause.WORSE}
# The title, and what became of each partition.
_WORDS = {
    Cause.INGESTION: ("data missing", "{n} {grains} not ingested"),
    Cause.REFUSED: ("data refused", "{n} {grains} not published"),
    Cause.SCORING: ("not scored", "{n} {grains} unscored"),
    Cause.MONITORING: ("not monitored", "{n} {grains} unmeasured"),
    Cause.DRIFT: ("drift", "{n} {grains} drifted"),
    Cause.PERFORMANCE: ("performance", "{n} {grains} below the limit"),
    Cause.CANNOT_TELL: ("nobody can tell", "nobody can tell for {n} {grains}"),
    Cause.DECISION: ("no decision", "no decision as of {n} {grains}"),
    Cause.TRAINING: ("training failed", "training as of {n} {grains} failed"),
    Cause.RELEASE: ("release failed", "{n} runs failed, the champion stays"),
    Cause.REPRODUCTION: ("not reproduced", "a version cannot be shown to be what its record says"),
    Cause.ALIASES: ("champion and alias differ", "the ledger's champion goes on scoring"),
    Cause.DEADLINE: ("deadline missed", "{n} {grains} late"),
    Cause.SHADOW: ("shadow not scored", "{n} {grains} without the champion before to compare with"),
    Cause.WORSE: ("worse than the champion before", "{n} {grains} scored by the worse version"),
    Cause.MAINTENANCE: ("maintenance failed", "nothing was cleaned up"),
}


def impact_of(
    cause: Cause, n: int, *, grain: str = "day", n_rows: int | None = None, also: str = ""
) -> str:
    """Return in words what an incident has cost so far.

    Parameters
    ----------
    cause : Cause
        Of the incident.
    n : int
        Partitions that it is about.
    grain : str, default "day"
        What they are.
    n_rows : int, optional
        Rows in them, where that is known.
    also : str, optional
        What follows from it.

    Examples
    --------
    >>> impact_of(Cause.SCORING, 2, n_rows=5805)
    '2 days unscored, 5,805 rows'
    """
    grains = grain if n == 1 else f"{grain}s"
    said = _WORDS[cause][1].format(n=n, grains=grains)
    said += f", {n_rows:,} rows" if n_rows else ""
    return f"{said}; {also}" if also else said


@dataclass(frozen=True, slots=True)
class Alarm:
    """One look at what is wrong: by a task that has failed, or by the clock of the decisions.

    Attributes
    ----------
    subject : str
        The model or the dataset that it is about.
    cause : Cause
        What it has in common with other alarms.
    because : str
        What was seen.
    fix : str
        What to do, exactly.
    owner : str
        Whose business it is.
    partitions : tuple of str
        Keys that it is about, in order.
    grain : str
        What they are.
    n_rows : int or None
        Rows in them, where that is known.
    also : str
        What follows from it.
    links : dict of str to str
        Where to look: name to address.
    began_at : str
        When it began, an instant in ISO format; empty where nobody knows.
    as_of : str
        Day as of which the clock has looked; empty for a task, which knows its own run alone.
    task : str
        ``dag_id/task_id`` of the task that failed.
    """

    subject: str
    cause: Cause
    because: str
    fix: str
    owner: str = "mlops"
    partitions: tuple[str, ...] = ()
    grain: str = "day"
    n_rows: int | None = None
    also: str = ""
    links: dict[str, str] = field(default_factory=dict)
    began_at: str = ""
    as_of: str = ""
    task: str = ""


@dataclass(frozen=True, slots=True)
class Incident:
    """All alarms of one cause, as they are after the newest change.

    Attributes
    ----------
    subject, cause, owner, because, fix, partitions, grain, n_rows, also, links, began_at
        As for `Alarm`, of the newest one that says it.
    as_of, task
        Of the newest alarm by the clock, and of the newest one by a task.
    number : int
        Counts the incidents of this subject and cause.
    state : str
        ``open`` or ``closed``.
    change : str
        The newest one: ``opened``, ``worse``, ``still``, ``better``, ``acknowledged``,
        ``silenced`` or ``closed``.
    n_changes : int
        Counts them, from 1.
    changed_at, opened_at : str
        Instants in ISO format, UTC.
    level : int
        How bad it is, from 1.
    live : bool
        Whether it is about the present: of a past that is played again nobody is told.
    told_level : int
        The level that people were told of; 0 for none.
    tell : int
        Number of the change that people are to be told of, 0 for none.
    told : str
        What they are told by it: ``opened``, ``worse`` or ``closed``.
    acknowledged_at, acknowledged_by, note : str
        Who looks after it since when, and what they said.
    silenced_until, silenced_by : str
        Nobody is told before this instant.
    closed_at, closed_by, ended : str
        When, by whom (``clock``, ``task`` or a person), and how it ended.
    """

    subject: str
    cause: Cause
    number: int
    because: str
    fix: str
    opened_at: str
    changed_at: str
    owner: str = "mlops"
    state: str = "open"
    change: str = "opened"
    n_changes: int = 1
    partitions: tuple[str, ...] = ()
    grain: str = "day"
    n_rows: int | None = None
    also: str = ""
    links: dict[str, str] = field(default_factory=dict)
    began_at: str = ""
    as_of: str = ""
    task: str = ""
    level: int = 1
    live: bool = True
    told_level: int = 0
    tell: int = 0
    told: str = ""
    acknowledged_at: str = ""
    acknowledged_by: str = ""
    note: str = ""
    silenced_until: str = ""
    silenced_by: str = ""
    closed_at: str = ""
    closed_by: str = ""
    ended: str = ""

    @property
    def id(self) -> str:
        """As commands take it."""
        return f"{self.subject}/{self.cause}/{self.number}"

    @property
    def is_open(self) -> bool:
        """Whether it has not ended."""
        return self.state == "open"

    @property
    def title(self) -> str:
        """What it is, in a line."""
        return f"{self.subject}: {self.cause.words}"

    @property
    def impact(self) -> str:
        """What it has cost so far, in words."""
        n = len(self.partitions)
        return impact_of(self.cause, n, grain=self.grain, n_rows=self.n_rows, also=self.also)
