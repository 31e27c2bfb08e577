"""The aspects of a column that can drift: each is one class with its name, effect and words.

To add one, write a module with a subclass of `Aspect` and add the class to `ASPECTS`: thresholds,
its part of the level of false alarms, reports and pages follow from these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tasks.drift.aspects.base import Aspect
from mlops_tasks.drift.aspects.concentration import Concentration
from mlops_tasks.drift.aspects.missing import MissingShare
from mlops_tasks.drift.aspects.out_of_range import OutOfRange
from mlops_tasks.drift.aspects.reference import ReferenceProfiles
from mlops_tasks.drift.aspects.shape_and_level import Level, Shape
from mlops_tasks.drift.aspects.shares import CategoryShares, CodeShares
from mlops_tasks.drift.aspects.unseen_values import UnseenCategories, UnseenNumbers

if TYPE_CHECKING:
    from mlops_tasks.drift.samples import Profiles
    from mlops_tasks.profiles import Profile

__all__ = ["ASPECTS", "Aspect", "aspects_of"]

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


def aspects_of(whole: Profile, days: Profiles = ()) -> tuple[Aspect, ...]:
    """Return every aspect that the columns of a reference have.

    Parameters
    ----------
    whole : Profile
        Of the whole reference.
    days : sequence of Profile, optional
        Of its days; by default the whole is taken for a single one.

    Returns
    -------
    tuple of Aspect
        Each of a block of columns.
    """
    reference = ReferenceProfiles(whole, days or (whole,))
    return tuple(aspect for kind in ASPECTS for aspect in kind.of(reference))
