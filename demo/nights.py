"""Play nights until the loop has closed, or as many as were asked for."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from demo.source import LAST_DAY

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from demo.replay import Replay
    from demo.view import Stage, View

MIN_NIGHTS = 14
MAX_NIGHTS = 45
EXTRA_NIGHTS = 3


@dataclass(frozen=True, slots=True)
class Goal:
    """How far this session goes.

    Parameters
    ----------
    asked : int or None
        Nights the user asked for in this session.
    before : int
        Nights replayed by earlier sessions.
    closed_before : bool
        Whether the loop had closed by then.
    """

    asked: int | None
    before: int
    closed_before: bool

    def wants_more(self, now: int, has_closed: Callable[[], bool]) -> bool:
        """Return whether another night is due.

        Parameters
        ----------
        now : int
            Nights replayed in this session.
        has_closed : callable
            Asked only when the answer matters.

        Returns
        -------
        bool
            The asked nights exactly; else at least 14, then until the loop has closed, 45 at the
            most. A session that finds it closed, or finds 45 nights, plays 3 more.

        Examples
        --------
        >>> Goal(asked=2, before=0, closed_before=False).wants_more(2, lambda: False)
        False
        >>> Goal(asked=None, before=0, closed_before=False).wants_more(14, lambda: False)
        True
        >>> Goal(asked=None, before=14, closed_before=True).wants_more(2, lambda: True)
        True
        """
        if self.asked is not None:
            return now < self.asked
        if self.closed_before or self.before >= MAX_NIGHTS:
            return now < EXTRA_NIGHTS
        total = self.before + now
        return total < MIN_NIGHTS or (total < MAX_NIGHTS and not has_closed())

    @property
    def expected(self) -> int:
        """Nights this session will probably play: what a progress bar starts with."""
        if self.asked is not None:
            return self.asked
        return EXTRA_NIGHTS if self.closed_before else max(MIN_NIGHTS - self.before, 1)


def play_nights(
    replay: Replay, view: View, asked: int | None, has_closed: Callable[[], bool]
) -> int:
    """Play night after night.

    Parameters
    ----------
    replay : Replay
        Prepared: January is known and a first champion is there.
    view : View
        Shows the progress.
    asked : int or None
        Exactly this number of nights; None lets the loop decide.
    has_closed : callable
        Whether the loop has closed by now.

    Returns
    -------
    int
        Nights played.
    """
    before = len(replay.nights())
    goal = Goal(asked, before, closed_before=before >= MIN_NIGHTS and has_closed())
    now = 0
    with view.stage("The nights", goal.expected) as stage:
        while goal.wants_more(now, has_closed):
            night = replay.next_night()
            if night > LAST_DAY:
                view.say(f"the data ends on {LAST_DAY}")
                break
            _play_one(replay, view, stage, night)
            now += 1
            stage.set_progress(now, max(goal.expected, now))
    return now


def _play_one(replay: Replay, view: View, stage: Stage, night: date) -> None:
    started = time.monotonic()
    stage.rename(f"night {night}")
    replay.play(night, stage.watch)
    seconds = time.monotonic() - started
    view.say(
        f"night {night}: {decision_text(replay.decision(night.isoformat()))} [{seconds:.1f} s]"
    )


def decision_text(decision: dict[str, Any]) -> str:
    """Say a decision and its reason in one line.

    Parameters
    ----------
    decision : dict
        Evidence of a ledger's entry of kind ``decision``.

    Returns
    -------
    str
        For people.

    Examples
    --------
    >>> decision_text({"retrain": False, "reason": "nothing has alarmed"})
    'not retrained, because nothing has alarmed'
    """
    if decision["retrain"]:
        return f"retrained, because of {decision.get('cause')}: {decision.get('reason')}"
    return f"not retrained, because {decision.get('reason')}"
