"""The picture and the words of a report that is written by hand."""

from __future__ import annotations

import re

import pytest

from mlops_tasks.backtest import BacktestReport, Figures, OracleResult, PolicyResult
from mlops_tasks.backtest.chart import HEIGHT, Scales, chart_rows
from mlops_tasks.backtest.page import render_page
from mlops_tasks.backtest.report import PeriodShown
from mlops_tasks.backtest.words import COLUMNS, conclusions, table_rows
from mlops_tasks.trial import Training


def training(as_of: str, verdict: str) -> Training:
    window = "2024-01-01", "2024-01-31"
    return Training(
        as_of, "age", window, window, verdict, "because", as_of, "roc_auc", 0.7, 0.6, 0.8, 90, 30
    )


def policy(name: str, values: tuple[float | None, ...], cost: float, n: int) -> PolicyResult:
    first = training("2024-01-31", "promote")
    return PolicyResult(
        name,
        f"what <{name}> does",
        values,
        (False, False, True, False),
        (first, *[training(f"2024-02-{7 * k + 7:02}", "keep") for k in range(n)]),
        tuple(range(n)),
        chosen=Figures(2, 0.7, 0, cost=cost),
        shown=Figures(2, values[-1], n, cost=cost, regret=0.1),
    )


@pytest.fixture
def report() -> BacktestReport:
    values = (0.7, 0.71, 0.6, 0.69)
    bound = Figures(2, 0.72, 1)
    return BacktestReport(
        model="late_orders",
        metric="roc_auc",
        metric_title="ROC AUC",
        greater_is_better=True,
        first="2024-01-01",
        last="2024-02-28",
        played_from="2024-02-01",
        grain="day",
        periods=tuple(
            PeriodShown(f"2024-02-{7 * n + 1:02}", f"2024-02-{7 * n + 7:02}", 500) for n in range(4)
        ),
        n_chosen=2,
        tolerance=0.01,
        training_cost=0.01,
        policies=(
            policy("nightly", values, -1.2, 3),
            policy("default", (0.7, None, 0.65, 0.685), -1.3, 1),
        ),
        oracle=OracleResult((0.7, 0.72, 0.72, 0.72), ("2024-02-07",), (1,), bound, bound),
        choice="default",
        n_fits=4,
        n_decisions=56,
    )


def test_every_value_lies_inside_of_its_row(report: BacktestReport) -> None:
    scales, rows = Scales.of(report), chart_rows(report)
    assert [row.name for row in rows] == ["nightly", "default", "oracle"]
    for row in rows:
        for x, y in re.findall(r"([\d.]+),([\d.]+)", row.path):
            assert 0 < float(x) < 720
            assert 0 < float(y) < HEIGHT
    assert scales.y(0.72) < scales.y(0.6)  # better is higher
    assert rows[1].path.count("M") == 2  # a week without a value breaks the line
    assert [mark.promoted for mark in rows[0].marks] == [False] * 3
    assert rows[0].harm == ((360.0, 180.0),)


def test_the_default_is_judged_beside_the_nights(report: BacktestReport) -> None:
    assert report.beside("default", "nightly") == pytest.approx(-0.005)
    assert report.beside("default", "missing") is None
    chosen, judged = conclusions(report)
    assert "default was cheapest" in chosen
    assert "it comes first of 2." in chosen
    assert "1 training, nightly 3" in judged
    assert "0.005 worse, within the 0.01 that matter" in judged


def test_the_table_has_a_cell_for_each_column(report: BacktestReport) -> None:
    rows = table_rows(report)
    assert {len(cells) for cells in rows} == {len(COLUMNS)}
    assert [cells[0] for cells in rows] == ["nightly", "default", "oracle"]


def test_the_page_escapes_what_people_write_and_loads_nothing(report: BacktestReport) -> None:
    page = render_page(report)
    assert "what &lt;nightly&gt; does" in page
    assert not re.search(r"https?:|<script|<link|@import|url\(", page)
    assert "prefers-color-scheme: dark" in page
    assert 'name="viewport"' in page
