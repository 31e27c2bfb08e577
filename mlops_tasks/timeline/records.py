"""What a timeline holds: everything with its place in the time of the data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from mlops_tasks.monitoring import MonitorResult
    from mlops_tasks.policy import DecisionRow
    from mlops_tasks.policy.incidents import Incident

__all__ = [
    "ChampionMove",
    "ColumnHistory",
    "DriftHistory",
    "IncidentSpan",
    "Measured",
    "NextCheck",
    "Timeline",
]


@dataclass(frozen=True, slots=True)
class Measured:
    """The gate's metric in the window that ends with one partition.

    Attributes
    ----------
    key : str
        The partition.
    begin, end : datetime
        The instants between which it lies.
    value, lower, upper : float or None
        What was measured, with its interval; None where nobody can tell, or there is none.
    threshold : float or None
        Where the alarm begins.
    text : str
        The sentence.
    result : MonitorResult
        All checks of that window.
    """

    key: str
    begin: datetime
    end: datetime
    value: float | None
    lower: float | None
    upper: float | None
    threshold: float | None
    text: str
    result: MonitorResult


@dataclass(frozen=True, slots=True)
class ColumnHistory:
    """How far one column has moved, window by window.

    Attributes
    ----------
    name : str
        The column.
    importance : float or None
        Multiple of the mean importance that the model gives its columns, if known.
    severities : tuple of float or None
        Effect as a multiple of its threshold; None where nobody can tell, or without bound.
    alarms, is_there : tuple of bool
        Whether it alarms, and whether there was such a column at all.
    """

    name: str
    importance: float | None
    severities: tuple[float | None, ...]
    alarms: tuple[bool, ...]
    is_there: tuple[bool, ...]

    @property
    def n_alarms(self) -> int:
        """On how many windows it alarmed."""
        return sum(self.alarms)

    @property
    def worst(self) -> float:
        """The largest severity; 0 where nobody can tell of any window."""
        return max((one for one in self.severities if one is not None), default=0.0)


@dataclass(frozen=True, slots=True)
class DriftHistory:
    """The columns of all windows, those that moved and matter most first.

    Attributes
    ----------
    keys : tuple of str
        Last partition of each window.
    spans : tuple of (datetime, datetime)
        The instants between which each of these lies.
    versions : tuple of str
        The version that scored it, whose own data it was compared with.
    columns : tuple of ColumnHistory
        With a cell for each window.
    newest : MonitorResult or None
        The newest window, with all its checks.
    """

    keys: tuple[str, ...] = ()
    spans: tuple[tuple[datetime, datetime], ...] = ()
    versions: tuple[str, ...] = ()
    columns: tuple[ColumnHistory, ...] = ()
    newest: MonitorResult | None = None


@dataclass(frozen=True, slots=True)
class ChampionMove:
    """Another champion: from when on, which one, and why."""

    at: datetime
    day: str
    kind: str
    version: str
    before: str | None
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class IncidentSpan:
    """An incident with its place in the time of the data.

    Of a past that is played again an incident is opened today, and belongs to the days that it is
    about. `end` is None as long as it is open.
    """

    incident: Incident
    begin: datetime
    end: datetime | None


@dataclass(frozen=True, slots=True)
class NextCheck:
    """What comes next, by the schedules.

    Attributes
    ----------
    as_of : str
        Day as of which it is decided next.
    decided_at : datetime
        When that is due, by the model's clock.
    partition : str
        The next partition whose performance is to be measured.
    measured_on : str
        Day as of which its labels are due.
    """

    as_of: str
    decided_at: datetime
    partition: str
    measured_on: str

    @property
    def text(self) -> str:
        """In a sentence."""
        return (
            f"the decision as of {self.as_of}, due {self.decided_at:%Y-%m-%d %H:%M %Z}; labels of "
            f"{self.partition} are due by the end of {self.measured_on}"
        )


@dataclass(frozen=True, slots=True)
class Timeline:
    """What happened to a model, as far as the ledger knows.

    Attributes
    ----------
    model, owner, grain, timezone : str
        Of the spec.
    metric, metric_title : str
        That of the gate.
    begin, end : datetime or None
        The instants that the axis spans; None before anything was measured or decided.
    champion : str or None
        The version in production.
    performance, estimates : tuple of Measured
        In order: what predictions were worth, and what they were estimated to be worth before
        their labels came.
    drift : DriftHistory
        How far columns have moved.
    moves : tuple of ChampionMove
        In order; the last one before `begin` is among them.
    decisions : tuple of DecisionRow
        In order.
    incidents : tuple of IncidentSpan
        Of the model and its datasets, the newest first.
    next : NextCheck
        What comes next.
    """

    model: str
    owner: str
    grain: str
    timezone: str
    metric: str
    metric_title: str
    begin: datetime | None
    end: datetime | None
    champion: str | None
    performance: tuple[Measured, ...]
    estimates: tuple[Measured, ...]
    drift: DriftHistory
    moves: tuple[ChampionMove, ...]
    decisions: tuple[DecisionRow, ...]
    incidents: tuple[IncidentSpan, ...]
    next: NextCheck
