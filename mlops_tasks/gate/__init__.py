"""The gate, which says whether a challenger may replace the champion."""

from mlops_tasks.gate.verdict import Verdict, judge

__all__ = ["Verdict", "judge"]
