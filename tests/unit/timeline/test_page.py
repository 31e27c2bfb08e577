"""The page: it shows what is known, says what is not, and a reader without eyes or colours too."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from mlops_tasks.timeline import (
    Timeline,
    publish_timeline,
    read_timeline,
    render_incidents,
    render_timeline,
    timeline_address,
)
from mlops_tasks.timeline.axis import Axis, Scale
from mlops_tasks.timeline.strips import (
    HEIGHT,
    decision_lanes,
    heat_rows,
    incident_lanes,
    performance_strip,
    reigns,
)
from mlops_tasks.timeline.summary import interval, summarize
from tests.unit.timeline.lives import (
    EVIL,
    day,
    decided,
    failed,
    measured,
    moved,
    promoted,
    whole_life,
)

if TYPE_CHECKING:
    from mlops_tasks.lake import Lake
    from mlops_tasks.registry.ledger import Ledger
    from mlops_tasks.specs import ModelSpec

VOID = {"meta"}


class Tags(HTMLParser):
    """All tags, with the text inside each open one."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture
def axis(life: Timeline) -> Axis:
    assert life.begin is not None
    assert life.end is not None
    return Axis(life.begin, life.end, life.timezone)


def estimated(life: Timeline) -> Timeline:
    """Return a life with estimates of the partitions that wait for their labels."""
    last = life.performance[-1]
    waiting = zip(life.drift.keys[-2:], life.drift.spans[-2:], strict=True)
    return replace(
        life,
        estimates=tuple(
            replace(
                last,
                **{"key": key, "begin": begin, "end": end, "value": 0.74},
                **{"lower": 0.6, "upper": 0.88, "threshold": None},
            )
            for key, (begin, end) in waiting
        ),
    )


# --- the whole page


def test_the_page_is_whole_and_loads_and_runs_nothing(life: Timeline) -> None:
    page = render_timeline(estimated(life))
    tags = Tags(page)
    assert page.startswith("<!doctype html>")
    assert not tags.open
    names = {tag for tag, _ in tags.seen}
    assert not names & {"script", "link", "img", "iframe", "object", "form", "use"}
    addresses = [v for _, a in tags.seen for k, v in a.items() if k in {"src", "href", "action"}]
    assert addresses == ["http://airflow/log"] * 2, "links that a person clicks on, and no script"
    assert not re.search(r"@import|url\(", page)
    # The policy that it is served under applies the first style sheet, and nothing inline.
    assert page.count("<style>") == 1
    assert " style=" not in page
    assert not [k for _, a in tags.seen for k in a if k.startswith("on")]


def test_what_a_source_has_named_is_text(life: Timeline) -> None:
    page = render_timeline(life)
    assert EVIL not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_every_picture_has_a_name_and_the_numbers_are_tables_too(life: Timeline) -> None:
    tags = Tags(render_timeline(life)).seen
    pictures = [n for n, (tag, about) in enumerate(tags) if about.get("role") == "img"]
    assert len(pictures) == 2 + 20 + 3 + 2
    assert all(tags[n + 1][0] == "title" for n in pictures)
    drawn = [a for tag, a in tags if tag == "svg" and "role" not in a and "x" not in a]
    assert all(a.get("aria-hidden") or a.get("viewbox") or "ticks" in str(a) for a in drawn)
    assert sum(tag == "table" for tag, _ in tags) == 3
    rows = sum(tag == "tr" for tag, _ in tags)
    assert rows == 28 + 20 + 30 + 3
    scrolled = [about for _, about in tags if about.get("class") == "scroll"]
    assert all(a["tabindex"] == "0" and a["aria-label"] for a in scrolled)


def test_equal_ledgers_give_equal_pages(life: Timeline) -> None:
    assert render_timeline(life) == render_timeline(life)


def test_nothing_is_shown_as_fine_before_anything_is_known(ledger: Ledger, spec: ModelSpec) -> None:
    page = render_timeline(read_timeline(spec, ledger=ledger))
    assert not Tags(page).open
    assert page.count("not measured yet") == 2
    assert "not decided yet" in page
    assert "There is no champion yet." in page
    assert "there is no time to show" in page
    assert "There was no incident yet." in page
    assert 'class="badge good"' not in page


@pytest.mark.slow  # writes more than five hundred entries
def test_half_a_year_of_many_columns_stays_small_and_quick(ledger: Ledger, spec: ModelSpec) -> None:
    whole_life(ledger, n_days=180, n_columns=200)
    render_timeline(read_timeline(spec, ledger=ledger))
    times = []
    for _ in range(3):
        begun = time.process_time()
        page = render_timeline(read_timeline(spec, ledger=ledger))
        times.append(time.process_time() - begun)
    assert len(page.encode()) < 2_000_000
    assert min(times) < 1.0
    assert "188 more columns, none of which has alarmed" in page


def test_the_page_of_a_model_is_replaced_where_it_lies(
    ledger: Ledger, lake: Lake, spec: ModelSpec
) -> None:
    pages = []
    for number in range(3):
        decided(ledger, number, "none")
        assert publish_timeline(spec, ledger=ledger, lake=lake) == timeline_address(spec.name)
        pages.append((lake.root / timeline_address(spec.name)).read_text())
    counted = [re.findall(r"(\d) decisions as a table", page) for page in pages]
    assert counted == [["1"], ["2"], ["3"]]
    folder = (lake.root / timeline_address(spec.name)).parent
    assert [path.name for path in folder.iterdir()] == ["newest.html"]


# --- in words


def test_the_state_is_the_worst_of_all(life: Timeline) -> None:
    found = summarize(life)
    assert (found.answer, found.word) == ("alarm", "alarm")
    assert found.lines == (f"Version 2 is champion since {day(15)}.", "1 incident is open.")
    assert [one.answer for one in found.answers] == ["fine", "fine", "fine"]
    healthy = summarize(replace(life, incidents=()))
    assert (healthy.answer, healthy.lines[1]) == ("fine", "No incident is open.")


@pytest.mark.parametrize("missing", ["performance", "decisions"])
def test_what_is_not_known_is_not_fine(life: Timeline, missing: str) -> None:
    found = summarize(replace(life, incidents=(), **{missing: ()}))
    assert (found.answer, found.word) == ("cannot_tell", "cannot tell")
    assert {one.word for one in found.answers} & {"not measured yet", "not decided yet"}


def test_what_another_version_was_worth_says_nothing_of_the_champion(life: Timeline) -> None:
    worth = summarize(replace(life, champion="3")).answers[0]
    assert (worth.answer, worth.word) == ("cannot_tell", "not measured yet")
    assert worth.text.startswith("version 3 is champion; what is known is of version 2, ")
    assert worth.text.endswith(f"labels of {day(28)} are due by the end of {day(30)}")


def test_alarms_are_named(ledger: Ledger, spec: ModelSpec) -> None:
    promoted(ledger, 0, "1")
    measured(ledger, 1, 0.61)
    moved(ledger, 1, {"a": 1.0, "b": 1.1, "c": 1.2, "d": 1.3, "e": 0.99})
    decided(ledger, 1, "cooldown")
    worth, drift, decision = summarize(read_timeline(spec, ledger=ledger)).answers
    assert (worth.word, worth.text[-26:]) == ("alarm", "ROC AUC 0.6100 on 500 rows")
    assert drift.word == "alarm"
    assert "4 of 5 columns alarm: a, b, c and 1 more; a: the mean has moved" in drift.text
    assert (decision.answer, decision.word) == ("alarm", "not retrained (cooldown)")
    decided(ledger, 2, "drift", retrain=True)
    assert summarize(read_timeline(spec, ledger=ledger)).answers[2].word == "retrain (drift)"
    decided(ledger, 3, "cannot_tell")
    decision = summarize(read_timeline(spec, ledger=ledger)).answers[2]
    assert (decision.answer, decision.word) == ("cannot_tell", "cannot tell")


def test_an_estimate_is_told_until_labels_come(life: Timeline) -> None:
    (*_, line) = summarize(estimated(life)).lines
    assert line == f"Estimated without labels for {day(29)}: ROC AUC 0.74 (0.6 to 0.88)."
    older = replace(estimated(life).estimates[0], key=day(27))
    assert len(summarize(replace(life, estimates=(older,))).lines) == 2


def test_a_number_comes_with_its_interval_and_its_limit(life: Timeline) -> None:
    assert interval(life.performance[0]) == "0.75 (0.73 to 0.77), limit 0.7"
    assert interval(replace(life.performance[0], lower=None)) == "0.75, limit 0.7"
    assert interval(life.performance[16]) == "cannot tell"


# --- in the picture


def test_instants_lie_between_the_ends_of_the_axis(axis: Axis) -> None:
    middle = axis.begin + (axis.end - axis.begin) / 2
    assert [axis.x(one) for one in (axis.begin, middle, axis.end)] == [0, 50, 100]
    assert [axis.units(one) for one in (axis.begin, middle, axis.end)] == [0, 500, 1000]
    assert axis.x(axis.begin - (axis.end - axis.begin)) == 0
    assert axis.x(axis.end + (axis.end - axis.begin)) == 100


@pytest.mark.parametrize(
    ("n_days", "first", "second"),
    [
        (9, "2024-03-02", "2024-03-03"),
        (12, "2024-03-02", "2024-03-04"),
        (40, "2024-03-04", "2024-03-11"),
        (100, "2024-03-18", "2024-04-01"),
        (180, "2024-04", "2024-05"),
        (500, "2024-05", "2024-07"),
        (5000, "2025-01", "2030-01"),
    ],
)
def test_labels_suit_the_length(axis: Axis, n_days: int, first: str, second: str) -> None:
    found = replace(axis, end=axis.begin + (axis.end - axis.begin) / 30 * n_days).ticks
    assert [one.text for one in found[:2]] == [first, second]
    assert [one.is_minor for one in found[:2]] == [False, True]
    assert len(found) <= 10
    assert all(4 <= one.x <= 96 for one in found)


def test_larger_values_are_higher_and_one_value_has_a_scale() -> None:
    scale = Scale.of([0.5, None, 0.7], 100.0)
    assert 0 < scale.y(0.7) < scale.y(0.5) < 100
    assert [text for _, text in scale.ticks] == ["0.693", "0.6", "0.507"]
    assert Scale.of([3.0], 100.0).y(3.0) == 50
    assert Scale.of([], 100.0).y(0.5) == 50


def test_the_line_breaks_where_nobody_can_tell_and_where_another_version_begins(
    life: Timeline, axis: Axis
) -> None:
    strip = performance_strip(life, axis)
    assert strip.line.count("M") == 2
    assert strip.line.count("L") == 28 - 2 - 2
    assert strip.band.count("z") == 28
    # One level line to the gap, one after it.
    assert strip.threshold.count("M") == 2
    answers = [one.answer for one in strip.dots]
    assert (answers[10], answers[11], answers[16]) == ("fine", "alarm", "cannot_tell")
    assert strip.dots[16].y == HEIGHT - 8
    assert strip.dots[11].y > strip.dots[10].y
    assert strip.dots[11].text == f"{day(11)}: ROC AUC 0.6600 on 500 rows"


def test_an_estimate_has_a_band_of_its_own(life: Timeline, axis: Axis) -> None:
    assert performance_strip(life, axis).estimate_band == ""
    strip = performance_strip(estimated(life), axis)
    assert strip.estimate_band.count("z") == 2
    assert strip.estimate_line.count("M") == 1
    assert "estimated without labels" in render_timeline(estimated(life))
    assert "estimated without labels" not in render_timeline(life)


def test_windows_of_a_shade_are_one_piece_and_gaps_stay_open(
    ledger: Ledger, spec: ModelSpec
) -> None:
    for number, severity in enumerate((0.1, 0.2, 1.6, 1.4, None, 0.1)):
        if number != 1:
            moved(ledger, number, {"x": severity})
    life = read_timeline(spec, ledger=ledger)
    assert life.begin is not None
    assert life.end is not None
    (row,) = heat_rows(life.drift, Axis(life.begin, life.end, "UTC"))
    paths = dict(row.paths)
    assert paths["s0"] == "M0 0H167V10H0zM833 0H1000V10H833z", "the day between was not measured"
    assert paths["s4"] == "M333 0H500V10H333z"
    assert paths["s3"] == "M500 0H667V10H500z"
    assert paths["none"] == "M667 0H833V10H667z"
    assert row.alarms == "M333 9H667"
    assert row.text == (
        f"x: alarmed on 2 of 5 windows, at most 1.6 times its threshold ({day(2)}); "
        "newest 0.10 times"
    )


def test_the_heatmap_is_split_where_another_version_has_scored(life: Timeline) -> None:
    page = render_timeline(life)
    (turn,) = {int(x) for x in re.findall(r'class="turn" d="M(\d+) 0V10"', page)}
    assert turn == round(1000 * 16 / 30)
    assert page.count('class="turn" d="M533 0V10"') == 20


def test_reigns_follow_each_other_to_the_end(life: Timeline, axis: Axis) -> None:
    first, second = reigns(life.moves, axis)
    assert (first.x, first.version, first.begins) == (pytest.approx(3.33), "1", True)
    assert second.x == pytest.approx(first.x + first.width, abs=0.02)
    assert second.x + second.width == pytest.approx(100)
    before = replace(life.moves[0], at=axis.begin - (axis.end - axis.begin))
    assert reigns([before], axis)[0].begins is False


def test_each_answer_has_a_lane_and_a_shape_of_its_own(life: Timeline, axis: Axis) -> None:
    lanes = decision_lanes(life.decisions, axis)
    assert [(one.name, len(one.bars)) for one in lanes] == [
        ("retrain", 1),
        ("not retrained", 26),
        ("cannot tell", 3),
    ]
    assert lanes[0].text == f"retrain: 1 of 30, the newest as of {day(15)}"
    assert lanes[0].bars[0].x == 50
    page = render_timeline(life)
    assert page.count('class="mark bad" d="M-5 5L0 -5L5 5z"') == 5 + 1 + 2
    assert page.count('class="mark hollow"') == 2 + 3 + 2
    assert page.count('<rect class="quiet"') == 26


def test_incidents_of_a_cause_share_a_lane_and_open_ones_come_first(
    ledger: Ledger, spec: ModelSpec
) -> None:
    whole_life(ledger)
    book = failed(ledger, [20, 21])
    (again,) = [one for one in book.all(subject="orders") if one.is_open]
    book.close(again, "back again", by="clock", as_of=day(22), live=False)
    life = read_timeline(spec, ledger=ledger)
    assert life.begin is not None
    assert life.end is not None
    lanes = incident_lanes(life.incidents, Axis(life.begin, life.end, "UTC"))
    assert [(one.name, one.kind) for one in lanes] == [
        ("late_orders: performance", "open"),
        ("orders: data missing", "closed"),
    ]
    assert lanes[0].bars[0].x + lanes[0].bars[0].width == 100
    assert [(one.x, one.width) for one in lanes[1].bars] == [(10.0, 13.33), (66.67, 10.0)]
    assert [one.is_open for one in lanes[1].bars] == [False, False]


# --- incidents alone


def test_incidents_as_a_page_name_owner_cost_fix_and_end(ledger: Ledger) -> None:
    whole_life(ledger)
    book = failed(ledger, [1], live=True, subject="traffic")
    book.acknowledge(book.find("traffic/ingestion"), "ann", "I look")
    page = render_incidents(book.all(history=True))
    assert not Tags(page).open
    assert "2 open" in page
    assert "3 in all. Median time to detect" in page
    assert page.index("traffic: data missing") < page.index("orders: data missing")
    for said in ("by ann", "I look", "start traffic.ingest", "1 day not ingested", "ops"):
        assert said in page, said
    assert "the source is back" in page
    assert "by nobody yet" in page
    assert "javascript:" not in page


def test_no_incidents_are_said_to_be_none() -> None:
    page = render_incidents([], title="Incidents of <orders>")
    assert "none open" in page
    assert "There was no incident yet." in page
    assert "<orders>" not in page
