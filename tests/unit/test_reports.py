from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mlops_tasks.reports import (
    newest_facts,
    report_address,
    write_report,
    write_standing_report,
)

if TYPE_CHECKING:
    from mlops_tasks.lake import Lake


def test_a_report_lies_beside_the_tables(lake: Lake) -> None:
    path = write_report(lake.root, "orders", "2024-03-01", "7", "<p>ü</p>")
    assert path == "_reports/orders/2024-03-01/7.html"
    assert (lake.root / path).read_text(encoding="utf-8") == "<p>ü</p>"
    assert report_address(path) == "reports/orders/2024-03-01/7"
    assert newest_facts(lake.root, "orders", first="2024-03-01", last="2024-03-01") == []


def test_a_standing_report_is_replaced_and_is_no_partition_of_its_table(lake: Lake) -> None:
    for text in ("old", "new ü"):
        path = write_standing_report(lake.root, "orders__timeline", text)
        assert path == "_reports/orders__timeline/newest.html"
        assert (lake.root / path).read_text(encoding="utf-8") == text
    assert report_address(path) == "reports/orders__timeline/newest"
    assert newest_facts(lake.root, "orders__timeline") == []


def test_the_newest_facts_of_every_day_are_found(lake: Lake) -> None:
    for day, version in (("01", 2), ("02", 3), ("02", 10), ("03", 11)):
        write_report(lake.root, "orders", f"2024-03-{day}", str(version), "", {"version": version})
    found = newest_facts(lake.root, "orders", first="2024-03-01", last="2024-03-02")
    assert found == [{"version": 2}, {"version": 10}]
    assert newest_facts(lake.root, "deliveries", first="2024-03-01", last="2024-03-02") == []


@pytest.mark.parametrize(
    ("keys", "span", "found"),
    [
        (["2024-01", "2024-02", "2024-03"], {"last": "2024-02"}, [0, 1]),
        (["2024-01", "2024-02", "2024-03"], {"first": "2024-02-10", "last": "2024-03-01"}, [1, 2]),
        (["2024-03-30T23", "2024-03-31T00", "2024-03-31T23"], {"first": "2024-03-31"}, [1, 2]),
        (["2024-03-31T00", "2024-03-31T23", "2024-04-01T00"], {"last": "2024-03-31"}, [0, 1]),
        (["2024-03-31T00", "2024-03-31T23"], {"first": "2024-03-31T01"}, [1]),
        (["2023-12-31", "2024-01-01"], {}, [0, 1]),
    ],
)
def test_facts_of_any_grain_are_found(
    lake: Lake, keys: list[str], span: dict[str, str], found: list[int]
) -> None:
    for number, key in enumerate(keys):
        write_report(lake.root, "orders", key, "1", "", {"number": number})
    facts = newest_facts(lake.root, "orders", **span)
    assert [one["number"] for one in facts] == found


def test_facts_are_plain_json(lake: Lake) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_report(lake.root, "orders", "2024-03-01", "7", "", {"x": float("nan")})
    assert not (lake.root / "_reports").exists()
