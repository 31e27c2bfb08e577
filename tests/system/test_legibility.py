"""Pages that people decide from, in a real browser: on a desk and a phone, by day and by night."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mlops_tasks.gate.page import render_gate_page
from mlops_tasks.registry.ledger import Ledger
from mlops_tasks.timeline import read_timeline, render_incidents, render_timeline
from tests.system.legibility import CHROMIUM, SCREENS, browser, faults_of
from tests.unit.gate.test_page import FACTS, explanation, verdict
from tests.unit.orders import project
from tests.unit.timeline.lives import whole_life

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no browser: install chromium")
BAD = """
    <body style="background: #eee"><p style="color: #bbb">faint</p>
    <div style="width: 2000px">wide</div><img src="http://127.0.0.1:9/x.png"></body>
"""


def test_the_gates_page_can_be_read_and_loads_nothing(tmp_path: Path) -> None:
    page, bad = tmp_path / "page.html", tmp_path / "bad.html"
    page.write_text(render_gate_page(FACTS, verdict(), explanation()))
    bad.write_text(BAD)
    with browser() as found:
        for width, scheme in SCREENS:
            picture = tmp_path / f"{scheme}-{width}.png"
            assert faults_of(found, page, width, scheme, picture) == [], (width, scheme)
        faults = faults_of(found, bad, 390, "dark", tmp_path / "bad.png")
    assert [one.split()[-1] for one in faults] == ["faint", "390", "http://127.0.0.1:9/x.png"]


def test_the_timeline_can_be_read_on_every_screen(tmp_path: Path) -> None:
    ledger, spec = Ledger(f"sqlite:///{tmp_path}/ledger.db"), project(tmp_path / "project")
    pages = {name: tmp_path / f"{name}.html" for name in ("empty", "life", "incidents")}
    pages["empty"].write_text(render_timeline(read_timeline(spec, ledger=ledger)))
    whole_life(ledger)
    life = read_timeline(spec, ledger=ledger)
    # Also what is folded away at first.
    pages["life"].write_text(render_timeline(life).replace("<details>", "<details open>"))
    incidents = [one.incident for one in life.incidents]
    pages["incidents"].write_text(render_incidents(incidents))
    with browser() as found:
        for name, page in pages.items():
            for width, scheme in [*SCREENS, (2560, "light")]:
                picture = tmp_path / f"{name}-{scheme}-{width}.png"
                assert faults_of(found, page, width, scheme, picture) == [], (name, width, scheme)
