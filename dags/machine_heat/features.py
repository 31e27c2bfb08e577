"""The features of the machine heat model."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["features"]


def features(machine_trends: pd.DataFrame) -> pd.DataFrame:
    """Return what is known in the evening, one row per machine."""
    known = machine_trends.assign(asked_at=machine_trends["read_at"])
    measured = ["kind", "hours", "temperature", "week_temperature"]
    return known[["machine_id", "day", "asked_at", *measured]]
