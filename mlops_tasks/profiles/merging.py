"""Many profiles into one: all columns at once where arithmetic allows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tasks.exceptions import SchemaMismatchError
from mlops_tasks.profiles.arrays import COUNTS, MOMENTS, TEXTS, CategoryArrays, NumberArrays
from mlops_tasks.profiles.bridge import texts
from mlops_tasks.profiles.distinct import N_REGISTERS
from mlops_tasks.profiles.frequency import Frequencies
from mlops_tasks.profiles.moments import merged_moments
from mlops_tasks.profiles.quantiles import Quantiles, merged_points
from mlops_tasks.profiles.stacking import places, stacked
from mlops_tasks.workers import side_by_side

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Integers = npt.NDArray[np.int64]

__all__ = ["check_kinds", "merged_categories", "merged_numbers", "union"]

#: So many points of a column are looked at; of more, each part is thinned first.
_POOL = 32_768
_N_FINITE = COUNTS.index("n_finite")
_SLACK, _MINIMUM, _MAXIMUM = (MOMENTS.index(name) for name in ("slack", "minimum", "maximum"))


def check_kinds(parts: Sequence[tuple[NumberArrays, CategoryArrays]]) -> None:
    """Refuse to merge profiles in which a column changed its kind.

    Parameters
    ----------
    parts : sequence of (NumberArrays, CategoryArrays)
        The columns of each profile.

    Raises
    ------
    SchemaMismatchError
        If a name stands for numbers in one and for something else in another.
    """
    kinds: dict[str, str] = {}
    seen = {(n.names, n.is_time.tobytes(), c.names): (n, c) for n, c in parts}
    for numbers, categories in seen.values():
        own = dict(zip(numbers.names, numbers.is_time.tolist(), strict=True))
        named = {name: "time" if time else "numeric" for name, time in own.items()}
        for name, kind in (named | dict.fromkeys(categories.names, "category")).items():
            if kinds.setdefault(name, kind) != kind:
                raise SchemaMismatchError(
                    f"column {name!r} is {kinds[name]} in one profile and {kind} in another: "
                    "its type changed between them; merge each side of the change by itself"
                )


def merged_numbers(parts: Sequence[NumberArrays], limit: int) -> NumberArrays:
    """Merge the numeric and time columns of profiles; a column that one lacks has no rows there.

    Parameters
    ----------
    parts : sequence of NumberArrays
        At least one; kinds agree.
    limit : int
        Largest number of points of a column.

    Returns
    -------
    NumberArrays
        Of the union of rows.
    """
    import numpy as np

    names = union([part.names for part in parts])
    parts = [part.thinned(max(1, _POOL // len(parts))) for part in parts]
    counts = stacked(parts, names, "counts")
    sketches = _merged_sketches(parts, names, limit)
    n_finite = counts[:, :, _N_FINITE]
    return NumberArrays(
        names,
        np.any(stacked(parts, names, "is_time"), axis=0),
        counts.sum(axis=0),
        _moments(n_finite, stacked(parts, names, "moments"), sketches),
        _bounds(n_finite, stacked(parts, names, "bounds")),
        np.array([len(sketch.points) for sketch in sketches], np.int64),
        np.concatenate([sketch.points for sketch in sketches] or [np.zeros(0)]),
    )


def merged_categories(parts: Sequence[CategoryArrays]) -> CategoryArrays:
    """Merge the category columns of profiles; a column that one lacks has no rows there.

    Parameters
    ----------
    parts : sequence of CategoryArrays
        At least one.

    Returns
    -------
    CategoryArrays
        Of the union of rows.
    """
    import numpy as np
    import pyarrow as pa

    names = union([part.names for part in parts])
    frequencies = _merged_frequencies(parts, names)
    registers = [one.registers for one in frequencies if one.registers is not None]
    return CategoryArrays(
        names,
        _text_counts(stacked(parts, names, "counts"), frequencies),
        np.array([len(one.values) for one in frequencies], np.int64),
        pa.concat_arrays([one.values for one in frequencies] or [texts([])]),
        np.concatenate([one.counts for one in frequencies] or [np.zeros(0, np.int64)]),
        np.array(registers, np.uint8).reshape(-1, N_REGISTERS),
    )


def union(names: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """Return all names once, in the order in which they come."""
    return tuple(dict.fromkeys(name for own in dict.fromkeys(names) for name in own))


def _merged_sketches(
    parts: Sequence[NumberArrays], names: tuple[str, ...], limit: int
) -> list[Quantiles]:
    import numpy as np

    begins, sizes = places(parts, names)
    n = stacked(parts, names, "counts")[:, :, _N_FINITE]
    slacks = stacked(parts, names, "moments")[:, :, _SLACK]

    def merge(i: int) -> Quantiles:
        spans = zip(parts, begins[:, i].tolist(), sizes[:, i].tolist(), strict=True)
        points = np.concatenate([part.points[a : a + size] for part, a, size in spans])
        return merged_points(points, sizes[:, i], n[:, i], slacks[:, i], limit)

    return side_by_side(merge, range(len(names)), n_values=int(sizes.sum()))


def _moments(n_finite: Integers, moments: Floats, sketches: list[Quantiles]) -> Floats:
    import numpy as np

    some = n_finite > 0
    _, *powers = merged_moments(n_finite.astype(float), *np.moveaxis(moments[:, :, :3], 2, 0))
    low = np.where(some, moments[:, :, _MINIMUM], np.inf).min(axis=0)
    high = np.where(some, moments[:, :, _MAXIMUM], -np.inf).max(axis=0)
    slacks = np.array([sketch.slack for sketch in sketches], np.float64)
    table = np.stack([*powers, slacks, low, high], axis=1)
    table[~some.any(axis=0), _MINIMUM:] = np.nan
    return table


def _bounds(n_finite: Integers, bounds: Integers) -> Integers:
    import numpy as np

    limits, some = np.iinfo(np.int64), n_finite > 0
    low = np.where(some, bounds[:, :, 0], limits.max).min(axis=0)
    high = np.where(some, bounds[:, :, 1], limits.min).max(axis=0)
    table: Integers = np.stack([low, high], axis=1)
    table[~some.any(axis=0)] = 0
    return table


def _merged_frequencies(
    parts: Sequence[CategoryArrays], names: tuple[str, ...]
) -> list[Frequencies]:
    begins, sizes = places(parts, names)
    errors = stacked(parts, names, "counts")[:, :, TEXTS.index("error")]
    registers = [
        {part.names[i]: own for i, own in part.registers_by_column().items()} for part in parts
    ]

    def merge(i: int) -> Frequencies:
        spans = zip(parts, begins[:, i].tolist(), sizes[:, i].tolist(), strict=True)
        own = [(part.values.slice(a, size), part.rows[a : a + size]) for part, a, size in spans]
        rest = zip(errors[:, i].tolist(), (known.get(names[i]) for known in registers), strict=True)
        return Frequencies.merged([Frequencies(*o, *r) for o, r in zip(own, rest, strict=True)])

    return side_by_side(merge, range(len(names)), n_values=int(sizes.sum()))


def _text_counts(table: Integers, frequencies: list[Frequencies]) -> Integers:
    """Add up the counts; lengths are the least and the greatest of the parts that have texts."""
    import numpy as np

    at = {name: i for i, name in enumerate(TEXTS)}
    some = table[:, :, at["n"]] > table[:, :, at["n_null"]]
    shortest = np.where(some, table[:, :, at["min_length"]], np.iinfo(np.int64).max).min(axis=0)
    total: Integers = table.sum(axis=0)
    total[:, at["error"]] = [one.error for one in frequencies]
    total[:, at["is_exact"]] = [one.registers is None for one in frequencies]
    total[:, at["is_text"]] = table[:, :, at["is_text"]].max(axis=0)
    total[:, at["min_length"]] = np.where(some.any(axis=0), shortest, 0)
    total[:, at["max_length"]] = table[:, :, at["max_length"]].max(axis=0)
    return total
