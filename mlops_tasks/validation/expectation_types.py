"""Types of expectations: which are refused, what they read, and how each is made in chunks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["HOW_IN_WORDS", "How", "columns_read", "how_in_chunks", "why_refused"]

How: TypeAlias = Literal[
    "rows",
    "unique",
    "schema",
    "count",
    "extremes",
    "sum",
    "mean",
    "stdev",
    "distinct",
    "share_present",
    "share_distinct",
    "whole",
]

#: How an expectation is made when the partition is larger than one chunk. All give the verdict that
#: all rows at once would; sums, means and deviations of floats do so up to their last digit, which
#: depends on the order of adding.
HOW_IN_WORDS: dict[How, str] = {
    "rows": "in chunks, rows added up",
    "unique": "in chunks, by the hash of every row; the suspects again, exactly",
    "schema": "from the columns alone",
    "count": "from the row count",
    "extremes": "from the smallest and largest value of each chunk",
    "sum": "from the sums of the chunks",
    "mean": "from the sums and counts of the chunks",
    "stdev": "from the moments of the chunks",
    "distinct": "from the different values of each chunk",
    "share_present": "from the counts of the chunks",
    "share_distinct": "from the different values and the counts of each chunk",
    "whole": "not chunkable: made on its columns alone, all rows at once",
}

# One row at a time decides these, so chunks may be judged on their own.
_ROW_METRICS = frozenset(
    {
        "column_pair_values.a_greater_than_b",
        "column_pair_values.equal",
        "column_pair_values.in_set",
        "column_values.between",
        "column_values.dateutil_parseable",
        "column_values.in_set",
        "column_values.json_parseable",
        "column_values.match_json_schema",
        "column_values.match_regex",
        "column_values.match_regex_list",
        "column_values.match_strftime_format",
        "column_values.nonnull",
        "column_values.not_in_set",
        "column_values.not_match_regex",
        "column_values.not_match_regex_list",
        "column_values.null",
        "column_values.value_length.between",
        "column_values.value_length.equals",
        "multicolumn_sum.equal",
        "multicolumn_values.equal",
        "select_column_values.unique.within_record",
    }
)
_UNIQUE_METRICS = frozenset({"column_values.unique", "compound_columns.unique"})
_HOW: dict[str, How] = {
    "expect_column_to_exist": "schema",
    "expect_table_column_count_to_be_between": "schema",
    "expect_table_column_count_to_equal": "schema",
    "expect_table_columns_to_match_ordered_list": "schema",
    "expect_table_columns_to_match_set": "schema",
    "expect_table_row_count_to_be_between": "count",
    "expect_table_row_count_to_equal": "count",
    "expect_column_max_to_be_between": "extremes",
    "expect_column_min_to_be_between": "extremes",
    "expect_column_sum_to_be_between": "sum",
    "expect_column_mean_to_be_between": "mean",
    "expect_column_stdev_to_be_between": "stdev",
    "expect_column_distinct_values_to_be_in_set": "distinct",
    "expect_column_distinct_values_to_contain_set": "distinct",
    "expect_column_distinct_values_to_equal_set": "distinct",
    "expect_column_unique_value_count_to_be_between": "distinct",
    "expect_column_proportion_of_non_null_values_to_be_between": "share_present",
    "expect_column_proportion_of_unique_values_to_be_between": "share_distinct",
}

_TYPES = (
    "misjudges with this version of pandas, whose text is of type 'str' and whose times are in "
    "microseconds; types belong in the contract `columns`, which is checked before"
)
_PATTERN = "exists for SQL only; write the pattern for 'expect_column_values_to_match_regex'"
_SQL = "runs SQL, and a partition is no SQL table; use a row-wise expectation or a contract column"
_REFUSED = {
    "expect_column_type_to_be": _TYPES,
    "expect_column_values_to_be_in_type_list": _TYPES,
    "expect_column_values_to_be_of_type": _TYPES,
    "expect_column_values_to_match_like_pattern": _PATTERN,
    "expect_column_values_to_match_like_pattern_list": _PATTERN,
    "expect_column_values_to_not_match_like_pattern": _PATTERN,
    "expect_column_values_to_not_match_like_pattern_list": _PATTERN,
    "expect_query_results_to_match_comparison": _SQL,
    "expect_table_row_count_to_equal_other_table": _SQL,
    "unexpected_rows_expectation": _SQL,
}


def why_refused(kind: str, implementation: type) -> str:
    """Return why a type of expectation, or what it is derived from, is refused; "" if it is not."""
    from great_expectations.expectations.registry import get_expectation_impl

    if kind in _REFUSED:
        return _REFUSED[kind]
    for refused, why in _REFUSED.items():
        if issubclass(implementation, get_expectation_impl(refused)):
            return why
    return ""


def columns_read(built: Any) -> tuple[str, ...] | None:
    """Return the columns that a built expectation reads, sorted; None if it may read any.

    Classes of a project may give columns by default.
    """
    names = [getattr(built, name, None) for name in ("column", "column_A", "column_B")]
    names += list(getattr(built, "column_list", None) or ())
    found = {str(name) for name in names if name}
    if not found and not type(built).__module__.startswith("great_expectations."):
        return None
    condition = getattr(built, "row_condition", None)
    if condition:
        found.update(_compared(condition.dict()))
    return tuple(sorted(found))


def _compared(condition: dict[str, Any]) -> Iterator[str]:
    """Yield the columns that a condition over rows compares, also those within it."""
    if "column" in condition:
        yield condition["column"]["name"]
    for part in condition.get("conditions", []):
        yield from _compared(part)


def how_in_chunks(built: Any, kind: str) -> How:
    """Return how a built expectation is made in chunks; a project's own by the metric it maps."""
    metric = getattr(built, "map_metric", None)
    if metric in _ROW_METRICS:
        return "rows"
    how = "unique" if metric in _UNIQUE_METRICS else _HOW.get(kind, "whole")
    conditional = how in ("schema", "count", "unique") and getattr(built, "row_condition", None)
    return "whole" if conditional else how
