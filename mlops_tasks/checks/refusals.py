"""Errors as results: the check that meets one first reports it, later ones refer to that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tasks.checks.result import ALARM, CANNOT_TELL, CheckResult
from mlops_tasks.exceptions import MlopsError, TransientError

if TYPE_CHECKING:
    from mlops_tasks.checks.sample import Sample

__all__ = ["UNEXPLAINED", "NotKnownError", "refused"]

#: How the message of an error begins that no code of ours has explained.
UNEXPLAINED = "unexplained"


class NotKnownError(MlopsError):
    """Nothing is wrong that would be known, and not enough is known to tell."""


def refused(look: Sample, check: str, where: str, error: Exception) -> CheckResult:
    """Return an error as the result of a check.

    Parameters
    ----------
    look : Sample
        Remembers who has met the error before.
    check, where : str
        What was checked.
    error : Exception
        What it came to.

    Returns
    -------
    CheckResult
        An alarm. Where another check has reported this very error, or where the same call may
        succeed later, it cannot be told.
    """
    first = look.reported.setdefault(id(error), (check, where))
    if first != (check, where):
        text = f"not looked at: the check {first[0]!r} of {first[1]} failed"
        return CheckResult(check, where, CANNOT_TELL, text, "fix that first", follows=first[0])
    if isinstance(error, NotKnownError):
        return CheckResult(check, where, CANNOT_TELL, str(error))
    if isinstance(error, TransientError):
        return CheckResult(check, where, CANNOT_TELL, str(error), "check again once it answers")
    if isinstance(error, MlopsError):
        return CheckResult(check, where, ALARM, str(error))
    text = f"{UNEXPLAINED} {type(error).__name__}: {error}"
    return CheckResult(check, where, ALARM, text, "a task would fail as well; please report it")
