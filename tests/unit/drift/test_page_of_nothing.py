"""Windows that share no column with their reference: the whole schema changed."""

from __future__ import annotations

import numpy as np

from mlops_tasks.drift import Answer, Baseline, detect_drift, draw_heatmap, render_page
from tests.unit.drift.samples import profile


def test_a_table_without_a_column_in_common_is_shown() -> None:
    baseline = Baseline.of([profile(x=np.arange(500.0))] * 6)
    reports = [detect_drift(baseline, profile(y=np.arange(500.0)), window=day) for day in "ab"]
    assert [report.answer for report in reports] == [Answer.DRIFT] * 2
    drawn = draw_heatmap(reports)
    assert drawn[:4] == b"\x89PNG"
    assert int.from_bytes(drawn[16:20], "big") > 100
    assert "gone: x" in render_page(reports)
