"""The aspects of a column that can drift: each is one class with its name, effect and words.

To add one, write a module with a subclass of `Aspect` and add the class to `ASPECTS`: thresholds,
its part of the level of false alarms, reports and pages follow from these.
"""

from __future__ import annotations

from mlops_tasks.drift.aspects.base import Aspect, ReferenceProfiles
from mlops_tasks.drift.aspects.missing import MissingShare
from mlops_tasks.drift.aspects.shape_and_level import Level, Shape
from mlops_tasks.drift.aspects.shares import CategoryShares, CodeShares, Concentration
from mlops_tasks.drift.aspects.unseen_values import OutOfRange, UnseenCategories, UnseenNumbers

__all__ = ["ASPECTS", "Aspect", "ReferenceProfiles"]

ASPECTS: tuple[type[Aspect], ...] = (
    MissingShare,
    Shape,
    Level,
    CodeShares,
    UnseenNumbers,
    OutOfRange,
    CategoryShares,
    UnseenCategories,
    Concentration,
)
"""In the order of a report."""
