"""Features from a query: ``features.sql``, run by DuckDB as a stream."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import FeatureError, LeakageError
from mlops_tasks.features.duckdb_session import connect, explained
from mlops_tasks.features.repeatable import check_repeatable, one_statement
from mlops_tasks.features.result import Advice, FeatureResult, place
from mlops_tasks.features.row_checks import refuse_twice

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from mlops_tasks.features.result import Rows
    from mlops_tasks.specs import ModelSpec

__all__ = ["sql_features"]

_BATCH_ROWS = 100_000
_ADVICE = Advice(
    missing="add it to the SELECT list",
    twice="leave one of each, for example by SELECT * EXCLUDE or REPLACE",
    number="write CAST({name} AS DOUBLE) AS {name} in the query",
    text="write CAST({name} AS VARCHAR) AS {name} in the query",
    seconds="write epoch({name}) AS {name} in the query",
    instant="TIMESTAMP WITH TIME ZONE; write {name}::TIMESTAMP AT TIME ZONE 'UTC', with the zone "
    "whose clock it shows",
)


@contextmanager
def sql_features(
    spec: ModelSpec, query: Path, inputs: Mapping[str, Rows]
) -> Iterator[FeatureResult]:
    """Run the query over the inputs; its rows are there until the context ends.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    query : Path
        The file with the query.
    inputs : mapping of str to Table or Dataset
        By dataset.

    Yields
    ------
    FeatureResult
        Not checked yet.

    Raises
    ------
    LeakageError
        If the query names the label dataset.
    FeatureError
        If it does not run, reads the clock or draws at random.
    """
    import duckdb

    text = _text(spec, query)
    keys = ", ".join(f'"{name}"' for name in spec.key)
    with connect() as connection:
        for name, rows in inputs.items():
            connection.register(name, rows)
        try:
            with explained(place(spec), connection, known=_names(spec)) as ask:
                check_repeatable(place(spec), connection, text)
                refuse_twice(spec, ask(f"\n{text}").columns, _ADVICE)
                # The project's own file:
                result = ask(f"SELECT * FROM (\n{text}\n) ORDER BY {keys}")  # noqa: S608
                types = dict(zip(result.columns, map(str, result.types), strict=True))
                reader = result.to_arrow_reader(_BATCH_ROWS)
                yield FeatureResult(reader.schema, reader, types, _ADVICE)
        except FeatureError as error:
            label = spec.label.dataset.name
            unknown = isinstance(error.__cause__, duckdb.CatalogException)
            if unknown and re.search(rf"\b{label}\b", str(error.__cause__)):
                raise LeakageError(
                    f"{place(spec)} reads {label!r}, which is known only afterwards; features may "
                    f"read {sorted(inputs)}"
                ) from error
            raise


def _names(spec: ModelSpec) -> str | None:
    """Return the names that an error may show; None where it may show all."""
    if not spec.has_personal:
        return None
    columns = (name for one in spec.datasets for name in (one.name, *one.columns))
    return " ".join([*columns, *spec.features])


def _text(spec: ModelSpec, query: Path) -> str:
    try:
        text = query.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FeatureError(
            f"{place(spec)} cannot be read as text in UTF-8: {error}; put the query there"
        ) from error
    return one_statement(place(spec), text)
