"""The level of a column of numbers: its mean."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mlops_tasks.drift.aspects.base import Aspect, in_blocks
from mlops_tasks.drift.distributions import NumberColumns
from mlops_tasks.drift.effects import CohensD, Readings
from mlops_tasks.drift.formatting import change

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mlops_tasks.drift.aspects.base import ReferenceProfiles
    from mlops_tasks.drift.two_samples import TwoSamples
    from mlops_tasks.profiles import Profile

__all__ = ["Level"]


class Level(Aspect):
    """The mean, in standard deviations."""

    name = "level"

    @classmethod
    def of(cls, reference: ReferenceProfiles) -> Iterable[Aspect]:
        """Look at columns of numbers that have any."""
        return [cls(reference, columns) for columns in in_blocks(reference.numbers)]

    def __init__(self, reference: ReferenceProfiles, columns: tuple[str, ...]) -> None:
        self.columns, self.effect = columns, CohensD()
        self.reference, self.days = self.read([reference.whole]), self.read(reference.days)

    def read(self, profiles: Sequence[Profile]) -> Readings:
        """Read means and variances."""
        numbers = NumberColumns.of(profiles, self.columns)
        return Readings(numbers.mean[:, :, None], numbers.n_present, numbers.variance)

    def describe(self, samples: TwoSamples, i: int) -> str:
        """Write how the mean changed, and by how many standard deviations."""
        at = samples.numbers.names.index(self.columns[i])
        old, new = samples.numbers.mean[:, at].tolist()
        spread = math.sqrt(max(0.0, *samples.numbers.variance[:, at].tolist()))  # as the effect has
        moved = f" ({(new - old) / spread:+.2f} standard deviations)" if spread > 0 else ""
        return f"mean {change(old, new)}{moved}"
