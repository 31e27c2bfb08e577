"""Prefetch: the source is read while what was read before is written."""

from __future__ import annotations

import queue
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["prefetch"]

T = TypeVar("T")

_DEPTH = 2
_POLL_S = 0.2
_END = object()


@contextmanager
def prefetch(items: Iterator[T], cancel: Callable[[], None] | None) -> Iterator[Iterator[T]]:
    """Iterate in a thread of its own, at most two items ahead.

    Parameters
    ----------
    items : iterator
        Used in that thread only, and not any more after leaving: what it reads from may be closed.
    cancel : callable or None
        Ends a read that is under way; called on leaving early. None where another thread may not
        read: the items are then taken one by one.

    Yields
    ------
    iterator
        The same items in the same order; an error is raised at its place.
    """
    if cancel is None:
        yield items
        return
    ahead: queue.Queue[Any] = queue.Queue(_DEPTH)
    left = threading.Event()

    def put(item: Any) -> bool:
        while not left.is_set():
            try:
                ahead.put(item, timeout=_POLL_S)
            except queue.Full:
                continue
            return True
        return False

    def read() -> None:
        try:
            for item in items:
                if not put((item, None)):
                    return
            put((_END, None))
        except BaseException as error:  # raised where the items are used
            put((_END, error))

    reader = threading.Thread(target=read, name="prefetch", daemon=True)
    reader.start()
    try:
        yield _taken(ahead)
    finally:
        left.set()
        if reader.is_alive():
            cancel()
        reader.join()


def _taken(ahead: queue.Queue[Any]) -> Iterator[Any]:
    while True:
        item, error = ahead.get()
        if error is not None:
            raise error
        if item is _END:
            return
        yield item
