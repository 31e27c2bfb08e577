"""A small process that watches over a task from outside: ends it at its limit, clears up after it.

It is run by its path, without site packages, and imports nothing else: it starts in a hundredth of
a second and takes a few megabytes for as long as the task runs. `mlops_tasks.time_limit` starts it.
"""

import os
import select
import signal
import sys

__all__ = ["main"]

_DYING_S = 10.0


def main(seconds: str, target: str, prefix: str, memory: str, message: str) -> None:
    """Wait for the end of the process that holds the other end of this one's input.

    Parameters
    ----------
    seconds : str
        So long it may take; then it is killed.
    target : str
        Process to kill, or with a minus sign the group of processes.
    prefix : str
        What the paths of its temporary folders begin with; they are removed when it has ended.
    memory : str
        File that gets one byte longer when it is killed.
    message : str
        Written to this process's standard error, which is the task's, when it is killed.
    """
    parent = os.getppid()
    ended, _, _ = select.select([0], [], [], float(seconds))
    # Somebody else's parent by now: the process is dead and a child of it holds the input.
    if not ended and os.getppid() == parent:
        os.write(2, f"{message}\n".encode())
        with open(memory, "ab") as file:
            file.write(b"x")
        os.kill(int(target), signal.SIGKILL)
        select.select([0], [], [], _DYING_S)
    _remove(prefix)


def _remove(prefix: str) -> None:
    folder, start = os.path.split(prefix)
    found = [name for name in os.listdir(folder) if name.startswith(start)]
    if found:
        import shutil

        for name in found:
            shutil.rmtree(os.path.join(folder, name), ignore_errors=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
