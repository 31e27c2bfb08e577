from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from mlops_tasks.sources import prefetch

if TYPE_CHECKING:
    from collections.abc import Iterator

THREADS = "prefetch"


def readers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == THREADS]


def nothing() -> None:
    pass


def test_items_come_in_order_and_the_thread_ends() -> None:
    with prefetch(iter(range(100)), nothing) as items:
        assert list(items) == list(range(100))
    assert not readers()


def test_it_is_at_most_two_items_ahead() -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for number in range(10):
            made.append(number)
            yield number

    with prefetch(items(), nothing) as taken:
        assert next(taken) == 0
        time.sleep(0.3)
        assert made[-1] <= 3
        assert list(taken) == list(range(1, 10))


def test_an_error_is_raised_at_its_place() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise KeyError("gone")

    with pytest.raises(KeyError, match="gone"), prefetch(items(), nothing) as taken:  # noqa: PT012
        assert next(taken) == 1
        next(taken)
    assert not readers()


def test_leaving_early_cancels_a_read_and_waits_for_it() -> None:
    cancelled, ended = threading.Event(), []

    def items() -> Iterator[int]:
        yield 1
        assert cancelled.wait(30)
        ended.append(True)
        raise OSError("cancelled")

    with pytest.raises(ValueError, match="enough"), prefetch(items(), cancelled.set) as taken:  # noqa: PT012
        assert next(taken) == 1
        raise ValueError("enough")
    assert ended
    assert not readers()


def test_leaving_early_stops_what_waits_to_be_taken() -> None:
    with prefetch(iter(range(100)), nothing) as taken:
        assert next(taken) == 0
    assert not readers()


def test_without_another_thread_items_are_taken_one_by_one() -> None:
    with prefetch(iter(range(3)), None) as items:
        assert next(items) == 0
        assert not readers()
        assert list(items) == [1, 2]
