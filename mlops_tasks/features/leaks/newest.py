"""Features that are there in the rows of a training and missing in the newest ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tasks.exceptions import FeatureError, LeakageError
from mlops_tasks.features.leaks.presence import purity
from mlops_tasks.features.leaks.sample import first_by_hash
from mlops_tasks.features.windows import dataset_range, feature_rows
from mlops_tasks.problem_types.metrics import share_interval
from mlops_tasks.registry.versions import LeakSuspect

if TYPE_CHECKING:
    import pyarrow as pa

    from mlops_tasks.lake import Lake, TrainingPin
    from mlops_tasks.specs import EstimatorSpec, ModelSpec

__all__ = ["missing_in_newest", "newest_rows"]

#: What the lower bounds must reach: the share of the training's rows with a value, and the purity.
#: If all of the newest rows lack it, 35 of them are enough.
_MIN_SHARE, _MIN_PURITY = 0.5, 0.9


def newest_rows(spec: ModelSpec, pin: TrainingPin, *, lake: Lake) -> pa.Table | None:
    """Return key and features of the newest partition of which a training knows no labels yet.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    pin : TrainingPin
        From `pin_training_data`.
    lake : Lake
        The data.

    Returns
    -------
    Table or None
        As known by the training's cut-off. None if no partition after its evaluation has all of its
        inputs by then, or their features cannot be built: a scoring of them says so, and the
        training does not need them.
    """
    known = {
        dataset.name: set(lake.table(dataset.name).partitions(known_at=pin.as_of))
        for dataset in spec.triggers
    }
    complete = [
        key
        for key in known[spec.rows.name]
        if key > pin.evaluation[1]
        and all(
            known[one.name].issuperset(one.calendar.range(*dataset_range(spec, one, key, key)))
            for one in spec.triggers
        )
    ]
    if not complete:
        return None
    newest = max(complete)
    try:
        return feature_rows(spec, lake, first=newest, last=newest, known_at=pin.as_of)
    except (FeatureError, LeakageError):
        return None


def missing_in_newest(
    spec: EstimatorSpec, rows: pa.Table, newest: pa.Table
) -> dict[str, LeakSuspect]:
    """Return the features that most rows of a training have, and hardly any of the newest ones.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    rows, newest : Table
        Key and features, from `labelled_rows` and `feature_rows`.

    Returns
    -------
    dict of str to LeakSuspect
        By feature. A value that comes after the row's moment is filled in later and looks, in the
        rows of a training, as if it had always been there.
    """
    older, newer = first_by_hash(spec, rows), first_by_hash(spec, newest)
    found = {}
    for name in spec.features if newer.num_rows else ():
        then, now = (_present(spec, one, name) for one in (older, newer))
        share, others = share_interval(then, older.num_rows), share_interval(now, newer.num_rows)
        pure = purity(share, others)
        if share.lower < _MIN_SHARE or pure.lower < _MIN_PURITY:
            continue
        text = (
            f"{name!r} has a value in {share.value:.1%} of the rows of the training and in "
            f"{others.value:.1%} of the {newer.num_rows} newest ones: it is filled in after the "
            "row's moment, or the source has lost it"
        )
        value, lower, upper = (round(one, 6) for one in (pure.value, pure.lower, pure.upper))
        found[name] = LeakSuspect((name,), "newest", value, lower, upper, newer.num_rows, text)
    return found


def _present(spec: EstimatorSpec, rows: pa.Table, name: str) -> int:
    """Count the rows in which a feature has a value."""
    import pyarrow.compute as pc

    column = rows.column(name)
    missing = pc.is_null(column, nan_is_null=True)
    if name in spec.text:
        missing = pc.or_(missing, pc.equal(pc.fill_null(column.cast("string"), ""), ""))
    n_missing: int = pc.sum(missing).as_py() or 0
    n_rows: int = rows.num_rows
    return n_rows - n_missing
