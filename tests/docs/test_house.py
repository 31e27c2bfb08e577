"""docs/architecture.md shows the house as it is."""

from __future__ import annotations

import re
from graphlib import TopologicalSorter

from tests.docs.house import PICTURE, imports, picture
from tests.quality.discovery import ROOT

PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def test_the_picture_is_of_these_imports() -> None:
    drawn = PICTURE.read_text(encoding="utf-8")
    assert drawn == picture(), "the house has changed; run: python -m tests.docs.house"


def test_no_rooms_import_each_other_in_a_circle() -> None:
    TopologicalSorter(imports()).prepare()  # a CycleError names the rooms


def test_the_page_names_what_there_is() -> None:
    named = set(re.findall(r"`((?:plugins|mlops_tasks|tests)/[\w./]*\w)/?`", PAGE))
    rooms = r"`((?:steps|lake|sources|drift|specs)/[\w/.]*\w)/?`"
    named |= {f"mlops_tasks/{path}" for path in re.findall(rooms, PAGE)}
    missing = sorted(path for path in named if not (ROOT / path).exists())
    assert named
    assert not missing
