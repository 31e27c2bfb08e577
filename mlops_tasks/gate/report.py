"""The whole of a gate as plain JSON: what was registered, what was found, what follows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlops_tasks.serialization import to_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlops_tasks.gate.verdict import Verdict

__all__ = ["error_rate", "gate_report"]

_FORMAT = 1
_NIGHTS = 365


def gate_report(
    model: str, verdict: Verdict, registration: Mapping[str, Any], level: float
) -> dict[str, Any]:
    """Return what ``gate.json`` holds, from which a page is drawn and which an approval names.

    Parameters
    ----------
    model : str
        Registered model.
    verdict : Verdict
        With its criteria; what it stored as artifacts is left out.
    registration : mapping
        The plan, from `GatePlan.registration`.
    level : float
        ``GatePlan.level``.

    Returns
    -------
    dict
        ``format``, ``model``, ``plan`` (with its ``digest``), ``verdict`` (a `Verdict` with its
        ``criteria`` and ``worst_slices``) and ``error_rate``.
    """
    said = to_json(verdict)
    said.pop("artifacts")
    return {
        "format": _FORMAT,
        "model": model,
        "plan": dict(registration),
        "verdict": said,
        "error_rate": error_rate(level),
    }


def error_rate(level: float, gates: int = _NIGHTS) -> dict[str, float]:
    """Return how often challengers that are no better are promoted, of a year of nightly gates.

    Parameters
    ----------
    level : float
        Chance that one gate promotes one, at most.
    gates : int, default 365
        Gates in a year.

    Returns
    -------
    dict of str to float
        ``level``, ``gates``, ``expected``, the number of wrong promotions if no challenger of the
        year is better, at most; and ``any``, the chance of at least one if the gates do not depend
        on each other, ``1 - (1 - level) ** gates``.

    Notes
    -----
    The expected number holds whether or not evaluation windows overlap. To be wrong once a year at
    most in the mean takes ``confidence = 1 - 2 / 365``.

    Examples
    --------
    >>> error_rate(0.025)
    {'level': 0.025, 'gates': 365, 'expected': 9.1, 'any': 0.9999}
    """
    return {
        "level": round(level, 12),
        "gates": gates,
        "expected": round(level * gates, 1),
        "any": round(1 - (1 - level) ** gates, 4),
    }
