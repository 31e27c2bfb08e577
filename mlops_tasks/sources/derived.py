"""Other datasets of the lake as a source: a query over exact versions of their partitions."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from mlops_tasks.exceptions import FeatureError
from mlops_tasks.features.duckdb_session import connect, explained
from mlops_tasks.features.repeatable import check_repeatable, one_statement
from mlops_tasks.lake import PARTITION_COLUMN, Lake
from mlops_tasks.partitions import window_start
from mlops_tasks.sources.formats import BATCH_ROWS
from mlops_tasks.sources.source import SourceStream

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa
    import pyarrow.dataset as ds

    from mlops_tasks.lake import Pin, Table
    from mlops_tasks.partitions import Partition
    from mlops_tasks.sources.connection import Connection
    from mlops_tasks.sources.source import Request
    from mlops_tasks.specs import DerivedSource, InputSpec

__all__ = ["PublishedDatasets"]

_THIS = "this_partition"
_PLACE = "the query of the derived dataset"


@dataclass(frozen=True, slots=True)
class PublishedDatasets:
    """The published tables of a lake.

    Attributes
    ----------
    lake : Lake
        The lake.
    """

    lake: Lake

    @property
    def secrets(self) -> tuple[str, ...]:
        """Nothing: it is a folder."""
        return ()

    @classmethod
    def from_connection(cls, connection: Connection) -> Self:
        """Return the lake that is the ``path`` of a connection's extra."""
        return cls(Lake(Path(connection.root)))

    @contextmanager
    def open(self, request: Request[DerivedSource]) -> Iterator[SourceStream]:
        """Pin what each input has published by now, and open what the query makes of it."""
        source, errors, partition = request.source, request.errors, request.partition
        pins = {item.dataset.name: self._pin(item, request) for item in source.inputs}
        tables = {name: self.lake.table(name) for name in pins}
        known = [c.known_at for name, pin in pins.items() for c in tables[name].pinned_commits(pin)]
        with connect() as connection:
            # Several threads would add floats in any order: the same rows must give the same bits.
            connection.execute("SET threads = 1")
            for name, pin in pins.items():
                connection.register(name, _rows(tables[name], pin))
            connection.register(_THIS, _this(partition))
            try:
                sql = one_statement(_PLACE, source.query)
                check_repeatable(_PLACE, connection, sql)
                names = (name for one in source.inputs for name in one.dataset.columns)
                shown = None if errors.hides is None else " ".join([*names, errors.known])
                with explained(_PLACE, connection, known=shown) as ask:
                    found = ask(f"SELECT * FROM (\n{sql}\n)")  # noqa: S608 (the project's own)
                    reader = found.to_arrow_reader(BATCH_ROWS)
                    yield SourceStream(
                        reader.schema,
                        iter(reader),
                        ", ".join(f"{name} version {pin.version}" for name, pin in pins.items()),
                        cancel=connection.interrupt,
                        notes=tuple(
                            note
                            for item in source.inputs
                            for note in _gaps(item, pins[item.dataset.name], partition.key)
                        ),
                        inputs=tuple(pins.values()),
                        known_at=max(known),
                    )
            except FeatureError as error:
                raise errors.query(error) from error

    def _pin(self, item: InputSpec, request: Request[DerivedSource]) -> Pin:
        """Pin an input's partition with its look-back, as published now."""
        name, key = item.dataset.name, request.partition.key
        table = self.lake.table(name)
        if not table.exists or key not in table.partitions():
            raise request.errors.not_found(f"its input {name!r} has not published {key}")
        return table.pin(first=_window(item, key)[0], last=key)


def _window(item: InputSpec, key: str) -> list[str]:
    """Return the keys that an input should have, its look-back included."""
    grain = item.dataset.calendar
    if not item.lookback:
        return [key]
    first = window_start(grain, grain.shift(key, -1), item.lookback)
    return grain.range(max(first, min(item.dataset.first, key)), key)


def _gaps(item: InputSpec, pin: Pin, key: str) -> tuple[str, ...]:
    """Report partitions of the window that nothing has published."""
    wanted, there = len(_window(item, key)), len(pin.versions)
    if there >= wanted:
        return ()
    name, grain = item.dataset.name, item.dataset.grain
    return (f"{name}: {there} of the {wanted} {grain}s looked at are there",)


def _rows(table: Table, pin: Pin) -> ds.Dataset:
    columns = [*pin.columns, PARTITION_COLUMN]
    return table.scan(table.pinned_commits(pin), columns=columns)


def _this(partition: Partition) -> pa.Table:
    import pyarrow as pa

    instant = pa.timestamp("us", tz="UTC")
    return pa.table(
        {
            PARTITION_COLUMN: [partition.key],
            "begins_at": pa.array([partition.start], instant),
            "ends_at": pa.array([partition.end], instant),
        }
    )
