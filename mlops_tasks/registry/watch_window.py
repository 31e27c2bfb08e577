"""After a promotion: which versions are compared, on which partitions, by which rule.

All of it is written down before the first row is compared, and read from there: what a spec says
later changes no window that is open.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import NotWatchedError
from mlops_tasks.partitions import DAY, window_start
from mlops_tasks.registry.ledger import EvidenceKind
from mlops_tasks.registry.past_champions import day_of_move, newest_move
from mlops_tasks.registry.releases import is_retired
from mlops_tasks.serialization import from_json, to_json
from mlops_tasks.specs.calendar import scored_on

if TYPE_CHECKING:
    from mlops_tasks.partitions import Duration
    from mlops_tasks.registry.ledger import Ledger, LedgerEntry
    from mlops_tasks.specs import ModelSpec

__all__ = ["WatchWindow", "find_watch_window", "open_watch_window"]


@dataclass(frozen=True, slots=True)
class WatchWindow:
    """A champion that is watched beside the one before it.

    Attributes
    ----------
    version, previous : str
        The champion, and the version that it has replaced.
    generation : int
        Of the champion: once it has moved, nothing follows from this window any more.
    first, last : str
        First and last partition that both predict.
    n_partitions : int
        How many there are by the calendar.
    level : float
        Chance that a champion which is no worse is called worse, over all looks.
    max_loss : float or str
        By how much it may be worse.
    roll_back : bool
        Whether the version before it returns by itself.
    live : bool
        Whether it is about the present: of a past that is played again nobody is told.
    """

    version: str
    previous: str
    generation: int
    first: str
    last: str
    n_partitions: int
    level: float
    max_loss: float | str
    roll_back: bool
    live: bool = True

    def has(self, partition: str) -> bool:
        """Whether both predict a partition."""
        return self.first <= partition <= self.last


def find_watch_window(name: str, *, ledger: Ledger) -> WatchWindow:
    """Return the watch window of the champion there is.

    Parameters
    ----------
    name : str
        Registered model.
    ledger : Ledger
        Where it is written down.

    Returns
    -------
    WatchWindow
        As it was opened.

    Raises
    ------
    NotWatchedError
        If there is none: the message says why.
    """
    move = _promotion(name, ledger)
    opened = _opened(name, move, ledger)
    if opened is None:
        raise NotWatchedError(
            f"version {move.evidence['version']} of {name!r} has scored no partition since its "
            "promotion: nothing is compared yet"
        )
    return opened


def open_watch_window(
    spec: ModelSpec,
    partition: str,
    scored_by: str,
    *,
    ledger: Ledger,
    dag_run: str = "",
    by: str = "",
) -> WatchWindow:
    """Return the watch window that a scored partition is in; the first one opens it.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    partition : str
        The partition.
    scored_by : str
        The version that has scored it.
    ledger : Ledger
        Where the window is written down.
    dag_run, by : str, optional
        Of what is written.

    Returns
    -------
    WatchWindow
        Its partitions include this one.

    Raises
    ------
    NotWatchedError
        If the partition is in none: the message says why.
    """
    asked = spec.after_promotion
    if asked is None:
        raise NotWatchedError(f"model {spec.name!r}: after_promotion=None, no champion is watched")
    move = _promotion(spec.name, ledger)
    version = str(move.evidence["version"])
    if scored_by != version:
        raise NotWatchedError(
            f"{partition} was scored by version {scored_by}, and version {version} of "
            f"{spec.name!r} is the champion"
        )
    found = _opened(spec.name, move, ledger)
    if found is None:
        night = scored_on(spec, partition)
        begun = day_of_move(move, night, spec.timezone)
        if night <= begun:
            raise NotWatchedError(
                f"{partition} is scored as of {night}, and version {version} was promoted as of "
                f"{begun}: it may have learnt from these rows"
            )
        new = _window(spec, partition, move, live=_recorded_on(move, spec) <= night)
        entry = ledger.record_once(
            model=spec.name,
            kind=EvidenceKind.WATCH_WINDOW,
            key=str(new.generation),
            evidence=to_json(new),
            dag_run=dag_run,
            by=by,
        )
        found = from_json(WatchWindow, entry.evidence)
    if not found.has(partition):
        raise NotWatchedError(
            f"{partition} is outside of the watch window of version {version}, {found.first} to "
            f"{found.last}"
        )
    return found


def _promotion(name: str, ledger: Ledger) -> LedgerEntry:
    """Return the promotion by which the champion became it, if it has replaced another one."""
    move = newest_move(name, ledger=ledger)
    if move is None:
        raise NotWatchedError(f"model {name!r} has no champion yet")
    version, previous = move.evidence["version"], move.evidence.get("previous")
    if move.kind != EvidenceKind.PROMOTION:
        raise NotWatchedError(
            f"version {version} of {name!r} is the champion by a rollback, after which nothing is "
            "compared"
        )
    if previous is None:
        raise NotWatchedError(f"version {version} is the first champion of {name!r}")
    if is_retired(name, str(previous), ledger=ledger):
        raise NotWatchedError(
            f"version {previous} of {name!r}, the champion before, was retired and cannot return"
        )
    return move


def _opened(name: str, move: LedgerEntry, ledger: Ledger) -> WatchWindow | None:
    key = str(move.evidence["generation"])
    entry = ledger.newest(name, EvidenceKind.WATCH_WINDOW, key=key)
    return None if entry is None else from_json(WatchWindow, entry.evidence)


def _recorded_on(move: LedgerEntry, spec: ModelSpec) -> str:
    return DAY.key_of(move.recorded_at, spec.timezone)


def _window(spec: ModelSpec, first: str, move: LedgerEntry, *, live: bool) -> WatchWindow:
    asked = spec.after_promotion
    assert asked is not None  # noqa: S101 (the caller has looked)
    keys = _keys(spec, first, asked.window)
    return WatchWindow(
        version=str(move.evidence["version"]),
        previous=str(move.evidence["previous"]),
        generation=int(move.evidence["generation"]),
        first=first,
        last=keys[-1],
        n_partitions=len(keys),
        level=asked.level,
        max_loss=asked.max_loss,
        roll_back=asked.roll_back,
        live=live,
    )


def _keys(spec: ModelSpec, first: str, length: Duration) -> list[str]:
    """Return the partitions of a window that begins with one; at least that one."""
    calendar, keys = spec.calendar, [first]
    while True:
        key = calendar.shift(keys[-1], 1)
        if window_start(calendar, key, length) > first or key > (spec.rows.last or key):
            return keys
        keys.append(key)
