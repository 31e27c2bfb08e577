"""The throw-away process, run with ``python -m`` and given on standard input what to examine."""

from __future__ import annotations

import json
import resource
import sys
import time
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import UnsafeModelError
from mlops_tasks.registry.modelfiles.inspection import REFUSED, inspect_model

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]


def main(
    folder: str,
    memory: int,
    cpu_s: int,
    project: Sequence[str] = (),
    places: Sequence[str] = (),
) -> int:
    """Examine a model under limits; return 0, or `REFUSED` and say why on standard output.

    Parameters
    ----------
    folder : str
        The model.
    memory, cpu_s : int
        Limits, in bytes and seconds.
    project : sequence of str, optional
        Classes and functions of a project that it may import.
    places : sequence of str, optional
        Folders that those are imported from.
    """
    sys.path += places  # at the end: nothing in them stands in for a library
    for limit, value in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, ceil(time.process_time()) + cpu_s),
        (resource.RLIMIT_FSIZE, 0),  # it writes nothing, no core file either
    ):
        resource.setrlimit(limit, (value, value))
    try:
        inspect_model(Path(folder), frozenset(project))
    except UnsafeModelError as error:
        sys.stdout.write(str(error))
        return REFUSED
    except (MemoryError, RecursionError) as error:
        sys.stdout.write(f"the model is nested too deep or needs too much memory: {error!r}")
        return REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main(*json.loads(sys.stdin.read())))
