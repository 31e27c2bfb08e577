"""Why a challenger predicts as it does, and what is other than with the champion.

Modules: `sampling` (which rows, and how many at most), `dependence` (what a feature does on
average), `reasons` (why single rows got their prediction), `changes` (importance and predictions
beside the champion's), `curves` (how good it is along its predictions), `pins` (what the two were
trained on), `explain` (all of it, as one record).
"""

from mlops_tasks.gate.explanation.explain import Explanation, Side, explain

__all__ = ["Explanation", "Side", "explain"]
