"""Drift: how far columns moved from a reference, and whether that is more than chance explains.

All of it is read from profiles (`mlops_tasks.profiles`); no row is read again.

===========================  ======================================================================
`drift.detection`            `detect_drift`: the decision, with a bounded chance of a false alarm
`drift.baseline`             the reference, and how much its own days move
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
