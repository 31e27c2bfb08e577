"""End all components of a stack: in order first, then by force."""

from __future__ import annotations

import contextlib
import signal
import time
from typing import TYPE_CHECKING

import psutil

from mlops_airflow.stack.components import ENDED_BY_CHILD
from mlops_airflow.stack.processes import descendants, session_processes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mlops_airflow.stack.component import Component
    from mlops_airflow.stack.processes import ProcessId

__all__ = ["OrderlyEnd"]

#: Seconds until what runs below a component, tasks above all, is asked to end as well.
OWN_TIME_S = 2.5
#: Seconds from the first signal to SIGKILL: Airflow's scheduler may wait for its workers for ever.
GRACE_S = 5.0
#: Seconds from the first signal to giving up on an orderly end.
LIMIT_S = 20.0


class OrderlyEnd:
    """Ask the components to end, then what runs below them, then kill what is left.

    Parameters
    ----------
    components : Mapping of str to Component
        The components, running or not.
    left_over : sequence of ProcessId
        Leaders of earlier sessions in which tasks still run.
    note : callable
        Called with what is done.
    """

    def __init__(
        self,
        components: Mapping[str, Component],
        left_over: Sequence[ProcessId],
        note: Callable[[str], None],
    ) -> None:
        self._components, self._left_over, self._note = components, left_over, note
        self._asked_at = time.monotonic()
        self._signals_sent = 0
        #: Whether everything ended in time.
        self.was_in_order = True

    def has_ended(self) -> bool:
        """Return whether every component and its output have ended, or the time is up.

        Returns
        -------
        bool
            True once there is nothing left to wait for.
        """
        if time.monotonic() - self._asked_at > LIMIT_S:
            self.was_in_order = False
            return True
        return all(c.exit_code() is not None and c.is_silent for c in self._components.values())

    def tick(self) -> None:
        """Do what is due."""
        self._notice()
        waited_s = time.monotonic() - self._asked_at
        if waited_s > GRACE_S:
            self._kill()
        elif self._signals_sent < (1 if waited_s < OWN_TIME_S else 2):
            self._signals_sent += 1
            for name, component in self._components.items():
                if component.leader is not None:
                    self._ask(name, component.leader)
            if self._signals_sent > 1:
                _send(session_processes(self._left_over), signal.SIGTERM)

    def _notice(self) -> None:
        for component in self._components.values():
            code = component.exit_code()
            if code is None:
                component.enter("ending")
            elif component.record.state == "ending":
                component.enter("ended", last_exit=code)

    def _ask(self, name: str, leader: ProcessId) -> None:
        session = session_processes([leader])
        below = [p for p in session if p.pid != leader.pid]
        targets, sign = [p for p in session if p.pid == leader.pid], signal.SIGTERM
        if self._signals_sent > 1:
            targets = below
        elif name in ENDED_BY_CHILD and below:
            targets, sign = below, signal.SIGINT
        if targets:
            self._note(f"sending {sign.name} to {len(targets)} of {name}")
            _send(targets, sign)

    def _kill(self) -> None:
        leaders = [c.leader for c in self._components.values() if c.leader is not None]
        sessions = session_processes([*leaders, *self._left_over])
        _send([*descendants(), *sessions], signal.SIGKILL)


def _send(processes: Sequence[psutil.Process], sign: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            process.send_signal(sign)
