from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mlops_tasks.reports import newest_facts, report_address, write_report

if TYPE_CHECKING:
    from mlops_tasks.lake import Lake


def test_a_report_lies_beside_the_tables(lake: Lake) -> None:
    path = write_report(lake.root, "orders", "2024-03-01", "7", "<p>ü</p>")
    assert path == "_reports/orders/2024-03-01/7.html"
    assert (lake.root / path).read_text(encoding="utf-8") == "<p>ü</p>"
    assert report_address(path) == "reports/orders/2024-03-01/7"
    assert newest_facts(lake.root, "orders", first="2024-03-01", last="2024-03-01") == []


def test_the_newest_facts_of_every_day_are_found(lake: Lake) -> None:
    for day, version in (("01", 2), ("02", 3), ("02", 10), ("03", 11)):
        write_report(lake.root, "orders", f"2024-03-{day}", str(version), "", {"version": version})
    found = newest_facts(lake.root, "orders", first="2024-03-01", last="2024-03-02")
    assert found == [{"version": 2}, {"version": 10}]
    assert newest_facts(lake.root, "deliveries", first="2024-03-01", last="2024-03-02") == []


def test_facts_are_plain_json(lake: Lake) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_report(lake.root, "orders", "2024-03-01", "7", "", {"x": float("nan")})
    assert not (lake.root / "_reports").exists()
