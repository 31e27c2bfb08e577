"""Which errors are tried again, how often and when."""

from __future__ import annotations

import errno
from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowNotFoundException,
    AirflowRuntimeError,
    AirflowTaskTimeout,
    ErrorType,
)

from mlops_airflow.retries import RetryByKind, task_defaults
from mlops_tasks import exceptions

if TYPE_CHECKING:
    from airflow.sdk import RetryDecision

HOUR, DAY = 3600.0, 86400.0
POLICY = RetryByKind(base_s=10, longest_s=HOUR, horizon_s=DAY - HOUR / 2)
OURS: list[type[Exception]] = [getattr(exceptions, name) for name in exceptions.__all__]
OUTAGE = exceptions.SourceUnavailableError("x")


def decide(error: BaseException, attempt: int = 1, *, cleared_at: int = 0) -> RetryDecision:
    tries = cleared_at + len(POLICY.delays_s)
    return POLICY.evaluate(error, try_number=cleared_at + attempt, max_tries=tries)


def action(error: BaseException, attempt: int = 1) -> str:
    return str(decide(error, attempt).action.value)


def airflows(kind: ErrorType) -> AirflowRuntimeError:
    error: Any = SimpleNamespace(error=kind, detail={})
    return AirflowRuntimeError(error)


def test_the_delays_grow_from_seconds_to_an_hour_and_leave_the_last_attempt_its_time() -> None:
    delays = POLICY.delays_s
    assert delays[:4] == (10, 20, 40, 80)
    assert list(delays) == sorted(delays)
    assert max(delays) == HOUR
    assert DAY - HOUR / 2 - HOUR < sum(delays) <= DAY - HOUR / 2


@pytest.mark.parametrize("horizon", [0.0, 5.0, 10.0, 29.0])
def test_there_is_one_retry_at_least(horizon: float) -> None:
    assert RetryByKind(base_s=10, longest_s=HOUR, horizon_s=horizon).delays_s == (10,)


@pytest.mark.parametrize(("base_s", "longest_s"), [(1, 8), (1, 0.1), (0, 0), (8, 1)])
def test_short_delays_fill_the_horizon_too(base_s: float, longest_s: float) -> None:
    delays = RetryByKind(base_s=base_s, longest_s=longest_s, horizon_s=DAY).delays_s

    assert DAY - max(longest_s, 1) < sum(delays) <= DAY
    assert delays[-1] == max(longest_s, 1)


def test_an_outage_is_retried_until_the_next_partition_is_due() -> None:
    waited = timedelta()
    for attempt in range(1, len(POLICY.delays_s) + 1):
        decision = decide(OUTAGE, attempt)
        assert decision.action.value == "retry"
        assert decision.retry_delay is not None
        waited += decision.retry_delay
    assert timedelta(hours=22) < waited < timedelta(hours=24)
    assert action(OUTAGE, len(POLICY.delays_s) + 1) == "fail"


def test_a_cleared_task_begins_with_short_delays_again() -> None:
    assert decide(OUTAGE, 1, cleared_at=7).retry_delay == timedelta(seconds=10)


@pytest.mark.parametrize(
    "error",
    [
        *(kind("x") for kind in OURS if issubclass(kind, exceptions.TransientError)),
        ConnectionRefusedError("x"),
        OSError(errno.ENOSPC, "x"),
        airflows(ErrorType.API_SERVER_ERROR),
    ],
    ids=repr,
)
def test_outages_are_retried_for_hours(error: Exception) -> None:
    assert action(error, 20) == "retry"


@pytest.mark.parametrize(
    "error",
    [
        *(
            kind("x")
            for kind in OURS
            if not issubclass(kind, exceptions.TransientError | exceptions.TimeLimitError)
        ),
        AirflowException("no 'path' in its extra"),
        AirflowNotFoundException("The conn_id `x` isn't defined"),
        airflows(ErrorType.CONNECTION_NOT_FOUND),
        *(AttributeError("x"), KeyError("x"), TypeError("x"), ValueError("x"), NameError("x")),
        *(ImportError("x"), AssertionError("x"), ZeroDivisionError("x"), FileNotFoundError("x")),
    ],
    ids=repr,
)
def test_what_every_attempt_would_repeat_fails_at_once(error: Exception) -> None:
    assert action(error) == "fail"


def test_an_error_of_ours_that_was_raised_from_an_outage_is_one() -> None:
    error = exceptions.DamagedTableError("its log cannot be read")
    error.__cause__ = ConnectionResetError("reset")
    assert action(error, 20) == "retry"


def test_an_unknown_error_is_tried_twice_more_and_not_for_hours() -> None:
    class LibraryError(Exception):
        pass

    actions = [action(LibraryError("x"), attempt) for attempt in (1, 2, 3)]
    assert actions == ["retry", "retry", "fail"]


@pytest.mark.parametrize(
    "error", [AirflowTaskTimeout("x"), exceptions.TimeLimitError("x")], ids=repr
)
def test_a_step_that_took_too_long_is_tried_once_more(error: BaseException) -> None:
    assert [action(error, attempt) for attempt in (1, 2)] == ["retry", "fail"]


def test_a_task_that_was_ended_from_outside_is_tried_as_airflow_does() -> None:
    assert action(SystemExit(143), 5) == "default"


def test_a_decision_says_why() -> None:
    assert decide(OUTAGE, 3).reason == (
        f"attempt 3 of {len(POLICY.delays_s) + 1}: an outage passes by itself; next in 0:00:40"
    )


def test_the_settings_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__MLOPS__RETRY_BASE_S", "0.5")
    monkeypatch.setenv("AIRFLOW__MLOPS__RETRY_LONGEST_S", "2")
    monkeypatch.setenv("AIRFLOW__MLOPS__TIME_LIMIT_S", "3590")
    found = task_defaults(timedelta(hours=1))
    assert found["retry_policy"].delays_s == (0.5, 1, 2, 2, 2, 2)
    assert found["retries"] == 6
    assert found["execution_timeout"] == timedelta(seconds=3590)


def test_the_defaults_are_told_to_airflow() -> None:
    from airflow.sdk import conf

    from mlops_airflow.provider import get_provider_info

    options = get_provider_info()["config"]["mlops"]["options"]
    assert {name: conf.get("mlops", name) for name in options} == {
        name: option["default"] for name, option in options.items()
    }


def test_a_step_lets_no_library_tell_of_an_outage() -> None:
    from mlops_airflow.operators.base import StepOperator

    class Ingest(StepOperator):
        def execute(self, context: Any) -> None:
            raise ConnectionResetError("reset by peer")

    with pytest.raises(exceptions.UnavailableError, match="reset by peer"):
        Ingest(task_id="ingest").execute({})
