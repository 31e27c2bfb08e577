"""A text model of several classes, from its source to its checks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tasks.partitions import shift_day

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.projects.conftest import Project


def days(first: str, n: int) -> list[str]:
    return [shift_day(first, number) for number in range(n)]


def test_tickets_find_their_queue_and_new_words_are_seen(
    project: Callable[[str, str], Project],
) -> None:
    tickets = project("support_tickets", "tickets")
    tickets.take_in(days("2024-03-01", 40))
    trained, verdict = tickets.train("2024-04-10")
    assert trained.classes == ("account", "billing", "returns", "shipping")
    assert verdict.verdict == "promote"
    # One ticket in twelve lies in a queue at random, so about 93 % is what can be reached.
    assert 0.8 < verdict.challenger["accuracy"] < 0.98

    tickets.take_in(days("2024-04-10", 14))
    quiet, performance, _ = tickets.watch(days("2024-04-06", 9))
    assert [check.name for check in performance.checks] == ["log_loss", "calibration_gap"]
    assert not performance.alarms
    assert not quiet.alarms, "before the new product nothing has changed"
    moved, _, _ = tickets.watch(days("2024-04-15", 9))
    assert "message.unseen_tokens" in {check.name for check in moved.alarms}
