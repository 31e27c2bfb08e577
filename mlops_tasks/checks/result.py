"""What a check answers: fine, an alarm, or that it cannot be known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["ALARM", "CANNOT_TELL", "FINE", "Answer", "CheckResult", "exit_code"]

Answer = Literal["fine", "alarm", "cannot tell"]

FINE: Answer = "fine"
ALARM: Answer = "alarm"
CANNOT_TELL: Answer = "cannot tell"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One thing that was checked.

    Attributes
    ----------
    check : str
        Kind of check, as the registry names it.
    where : str
        Dataset, column, file or field that it is about.
    answer : str
        ``fine``, ``alarm``, or ``cannot tell``.
    message : str
        What was found.
    fix : str
        What to change where it is an alarm, and what to do to know where it is not known. Empty
        where the message says it.
    follows : str
        The check whose failure kept this one from looking; mostly empty.
    """

    check: str
    where: str
    answer: Answer
    message: str
    fix: str = ""
    follows: str = ""


def exit_code(results: Iterable[CheckResult]) -> int:
    """Return the exit code of a command: 1 with any alarm, else 3 with anything unknown, else 0.

    Parameters
    ----------
    results : iterable of CheckResult
        All that was found.

    Returns
    -------
    int
        0, 1 or 3.

    Examples
    --------
    >>> exit_code([CheckResult("suite", "flights", "cannot tell", "no rows")])
    3
    """
    answers = {result.answer for result in results}
    return 1 if ALARM in answers else 3 if CANNOT_TELL in answers else 0
