"""Processes of a reproduction: they end at their limit, and with the process that started them."""

from __future__ import annotations

import ctypes
import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import ReproductionError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["public_text", "run_process"]

_PR_SET_PDEATHSIG = 1
_ADDRESS = re.compile(r"\b[a-z][a-z0-9+.-]*://\S+")
_SHOWN = 600
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def run_process(
    command: Sequence[str], *, env: Mapping[str, str], folder: Path, limit_s: float, what: str
) -> str:
    """Run a command to its end and return what it wrote.

    Parameters
    ----------
    command : sequence of str
        The program and its arguments.
    env : mapping
        All of its environment.
    folder : Path
        Where it works.
    limit_s : float
        Seconds, after which it is killed with all that it has started.
    what : str
        What it does, for errors.

    Raises
    ------
    ReproductionError
        If it cannot be started, fails or takes too long; with the end of what it wrote.
    """
    try:
        process = subprocess.Popen(  # noqa: S603 (our own programs, no shell)
            list(command),
            env=dict(env),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_die_with_parent if _LIBC else None,
        )
    except OSError as error:
        raise ReproductionError(f"{what}: {command[0]} cannot be started: {error}") from error
    try:
        written, _ = process.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired:
        raise ReproductionError(
            f"{what} took longer than {limit_s:g} s and was stopped; give it more time"
        ) from None
    finally:
        _kill_group(process.pid)
        process.communicate()
    text = written.decode(errors="replace")
    if process.returncode:
        raise ReproductionError(f"{what} failed: {public_text(text)}")
    return text


def public_text(text: str) -> str:
    """Return the end of what a program wrote, without addresses: they may hold a login."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return _ADDRESS.sub("(address)", " ".join(lines))[-_SHOWN:] or "it wrote nothing"


def _die_with_parent() -> None:
    """In the new process: be killed when the one that started it ends, however that ends."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _kill_group(group: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
