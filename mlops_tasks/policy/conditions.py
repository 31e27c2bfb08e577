"""Alarms that last: a reason to train is a monitor that alarmed on n of its last k partitions."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from mlops_tasks.monitoring.results import Check, MonitorResult
    from mlops_tasks.specs import RetrainSpec

__all__ = ["AlarmHistory", "drift_alarms", "estimate_note", "performance_alarms"]


@dataclass(frozen=True, slots=True)
class AlarmHistory:
    """On which of its newest partitions a monitor alarmed, and whether that is a reason to train.

    ``untold_days`` are those of which no check can tell.
    """

    alarm: bool
    days: tuple[str, ...]
    alarm_days: tuple[str, ...]
    untold_days: tuple[str, ...]
    text: str

    @property
    def answer(self) -> Literal["fine", "alarm", "cannot_tell"]:
        """One of three; nobody can tell before the first partition, or if not of the newest one."""
        if self.alarm:
            return "alarm"
        return "fine" if self.days and self.days[-1] not in self.untold_days else "cannot_tell"


def performance_alarms(
    policy: RetrainSpec,
    results: Sequence[MonitorResult],
    *,
    grain: str = "day",
    estimates: Sequence[MonitorResult] = (),
) -> AlarmHistory:
    """Weigh what predictions were worth.

    Parameters
    ----------
    policy : RetrainSpec
        How many partitions must alarm.
    results : sequence of MonitorResult
        One for each partition, in order.
    grain : str, default "day"
        What the partitions are, for the text.
    estimates : sequence of MonitorResult, optional
        What was estimated of them before their labels came.

    Returns
    -------
    AlarmHistory
        A partition alarms when one of its checks does; it counts twice where the estimate of its
        metric has alarmed before.
    """
    checks = {one.last: one.checks for one in results}
    before = {(one.last, check.name) for one in estimates for check in one.alarms}
    confirmed = [
        day
        for day, found in checks.items()
        if any(c.alarm and (day, c.name) in before for c in found)
    ]
    return _history(policy, "performance", checks, grain, confirmed=confirmed)


def estimate_note(estimates: Sequence[MonitorResult], performance: AlarmHistory) -> str:
    """Say what the newest estimate is where that is news; empty where it is none.

    Parameters
    ----------
    estimates : sequence of MonitorResult
        In order.
    performance : AlarmHistory
        From `performance_alarms`.

    Returns
    -------
    str
        An alarm that no label confirms yet; or any answer where performance has none.
    """
    if not estimates or (newest := estimates[-1]).last in performance.days:
        return ""
    (check,) = newest.checks
    if check.alarm:
        return f"estimated before labels, a cause once they confirm it: {newest.last}, {check.text}"
    if performance.answer == "cannot_tell" and check.value is not None:
        return f"estimated before labels: {newest.last}, {check.text}"
    return ""


def drift_alarms(
    policy: RetrainSpec,
    results: Sequence[MonitorResult],
    *,
    derived: Collection[str] = (),
    grain: str = "day",
    lasting: Mapping[str, int] | None = None,
) -> AlarmHistory:
    """Weigh how inputs and predictions have drifted.

    Parameters
    ----------
    policy : RetrainSpec
        How many partitions must alarm, and how many columns on each.
    results : sequence of MonitorResult
        One for each partition, in order.
    derived : collection of str, optional
        Columns that follow from another one, which counts already.
    grain : str, default "day"
        What the partitions are, for the text.
    lasting : mapping of str to int, optional
        For how many partitions in a row a column has alarmed, for the text.

    Returns
    -------
    AlarmHistory
        A partition alarms when at least ``min_drifted`` of its checks do.
    """
    counted = {one.last: [c for c in one.checks if c.name not in derived] for one in results}
    least = policy.min_drifted
    return _history(policy, "drift", counted, grain, at_least=least, lasting=lasting or {})


def _history(
    policy: RetrainSpec,
    what: str,
    checks: Mapping[str, Sequence[Check]],
    grain: str,
    *,
    at_least: int = 1,
    lasting: Mapping[str, int] = MappingProxyType({}),
    confirmed: Collection[str] = (),
) -> AlarmHistory:
    """Judge n of the last k partitions, the newest included."""
    days = tuple(checks)
    if not days:
        return AlarmHistory(False, (), (), (), f"{what} is not measured yet")
    alarms = {day: [check for check in checks[day] if check.alarm] for day in days}
    hit = tuple(day for day in days if len(alarms[day]) >= at_least)
    untold = tuple(day for day in days if all(check.value is None for check in checks[day]))
    alarm = len(hit) + len(confirmed) >= policy.windows and days[-1:] == hit[-1:]
    text = f"{what} alarmed on {len(hit)} of the last {_counted(len(days), grain)}"
    if alarm:
        first, *others = alarms[days[-1]]
        estimated = f"; estimated before on {', '.join(confirmed)}" if confirmed else ""
        text += f" ({', '.join(hit)}{estimated}): {first.text}"
        text += f" and {len(others)} more" if others else ""
    elif hit:
        text += f", {policy.windows} with the newest are needed"
    if untold and not alarm:
        text += f", on {len(untold)} nobody can tell"
        silent = [check.text for check in checks[days[-1]] if days[-1] in untold]
        text += f": {silent[0]}" if silent else ""
    text += _too_few(alarms, at_least, grain, lasting)
    return AlarmHistory(alarm, days, hit, untold, text)


def _counted(n: int, grain: str) -> str:
    return f"{n} {grain}{'' if n == 1 else 's'}"


def _too_few(
    alarms: Mapping[str, Sequence[Check]], at_least: int, grain: str, lasting: Mapping[str, int]
) -> str:
    """Say why columns that alarmed are no alarm of their partition, and what they matter."""
    few = [day for day, found in alarms.items() if 0 < len(found) < at_least]
    if not few:
        return ""
    columns = alarms[few[-1]]
    n, plural = len(columns), "s" if len(columns) > 1 else ""
    needed = f"{n} column{plural} alarm{'' if plural else 's'}, {at_least} needed"
    where = f"on {_counted(len(few), grain)}" if len(few) > 1 else f"on {few[-1]}"
    named = ", ".join(_named(one, lasting.get(one.name, 0), grain) for one in columns)
    return f"; {needed} (retrain.min_drifted), {where}: {named}"


def _named(check: Check, n_lasting: int, grain: str) -> str:
    known = [check.name]
    if check.importance is not None:
        known.append(f"whose importance is {check.importance:.2g}")
    if n_lasting > 1:
        known.append(f"for {_counted(n_lasting, grain)}")
    return ", ".join(known)
