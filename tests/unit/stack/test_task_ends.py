"""How soon the supervisor sees that a task's process has ended."""

from __future__ import annotations

import inspect
from types import SimpleNamespace
from typing import Any

import pytest

from mlops_airflow.stack.task_ends import notice_task_ends


@pytest.fixture
def supervised(monkeypatch: pytest.MonkeyPatch) -> type:
    """Airflow's class with the change, which is taken back afterwards."""
    from airflow.sdk.execution_time.supervisor import WatchedSubprocess

    monkeypatch.setattr(
        WatchedSubprocess,
        "_service_subprocess",
        inspect.unwrap(WatchedSubprocess._service_subprocess),
    )
    notice_task_ends()
    return WatchedSubprocess


def waited(supervised: Any, open_sockets: dict[Any, str]) -> float:
    """Return how long the supervisor is ready to wait for sockets."""
    waits: list[float] = []

    def select(timeout: float) -> list[Any]:
        waits.append(timeout)
        return []

    process = SimpleNamespace(
        _open_sockets=open_sockets,
        selector=SimpleNamespace(select=select),
        _check_subprocess_exit=lambda **_options: None,
    )
    assert supervised._service_subprocess(process, max_wait_time=1.0) is None
    return waits[0]


def test_a_task_that_may_still_say_something_is_listened_to(supervised: type) -> None:
    assert waited(supervised, {object(): "requests"}) == 1.0


def test_a_task_that_has_closed_everything_is_about_to_end(supervised: type) -> None:
    assert waited(supervised, {}) == pytest.approx(0.01)


def test_twice_is_once(supervised: Any) -> None:
    changed = supervised._service_subprocess
    notice_task_ends()
    assert supervised._service_subprocess is changed


def test_an_airflow_without_that_method_is_left_alone(
    supervised: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(supervised, "_service_subprocess")
    notice_task_ends()
    assert not hasattr(supervised, "_service_subprocess")
