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
from mlops_tasks.serialization import from_json
from mlops_tasks.specs.calendar import scored_on

if TYPE_CHECKING:
    from mlops_tasks.partitions import Duration
    from mlops_tasks.registry.ledger import Ledger, LedgerEntry
    from mlops_tasks.specs import AfterPromotionSpec, ModelSpec

__all__ = ["WatchWindow", "find_watch_window", "window_to_open"]


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

    def check(self, partition: str) -> WatchWindow:
        """Return itself if both predict a partition, and refuse else."""
        if self.has(partition):
            return self
        raise NotWatchedError(
            f"{partition} is outside of the watch window of version {self.version}, {self.first} "
            f"to {self.last}"
        )


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


def window_to_open(
    spec: ModelSpec, partition: str, scored_by: str, *, ledger: Ledger
) -> WatchWindow:
    """Return the watch window that a scored partition is in, or that it opens.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    partition : str
        The partition.
    scored_by : str
        The version that has scored it.
    ledger : Ledger
        Where windows are written down. Whoever asks writes this one, once under its generation.

    Returns
    -------
    WatchWindow
        Its partitions include this one.

    Raises
    ------
    NotWatchedError
        If the partition is in none: the message says why.
    """
    if spec.after_promotion is None:
        raise NotWatchedError(f"model {spec.name!r}: after_promotion=None, no champion is watched")
    move = _promotion(spec.name, ledger)
    version = str(move.evidence["version"])
    if scored_by != version:
        raise NotWatchedError(
            f"{partition} was scored by version {scored_by}, and version {version} of "
            f"{spec.name!r} is the champion"
        )
    if found := _opened(spec.name, move, ledger):
        return found.check(partition)
    night = scored_on(spec, partition)
    begun = day_of_move(move, night, spec.timezone)
    if night <= begun:
        raise NotWatchedError(
            f"{partition} is scored as of {night}, and version {version} was promoted as of "
            f"{begun}: it may have learnt from these rows"
        )
    return _window(spec, spec.after_promotion, partition, move, night)


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


def _window(
    spec: ModelSpec, asked: AfterPromotionSpec, first: str, move: LedgerEntry, night: str
) -> WatchWindow:
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
        live=DAY.key_of(move.recorded_at, spec.timezone) <= night,
    )


def _keys(spec: ModelSpec, first: str, length: Duration) -> list[str]:
    """Return the partitions of a window that begins with one; at least that one."""
    calendar, keys = spec.calendar, [first]
    while True:
        key = calendar.shift(keys[-1], 1)
        if window_start(calendar, key, length) > first or key > (spec.rows.last or key):
            return keys
        keys.append(key)
