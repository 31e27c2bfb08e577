"""Retries by kind of error: outages for hours, everything that repeats itself not at all."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.sdk import RetryDecision, RetryPolicy, conf
from airflow.sdk.exceptions import AirflowException, AirflowRuntimeError, AirflowTaskTimeout

from mlops_airflow.notifications.callbacks import report_failure, report_success
from mlops_tasks.exceptions import MlopsError, TimeLimitError, TransientError
from mlops_tasks.outages import outage

if TYPE_CHECKING:
    from airflow.sdk import Context

__all__ = ["RetryByKind", "task_defaults"]

# Python's own words for a mistake in a program: the next attempt makes it again.
_MISTAKES = (
    *(ArithmeticError, AssertionError, AttributeError, EOFError, ImportError, LookupError),
    *(NameError, NotImplementedError, RecursionError, SyntaxError, TypeError, ValueError),
    *(FileExistsError, FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError),
)
_FINAL = (MlopsError, AirflowException, AirflowRuntimeError, *_MISTAKES)
# Where nobody knows whether a retry helps, it costs little to try; hours of it would hide a fault.
_TRIES_OF_UNKNOWN = 3
_TRIES_OF_OVERRUN = 2


@dataclass(frozen=True)
class RetryByKind(RetryPolicy):
    """Retry outages with growing delays until the next partition is due, and fail at once else.

    Parameters
    ----------
    base_s : float
        First delay; every further one is twice as long.
    longest_s : float
        No delay is longer.
    horizon_s : float
        The delays of all retries add up to no more.

    Notes
    -----
    An outage is a `TransientError` or what `mlops_tasks.outages` knows as one. A step that ran
    into its time limit is tried once more, an error that nobody knows twice. Bad data, refused
    models, wrong settings and mistakes in a program fail at once.
    """

    base_s: float
    longest_s: float
    horizon_s: float

    @cached_property
    def delays_s(self) -> tuple[float, ...]:
        """The delay before each retry; at least one, however short the horizon."""
        delays, total_s = [self.base_s], self.base_s
        while total_s + (delay := self._after(delays[-1])) <= self.horizon_s:
            delays.append(delay)
            total_s += delay
        return tuple(delays)

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,
        max_tries: int,
        context: Context | None = None,
    ) -> RetryDecision:
        """Decide on an exception; attempts count from when a person last started the task."""
        attempt = try_number - max(0, max_tries - len(self.delays_s))
        if isinstance(exception, SystemExit | KeyboardInterrupt):
            return RetryDecision.default()  # somebody else ended the process
        if _passes(exception):
            return self._retry(attempt, len(self.delays_s) + 1, "an outage passes by itself")
        if isinstance(exception, AirflowTaskTimeout | TimeLimitError):
            return self._retry(attempt, _TRIES_OF_OVERRUN, "the machine may have been busy")
        if isinstance(exception, _FINAL):
            return RetryDecision.fail("a retry cannot fix this")
        return self._retry(attempt, _TRIES_OF_UNKNOWN, "an unknown error may pass")

    def serialize(self) -> dict[str, Any]:
        """Return the policy as plain JSON."""
        return {"base_s": self.base_s, "longest_s": self.longest_s, "horizon_s": self.horizon_s}

    def _after(self, delay_s: float) -> float:
        # A second at least: delays of nothing would never fill the horizon.
        return max(min(delay_s * 2, self.longest_s), 1.0)

    def _retry(self, attempt: int, tries: int, why: str) -> RetryDecision:
        if attempt >= tries:
            return RetryDecision.fail(f"attempt {attempt} of {tries} failed as those before")
        delay = timedelta(seconds=self.delays_s[min(max(attempt, 1), len(self.delays_s)) - 1])
        return RetryDecision.retry(delay, f"attempt {attempt} of {tries}: {why}; next in {delay}")


def task_defaults(period: timedelta) -> dict[str, Any]:
    """Return the retries and the time limit of every task, and who reports how it ended.

    Parameters
    ----------
    period : timedelta
        From one partition to the next: the delays of all retries add up to this less the time
        limit, so that the last attempt ends before the next partition needs the machine.

    Returns
    -------
    dict of str to Any
        Arguments of operators, for ``default_args``. A process that was killed says nothing about
        why; Airflow tries it again by the same delays.
    """
    limit_s = conf.getfloat("mlops", "time_limit_s", fallback=1800.0)
    policy = RetryByKind(
        base_s=conf.getfloat("mlops", "retry_base_s", fallback=10.0),
        longest_s=conf.getfloat("mlops", "retry_longest_s", fallback=3600.0),
        horizon_s=period.total_seconds() - limit_s,
    )
    return {
        "retries": len(policy.delays_s),
        "retry_delay": timedelta(seconds=policy.base_s),
        "retry_exponential_backoff": 2.0,
        "max_retry_delay": timedelta(seconds=policy.longest_s),
        "retry_policy": policy,
        "execution_timeout": timedelta(seconds=limit_s),
        "on_failure_callback": report_failure,
        "on_success_callback": report_success,
    }


def _passes(error: BaseException) -> bool:
    if isinstance(error, AirflowRuntimeError):  # what Airflow's own server could not do for a task
        return error.error.error.name in ("API_SERVER_ERROR", "GENERIC_ERROR")
    # One of ours may be raised from an outage: a log that cannot be read just now.
    errors = (error, error.__cause__)
    return any(e and (isinstance(e, TransientError) or outage(e)) for e in errors)
