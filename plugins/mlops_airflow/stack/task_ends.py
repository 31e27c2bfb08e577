"""Let the supervisor of a task see at once that the task's process has ended."""

from __future__ import annotations

import contextlib
from functools import wraps
from typing import Any

__all__ = ["notice_task_ends"]

_WAIT_S = 0.01


def notice_task_ends() -> None:
    """Shorten the last wait for a task, which now and then is a second too long.

    Notes
    -----
    The supervisor waits for whatever its task's process sends, for as long as the heartbeat
    interval allows (`[workers] min_heartbeat_interval`, a whole second at least). A process closes
    its last socket just before it can be collected. When the supervisor looks between these two
    moments, it waits the whole interval for sockets of which there are none left.
    """
    # Not public names: without them tasks end as they always do, and that is all.
    with contextlib.suppress(ImportError, AttributeError):
        from airflow.sdk.execution_time.supervisor import WatchedSubprocess

        serve = WatchedSubprocess._service_subprocess
        if hasattr(serve, "__wrapped__"):
            return

        @wraps(serve)
        def serve_briefly(self: Any, max_wait_time: float, **options: Any) -> Any:
            wait = max_wait_time if self._open_sockets else min(max_wait_time, _WAIT_S)
            return serve(self, max_wait_time=wait, **options)

        WatchedSubprocess._service_subprocess = serve_briefly  # type: ignore[method-assign, assignment]
