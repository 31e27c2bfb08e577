"""Ask for the health of the components in the background, again and again."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["HealthWatch", "Look"]

#: Seconds between two looks: while something is not healthy, and while everything is.
EAGER_S, CALM_S = 0.25, 5.0


@dataclass(frozen=True, slots=True)
class Look:
    """What was found at one moment.

    Parameters
    ----------
    asked_at : float
        When the question was asked, on the monotonic clock.
    health : Mapping of str to str
        Answers by component; empty if none could be had at all.
    """

    asked_at: float = 0.0
    health: Mapping[str, str] = field(default_factory=dict)


class HealthWatch:
    """Ask again and again in a thread of its own: a component that hangs must not stop the runner.

    Parameters
    ----------
    ask : callable
        Gives the health of every component.
    report : callable
        Called when asking itself fails.
    """

    def __init__(self, ask: Callable[[], Mapping[str, str]], report: Callable[[str], None]) -> None:
        self._ask, self._report = ask, report
        #: The newest look.
        self.latest = Look()
        #: Whether to look often.
        self.is_eager = True

    def start(self) -> None:
        """Start asking; the thread ends with the process."""
        threading.Thread(target=self._run, name="health", daemon=True).start()

    def _run(self) -> None:
        while True:
            asked_at = time.monotonic()
            try:
                self.latest = Look(asked_at, self._ask())
            except Exception as error:
                # Whatever a component answers, the watch goes on.
                self._report(f"the health of the components cannot be asked: {error!r}")
                time.sleep(CALM_S)
            self._pause()

    def _pause(self) -> None:
        until = time.monotonic() + CALM_S
        time.sleep(EAGER_S)
        while time.monotonic() < until and not self.is_eager:
            time.sleep(EAGER_S)
