"""What challenger and champion were trained on: rows, days, digests and columns, side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlops_tasks.lake import Pin, TrainingPin

__all__ = ["PinChange", "pin_changes"]


@dataclass(frozen=True, slots=True)
class PinChange:
    """One table of both trainings; what a training did not read is empty.

    Attributes
    ----------
    table : str
        The table.
    challenger, champion : str
        First and last day.
    rows_challenger, rows_champion : int
        Rows.
    days_challenger, days_champion : int
        Days that have rows.
    digest_challenger, digest_champion : str
        Digests of the whole content.
    columns_added, columns_dropped : tuple of str
        Columns that only the challenger's pin has, and only the champion's.
    """

    table: str
    challenger: str
    champion: str
    rows_challenger: int
    rows_champion: int
    days_challenger: int
    days_champion: int
    digest_challenger: str
    digest_champion: str
    columns_added: tuple[str, ...]
    columns_dropped: tuple[str, ...]


def pin_changes(challenger: TrainingPin, champion: TrainingPin | None) -> tuple[PinChange, ...]:
    """Put the tables of two trainings side by side, those of the challenger first."""
    ours = {pin.table: pin for pin in challenger.pins}
    theirs = {} if champion is None else {pin.table: pin for pin in champion.pins}
    return tuple(
        _change(table, ours.get(table), theirs.get(table))
        for table in dict.fromkeys((*ours, *theirs))
    )


def _change(table: str, ours: Pin | None, theirs: Pin | None) -> PinChange:
    columns = [set(pin.columns) if pin else set() for pin in (ours, theirs)]
    compared = ours is not None and theirs is not None
    return PinChange(
        table=table,
        challenger=_span(ours),
        champion=_span(theirs),
        rows_challenger=ours.n_rows if ours else 0,
        rows_champion=theirs.n_rows if theirs else 0,
        days_challenger=len(ours.versions) if ours else 0,
        days_champion=len(theirs.versions) if theirs else 0,
        digest_challenger=ours.digest if ours else "",
        digest_champion=theirs.digest if theirs else "",
        columns_added=tuple(sorted(columns[0] - columns[1])) if compared else (),
        columns_dropped=tuple(sorted(columns[1] - columns[0])) if compared else (),
    )


def _span(pin: Pin | None) -> str:
    return f"{pin.first} to {pin.last}" if pin else ""
