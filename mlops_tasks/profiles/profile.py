"""The profile of a partition, or of any number of partitions merged."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from mlops_tasks.profiles.arrays import CategoryArrays, NumberArrays, columns_of
from mlops_tasks.profiles.columns import NumericProfile
from mlops_tasks.profiles.correlations import Correlations
from mlops_tasks.profiles.merging import check_kinds, merged_categories, merged_numbers, union
from mlops_tasks.profiles.quantiles import MERGED_POINTS
from mlops_tasks.profiles.recoding import categories_of
from mlops_tasks.profiles.storage import pack, text_arrays, texts_of, unpack

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    import pyarrow as pa

    from mlops_tasks.profiles.columns import ColumnProfile

__all__ = ["Profile"]


@dataclass(frozen=True, eq=False)
class Profile:
    """What each column of some rows looked like, in bounded memory.

    Attributes
    ----------
    n_rows : int
        Rows profiled.
    order : tuple of str
        Names of the columns, in the order of the schema.
    numbers : NumberArrays
        Numeric and time columns.
    categories : CategoryArrays
        The other columns.
    correlations : Correlations
        Of every pair of numeric columns.

    Notes
    -----
    Counts, minima and maxima of a merge equal those of all rows at once, moments do up to
    rounding, and ranks within the `rank_error` that each column states.

    Examples
    --------
    >>> import pyarrow as pa
    >>> rows = pa.table({"x": [3, 1, 2], "color": ["red", "blue", "red"]})
    >>> profile = Profile.of(rows.to_batches(), rows.schema)
    >>> profile.columns["x"].quantiles([0.5]).tolist(), dict(profile.columns["color"].counts)
    ([2.0], {'red': 2, 'blue': 1})
    >>> Profile.from_bytes(profile.merge(profile).to_bytes()).n_rows
    6
    """

    n_rows: int
    order: tuple[str, ...]
    numbers: NumberArrays
    categories: CategoryArrays
    correlations: Correlations

    @classmethod
    def of(
        cls,
        batches: Iterable[pa.RecordBatch],
        schema: pa.Schema,
        *,
        columns: Sequence[str] | None = None,
        categorical: Collection[str] = (),
    ) -> Profile:
        """Profile rows in one pass.

        Parameters
        ----------
        batches : iterable of RecordBatch
            All with the columns of the schema.
        schema : Schema
            Says what there is when there are no rows.
        columns : sequence of str, optional
            Columns to profile; by default all.
        categorical : collection of str, optional
            Columns that are categories whatever their type, as `ModelSpec.categorical` declares.

        Returns
        -------
        Profile
            Equal for equal rows in equal order, however they are cut into batches.

        Raises
        ------
        TypeError
            If a column has a type of which there is no profile.
        SchemaMismatchError
            If a batch or `columns` does not agree with the schema.
        """
        from mlops_tasks.profiles.builder import ProfileBuilder

        builder = ProfileBuilder(schema, columns=columns, categorical=categorical)
        for batch in batches:
            builder.update(batch)
        return builder.finish()

    @classmethod
    def of_columns(
        cls, n_rows: int, columns: Mapping[str, ColumnProfile], correlations: Correlations
    ) -> Profile:
        """Make a profile of finished columns.

        Parameters
        ----------
        n_rows : int
            Rows of each.
        columns : mapping of str to ColumnProfile
            In the order of the schema.
        correlations : Correlations
            Of the numeric ones.

        Returns
        -------
        Profile
            Of these.
        """
        numbers, categories = NumberArrays.of(columns), CategoryArrays.of(columns)
        return cls(n_rows, tuple(columns), numbers, categories, correlations)

    @classmethod
    def merged(
        cls,
        profiles: Iterable[Profile],
        *,
        n_points: int = MERGED_POINTS,
        correlated: bool = True,
    ) -> Profile:
        """Merge profiles of rows of the same table; reads no data.

        Parameters
        ----------
        profiles : iterable of Profile
            At least one, in any order. A column that one lacks counts no rows there.
        n_points : int, default 2048
            Points of a column of numbers, at most.
        correlated : bool, default True
            Whether to merge correlations too; without, the result has none.

        Returns
        -------
        Profile
            Of the union of rows. Merging all at once is faster and closer than one by one: each
            merge adds half a point to the rank errors, 1/4096 by default, once there are more rows
            than points.

        Raises
        ------
        ValueError
            If there is none.
        SchemaMismatchError
            If a column changed its kind.
        """
        parts = list(profiles)
        if not parts:
            raise ValueError("no profiles to merge: the window has no partition with a profile")
        if len(parts) == 1:
            return parts[0]  # whatever its points
        pairs = [part.correlations for part in parts] if correlated else []
        check_kinds([(part.numbers, part.categories) for part in parts])
        return cls(
            sum(part.n_rows for part in parts),
            union(part.order for part in parts),
            merged_numbers([part.numbers for part in parts], n_points),
            merged_categories([part.categories for part in parts]),
            Correlations.merged(pairs),
        )

    def thinned(self, n_points: int) -> Profile:
        """Return the same with fewer points, and without correlations.

        Parameters
        ----------
        n_points : int
            Points of a column of numbers, at most; half a point is added to the rank errors.
        """
        numbers = self.numbers.thinned(n_points)
        return replace(self, numbers=numbers, correlations=Correlations.nothing(()))

    def only(self, names: Iterable[str]) -> Profile:
        """Return the same with some of its columns, and without correlations.

        Parameters
        ----------
        names : iterable of str
            Columns wanted; what is none of this profile's is left out.
        """
        kept = {name: self.columns[name] for name in names if name in self.columns}
        return Profile.of_columns(self.n_rows, kept, Correlations.nothing(()))

    def declared(self, categorical: Collection[str]) -> Profile:
        """Return the same with the columns declared as categorical read as categories.

        Parameters
        ----------
        categorical : collection of str
            Those that were profiled as numbers, before they were declared, are read as
            `categories_of` does; the others stay as they are.
        """
        names = set(categorical).intersection(self.numbers.names)
        numbers = {name: self.columns[name] for name in names}
        coded = {n: categories_of(c) for n, c in numbers.items() if isinstance(c, NumericProfile)}
        if not coded:
            return self
        columns = {name: coded.get(name, column) for name, column in self.columns.items()}
        return Profile.of_columns(self.n_rows, columns, Correlations.nothing(()))

    def merge(self, *others: Profile) -> Profile:
        """Merge with others, see `merged`.

        Parameters
        ----------
        *others : Profile
            Of other rows of the same table.

        Returns
        -------
        Profile
            Of all their rows.
        """
        return self.merged([self, *others])

    @classmethod
    def all_from_bytes(cls, stored: Iterable[bytes]) -> list[Profile]:
        """Read many stored forms, for `merged`.

        Parameters
        ----------
        stored : iterable of bytes
            Each from `to_bytes`.

        Returns
        -------
        list of Profile
            In the same order.

        Raises
        ------
        DamagedTableError
            If one of them is no profile, of another format version, or damaged.
        """
        # One by one: the work is many short calls, and two threads were slower than one.
        return [cls.from_bytes(raw) for raw in stored]

    @cached_property
    def columns(self) -> Mapping[str, ColumnProfile]:
        """The columns by name, in schema order; read-only."""
        return columns_of(self.order, self.numbers, self.categories)

    def to_bytes(self) -> bytes:
        """Return the stored form, versioned and checked; its bytes are for `from_bytes` only."""
        numbers, categories = self.numbers, self.categories
        lengths, data = text_arrays(categories.values)
        arrays = {
            "is_time": numbers.is_time,
            "counts": numbers.counts,
            "moments": numbers.moments,
            "bounds": numbers.bounds,
            "sizes": numbers.sizes,
            "points": numbers.points,
            "text_counts": categories.counts,
            "text_sizes": categories.sizes,
            "lengths": lengths,
            "data": data,
            "rows": categories.rows,
            "registers": categories.registers,
            **self.correlations.as_arrays(),
        }
        facts = {
            "n_rows": self.n_rows,
            "order": self.order,
            "numbers": numbers.names,
            "categories": categories.names,
            "correlated": self.correlations.names,
        }
        return pack(facts, arrays)

    @classmethod
    def from_bytes(cls, raw: bytes) -> Profile:
        """Read the stored form.

        Parameters
        ----------
        raw : bytes
            From `to_bytes`.

        Returns
        -------
        Profile
            The same.

        Raises
        ------
        DamagedTableError
            If it is no profile, of another format version, or damaged.
        """
        facts, a = unpack(raw)
        numbers = (a["is_time"], a["counts"], a["moments"], a["bounds"], a["sizes"], a["points"])
        texts = texts_of(a["lengths"], a["data"])
        categories = (a["text_counts"], a["text_sizes"], texts, a["rows"], a["registers"])
        return cls(
            facts["n_rows"],
            tuple(facts["order"]),
            NumberArrays(tuple(facts["numbers"]), *numbers),
            CategoryArrays(tuple(facts["categories"]), *categories),
            Correlations.of_arrays(tuple(facts["correlated"]), a),
        )
