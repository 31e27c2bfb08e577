"""The same small program for each method: month and plans in, one file of scores per plan out."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks._drift_quality.draws import Month, Plan, score_all

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks._drift_quality.draws import Method

__all__ = ["main"]


def main(method: Method, arguments: Sequence[str], *, is_peer: bool = True) -> None:
    """Score every plan.

    Parameters
    ----------
    method : Method
        What judges.
    arguments : sequence of str
        File of the month, the plans as JSON, and the folder for the scores.
    is_peer : bool, default True
        Whether it judges the shared references only.
    """
    month, folder = Month.load(Path(arguments[0])), Path(arguments[2])
    for raw in json.loads(arguments[1]):
        plan = Plan(**{**raw, "sizes": tuple(raw["sizes"])})
        began = time.perf_counter()
        score_all(month, plan, method, is_peer=is_peer).save(folder / f"{plan.n}.npz")
        print(f"{plan.n} rows a day: {time.perf_counter() - began:.0f} s", flush=True)
