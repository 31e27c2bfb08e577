"""Partitions that are waited for: seen once they are published, and looked at cheaply."""

from __future__ import annotations

from typing import TYPE_CHECKING
from unittest.mock import patch

import pyarrow as pa
import pytest

from mlops_tasks.exceptions import PartitionKeyError
from mlops_tasks.lake import Table, overwrite_partition
from mlops_tasks.lake.arrivals import Arrivals

if TYPE_CHECKING:
    from mlops_tasks.lake import Lake

ROWS = pa.table({"n": [1, 2, 3]})


def publish(lake: Lake, table: str, key: str, rows: pa.Table = ROWS) -> None:
    token = lake.table(table).newest_token(key) + 1
    overwrite_partition(lake.table(table), key, rows, token=token, known_at="2024-03-09")


def test_all_partitions_of_all_tables_are_waited_for(lake: Lake) -> None:
    arrivals = Arrivals(lake, {"a": ["2024-03-01"], "b": ["2024-03-01", "2024-03-02"]})
    assert arrivals.missing() == {"a": ["2024-03-01"], "b": ["2024-03-01", "2024-03-02"]}
    publish(lake, "b", "2024-03-02")
    assert arrivals.missing() == {"a": ["2024-03-01"], "b": ["2024-03-01"]}
    publish(lake, "b", "2024-03-01")
    publish(lake, "a", "2024-03-01")
    assert arrivals.missing() == {}
    assert [one["partition"] for one in arrivals.published["b"]] == ["2024-03-02", "2024-03-01"]
    assert arrivals.published["a"][0]["n_rows"] == 3


def test_other_partitions_and_empty_ones_are_none(lake: Lake) -> None:
    arrivals = Arrivals(lake, {"a": ["2024-03-02"]})
    publish(lake, "a", "2024-03-01")
    publish(lake, "a", "2024-03-03")
    publish(lake, "a", "2024-03-02", ROWS.slice(0, 0))
    assert arrivals.missing() == {"a": ["2024-03-02"]}


def test_a_key_that_is_none_is_refused_at_once(lake: Lake) -> None:
    with pytest.raises(PartitionKeyError, match="'yesterday' is not a day"):
        Arrivals(lake, {"a": ["yesterday"]})


def test_what_has_arrived_is_not_looked_at_again(lake: Lake) -> None:
    arrivals = Arrivals(lake, {"a": ["2024-03-01"], "b": ["2024-03-01"]})
    publish(lake, "a", "2024-03-01")
    arrivals.missing()
    looked: list[str] = []
    commits = Table.commits

    def watched(self: Table, **options: str) -> object:
        looked.append(self.name)
        return commits(self, **options)

    publish(lake, "b", "2024-03-02")
    with patch.object(Table, "commits", watched):
        arrivals.missing()
    assert looked == ["b"]
