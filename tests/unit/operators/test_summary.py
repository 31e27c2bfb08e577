from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from mlops_airflow.summary import format_summary, log_summary

if TYPE_CHECKING:
    import pytest


def test_names_are_aligned_and_lists_take_a_line_each() -> None:
    lines = format_summary("scored", {"rows": 5, "champion": "version 1", "checks": ["a", "b"]})
    assert lines == [
        "── scored",
        "   rows      5",
        "   champion  version 1",
        "   checks    a",
        "             b",
    ]


def test_what_is_empty_is_left_out_and_zero_is_not() -> None:
    empty = {"a": None, "b": "", "c": [], "d": (), "e": {}, "rows": 0, "share": 0.0, "ok": False}
    assert [line.split()[0] for line in format_summary("x", empty)[1:]] == ["rows", "share", "ok"]


def test_nothing_to_say_is_a_title() -> None:
    assert format_summary("done", {}) == ["── done"]


def test_every_line_is_a_record_and_percent_signs_are_text(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    log_summary(logging.getLogger("x"), "100%s", {"share": "5 %d"})
    assert [record.getMessage() for record in caplog.records] == ["── 100%s", "   share  5 %d"]
