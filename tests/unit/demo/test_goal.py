"""How many partitions a session of the demo plays."""

from __future__ import annotations

import pytest

from demo.goal import EXTRA, Goal

LEAST, MOST = 14, 45


@pytest.mark.parametrize(
    ("asked", "before", "closed_before", "closes_at", "played"),
    [
        (2, 0, False, 0, 2),
        (20, 30, True, 0, 20),
        (None, 0, False, 9, LEAST),
        (None, 0, False, 20, 20),
        (None, 0, False, 999, MOST),
        (None, 4, False, 0, LEAST - 4),
        (None, 16, False, 20, 4),
        (None, 14, True, 0, EXTRA),
        (None, MOST, False, 999, EXTRA),
    ],
)
def test_how_many_are_played(
    asked: int | None, before: int, closed_before: bool, closes_at: int, played: int
) -> None:
    goal = Goal(asked, before, closed_before, LEAST, MOST)

    def ends(now: int) -> bool:
        return not goal.wants_more(now, lambda: before + now >= closes_at)

    assert next(now for now in range(100) if ends(now)) == played


def test_bar_begins_with_what_is_likely() -> None:
    assert Goal(5, 0, False, LEAST, MOST).expected == 5
    assert Goal(None, 10, False, LEAST, MOST).expected == 4
    assert Goal(None, 20, True, LEAST, MOST).expected == EXTRA
