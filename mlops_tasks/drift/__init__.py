"""Drift: how far columns moved from a reference, and whether that is more than chance explains.

All of it is read from profiles (`mlops_tasks.profiles`); no row is read again.

>>> import numpy as np, pyarrow as pa
>>> from mlops_tasks.drift import Baseline, detect_drift
>>> from mlops_tasks.profiles import Profile
>>> random = np.random.default_rng(0)
>>> def day(price):
...     rows = pa.record_batch({"price": random.normal(price, 1, 1000)})
...     return Profile.of([rows], rows.schema)
>>> february = Baseline.of([day(20) for _ in range(28)], label="February")
>>> report = detect_drift(february, day(21), window="2024-03-01")
>>> report.headline
'2024-03-01 against February: drift in 1 of 1 columns (price)'

What people call is exported here; the modules behind it:

===========================  ======================================================================
`drift.detection`            `detect_drift`: the decision, with a bounded chance of a false alarm
`drift.baseline`             the reference, how much its own days move, and the size of a window
`drift.report`               `DriftReport`: plain data, and lines for a log
`drift.page`                 the same as one HTML page; `drift.heatmap` as a PNG
`drift.measures`             PSI, Kolmogorov–Smirnov, Wasserstein, Jensen–Shannon and others, to
                             report; `drift.histograms`, to draw
`drift.domain_classifier`    can a classifier distinguish reference from current rows? (off by
                             default)
`drift.aspects`              the ways to look at a column: one class each, with its effect and words
`drift.alarm_rule`           when an effect alarms
`drift.day_effects`          how far the days of a reference are from each other
`drift.effects`              Cohen's h of shares and Cohen's d of means, with their sampling noise
`drift.samples`              columns of profiles side by side: their distribution functions,
                             quantiles, histograms and contingency tables
===========================  ======================================================================

How a decision is made
----------------------
A column can be cut in two in many ways: below or above a value, in a category or not, missing or
not. For each cut the reference says what share of rows to expect, and **Cohen's h** says how far
the current share is from it::

    h = 2 asin(sqrt(q)) - 2 asin(sqrt(p))            0.2 is called small, 0.5 medium, 0.8 large

Its sampling variance is ``1/n + 1/m`` whatever the share, which is why it is used. The effect of a
column is the root of the mean square of h over its cuts (for the mean of a column: the shift in
standard deviations), and it alarms above::

    sqrt(min_effect**2 + noise * quantile)

- ``noise`` is the mean square that appears without any drift: sampling of both sides, rounding of
  the quantile sketches, and day effects, which the reference's own days show when each is compared
  with all others (flights of one day share one weather).
- ``quantile`` is that of a weighted sum of chi-squares, for a chance of ``level`` (1 %) divided by
  the number of comparisons that could alarm: so the chance of *any* alarm on a day without drift
  stays below ``level`` over all columns (Bonferroni).
- no day alarms that moved less than the reference's own most unusual day.
"""

from mlops_tasks.drift.baseline import Baseline, effective_days
from mlops_tasks.drift.decision import Answer, ColumnDrift, DriftPolicy, Evidence, SchemaChange
from mlops_tasks.drift.detection import detect_drift
from mlops_tasks.drift.domain_classifier import DomainResult, domain_classifier_auc
from mlops_tasks.drift.heatmap import draw_heatmap
from mlops_tasks.drift.page import render_page
from mlops_tasks.drift.report import DriftReport

__all__ = [
    "Answer",
    "Baseline",
    "ColumnDrift",
    "DomainResult",
    "DriftPolicy",
    "DriftReport",
    "Evidence",
    "SchemaChange",
    "detect_drift",
    "domain_classifier_auc",
    "draw_heatmap",
    "effective_days",
    "render_page",
]
