"""Features: made for the newest rows as training and scoring make them, and what is in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tasks.checks.refusals import refused
from mlops_tasks.checks.result import ALARM, FINE, CheckResult
from mlops_tasks.features.moments import refuse_one_day
from mlops_tasks.features.result import place
from mlops_tasks.features.weights import row_weights
from mlops_tasks.lake import PARTITION_COLUMN

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from mlops_tasks.checks.sample import Sample

__all__ = ["check_feature_values", "check_features", "check_personal"]

# A categorical feature names rows if more than this share of enough rows are different values.
_NAMES_ROWS = 0.9
_ROWS_TO_TELL = 100


def check_features(look: Sample) -> Iterator[CheckResult]:
    """Build them: one row per row, no label, the moments of the rows, and the declared columns."""
    spec, where = look.spec, place(look.spec)
    try:
        rows, keys = look.features, look.partitions
        refuse_one_day(spec, rows.column(spec.as_of), keys)
    except Exception as error:
        yield refused(look, "features", where, error)
        return
    text = (
        f"{rows.num_rows:,} rows, one for each of {spec.rows.name!r} of {keys[0]} to {keys[-1]}; "
        f"{len(spec.features)} features"
    )
    if others := _unused(look, rows.schema.names):
        text += f"; it also gives {others}, of which the spec makes no feature: is that meant?"
    yield CheckResult("features", where, FINE, text)


def _unused(look: Sample, names: list[str]) -> list[str]:
    """Return columns that the features have and the spec does not name."""
    spec = look.spec
    used = {*spec.key, spec.as_of, *spec.observed_at, *spec.features, spec.weight}
    return [name for name in names if name not in used and name != PARTITION_COLUMN]


def check_feature_values(look: Sample) -> Iterator[CheckResult]:
    """Look for features without any value, and for categories that name single rows."""
    spec, where = look.spec, place(look.spec)
    try:
        rows = look.features
        if spec.weight is not None:
            row_weights(spec, look.labelled)
    except Exception as error:
        yield refused(look, "feature values", where, error)
        return
    found = [result for name in spec.features for result in _look_at(look, name, rows)]
    yield from found
    if not found:
        text = _constant(look, rows) or f"all {len(spec.features)} features have values"
        yield CheckResult("feature values", where, FINE, text)


def _look_at(look: Sample, name: str, rows: pa.Table) -> Iterator[CheckResult]:
    import pyarrow.compute as pc

    values, spec = rows.column(name), look.spec
    where = f"{place(spec)}, column {name!r}"
    n_known = len(values) - values.null_count
    if name in spec.text:
        n_known = pc.sum(pc.greater(pc.utf8_length(values), 0)).as_py() or 0
    if len(values) and not n_known:
        yield CheckResult(
            "feature values",
            where,
            ALARM,
            f"has no value in any of {len(values):,} rows, and a training refuses such a feature",
            "look at the join and the columns that it comes from, or drop it from the spec",
        )
    elif name in spec.categorical and n_known >= _ROWS_TO_TELL:
        n_different = pc.count_distinct(values).as_py()
        if n_different > _NAMES_ROWS * n_known:
            yield CheckResult(
                "feature values",
                where,
                ALARM,
                f"has {n_different:,} different values in {n_known:,} rows: it names the rows, and "
                "no value would be met again",
                "declare it as numeric or text if it is one, or drop it",
            )


def _constant(look: Sample, rows: pa.Table) -> str:
    import pyarrow.compute as pc

    if rows.num_rows < _ROWS_TO_TELL:
        return ""
    same = [name for name in look.spec.features if pc.count_distinct(rows.column(name)).as_py() < 2]
    if not same:
        return ""
    keys = look.partitions
    return f"{same} say the same in all rows of {keys[0]} to {keys[-1]}; is that meant?"


def check_personal(look: Sample) -> Iterator[CheckResult]:
    """Name the features that hold values of people."""
    spec = look.spec
    if not spec.has_personal:
        yield CheckResult("personal", f"model {spec.name!r}", FINE, "no column is personal")
        return
    named = [name for name in spec.features if spec.hides(name)]
    text = (
        f"the features {named} are personal: the model learns from them, their values are shown "
        "nowhere and are in no golden row"
        if named
        else "no feature has the name of a personal column"
    )
    yield CheckResult("personal", f"model {spec.name!r}", FINE, text)
