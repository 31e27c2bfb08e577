"""Mappers: to which partitions of a model those of a dataset belong, and which keys exist."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from airflow.partition_mappers.base import PartitionMapper
from airflow.partition_mappers.window import Window
from airflow.sdk import RollupMapper

from mlops_tasks.exceptions import PartitionKeyError
from mlops_tasks.partitions import GRAINS, GrainName, Partition

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

__all__ = [
    "CoarserMapper",
    "FinerWindow",
    "KeyMapper",
    "VersionMapper",
    "same_key",
    "waiting_for_all",
]


def _begin(key: str, grain: GrainName, timezone: str) -> datetime:
    """Return when a partition begins; a wrong key is refused in the way that Airflow answers to."""
    try:
        return Partition(GRAINS[grain].check(key), timezone, GRAINS[grain]).start
    except PartitionKeyError as error:
        raise ValueError(str(error)) from error


class KeyMapper(PartitionMapper):
    """From a key to the same key; one that is none of the grain is refused when it is triggered.

    Airflow's own mapper of this kind takes any text, and the run fails at its first task.

    Parameters
    ----------
    grain : str
        Of the keys.
    timezone : str
        Name of the zone that days, weeks and months begin in.
    """

    def __init__(self, grain: GrainName, timezone: str, **more: Any) -> None:
        super().__init__(**more)
        self.grain, self.timezone = grain, timezone

    def to_downstream(self, key: str) -> str:
        """Return the same key."""
        return key

    def to_partition_date(self, downstream_key: str) -> datetime:
        """Return when the partition begins, or refuse the key."""
        return _begin(downstream_key, self.grain, self.timezone)

    def serialize(self) -> dict[str, Any]:
        """Return what makes it again."""
        return {"grain": self.grain, "timezone": self.timezone}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> Any:
        """Make it again."""
        return cls(data["grain"], data["timezone"])


class VersionMapper(PartitionMapper):
    """From a version to itself; what is no number of one is refused when it is triggered."""

    def to_downstream(self, key: str) -> str:
        """Return the same key."""
        return key

    def to_partition_date(self, downstream_key: str) -> None:
        """Return nothing, a version has no date, or refuse the key."""
        if not (downstream_key.isascii() and downstream_key.isdecimal()):
            raise ValueError(
                f"{downstream_key!r} is no version of a model: write its number, as MLflow has it, "
                "such as 7"
            )


class _Grains:
    """A finer and a coarser grain in one zone. Two partitions match when they share an instant.

    Airflow's own windows have 24 hours in every day; a day of a zone may have 23 or 25.
    """

    def __init__(self, fine: GrainName, coarse: GrainName, timezone: str, **more: Any) -> None:
        super().__init__(**more)
        self.fine, self.coarse, self.timezone = fine, coarse, timezone

    def serialize(self) -> dict[str, Any]:
        """Return what makes it again."""
        return {"fine": self.fine, "coarse": self.coarse, "timezone": self.timezone}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> Any:
        """Make it again."""
        return cls(data["fine"], data["coarse"], data["timezone"])


class CoarserMapper(_Grains, PartitionMapper):
    """From the key of a finer partition to those of the coarser ones that it is part of.

    Parameters
    ----------
    fine, coarse : str
        Grains.
    timezone : str
        Name of the zone that days, weeks and months begin in.
    """

    def to_downstream(self, key: str) -> Iterable[str]:
        """Return one key, or two where it lies over the end of one."""
        return Partition(key, self.timezone, GRAINS[self.fine]).keys(GRAINS[self.coarse])

    def to_partition_date(self, downstream_key: str) -> datetime:
        """Return when the coarser partition begins, or refuse the key."""
        return _begin(downstream_key, self.coarse, self.timezone)


class FinerWindow(_Grains, Window):
    """From the key of a coarser partition to those of all finer ones in it.

    Parameters
    ----------
    fine, coarse : str
        Grains.
    timezone : str
        Name of the zone that days, weeks and months begin in.
    """

    expected_decoded_type: ClassVar[type] = str

    def to_upstream(self, decoded_downstream: str) -> Iterable[str]:
        """Return the keys, in order."""
        whole = Partition(decoded_downstream, self.timezone, GRAINS[self.coarse])
        return whole.keys(GRAINS[self.fine])


def same_key(grain: GrainName, timezone: str) -> Any:
    """Return the mapper that starts a partition by the same key of its inputs.

    Parameters
    ----------
    grain : str
        Of the keys.
    timezone : str
        Name of the zone that days, weeks and months begin in.
    """
    return KeyMapper(grain, timezone)  # the server's class, which the SDK's types do not know


def waiting_for_all(fine: GrainName, coarse: GrainName, timezone: str) -> RollupMapper:
    """Return the mapper that starts a coarser partition once every finer one in it is there.

    Parameters
    ----------
    fine, coarse : str
        Grains.
    timezone : str
        Name of the zone that days, weeks and months begin in.
    """
    return RollupMapper(
        upstream_mapper=CoarserMapper(fine, coarse, timezone),  # type: ignore[arg-type]
        window=FinerWindow(fine, coarse, timezone),  # type: ignore[arg-type]
    )
