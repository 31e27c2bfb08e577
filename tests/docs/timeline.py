"""Take the picture of the timeline, docs/pictures/timeline.png: ``python -m tests.docs.timeline``.

The life is made up, and written into a ledger through its own front door.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from mlops_tasks.registry.ledger import Ledger
from mlops_tasks.timeline import read_timeline, render_timeline
from tests.quality.discovery import ROOT
from tests.system.legibility import browser, faults_of
from tests.unit.orders import project
from tests.unit.timeline.lives import whole_life

PICTURE = ROOT / "docs" / "pictures" / "timeline.png"
_WIDTH, _N_DAYS = 1100, 60
_COLUMNS = ("distance", "items", "speed", "shop", "express", "score")


def main() -> None:
    """Write the picture."""
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        ledger = Ledger(f"sqlite:///{home}/ledger.db")
        whole_life(ledger, _N_DAYS, names=_COLUMNS)
        page = home / "page.html"
        life = read_timeline(project(home / "project"), ledger=ledger)
        page.write_text(render_timeline(life))
        with browser() as found:
            faults_of(found, page, _WIDTH, "light", PICTURE)


if __name__ == "__main__":
    main()
