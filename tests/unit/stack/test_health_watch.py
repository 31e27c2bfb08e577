from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from mlops_airflow.stack import health_watch
from mlops_airflow.stack.health_watch import HealthWatch

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health_watch, "EAGER_S", 0.001)
    monkeypatch.setattr(health_watch, "CALM_S", 0.01)


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_newest_answer_counts() -> None:
    answers = iter([{"a": "no answer"}, {"a": "healthy"}])
    last = {"a": "healthy"}
    watch = HealthWatch(lambda: next(answers, last), lambda text: None)
    assert watch.latest.health == {}

    watch.start()

    wait_for(lambda: watch.latest.health == {"a": "healthy"})
    assert 0 < watch.latest.asked_at <= time.monotonic()


def test_watch_survives_an_answer_that_makes_no_sense() -> None:
    answers = iter([ValueError("Invalid isoformat string")])
    notes: list[str] = []

    def ask() -> dict[str, str]:
        for error in answers:
            raise error
        return {"a": "healthy"}

    watch = HealthWatch(ask, notes.append)
    watch.is_eager = False
    watch.start()

    wait_for(lambda: watch.latest.health == {"a": "healthy"})
    assert "Invalid isoformat string" in notes[0]
