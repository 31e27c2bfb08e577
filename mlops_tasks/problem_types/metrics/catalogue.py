"""The metrics of a problem type: those with a name, and families of which a name sets a number."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlops_tasks.problem_types.metrics.metric import Metric

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Catalogue", "Family"]


@dataclass(frozen=True, slots=True)
class Family:
    """Metrics whose names differ by a number or a class.

    Attributes
    ----------
    shown : str
        As the docs and errors show it.
    pattern : str
        Regular expression of the names; its groups are given to `build`.
    build : callable
        Takes the name and the groups, returns the metric, None where there is none of that number.
    """

    shown: str
    pattern: str
    build: Callable[..., Metric | None]


class Catalogue:
    """The metrics of one problem type."""

    def __init__(self, *entries: Metric | Family) -> None:
        self._metrics = {entry.name: entry for entry in entries if isinstance(entry, Metric)}
        self._families = [entry for entry in entries if isinstance(entry, Family)]

    @property
    def names(self) -> list[str]:
        """What may be written; families as they are shown."""
        return [*self._metrics, *(family.shown for family in self._families)]

    def find(self, name: str) -> Metric | None:
        """Return the metric of this name, None if there is none."""
        if name in self._metrics:
            return self._metrics[name]
        for family in self._families:
            if match := re.fullmatch(family.pattern, name):
                return family.build(name, *match.groups())
        return None
