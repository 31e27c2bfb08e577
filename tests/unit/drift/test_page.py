from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from mlops_tasks.drift import Baseline, DriftReport, detect_drift, draw_heatmap, render_page
from mlops_tasks.drift.page import Cell, heat_table
from mlops_tasks.exceptions import PartitionNotFoundError
from tests.unit.drift.samples import day, month, profile


@pytest.fixture(scope="module")
def reports() -> list[DriftReport]:
    random = np.random.default_rng(1)
    january = month(random)
    weights = {"x": 2.0, "z": 1.0, "kind": 0.0}
    days = [day(random), day(random, 40), day(random, shift=2.0, spare=0.2)]
    found = [
        detect_drift(january, one, window=f"2013-02-0{i}", importance=weights)
        for i, one in enumerate(days, start=1)
    ]
    evil = "<script>alert(1)</script>"
    hostile = replace(found[2].columns[0], name=evil)
    return [*found[:2], replace(found[2], columns=(hostile, *found[2].columns))]


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in {"meta", "path", "rect", "br"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_and_loads_nothing(reports: list[DriftReport]) -> None:
    page = render_page(reports, title="Drift of flights")
    tags = Tags()
    tags.feed(page)
    assert not tags.open
    names = {tag for tag, _ in tags.seen}
    assert not names & {"script", "link", "img", "iframe", "object"}
    addresses = [v for _, a in tags.seen for k, v in a.items() if k in {"src", "href", "action"}]
    assert addresses
    assert all(address and address.startswith("#column-") for address in addresses)
    assert not re.search(r"https?:|@import|url\(", page)
    assert " style=" not in page  # the policy it is served under allows the style sheet only
    assert "prefers-color-scheme: dark" in page


def test_names_from_the_data_are_only_text(reports: list[DriftReport]) -> None:
    page = render_page(reports)
    assert "<script>" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_the_page_tells_answer_evidence_and_days(reports: list[DriftReport]) -> None:
    page = render_page(reports)
    assert '<span class="answer drift">drift</span>' in page
    assert "importance 0 times the mean" in page
    assert page.count('<th scope="col"') == 3
    assert page.count("<svg") == len(reports[2].columns)
    for wanted in ("2013-02-02", "in new categories: C", "alarm above", "wasserstein distance"):
        assert wanted in page
    assert 'tabindex="0"' in page


def test_pages_of_one_quiet_and_one_small_day(reports: list[DriftReport]) -> None:
    quiet = render_page(reports[:1])
    assert "No more than chance and ordinary days explain." in quiet
    assert "Window by window" not in quiet
    small = render_page(reports[:2])
    assert '<span class="answer few">too few rows to tell</span>' in small
    assert "Nobody can tell: " in small
    assert "times its threshold" not in small


def test_what_changed_leads_to_its_column_which_is_open() -> None:
    """An alarm on a column that the model ignores ranks last, and is shown all the same."""
    random = np.random.default_rng(0)
    names = [f"x{i}" for i in range(9)]
    days = [profile(**{name: random.normal(size=500) for name in names}) for _ in range(28)]
    moved = {name: random.normal(2.0 * (name == "x3"), 1, 500) for name in names}
    importance = {name: float(name != "x3") for name in names}
    report = detect_drift(
        Baseline.of(days), profile(**moved), window="today", importance=importance
    )
    place = [column.name for column in report.columns].index("x3")
    assert place == 8
    page = render_page([report])
    assert f'<a href="#column-{place}"><b>x3</b></a>' in page
    assert f'<details id="column-{place}" open>' in page


def test_a_broken_schema_is_an_alarm_in_its_cell() -> None:
    old = profile(a=[1.0] * 200, b=[1.0] * 200, c=[1.0] * 200)
    new = profile(a=["x"] * 200, b=[1.0] * 200)
    report = detect_drift(Baseline(old), new, window="today")
    names, rows = heat_table([report])
    cells = {name: row[0] for name, row in zip(names, rows, strict=True)}
    assert {name: (cell.mark, cell.is_alarm) for name, cell in cells.items()} == {
        "a": ("!", True),
        "b": ("0.0", False),
        "c": ("!", True),
    }
    assert cells["a"].text == "a, today: numeric -> category"


def test_another_reference_is_parted_by_a_line(reports: list[DriftReport]) -> None:
    assert 'class="turn"' not in render_page(reports)
    other = replace(reports[2], reference="the training data of version 2")
    page = render_page([*reports[:2], other])
    assert page.count('<th scope="col" class="turn" title="against the training data') == 1


def test_a_number_close_to_its_threshold_says_on_which_side() -> None:
    marks = [Cell(2, severity, False, "").mark for severity in (0.97, 1.02, 1.2, 12.0)]
    assert marks == ["0.97", "1.02", "1.2", "≥10"]


def test_a_page_of_what_cannot_be_drawn() -> None:
    old, new = (profile(x=np.full(500, v), y=np.full(500, np.nan)) for v in (1.0, 2.0))
    page = render_page([detect_drift(Baseline(old), replace(new, n_rows=500), window="today")])
    assert "No values to draw." in page
    assert "unbounded" in page


def test_cells_carry_their_meaning_in_words(reports: list[DriftReport]) -> None:
    names, rows = heat_table(reports)
    cells = dict(zip(names, rows, strict=True))
    first, second, third = cells["x"]
    assert (first.shade < 3, second.shade, third.shade >= 3) == (True, -1, True)
    assert third.is_alarm
    assert "2013-02-03: percentiles" in third.text
    assert "too few rows" in second.text
    assert cells["<script>alert(1)</script>"][0].shade == -2
    kind = cells["kind"][2]
    assert (kind.is_alarm, "in new categories: C" in kind.text) == (True, True)
    assert names[0] in {"x", "<script>alert(1)</script>"}


def test_the_heatmap_is_a_picture(reports: list[DriftReport]) -> None:
    drawn = draw_heatmap(reports)
    assert drawn.startswith(b"\x89PNG")
    width, height = (int.from_bytes(drawn[i : i + 4], "big") for i in (16, 20))
    assert width > 200
    assert height > 150
    many = tuple(replace(reports[0].columns[0], name=f"column {i}") for i in range(60))
    crowd = draw_heatmap([replace(reports[0], columns=many)] * 26)
    assert int.from_bytes(crowd[16:20], "big") > width


def test_nothing_to_show_is_an_error() -> None:
    with pytest.raises(PartitionNotFoundError, match="no drift report to show"):
        render_page([])
