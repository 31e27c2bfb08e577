"""Leak suspects among the features of the newest labelled rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tasks.checks.refusals import refused
from mlops_tasks.checks.result import ALARM, CANNOT_TELL, FINE, CheckResult
from mlops_tasks.features.leaks import leak_suspects
from mlops_tasks.features.result import place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlops_tasks.checks.sample import Sample

__all__ = ["check_leaks"]


def check_leaks(look: Sample) -> Iterator[CheckResult]:
    """Look for features that know what only the label can know, as a training does."""
    spec, where = look.spec, place(look.spec)
    try:
        rows = look.labelled
        if why := look.learnable:
            text = f"{rows.num_rows:,} labelled rows, {why}"
            yield CheckResult("leaks", where, CANNOT_TELL, text, "fix the labels first")
            return
        suspects = leak_suspects(spec, rows)
    except Exception as error:
        yield refused(look, "leaks", where, error)
        return
    allowed = set(spec.allow_leak_suspects)
    open_ones = [one for one in suspects if not allowed.issuperset(one.columns)]
    for one in open_ones:
        fix = (
            f"drop {list(one.columns)}, or name them in allow_leak_suspects if they really are "
            "known at the row's moment; until then the gate keeps the champion"
        )
        columns = ", ".join(map(repr, one.columns))
        yield CheckResult("leaks", f"{where}, column {columns}", ALARM, one.text, fix)
    if not open_ones:
        text = f"no feature nearly gives the label in {rows.num_rows:,} rows"
        if suspects:
            text += f", but for {sorted(allowed)}, which the spec allows"
        yield CheckResult("leaks", where, FINE, text)
