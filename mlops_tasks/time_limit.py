"""A limit of time that also holds in native code, where Python's signals do not arrive."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import TimeLimitError
from mlops_tasks.scratch import owner_prefix, scratch_root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["interrupted_at_limit", "time_limit"]

_GUARD = Path(__file__).with_name("guard.py")
# What stops in order needs a moment for it; a fit may come to the end of its iteration.
_GRACE_S = 30.0
_AGAIN_S = 0.5
# The caller's own alarm was set a moment before this one.
_EARLIER_S = 0.1
_MOST_OVERRUNS = 2
# Where Python itself is; secrets are none of the guard's business.
_NEEDED = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")

_interrupts: list[Callable[[], object]] = []


@contextmanager
def time_limit(limit_s: float, *, task: str, fix: str, grace_s: float = _GRACE_S) -> Iterator[None]:
    """End the block at its limit, and this process where the block does not end in time.

    Parameters
    ----------
    limit_s : float
        Seconds. Then what the block has registered by `interrupted_at_limit` is interrupted.
    task : str
        Name of the work, the same for every attempt: a task that had to be killed twice on this
        machine is refused.
    fix : str
        What to do, for the error: which setting raises the limit.
    grace_s : float, default 30
        Seconds after the limit at which a process of its own kills this one, with all of its
        process group where it leads one, and removes its temporary folders.

    Raises
    ------
    TimeLimitError
        Instead of whatever is raised after the limit.
    """
    killed = _memory(task)
    if killed.exists() and killed.stat().st_size >= _MOST_OVERRUNS:
        raise TimeLimitError(
            f"{task} was killed {_MOST_OVERRUNS} times, {grace_s:g} s after its time limit of "
            f"{limit_s:g} s; it is not tried again. {fix}"
        )
    deadline, done = time.monotonic() + limit_s, threading.Event()
    threading.Thread(target=_interrupt, args=(limit_s, done), daemon=True).start()
    guard = _start_guard(limit_s, grace_s, killed, fix)
    try:
        yield
    except (SystemExit, KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:
        if time.monotonic() < deadline - _EARLIER_S:
            raise
        text = f"this took longer than its time limit of {limit_s:g} s and was stopped. {fix}"
        raise TimeLimitError(text) from error
    finally:
        done.set()
        guard.kill()
        guard.communicate()


@contextmanager
def interrupted_at_limit(interrupt: Callable[[], object]) -> Iterator[None]:
    """Have a call made at the limit of the surrounding `time_limit`, from another thread.

    Parameters
    ----------
    interrupt : callable
        Stops what the block does in native code, such as a connection's ``interrupt``.
    """
    _interrupts.append(interrupt)
    try:
        yield
    finally:
        _interrupts.remove(interrupt)


def _interrupt(limit_s: float, done: threading.Event) -> None:
    """Interrupt at the limit, and again what is begun after it."""
    wait = limit_s
    while not done.wait(wait):
        for interrupt in list(_interrupts):
            with suppress(Exception):  # it was closed at this moment
                interrupt()
        wait = _AGAIN_S


def _start_guard(limit_s: float, grace_s: float, memory: Path, fix: str) -> subprocess.Popen[bytes]:
    me = os.getpid()
    target = -me if os.getpgrp() == me else me
    message = (
        f"This process is killed: it did not stop {grace_s:g} s after its time limit of "
        f"{limit_s:g} s. {fix}. Nothing was published; its temporary files are removed."
    )
    options = [limit_s + grace_s, target, owner_prefix(), memory, message]
    # A session of its own: it must survive the process group that it kills.
    return subprocess.Popen(  # noqa: S603 (our own file)
        [sys.executable, "-I", "-S", str(_GUARD), *map(str, options)],
        env={name: os.environ[name] for name in _NEEDED if name in os.environ},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )


def _memory(task: str) -> Path:
    """Return the file whose size says how often a task was killed."""
    folder = scratch_root() / "killed"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder / hashlib.sha256(task.encode()).hexdigest()[:32]
