"""What leak suspects make of a verdict."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from mlops_tasks.gate.verdict import Verdict
    from mlops_tasks.registry.versions import LeakSuspect

__all__ = ["hold_back", "split_suspects"]

_MOST_SHOWN = 3


def split_suspects(
    suspects: Sequence[LeakSuspect], allowed: Collection[str]
) -> tuple[list[LeakSuspect], list[LeakSuspect]]:
    """Return the suspects that the spec does not allow, and those of which it allows every column.

    Parameters
    ----------
    suspects : sequence of LeakSuspect
        From `leak_suspects`.
    allowed : collection of str
        ``ModelSpec.allow_leak_suspects``.

    Returns
    -------
    tuple of list of LeakSuspect
        Refused and allowed.
    """
    refused = [one for one in suspects if not set(one.columns) <= set(allowed)]
    return refused, [one for one in suspects if set(one.columns) <= set(allowed)]


def hold_back(
    verdict: Verdict, suspects: Sequence[LeakSuspect], allowed: Collection[str]
) -> Verdict:
    """Return the verdict with the suspects, "keep" as long as the spec does not allow all of them.

    Parameters
    ----------
    verdict : Verdict
        The gate's, from the predictions alone. A model with a leak is as good at the gate as it
        says: the rows of the evaluation have the leak, too.
    suspects : sequence of LeakSuspect
        Of the challenger's training.
    allowed : collection of str
        ``ModelSpec.allow_leak_suspects``.

    Returns
    -------
    Verdict
        With its reason, and what it were without the suspects.
    """
    refused, _ = split_suspects(suspects, allowed)
    if not refused:
        return replace(verdict, suspects=tuple(suspects))
    names = list(dict.fromkeys(name for one in refused for name in one.columns))
    shown = "; ".join(one.text for one in refused[:_MOST_SHOWN])
    more = f"; and {len(refused) - _MOST_SHOWN} more" if len(refused) > _MOST_SHOWN else ""
    reason = (
        f"looks like a leak of the label: {shown}{more}. Take {names} out of the features; what "
        "really is known at the row's moment, name in ModelSpec(allow_leak_suspects=...). Else the "
        f"verdict were {verdict.verdict}: {verdict.reason}"
    )
    return replace(verdict, verdict="keep", reason=reason, suspects=tuple(suspects))
