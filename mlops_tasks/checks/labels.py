"""Labels: the expression, its type and classes, how many rows find one, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tasks.checks.data import place_of
from mlops_tasks.checks.newest import newest_ended
from mlops_tasks.checks.refusals import refused
from mlops_tasks.checks.result import ALARM, CANNOT_TELL, FINE, CheckResult
from mlops_tasks.partitions import DAY
from mlops_tasks.problem_types import TARGET, problem_type

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlops_tasks.checks.sample import Sample
    from mlops_tasks.specs import ModelSpec

__all__ = ["check_label_delay", "check_labels"]

# A younger partition with less than so large a part of the older ones' labels was taken too early.
_TOO_EARLY = 0.5


def check_labels(look: Sample) -> Iterator[CheckResult]:
    """Make targets of the labels, and look for those of the newest rows."""
    spec = look.spec
    where = f"label.target {spec.label.target!r}"
    try:
        _ = look.targets  # the expression, also where there are no features
        labelled, n_rows = look.labelled.num_rows, look.features.num_rows
    except Exception as error:
        yield refused(look, "label", where, error)
        return
    if not labelled:
        yield CheckResult("label", where, ALARM, _no_label(look), _key_fix(spec))
        return
    if why := look.learnable:
        yield CheckResult(
            "label",
            where,
            CANNOT_TELL,
            f"{labelled:,} rows of {_span(look)} have a label, {why}",
            "look at the expression; if that kind is rare, check an older --partition",
        )
        return
    settled = _shares(look, refreshed=True)
    share = sum(settled) / len(settled) if settled else 1.0
    if share < spec.performance.min_coverage:
        yield CheckResult(
            "label",
            where,
            ALARM,
            f"{share:.0%} of the rows have a label once all should be there, and monitoring "
            f"compares the labels of a {spec.rows.grain} from {spec.performance.min_coverage:.0%} "
            "on (performance.min_coverage)",
            "if no more rows ever get one, lower min_coverage; else look at key and target",
        )
        return
    yield CheckResult("label", where, FINE, _described(look, labelled / n_rows))


def _described(look: Sample, share: float) -> str:
    target = look.labelled.column(TARGET).to_numpy(zero_copy_only=False)
    figures = problem_type(look.spec.problem_type).describe_target(target)
    shown = ", ".join(f"{name} {value:g}" for name, value in figures.items())
    return f"{share:.0%} of {look.features.num_rows:,} rows of {_span(look)} have one: {shown}"


def _span(look: Sample) -> str:
    keys = look.partitions
    return keys[0] if len(keys) == 1 else f"{keys[0]} to {keys[-1]}"


def _no_label(look: Sample) -> str:
    known = look.targets.num_rows
    label = look.spec.label.dataset.name
    text = f"none of {look.features.num_rows:,} rows of {_span(look)} has a label: "
    if not known:
        return f"{text}the target is null in all {look.labels.num_rows:,} rows of {label!r}"
    return f"{text}{label!r} has {known:,}, and all under other keys {list(look.spec.key)}"


def _key_fix(spec: ModelSpec) -> str:
    return (
        f"let {spec.rows.name!r} and {spec.label.dataset.name!r} have the same key for the same "
        "thing, and look at the expression"
    )


def check_label_delay(look: Sample) -> Iterator[CheckResult]:
    """Compare when labels are said to come with those that have come."""
    label = look.spec.label.dataset
    where = f"{place_of(label)}, delay {label.delay}"
    if label.last is not None and label.last <= newest_ended(label, look.now):
        yield CheckResult("label delay", where, FINE, "the source has ended: all labels are there")
        return
    try:
        newest = look.newest(label)
        if newest is None:
            text = "no partition has any label yet"
            yield CheckResult("label delay", where, CANNOT_TELL, text, "check again once some came")
            return
        due = _newest_due(look)
        shares = _shares(look, refreshed=False)
    except Exception as error:
        yield refused(look, "label delay", where, error)
        return
    late = label.calendar.between(newest, due)
    if late > 0:
        yield CheckResult(
            "label delay",
            where,
            ALARM,
            f"the labels of {due} are due by now, and the newest that are there are those of "
            f"{newest}, {late} {label.grain}s before",
            f"set delay to {label.delay_steps + late} {label.grain}s or more",
        )
        return
    if len(shares) > 1 and shares[-1] < _TOO_EARLY * max(shares[:-1]):
        yield CheckResult(
            "label delay",
            where,
            ALARM,
            f"{shares[-1]:.0%} of the newest rows whose labels are due have one, of older ones "
            f"{max(shares[:-1]):.0%}: labels still come after the delay",
            "set a longer delay, or refresh_after to take late labels",
        )
        return
    yield CheckResult("label delay", where, FINE, f"labels are there up to {newest}")


def _as_of(look: Sample) -> str:
    """Return the day as of which labels can be there: today, or when the rows stopped to come."""
    rows = look.spec.rows
    today, newest = DAY.key_of(look.now, rows.timezone or "UTC"), look.newest(rows)
    if newest is None or newest == rows.last:
        return today
    return min(today, rows.due(newest))


def _newest_due(look: Sample) -> str:
    """Return the newest label partition that is due."""
    label = look.spec.label.dataset
    key, as_of = newest_ended(label, look.now), _as_of(look)
    while key > label.first and label.due(key) > as_of:
        key = label.calendar.shift(key, -1)
    return key


def _shares(look: Sample, *, refreshed: bool) -> list[float]:
    """Return the share of rows with a label, of partitions whose labels, or late ones, are due."""
    spec, shares = look.spec, []
    key, label, as_of = list(spec.key), spec.label.dataset, _as_of(look)
    for partition in look.partitions:
        if label.due(look.of_partition(label, partition)[-1], refreshed=refreshed) > as_of:
            continue
        rows = look.lake.table(spec.rows.name).read(first=partition, last=partition).select(key)
        found = rows.join(look.targets.select(key), keys=key, join_type="left semi")
        shares.append(found.num_rows / max(1, rows.num_rows))
    return shares
