"""A table holds one snapshot: opened once, consistent, and never the base of a lost update."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import deltalake
import pyarrow as pa
import pytest

from mlops_tasks.exceptions import SchemaMismatchError, StaleAttemptError
from mlops_tasks.lake import Lake, Table, known_by_schedule, overwrite_partition
from mlops_tasks.partitions import today

if TYPE_CHECKING:
    from collections.abc import Callable

D1, D2 = "2024-03-01", "2024-03-02"


def rows(*numbers: int) -> pa.Table:
    return pa.table({"n": list(numbers)})


def numbers(table: Table) -> list[int]:
    return sorted(table.read().column("n").to_pylist())


@pytest.fixture
def written(lake: Lake) -> Lake:
    overwrite_partition(lake.table("t"), D1, rows(1, 2), token=1)
    return lake


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """How often a Delta table is opened from here on."""
    made: list[str] = []
    init: Callable[..., None] = deltalake.DeltaTable.__init__

    def counted(self: deltalake.DeltaTable, uri: str, **options: Any) -> None:
        made.append(uri)
        init(self, uri, **options)

    monkeypatch.setattr(deltalake.DeltaTable, "__init__", counted)
    return made


def test_a_table_is_opened_once_for_all_that_is_asked_and_written(
    written: Lake, opened: list[str]
) -> None:
    table = written.table("t")
    assert numbers(table) == [1, 2]
    pin = table.pin(first=D1, last=D1)
    overwrite_partition(table, D2, rows(3), token=table.newest_token(D2) + 1)
    assert table.partitions() == [D1, D2]
    assert table.read_pin(pin).num_rows == 2
    table.verify_pin(pin)
    assert len(opened) == 1


def test_a_table_stays_as_it_was_until_it_is_refreshed(written: Lake) -> None:
    table = written.table("t")
    assert table.version == 1
    overwrite_partition(written.table("t"), D1, rows(7), token=2)
    assert (table.version, numbers(table)) == (1, [1, 2])
    table.refresh()
    assert (table.version, numbers(table)) == (2, [7])


def test_a_writer_with_an_old_snapshot_loses_nothing(written: Lake) -> None:
    table = written.table("t")
    assert table.version == 1
    wider = rows(7).append_column("more", pa.array([1]))
    overwrite_partition(written.table("t"), D2, wider, token=1)
    with pytest.raises(
        SchemaMismatchError, match="more: table has int64, rows have no such column"
    ):
        overwrite_partition(table, D1, rows(3), token=2)
    overwrite_partition(table, D1, wider, token=2)
    assert numbers(table) == [7, 7]


def test_a_late_attempt_with_an_old_snapshot_is_refused(written: Lake) -> None:
    table = written.table("t")
    assert table.newest_token(D1) == 1
    overwrite_partition(written.table("t"), D1, rows(5), token=5)
    with pytest.raises(StaleAttemptError, match="attempt 5 has committed"):
        overwrite_partition(table, D1, rows(3), token=3)
    assert numbers(table) == [5]


def test_a_lost_race_is_dated_anew(written: Lake) -> None:
    """By the old snapshot this would be the day's first content, known since its night."""
    table = written.table("t")
    assert table.newest_token(D2) == 0
    overwrite_partition(written.table("t"), D2, rows(5), token=1, known_at=D2)
    overwrite_partition(table, D2, rows(6), token=2, known_at=known_by_schedule(table, D2, D2))
    first, second = [c.known_at for c in table.all_commits() if c.partition == D2]
    assert (first, second) == (D2, today())


def test_the_ways_of_0_1_work_with_a_warning(lake: Lake) -> None:
    with pytest.warns(DeprecationWarning, match=r"overwrite_partition\(lake.table\(table\), ...\)"):
        written = lake.overwrite_partition("t", D1, rows(1), token=1)
    assert written.version == 1
    with pytest.warns(DeprecationWarning, match=r"Lake.table\(table\).read; the old way"):
        assert lake.read("t", first=D1, last=D1).num_rows == 1
    with pytest.warns(DeprecationWarning, match=r"Lake.table\(table\).pin; the old way"):
        pin = lake.pin("t", first=D1, last=D1)
    with pytest.warns(DeprecationWarning, match=r"Lake.table\(table\).read_pin; the old way"):
        assert lake.read_pin(pin, first=D1).num_rows == 1
    with pytest.warns(DeprecationWarning, match=r"Lake.table\(table\).version; the old way"):
        assert lake.version("t") == 1
    with pytest.raises(AttributeError, match="a lake has no 'nonsense'"):
        _ = lake.nonsense
