"""Let a throw-away process look at a model first: whatever the files do, they do it there."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import UnavailableError, UnsafeModelError
from mlops_tasks.registry.modelfiles.files import model_bytes
from mlops_tasks.registry.modelfiles.inspection import REFUSED
from mlops_tasks.registry.modelfiles.project_code import project_folder

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["examine_model"]

_MEMORY = 3 * 2**30
_MEMORY_PER_BYTE = 8
_CPU_S, _CPU_S_PER_MIB = 60, 2
_WALL_S_PER_CPU_S = 5  # for machines with more to do than processors
_SHOWN = 2000
# Nothing that holds a secret, and no variable that changes what Python runs, but where it looks.
_PASSED_ON = ("LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "PYTHONPATH", "PYTHONPYCACHEPREFIX")
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def examine_model(folder: Path, project: frozenset[str] = frozenset()) -> None:
    """Load a model and let it predict in a process of its own that may die of it.

    Parameters
    ----------
    folder : Path
        The downloaded model, in a folder that nobody else writes to.
    project : frozenset of str, optional
        Classes and functions of a deployed project that it may import, on the word of a person.

    Raises
    ------
    UnsafeModelError
        If the files must not be loaded, crash the process, or need more time or memory than a
        model of their size.
    UnavailableError
        If the process could not be started.

    Notes
    -----
    The process limits its own memory, processor time and file size, and is killed from here when
    its time is over. It gets no environment but the paths it needs: no connection, no password.
    """
    size = model_bytes(folder)
    cpu_s = _CPU_S + _CPU_S_PER_MIB * (size // 2**20)
    folders = {project_folder(name.split(".")[0]) for name in project}
    places = sorted(str(found) for found in folders if found)
    limits = [_MEMORY + _MEMORY_PER_BYTE * size, cpu_s]
    order = json.dumps([str(folder), *limits, sorted(project), places])
    kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    try:
        done = subprocess.run(
            (sys.executable, "-s", "-P", "-m", "mlops_tasks.registry.modelfiles.examiner"),
            env=kept | _ONE_THREAD,
            input=order.encode(),
            capture_output=True,
            timeout=_WALL_S_PER_CPU_S * cpu_s,
            check=False,
        )
    except OSError as error:
        raise UnavailableError(f"no process can be started to examine a model: {error}") from error
    except subprocess.TimeoutExpired:
        raise UnsafeModelError(
            f"the model keeps a process busy for more than {_WALL_S_PER_CPU_S * cpu_s} s "
            "instead of being loaded; it is not what training saved"
        ) from None
    _judge(done.returncode, done.stdout, done.stderr)


def _judge(returncode: int, out: bytes, err: bytes) -> None:
    if returncode == 0:
        return
    if returncode == REFUSED:
        raise UnsafeModelError(out.decode(errors="replace")[:_SHOWN])
    if returncode < 0:
        name = signal.Signals(-returncode).name
        raise UnsafeModelError(
            f"the model ended the process that examined it ({name}); it is not what training saved"
        )
    said = err.decode(errors="replace").strip().splitlines()[-1:]
    raise UnsafeModelError(f"the model could not be examined: {' '.join(said)[:_SHOWN]}")
