"""What is asked of a challenger, one record each, and the verdict that follows from them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["ALARM", "CANNOT_TELL", "FINE", "Criterion", "conclude"]

FINE, ALARM, CANNOT_TELL = "fine", "alarm", "cannot tell"

#: Kinds that say a challenger is better; any one of them is enough.
_BETTER = frozenset({"superiority", "floor"})
#: Kinds of which only a shown harm counts: groups that are many and small, and what a busy machine
#: leaves unclear, on which no promotion may depend.
_HARM_ONLY = frozenset({"slice", "latency"})
_MOST_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Criterion:
    """One thing that is asked of a challenger, and the answer.

    Attributes
    ----------
    name : str
        What is measured: a metric, or ``"<metric> in <slice>=<group>"``, a limit.
    kind : str
        ``"superiority"``, ``"floor"`` (superiority of a first model), ``"non_inferiority"``,
        ``"slice"``, ``"fairness"``, ``"calibration"``, ``"overfit"``, or a budget such as
        ``"latency"``.
    answer : str
        ``"fine"``, ``"alarm"`` or ``"cannot tell"``. Of superiority an alarm says that it was not
        shown.
    text : str
        In one sentence, with its figures.
    value, lower, upper : float or None
        The measured value with its interval, where there is one. Differences to the champion are
        above 0 where the challenger is better, whichever way the metric goes.
    margin : float or None
        What the interval is held against: of a difference the smallest that passes, else a limit.
    confidence : float or None
        Of the interval; Holm's, where several are asked at once.
    failing : str
        What follows unless it is fine: ``"veto"``, ``"ask"`` a person, or ``"report"`` only.
    n_rows : int or None
        Rows that it was measured on.
    """

    name: str
    kind: str
    answer: str
    text: str
    value: float | None = None
    lower: float | None = None
    upper: float | None = None
    margin: float | None = None
    confidence: float | None = None
    failing: str = "veto"
    n_rows: int | None = None


def conclude(criteria: Sequence[Criterion], *, approval: bool = False) -> tuple[str, str]:
    """Return the verdict that follows from criteria, and the reason in a few sentences.

    Parameters
    ----------
    criteria : sequence of Criterion
        At least one of superiority, or a floor.
    approval : bool, default False
        Whether a person decides about whatever would be promoted.

    Returns
    -------
    tuple of (str, str)
        ``"keep"`` where nothing shows it to be better, or a limit is broken; ``"cannot_tell"``
        where a limit may be broken or may not; ``"ask"`` where a broken or unclear limit asks a
        person, or all do; else ``"promote"``. Of slices and latency only harm counts.
    """
    better = [one for one in criteria if one.kind in _BETTER]
    shown = [one for one in better if one.answer == FINE]
    others = [one for one in criteria if one.kind not in _BETTER and one.failing != "report"]
    broken = [one for one in others if one.answer == ALARM]
    unclear = [one for one in others if _is_unclear(one)]
    vetoes = [one for one in broken if one.failing == "veto"]
    if not shown:
        return _not_shown(better), _sentence([*better, *vetoes])
    if vetoes:
        return "keep", _sentence([*shown, *vetoes])
    if blocking := [one for one in unclear if one.failing == "veto"]:
        return "cannot_tell", f"{_sentence([*shown, *blocking])}; take a larger evaluation window"
    if asking := [one for one in (*broken, *unclear) if one.failing == "ask"]:
        return "ask", f"a person must decide: {_sentence([*shown, *asking])}"
    if approval:
        return "ask", f"a person decides about each promotion: {_sentence(shown)}"
    return "promote", _sentence(shown) + _passed(others)


def _is_unclear(one: Criterion) -> bool:
    return one.answer == CANNOT_TELL and one.kind not in _HARM_ONLY


def _not_shown(better: Iterable[Criterion]) -> str:
    """Keep the champion where nothing was shown; where nothing could be, nobody can tell."""
    return "cannot_tell" if all(one.answer == CANNOT_TELL for one in better) else "keep"


def _sentence(criteria: Sequence[Criterion]) -> str:
    more = len(criteria) - _MOST_SHOWN
    shown = "; ".join(one.text for one in criteria[: _MOST_SHOWN + (more == 1)])
    return f"{shown}; and {more} more" if more > 1 else shown


def _passed(others: Sequence[Criterion]) -> str:
    """Count what it passed, by kind."""
    counts = Counter(one.kind.replace("_", "-") for one in others if one.answer == FINE)
    listed = ", ".join(f"{n} of {kind}" for kind, n in counts.items())
    return f"; within all limits: {listed}" if listed else ""
