"""What a part of the benchmark has measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks._shared.figures import Figure

__all__ = ["Measured"]


class Measured(NamedTuple):
    """What a part has measured; the script adds machine and load."""

    figures: list[Figure]
    tables: dict[str, list[Sequence[str]]]
    notes: list[str]
