"""Which versions were champions, from when, and whether they may be again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import PartitionKeyError, VersionNotAllowedError
from mlops_tasks.partitions import DAY
from mlops_tasks.registry.ledger.records import CHAMPION_MOVES, EvidenceKind
from mlops_tasks.registry.releases import is_retired

if TYPE_CHECKING:
    from mlops_tasks.registry.ledger import Ledger, LedgerEntry

__all__ = ["PastChampion", "champion_to_return_to", "day_of_move", "newest_move", "past_champions"]


@dataclass(frozen=True, slots=True)
class PastChampion:
    """A version that was champion before the one there is.

    Attributes
    ----------
    version : str
        The version.
    since : str
        When it became the champion, the last time.
    rolled_back : bool
        Whether it was left by a rollback: none returns to it unless a person names it.
    retired : bool
        Whether it may never be the champion again.
    """

    version: str
    since: str
    rolled_back: bool
    retired: bool

    def __str__(self) -> str:
        more = [
            word for word in ("rolled back", "retired") if getattr(self, word.replace(" ", "_"))
        ]
        return f"{self.version} ({', '.join([f'since {self.since}', *more])})"


def day_of_move(entry: LedgerEntry, as_of: str, timezone: str) -> str:
    """Return the day of a move: the real one, or of a past that is played again that of its key."""
    recorded = DAY.key_of(entry.recorded_at, timezone)
    if recorded <= as_of:
        return recorded
    try:
        return DAY.check(entry.key)
    except PartitionKeyError:
        return as_of


def newest_move(name: str, *, ledger: Ledger) -> LedgerEntry | None:
    """Return the entry by which the champion became it; None before the first one."""
    moves = [entry for entry in ledger.lifecycle(name) if entry.kind in CHAMPION_MOVES]
    return moves[-1] if moves else None


def past_champions(name: str, *, ledger: Ledger) -> list[PastChampion]:
    """List the versions that were champions and are not now, the latest first."""
    moves = [
        entry
        for kind in CHAMPION_MOVES
        for entry in ledger.entries(model=name, kind=kind, history=True)
    ]
    since: dict[str, str] = {}
    left: set[str] = set()
    for entry in sorted(moves, key=lambda entry: entry.seq):
        version = str(entry.evidence["version"])
        if entry.kind == EvidenceKind.ROLLBACK:
            left.add(str(entry.evidence["previous"]))
        left.discard(version)
        since.pop(version, None)
        since[version] = f"{entry.recorded_at:%Y-%m-%d %H:%M} UTC"
    now = ledger.champion(name)
    return [
        PastChampion(one, since[one], one in left, is_retired(name, one, ledger=ledger))
        for one in reversed(since)
        if now is None or one != now.version
    ]


def champion_to_return_to(name: str, to: str | None, *, ledger: Ledger) -> str:
    """Return the version that a rollback goes to, or say which there are.

    Parameters
    ----------
    name : str
        Registered model.
    to : str or None
        The version; None for the latest that was champion, was not rolled back and is not retired.
    ledger : Ledger
        What happened.

    Raises
    ------
    VersionNotAllowedError
        If it is the champion, was never one, or is retired; or if there is none.
    """
    now, past = ledger.champion(name), past_champions(name, ledger=ledger)
    listed = f"Champions before this one: {', '.join(map(str, past)) or 'none'}."
    if now is not None and to == now.version:
        raise VersionNotAllowedError(
            f"version {to} is the champion of {name!r} already: there is nothing to roll back"
        )
    allowed = {one.version: one for one in past if not one.retired}
    usual = [one.version for one in allowed.values() if not one.rolled_back]
    if to is None and usual:
        return usual[0]
    if to is None:
        raise VersionNotAllowedError(
            f"model {name!r} has no earlier champion to roll back to by itself. {listed} To return "
            "to one of them, name it"
        )
    if to in allowed:
        return to
    if to in {one.version for one in past}:
        raise VersionNotAllowedError(
            f"version {to} of {name!r} was retired and cannot be the champion again. {listed}"
        )
    raise VersionNotAllowedError(
        f"version {to!r} of {name!r} was never the champion. {listed} Another version becomes it "
        f"by its gate, or on a person's word: mlops promote {name} {to} --reason '...'"
    )
