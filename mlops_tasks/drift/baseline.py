"""The reference of a comparison, and how much its own days move."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from mlops_tasks.drift.decision import LEVEL_DAYS
from mlops_tasks.exceptions import PartitionNotFoundError
from mlops_tasks.profiles import Profile
from mlops_tasks.profiles.periods import evenly

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mlops_tasks.drift.columns import Floats
    from mlops_tasks.drift.gauges import Aspect
    from mlops_tasks.drift.movement import Movement
    from mlops_tasks.drift.scales import Scale

__all__ = ["FEW_DAYS", "MAX_DAYS", "Baseline"]

MAX_DAYS = 60
"""So many days are enough to tell how days differ; of more, these are taken evenly."""

FEW_DAYS = LEVEL_DAYS
"""So many keep the level of false alarms: what is read of a window that its roll-ups serve.

With twice as many a threshold would be lower by a tenth at most: Fisher's F has 27 degrees of
freedom, not 55.
"""


@dataclass(frozen=True)
class Baseline:
    """A reference: its profile, and those of its days if there are any.

    Attributes
    ----------
    whole : Profile
        Of all rows of the reference, merged.
    days : tuple of Profile
        Of its days, or of `MAX_DAYS` of them, each with rows of its own. Without them rows count as
        independent, which those of a day hardly ever are: expect more alarms then. With 28 or more
        the false alarms keep their level; fewer than 5 tell nothing and are not used.
    label : str
        What people call it, such as ``"training data of version 3"``.
    """

    whole: Profile
    days: tuple[Profile, ...] = ()
    label: str = "reference"

    @classmethod
    def of(
        cls,
        parts: Sequence[Profile],
        label: str = "reference",
        *,
        days: Sequence[Profile] | None = None,
    ) -> Baseline:
        """Make a reference of the profiles of its days, or of longer parts.

        Parameters
        ----------
        parts : sequence of Profile
            At least one, in any order.
        label : str, optional
            What people call it.
        days : sequence of Profile, optional
            Of its days, or of some; by default the parts.

        Returns
        -------
        Baseline
            With all parts merged.

        Raises
        ------
        PartitionNotFoundError
            If there is none.
        """
        if not parts:
            raise PartitionNotFoundError(
                f"the reference {label!r} has no profile: none of its days was ever profiled; "
                "ingest them again, or choose another reference"
            )
        few = evenly(parts if days is None else days, MAX_DAYS)
        return cls(Profile.merged(parts), few, label)

    def only(self, names: Iterable[str]) -> Baseline:
        """Return the same reference of some of its columns."""
        return replace(self, whole=self.whole.only(names))

    @cached_property
    def scales(self) -> tuple[tuple[Scale, dict[Aspect, Movement]], ...]:
        """The gauges of each kind of column, with the movement of the days by aspect."""
        from mlops_tasks.drift.movement import movement_of
        from mlops_tasks.drift.scales import scales_of

        def moved(scale: Scale) -> tuple[Scale, dict[Aspect, Movement]]:
            return scale, {a: movement_of(g, scale.own[a]) for a, g in scale.gauges.items()}

        return tuple(map(moved, scales_of(self.whole, self.days, self.known_numbers)))

    @cached_property
    def known_numbers(self) -> dict[str, Floats]:
        """The numbers that the days had, of each column whose numbers repeat."""
        from mlops_tasks.drift.repeats import known_numbers

        return known_numbers(self.days)
