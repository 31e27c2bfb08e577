"""One measured figure, what it must be, and what a peer needs."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Figure", "Samples", "figure"]


@dataclass(frozen=True, slots=True)
class Samples:
    """Repeated measurements of one thing.

    Parameters
    ----------
    values : tuple of float
        In the order they were taken; at least one.
    """

    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Sequence[float]) -> Samples:
        """Take measurements in any sequence."""
        return cls(tuple(values))

    @property
    def median(self) -> float:
        """The median."""
        return statistics.median(self.values)

    @property
    def low(self) -> float:
        """The smallest one."""
        return min(self.values)

    @property
    def high(self) -> float:
        """The largest one."""
        return max(self.values)


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of a benchmark's table.

    Parameters
    ----------
    what : str
        What was measured.
    value : float or None
        Median of the measurements; None when it could not be measured.
    unit : str
        Unit of all its numbers.
    required : str or None
        What the value must be, as text; None where nothing is required.
    ok : bool or None
        Whether it is; None where nothing is required.
    peer : str or None
        What else was measured in the same run.
    peer_value : float or None
        The peer's median.
    low, high, peer_low, peer_high : float or None
        Smallest and largest measurement.
    """

    what: str
    value: float | None
    unit: str
    required: str | None = None
    ok: bool | None = None
    peer: str | None = None
    peer_value: float | None = None
    low: float | None = None
    high: float | None = None
    peer_low: float | None = None
    peer_high: float | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the figure as plain JSON."""
        return {name: getattr(self, name) for name in self.__slots__}


def figure(
    what: str,
    measured: Samples | float | None,
    unit: str,
    *,
    at_least: float | None = None,
    below: float | None = None,
    peer: str | None = None,
    peer_measured: Samples | float | None = None,
) -> Figure:
    """Make a figure and judge it.

    Parameters
    ----------
    what, unit : str
        Name and unit.
    measured : Samples or float or None
        Ours; None fails every requirement.
    at_least, below : float, optional
        The requirement.
    peer : str, optional
        Name of the peer.
    peer_measured : Samples or float, optional
        The peer's measurements.

    Returns
    -------
    Figure
        With medians, rounded for reading.

    Examples
    --------
    >>> figure("wall time", Samples.of([1.0, 3.0, 2.0]), "s", below=2.5).ok
    True
    """
    value, low, high = _spread(measured)
    peer_value, peer_low, peer_high = _spread(peer_measured)
    required, ok = None, None
    if at_least is not None:
        required, ok = f"at least {at_least:g}", value is not None and value >= at_least
    elif below is not None:
        required, ok = f"under {below:g}", value is not None and value < below
    return Figure(what, value, unit, required, ok, peer, peer_value, low, high, peer_low, peer_high)


def _spread(
    measured: Samples | float | None,
) -> tuple[float | None, float | None, float | None]:
    if isinstance(measured, Samples):
        return round(measured.median, 4), round(measured.low, 4), round(measured.high, 4)
    return (None if measured is None else round(measured, 4)), None, None
