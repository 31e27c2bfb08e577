"""The search for leak suspects among the features of a training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tasks.features.leaks.informedness import (
    MIN_ALONE,
    cells_of_names,
    cells_of_numbers,
    informedness,
)
from mlops_tasks.features.leaks.newest import missing_in_newest
from mlops_tasks.features.leaks.presence import presence_of_label
from mlops_tasks.features.leaks.sample import draw_sample
from mlops_tasks.features.leaks.sums import find_sum
from mlops_tasks.registry.versions import LeakSuspect

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from mlops_tasks.features.leaks.sample import LeakSample
    from mlops_tasks.problem_types.metrics import Interval
    from mlops_tasks.specs import EstimatorSpec

__all__ = ["leak_suspects"]

_MOST_SUMS = 3


def leak_suspects(
    spec: EstimatorSpec, rows: pa.Table, *, newest: pa.Table | None = None
) -> tuple[LeakSuspect, ...]:
    """Find features that know what only the label can know.

    Parameters
    ----------
    spec : EstimatorSpec
        The model; features that it allows are found, too.
    rows : Table
        Key, features and the target ``y``, from `labelled_rows`.
    newest : Table, optional
        Features of the newest rows, whose label is not known yet, from `feature_rows`.

    Returns
    -------
    tuple of LeakSuspect
        In the order of the features, sums last; a feature once. None are found where fewer than
        two classes have 10 rows, and with less than about 75 rows of each of two classes no
        interval is narrow enough.

    Notes
    -----
    At most 20,000 rows are looked at, as many of each class, chosen by the hashes of their keys.
    The classes of a number are its fifths: a feature that tells them apart leaves about 7 % of the
    target's standard deviation, R² 0.994; the hour before of a slow quantity leaves more.

    - *alone*, *map*: the informedness of the feature's values, in cells, see `informedness`, is at
      least 0.9 with the lower bound of its 95 % interval. It is that of a ROC AUC of 0.99: a strong
      but honest feature of AUC 0.9 has 0.64.
    - *sum*: so is that of a combination of 2 to 4 numbers with whole factors of at most 8 together,
      or an exact one, and its value at least 0.97, see `find_sum`. Features that are suspects alone
      take no part.
    - *presence*: of rows with a value, or without one, 98 % are of one label, if all labels were
      as frequent, see `presence_of_label`. ``""`` counts as missing in a text.
    - *newest*: the feature is missing in the newest rows, and was there in those of the training.

    Nothing tells a leak with more noise from a strong honest feature. O(rows · features · log rows)
    and, of f numbers, O(rows · f² + f³).

    References
    ----------
    Kaufman, Rosset, Perlich, Stitelman (2012), Leakage in data mining: formulation, detection and
    avoidance, ACM Transactions on Knowledge Discovery from Data 6.
    """
    sample = draw_sample(spec, rows)
    known: dict[str, LeakSuspect] = {}
    sums: list[LeakSuspect] = []
    if sample is not None:
        for name in spec.features:
            suspect = _alone(spec, sample, name) or _presence(spec, sample, name)
            known |= {name: suspect} if suspect else {}
        sums = _sums(sample, [name for name in spec.numeric if name not in known])
    if newest is not None:
        late = missing_in_newest(spec, rows, newest)
        known = late | known
    return (*(known[name] for name in spec.features if name in known), *sums)


def _missing(spec: EstimatorSpec, sample: LeakSample, name: str) -> npt.NDArray[np.bool_]:
    values = sample.frame[name]
    found: npt.NDArray[np.bool_] = (
        values.eq("") if name in spec.text else values.isna()
    ).to_numpy()
    return found


def _alone(spec: EstimatorSpec, sample: LeakSample, name: str) -> LeakSuspect | None:
    values = sample.frame[name].to_numpy()
    is_number = name in spec.numeric
    cells = cells_of_numbers(values) if is_number else cells_of_names(values)
    found = informedness(cells, sample.classes, ordered=is_number)
    if found.lower < MIN_ALONE:
        return None
    what = "alone nearly gives the label" if is_number else "maps to the label, value by value"
    kind = "alone" if is_number else "map"
    text = f"{name!r} {what}: {_shown(found)} in {len(values)} rows"
    return _suspect((name,), kind, found, len(values), text)


def _presence(spec: EstimatorSpec, sample: LeakSample, name: str) -> LeakSuspect | None:
    missing = _missing(spec, sample, name)
    found = presence_of_label(missing, sample.classes)
    if found is None:
        return None
    text = (
        f"{name!r} {'has a value' if found.present else 'is missing'} only with one label: in "
        f"{found.share:.1%} of its rows and {found.others:.1%} of all others, purity "
        f"{found.found.value:.3f} (95 % interval {found.found.lower:.3f} to "
        f"{found.found.upper:.3f}) in {len(missing)} rows"
    )
    return _suspect((name,), "presence", found.found, len(missing), text)


def _sums(sample: LeakSample, names: list[str]) -> list[LeakSuspect]:
    suspects: list[LeakSuspect] = []
    while len(suspects) < _MOST_SUMS and len(names) > 1:
        found = find_sum(sample.frame[names].to_numpy(), sample.numbers, sample.classes)
        if found is None:
            break
        columns = tuple(names[one] for one in found.columns)
        pairs = zip(found.factors, columns, strict=True)
        written = " ".join(
            f"{'-' if factor < 0 else '+'} {_times(factor)}{name}" for factor, name in pairs
        )
        written = written.removeprefix("+ ")
        text = f"{written} gives the label: {_shown(found.found)} in {found.n_rows} rows"
        suspects.append(_suspect(columns, "sum", found.found, found.n_rows, text))
        names = [name for name in names if name not in columns]
    return suspects


def _times(factor: float) -> str:
    size = f"{abs(factor):.4g}"
    return "" if size == "1" else f"{size} · "


def _shown(found: Interval) -> str:
    return (
        f"informedness {found.value:.3f} (95 % interval {found.lower:.3f} to {found.upper:.3f}; 0 "
        "is chance, 1 the label itself)"
    )


def _suspect(
    columns: tuple[str, ...], kind: str, found: Interval, n_rows: int, text: str
) -> LeakSuspect:
    value, lower, upper = (round(one, 6) for one in (found.value, found.lower, found.upper))
    return LeakSuspect(columns, kind, value, lower, upper, n_rows, text)
