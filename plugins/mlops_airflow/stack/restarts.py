"""When a component that ended is started again, and when that is no accident any more."""

from __future__ import annotations

from collections import deque

__all__ = ["MAX_ENDS", "WINDOW_S", "Restarts"]

#: Seconds before the first, the second, ... restart within the window.
DELAYS_S = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0)
#: A component that ends so often within the window is not started again.
MAX_ENDS = 15
#: Seconds that are looked back. Ends at once, with these delays, use up the limit in ten minutes:
#: the longest time for which a database may be away while nobody is there.
WINDOW_S = 900.0


class Restarts:
    """Count the ends of one component, and say when it is started again."""

    def __init__(self) -> None:
        self._ends: deque[float] = deque(maxlen=MAX_ENDS)

    def ended(self, now: float) -> float | None:
        """Count an end.

        Parameters
        ----------
        now : float
            The moment, in seconds of any clock that does not jump.

        Returns
        -------
        float or None
            Seconds until the restart; None after too many ends.

        Examples
        --------
        >>> restarts = Restarts()
        >>> [restarts.ended(0.0), restarts.ended(10.0), restarts.ended(20.0)]
        [1.0, 2.0, 4.0]
        >>> restarts.ended(5000.0)
        1.0
        """
        self._ends.append(now)
        while now - self._ends[0] > WINDOW_S:
            self._ends.popleft()
        if len(self._ends) >= MAX_ENDS:
            return None
        return DELAYS_S[min(len(self._ends), len(DELAYS_S)) - 1]
