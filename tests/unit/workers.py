"""What several processes do at once in the tests: started fresh, so that nothing is shared."""

from __future__ import annotations

import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_tasks.lake import overwrite_partition

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def at_once(work: Callable[..., Any], arguments: Sequence[tuple[Any, ...]]) -> list[Any]:
    """Run `work` in one process per tuple of arguments, all from the same moment on."""
    context = get_context("forkserver")
    # Imported, never used there: nothing that threads or locks is inherited.
    context.set_forkserver_preload(["deltalake", "pyarrow", "sqlalchemy", __name__])
    n = len(arguments)
    with ProcessPoolExecutor(
        n, mp_context=context, initializer=_share, initargs=(context.Barrier(n),)
    ) as pool:
        return [job.result(120) for job in [pool.submit(_start, work, *one) for one in arguments]]


_STARTING_LINE: list[Any] = []


def _share(barrier: Any) -> None:
    _STARTING_LINE.append(barrier)


def _start(work: Callable[..., Any], *arguments: Any) -> Any:
    import deltalake  # noqa: F401 (loaded before the start signal)
    import sqlalchemy  # noqa: F401

    _STARTING_LINE[0].wait(60)
    return work(*arguments)


def overwrite(root: str, jobs: Sequence[tuple[str, int]]) -> list[tuple[int, int]]:
    """Overwrite partitions, each with rows that name its token; return (token, version)."""
    import pyarrow as pa

    from mlops_tasks.exceptions import CommitConflictError, StaleAttemptError
    from mlops_tasks.lake import Lake

    done = []
    for partition, token in jobs:
        rows = pa.table({"writer": [token] * 20, "n": list(range(20))})
        try:
            written = overwrite_partition(Lake(Path(root)).table("t"), partition, rows, token=token)
        except (StaleAttemptError, CommitConflictError):
            continue
        done.append((token, written.version))
    return done


def write_entries(url: str, writer: int, n: int) -> list[int]:
    """Draw a token and record an entry, n times; return the tokens."""
    from mlops_tasks.registry.ledger import Ledger

    ledger, tokens = Ledger(url), []
    for i in range(n):
        tokens.append(ledger.next_token())
        ledger.record(model="m", kind="drift", key=f"2024-03-{writer:02}", evidence={"i": i})
    return tokens


def say_the_same(url: str, n: int) -> None:
    """Record the same entries as everybody else."""
    from mlops_tasks.registry.ledger import Ledger

    for i in range(n):
        Ledger(url).record(model="m", kind="drift", key=f"2024-03-{i + 1:02}", evidence={"i": i})


def promote(url: str, generation: int, version: str) -> bool:
    """Try to make a version the champion; say whether it is."""
    from mlops_tasks.exceptions import ChampionChangedError
    from mlops_tasks.registry.ledger import Ledger

    try:
        Ledger(url).promote("m", version=version, generation=generation, key="k", evidence={})
    except ChampionChangedError:
        return False
    return True


def hold_run(uri: str, tags: dict[str, str], started: str) -> None:
    """Open a run and stay in it until killed."""
    from mlops_tasks.registry.tracking import Tracking

    with Tracking(uri, tags).run("late_orders", "held") as run_id:
        Path(started).write_text(run_id)
        time.sleep(120)
