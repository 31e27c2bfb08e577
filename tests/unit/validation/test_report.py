"""The report: everything in one file, nothing from outside, nothing unescaped."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from mlops_tasks.exceptions import ValidationFailedError
from mlops_tasks.reports import REPORTS
from tests.unit.orders import day, orders_dataset, write_suite

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pyarrow as pa

    from mlops_tasks.lake import Lake
    from mlops_tasks.specs import DatasetSpec
    from tests.unit.validation.conftest import Nights

    Orders = Callable[..., pa.Table]

EVIL = "<script>alert(1)</script>"
VOID = {"wbr", "meta", "link", "br", "img", "input", "hr"}


class Page(HTMLParser):
    """Every element with its attributes, and the text; fails on tags that do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture
def spec(tmp_path: Path) -> DatasetSpec:
    suite = [
        {
            "type": "expect_column_values_to_match_regex",
            "kwargs": {"column": "shop", "regex": "^[a-z]+$"},
        },
        {
            "type": "expect_column_values_to_be_between",
            "kwargs": {"column": "distance", "max_value": 5},
            "severity": "warning",
        },
        {
            "type": "expect_table_row_count_to_be_between",
            "kwargs": {"max_value": 10},
            "severity": "info",
        },
        {"type": "expect_table_row_count_to_be_between", "kwargs": {"min_value": 2}},
    ]
    path = write_suite(tmp_path, "own", suite)
    return orders_dataset(tmp_path, expectations=path, max_quarantined_share=0.5)


def page(lake: Lake, report: str) -> Page:
    return Page((lake.root / report).read_text(encoding="utf-8"))


def test_it_lies_beside_the_tables_under_the_published_version(
    night: Nights, spec: DatasetSpec, lake: Lake
) -> None:
    result = night(spec, 0)
    assert result.report == f"{REPORTS}/orders/{day(0)}/{result.published.version}.html"
    assert [p.name for p in (lake.root / result.report).parent.iterdir()] == [
        f"{result.published.version}.html"
    ]
    assert lake.tables() == ["orders", "orders__raw"]


def test_nothing_comes_from_outside_and_nothing_runs(
    night: Nights, spec: DatasetSpec, lake: Lake, orders: Orders
) -> None:
    report = page(lake, night(spec, 0, orders(shop={0: EVIL})).report)
    tags = {tag for tag, _ in report.elements}
    assert not tags & {"script", "link", "img", "iframe", "object", "embed", "form", "base"}
    for _, attributes in report.elements:
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        assert not {"src", "srcset", "action", "data"} & set(attributes)
        assert (attributes.get("href") or "#").startswith("#")
    css = re.search(r"<style>(.*?)</style>", (lake.root / night(spec, 0).report).read_text(), re.S)
    assert css
    assert "url(" not in css[1]
    assert "@import" not in css[1]
    assert "prefers-color-scheme: dark" in css[1]


def test_values_are_escaped_everywhere(
    night: Nights, tmp_path: Path, lake: Lake, orders: Orders
) -> None:
    suite = [
        {
            "type": "expect_column_values_to_not_be_in_set",
            "kwargs": {"column": "shop", "value_set": [EVIL]},
        }
    ]
    path = write_suite(tmp_path, "evil", suite)
    spec = orders_dataset(tmp_path, expectations=path, description=EVIL, owner=EVIL)
    report = night(spec, 0, orders(shop={0: EVIL})).report
    assert "<script" not in (lake.root / report).read_text(encoding="utf-8")
    assert page(lake, report).text.count(EVIL) >= 4, "description, owner, limits, example, row"


def test_it_shows_every_check_with_what_was_seen(
    night: Nights, spec: DatasetSpec, lake: Lake, orders: Orders
) -> None:
    result = night(spec, 0, orders(shop={0: "LOUD"}, items={1: None}))
    text = " ".join(page(lake, result.report).text.split())
    for check in result.checks:
        assert check.name in text
    assert "1 of 80" in text
    assert "LOUD" in text
    assert "failed" in text
    assert "warning" in text
    assert "noted" in text
    assert "With 2 rows quarantined and 1 warning." in text
    assert "too little history to tell" in text
    assert "orders__raw version" in text
    assert result.published.digest in text


def test_it_shows_only_a_few_bad_rows(
    night: Nights, spec: DatasetSpec, lake: Lake, orders: Orders
) -> None:
    bad = orders(shop=dict.fromkeys(range(30), "LOUD"), items=dict.fromkeys(range(20, 40)))
    report = page(lake, night(spec, 0, bad).report)
    assert "6 of 40." in report.text
    assert report.text.count(f"{day(0)}/") <= 6


def test_a_person_without_a_mouse_or_without_eyes_can_read_it(
    night: Nights, spec: DatasetSpec, lake: Lake, orders: Orders
) -> None:
    night(spec, 0)
    report = page(lake, night(spec, 1, orders(1, shop={0: "LOUD"})).report)
    assert report.all("html") == [{"lang": "en"}]
    assert len(report.all("h1")) == len(report.all("main")) == len(report.all("title")) - 3 == 1
    assert all(th.get("scope") in ("col", "row") for th in report.all("th"))
    ids = [a["id"] for _, a in report.elements if "id" in a]
    assert len(ids) == len(set(ids))
    regions = [a for a in report.all("div") if a.get("role") == "region"]
    assert regions
    for region in regions:
        assert region["tabindex"] == "0"
        assert region["aria-labelledby"] in ids
    (chart,) = report.all("svg")
    assert chart["role"] == "img"
    assert chart["aria-labelledby"] in ids
    assert report.all("a") == [{"class": "skip", "href": "#checks"}]


def test_the_chart_shows_the_trailing_days(
    night: Nights, spec: DatasetSpec, lake: Lake, orders: Orders
) -> None:
    for number in range(3):
        night(spec, number, orders(number).slice(0, 40 + number))
    report = page(lake, night(spec, 3).report)
    heights = [float(bar["height"] or 0) for bar in report.all("rect")]
    assert len(heights) == 4
    assert heights == sorted(heights)
    assert f"{day(3)} last: 80" in report.text


def test_a_refused_partition_has_a_report_too(
    night: Nights, spec: DatasetSpec, lake: Lake, orders: Orders
) -> None:
    with pytest.raises(ValidationFailedError) as error:
        night(spec, 0, orders().slice(0, 1))
    report = error.value.report
    assert re.fullmatch(rf"{REPORTS}/orders/{day(0)}/refused-\d+\.html", report)
    text = page(lake, report).text
    assert "Refused." in text
    assert "Why it was refused" in text
    assert "at least 2: observed 1" in text


def test_it_tells_what_changed(
    night: Nights, spec: DatasetSpec, lake: Lake, orders: Orders
) -> None:
    first = night(spec, 0)
    text = page(lake, night(spec, 0, orders(items={0: 99}).slice(0, 79)).report).text
    assert f"What changed since version {first.published.version}" in text
    assert "items (1)" in text
    assert f"{day(0)}/79" in text
