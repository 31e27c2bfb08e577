from __future__ import annotations

import os
import threading

import pytest

from mlops_tasks.workers import THREADS_VARIABLE, Workers, n_threads, side_by_side


def processors(monkeypatch: pytest.MonkeyPatch, n: int) -> None:
    monkeypatch.delenv(THREADS_VARIABLE, raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(n)), raising=False)


def test_never_more_threads_than_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    processors(monkeypatch, 4)
    assert n_threads() == 4
    monkeypatch.setenv(THREADS_VARIABLE, "3")
    assert n_threads() == 3
    monkeypatch.setenv(THREADS_VARIABLE, "99")
    assert n_threads() == 4


def test_systems_without_affinity_have_a_number_of_processors(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(THREADS_VARIABLE, raising=False)
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert n_threads() == 1


@pytest.mark.parametrize("wanted", ["0", "-1", "two", ""])
def test_a_wrong_limit_is_named(monkeypatch: pytest.MonkeyPatch, wanted: str) -> None:
    monkeypatch.setenv(THREADS_VARIABLE, wanted)
    with pytest.raises(ValueError, match=f"{THREADS_VARIABLE}='{wanted}'"):
        n_threads()


@pytest.mark.parametrize("threads", [1, 2])
def test_work_is_done_on_the_threads_allowed(monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    processors(monkeypatch, threads)
    seen: set[str] = set()
    workers = Workers()
    for _ in range(10):
        workers.submit(lambda: seen.add(threading.current_thread().name))
    workers.close()
    own = threading.current_thread().name
    assert (seen == {own}) if threads == 1 else (own not in seen and 1 <= len(seen) <= 2)


@pytest.mark.parametrize("threads", [1, 2])
def test_what_work_raises_is_raised(monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    processors(monkeypatch, threads)

    def fail(reason: str) -> None:
        raise RuntimeError(reason)

    def run() -> None:
        workers = Workers()
        workers.submit(fail, "no memory")
        workers.close()

    with pytest.raises(RuntimeError, match="no memory"):
        run()


@pytest.mark.parametrize("n_values", [0, 10**9])
def test_results_are_in_the_order_of_the_parts(
    monkeypatch: pytest.MonkeyPatch, n_values: int
) -> None:
    """With few values in the caller's thread, with many on others."""
    seen = set()

    def work(part: int) -> int:
        seen.add(threading.current_thread().name.partition("_")[0])
        return part * part

    processors(monkeypatch, 2)
    assert side_by_side(work, range(5), n_values=n_values) == [0, 1, 4, 9, 16]
    assert seen == ({"mlops"} if n_values else {threading.current_thread().name})
