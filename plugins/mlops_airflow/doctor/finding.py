"""One thing that was looked at: fine, alarm, or it cannot be told."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Answer", "Finding", "alarm", "cannot_tell", "fine", "setting", "worst"]


class Answer(StrEnum):
    """What a check says; cannot tell is never fine."""

    FINE = "fine"
    ALARM = "alarm"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check has found.

    Attributes
    ----------
    check : str
        Its name.
    answer : Answer
        What it says.
    found : str
        What there is.
    place : str
        Where it is set, or lies.
    fix : str
        How to set it; empty where nothing is to be done.
    """

    check: str
    answer: Answer
    found: str
    place: str
    fix: str = ""


def fine(check: str, found: str, place: str, fix: str = "") -> Finding:
    """Return a finding that is as it should be; `fix` says how to have it otherwise."""
    return Finding(check, Answer.FINE, found, place, fix)


def alarm(check: str, found: str, place: str, fix: str) -> Finding:
    """Return a finding that somebody must do something about."""
    return Finding(check, Answer.ALARM, found, place, fix)


def cannot_tell(check: str, found: str, place: str, fix: str = "") -> Finding:
    """Return a finding that could not be made."""
    return Finding(check, Answer.CANNOT_TELL, found, place, fix)


def worst(findings: Iterable[Finding]) -> Answer:
    """Return alarm if there is one, else cannot tell if there is one, else fine."""
    answers = {finding.answer for finding in findings}
    return next((one for one in (Answer.ALARM, Answer.CANNOT_TELL) if one in answers), Answer.FINE)


def setting(section: str, option: str, value: str) -> str:
    """Return how an option of Airflow is set by its environment.

    Examples
    --------
    >>> setting("core", "test_connection", "Enabled")
    'AIRFLOW__CORE__TEST_CONNECTION=Enabled'
    """
    return f"AIRFLOW__{section.upper()}__{option.upper()}={value}"
