"""The criteria of a verdict, by the question that they answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mlops_tasks.gate.criteria import Criterion

__all__ = ["Section", "sections"]

_BUDGETS = ("latency", "size", "memory")
_QUESTIONS = (
    (("superiority", "floor"), "Is it better?", "One that is shown to be better is enough."),
    (("non_inferiority",), "Is it no worse?", "Each interval must lie right of its margin."),
    (("slice",), "Is any group harmed?", "Only a shown harm counts; most harmed first."),
    (("fairness",), "Are groups treated alike?", "Each interval must lie within its limit."),
    (("calibration", "overfit"), "Do its predictions mean what they say?", "Limits of the spec."),
    (_BUDGETS, "Can it be served?", "Budgets of the spec, measured where the gate ran."),
)
_ORDER = {"alarm": 0, "cannot tell": 1, "fine": 2}


@dataclass(frozen=True, slots=True)
class Section:
    """A question, how it is decided, and its criteria."""

    question: str
    rule: str
    criteria: tuple[Criterion, ...]


def sections(criteria: Iterable[Criterion]) -> list[Section]:
    """Return the questions that were asked; what belongs to none of them comes last."""
    waiting = list(criteria)
    found = []
    for kinds, question, rule in _QUESTIONS:
        own = [one for one in waiting if one.kind in kinds]
        if kinds == ("slice",):
            own.sort(key=lambda one: (_ORDER.get(one.answer, 3), one.value or 0.0))
        if own:
            found.append(Section(question, rule, tuple(own)))
        waiting = [one for one in waiting if one.kind not in kinds]
    if waiting:
        found.append(Section("What else was asked?", "", tuple(waiting)))
    return found
