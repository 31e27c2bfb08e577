"""Log files of the components, without the secrets."""

from __future__ import annotations

import logging
import logging.handlers
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_airflow.stack.redaction import Redactor
    from mlops_airflow.stack.settings import StackSettings

__all__ = ["RUNNER", "LogFiles", "last_lines"]

#: Name under which the process runner writes its own lines.
RUNNER = "runner"
_MAX_BYTES = 20_000_000


class LogFiles:
    """Write each component's lines to its own file; threads may share it.

    Parameters
    ----------
    settings : StackSettings
        The stack the files belong to.
    redact : Redactor
        Hides the secrets.
    """

    def __init__(self, settings: StackSettings, redact: Redactor) -> None:
        self._settings, self._redact = settings, redact
        self._files: dict[str, logging.Handler] = {}
        self._lock = threading.Lock()

    def line(self, name: str, text: str) -> None:
        """Append one line to a file.

        Parameters
        ----------
        name : str
            Component, or `RUNNER`.
        text : str
            The line, as it came.
        """
        text = self._redact(text.rstrip("\n"))
        self._file(name).handle(logging.LogRecord(name, logging.INFO, "", 0, text, None, None))

    def close(self) -> None:
        """Close every file."""
        for file in self._files.values():
            file.close()

    def _file(self, name: str) -> logging.Handler:
        with self._lock:
            if name not in self._files:
                path = self._settings.component_log(name)
                self._files[name] = logging.handlers.RotatingFileHandler(
                    path, maxBytes=_MAX_BYTES, backupCount=1, encoding="utf-8", errors="replace"
                )
                path.chmod(0o600)
            return self._files[name]


def last_lines(path: Path, n_lines: int = 15) -> str:
    """Return the end of a log file.

    Parameters
    ----------
    path : Path
        The file; it need not exist.
    n_lines : int, default 15
        Number of lines.

    Returns
    -------
    str
        The lines, or a remark that there are none.
    """
    try:
        with path.open("rb") as stream:
            stream.seek(0, 2)
            stream.seek(max(0, stream.tell() - 200 * n_lines))
            lines = stream.read().decode("utf-8", "replace").splitlines()[-n_lines:]
    except OSError:
        lines = []
    return "\n".join(lines) or "(nothing was written)"
