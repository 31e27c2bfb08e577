"""The throw-away process, run with ``python -m`` and given on standard input what to examine."""

from __future__ import annotations

import json
import resource
import sys
import time
from math import ceil
from pathlib import Path

from mlops_tasks.exceptions import UnsafeModelError
from mlops_tasks.registry.modelfiles.inspection import REFUSED, inspect_model

__all__ = ["main"]


def main(folder: str, memory: int, cpu_s: int) -> int:
    """Examine a model under limits; return 0, or `REFUSED` and say why on standard output."""
    for limit, value in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, ceil(time.process_time()) + cpu_s),
        (resource.RLIMIT_FSIZE, 0),  # it writes nothing, no core file either
    ):
        resource.setrlimit(limit, (value, value))
    try:
        inspect_model(Path(folder))
    except UnsafeModelError as error:
        sys.stdout.write(str(error))
        return REFUSED
    except (MemoryError, RecursionError) as error:
        sys.stdout.write(f"the model is nested too deep or needs too much memory: {error!r}")
        return REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main(*json.loads(sys.stdin.read())))
