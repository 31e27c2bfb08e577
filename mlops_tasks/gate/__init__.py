"""The gate, which says whether a challenger may replace the champion."""

from mlops_tasks.gate.leaks import hold_back, split_suspects
from mlops_tasks.gate.verdict import Verdict, judge

__all__ = ["Verdict", "hold_back", "judge", "split_suspects"]
