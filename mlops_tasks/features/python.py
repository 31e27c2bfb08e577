"""Features from a Python function over Arrow tables, pandas or Polars frames."""

from __future__ import annotations

import importlib
import inspect
import sys
import traceback
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mlops_tasks.exceptions import FeatureError, LeakageError, SpecError
from mlops_tasks.features.comparison import different_cells
from mlops_tasks.features.result import Advice, FeatureResult, place
from mlops_tasks.features.row_checks import refuse_twice
from mlops_tasks.lake.scan import damage_reported
from mlops_tasks.personal import HIDDEN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import pyarrow as pa

    from mlops_tasks.features.result import Rows
    from mlops_tasks.specs import ModelSpec

__all__ = ["python_features"]

_BATCH_ROWS = 100_000
_REPEATED_ROWS = 1_000
_FRAMES = {"pyarrow": "Table", "pandas": "DataFrame", "polars": "DataFrame"}
_CUSTOM = {"pa": "pyarrow", "pd": "pandas", "pl": "polars"}
_ADVICE = Advice(
    missing="return it as a column; an index is no column",
    twice="return one of each",
    number="make it float64 in the function",
    text="make it text in the function",
    seconds="make it seconds since 1970, as float64, in the function",
    instant="a timestamp with a zone; give it the zone whose clock it shows, by "
    "pyarrow.compute.assume_timezone, dt.tz_localize or dt.replace_time_zone",
)


@contextmanager
def python_features(
    spec: ModelSpec, path: str, inputs: Mapping[str, Rows]
) -> Iterator[FeatureResult]:
    """Call the function with the inputs that it names, whole.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    path : str
        Where the function is, ``"package.module:function"``.
    inputs : mapping of str to Table or Dataset
        By dataset.

    Yields
    ------
    FeatureResult
        Not checked yet.

    Raises
    ------
    SpecError
        If the function cannot be imported.
    LeakageError
        If it asks for the label dataset.
    FeatureError
        If it asks for what is no input, fails, returns no frame, or answers otherwise when it is
        called again with the same rows.
    """
    function = _imported(spec, path)
    kinds = _kinds(spec, function, inputs)
    tables = {name: _whole(name, inputs[name]) for name in kinds}
    _refuse_chance(spec, function, kinds, tables)
    made = _called(spec, function, kinds, tables)
    types = {field.name: str(field.type) for field in made.schema}
    batches = made.to_batches(max_chunksize=_BATCH_ROWS)
    yield FeatureResult(made.schema, batches, types, _ADVICE)


def _whole(name: str, rows: Rows) -> pa.Table:
    import pyarrow as pa

    if isinstance(rows, pa.Table):
        return rows
    with damage_reported(name):
        return rows.to_table()


def _imported(spec: ModelSpec, path: str) -> Callable[..., Any]:
    module, name = path.split(":")
    try:
        function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    except MemoryError:
        raise
    except Exception as error:  # a module may fail with anything when it is imported
        raise SpecError(
            f"{place(spec)}: {type(error).__name__}: {error}; name a function as "
            "'package.module:function', importable from the Dag folder"
        ) from error
    return function


def _kinds(
    spec: ModelSpec, function: Callable[..., Any], inputs: Mapping[str, Rows]
) -> dict[str, str]:
    """Return, by input that the function names, the library whose frame it wants."""
    found = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if name == spec.label.dataset.name:
            raise LeakageError(
                f"{place(spec)} asks for {name!r}, which is known only afterwards; features may "
                f"read {sorted(inputs)}"
            )
        if name in inputs and parameter.kind is not parameter.POSITIONAL_ONLY:
            found[name] = _kind(spec, function, parameter)
        elif parameter.default is parameter.empty:
            raise FeatureError(
                f"{place(spec)} asks for {str(parameter)!r}, which is no input; its parameters are "
                f"named like the inputs, {sorted(inputs)}"
            )
    return found


def _kind(spec: ModelSpec, function: Callable[..., Any], parameter: inspect.Parameter) -> str:
    """Read an annotation without importing what it names: it may be there for a type checker."""
    said = parameter.annotation
    if said is parameter.empty:
        return "pyarrow"
    if isinstance(said, str):
        above, _, name = said.rpartition(".")
        known = getattr(inspect.unwrap(function), "__globals__", {}).get(above or name)
        module = getattr(known, "__name__" if above else "__module__", _CUSTOM.get(above, above))
    else:
        module, name = getattr(said, "__module__", ""), getattr(said, "__name__", "")
    library = str(module).split(".")[0]
    if _FRAMES.get(library) != name:
        raise FeatureError(
            f"{place(spec)}: {parameter.name!r} is annotated as {said!r}; an input comes as "
            "pyarrow.Table, pandas.DataFrame or polars.DataFrame, and as pyarrow.Table without an "
            "annotation"
        )
    return library


def _refuse_chance(
    spec: ModelSpec,
    function: Callable[..., Any],
    kinds: Mapping[str, str],
    tables: Mapping[str, pa.Table],
) -> None:
    """Call the function twice with the same few rows."""
    first = spec.rows.name
    few = {name: rows[:_REPEATED_ROWS] if name == first else rows for name, rows in tables.items()}
    one, other = (_called(spec, function, kinds, few) for _ in range(2))
    same = one.schema == other.schema and one.num_rows == other.num_rows
    if not same or (different := different_cells(one, other)):
        what = f"columns that differ: {list(different)}" if same else "its columns or rows differ"
        raise FeatureError(
            f"{place(spec)} answers otherwise when it is called again with the same rows; {what}. "
            "A row must look the same in training and in every scoring: take times from columns "
            "of the rows, and chance from a hash of the key"
        )


def _called(
    spec: ModelSpec,
    function: Callable[..., Any],
    kinds: Mapping[str, str],
    tables: Mapping[str, pa.Table],
) -> pa.Table:
    """Return what the function gives as an Arrow table in the order of the key."""
    frames = {name: _frame(spec, tables[name], kind) for name, kind in kinds.items()}
    try:
        made = function(**frames)
    except MemoryError:
        raise
    except Exception as error:
        why = HIDDEN if spec.has_personal else str(error)  # of a function of anyone's
        raise FeatureError(
            f"{place(spec)} fails{_line(function, error)}: {type(error).__name__}: {why}"
        ) from error
    return _in_order(spec, _plain(spec, _table(spec, made)))


def _frame(spec: ModelSpec, rows: pa.Table, library: str) -> Any:
    if library == "pandas":
        import pandas as pd

        return rows.to_pandas(types_mapper=pd.ArrowDtype)  # a null makes no float of an integer
    if library == "polars":
        try:
            import polars as pl
        except ModuleNotFoundError as error:
            raise FeatureError(
                f"{place(spec)} asks for Polars frames, and Polars is not installed: install "
                "mlops-airflow[polars]"
            ) from error
        return pl.from_arrow(rows)
    return rows


def _line(function: Callable[..., Any], error: Exception) -> str:
    """Return the innermost line of the function's own file, where the error comes from one."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if code is not None and frame.filename == code.co_filename
    ]
    return f" in line {lines[-1]}" if lines else ""


def _table(spec: ModelSpec, made: Any) -> pa.Table:
    import pandas as pd
    import pyarrow as pa

    polars = sys.modules.get("polars")
    if isinstance(made, pa.Table):
        return made
    if polars is not None and isinstance(made, polars.DataFrame):
        table: pa.Table = made.to_arrow()
        return table
    if isinstance(made, pd.DataFrame):
        return _of_pandas(spec, made)
    raise FeatureError(
        f"{place(spec)} returns {type(made).__name__}; return a pyarrow.Table, a pandas.DataFrame "
        "or a polars.DataFrame with the key, the moments and the features"
    )


def _of_pandas(spec: ModelSpec, made: Any) -> pa.Table:
    import pyarrow as pa

    # Their type would depend on the values at hand.
    if loose := [str(name) for name, kind in made.dtypes.items() if str(kind) == "object"]:
        raise FeatureError(
            f"{place(spec)}: {loose} have the dtype object, which may hold anything; give them a "
            "type, as .astype('str') or .astype('float64') does"
        )
    try:
        with warnings.catch_warnings():
            # pyarrow 25 asks pandas 3.1 for the values of moments in a way that will change.
            warnings.filterwarnings("ignore", message="Series.values returning")
            return pa.Table.from_pandas(made, preserve_index=False)
    except (pa.ArrowException, ValueError, TypeError) as error:
        raise FeatureError(
            f"{place(spec)} returns a frame that cannot become an Arrow table: "
            + (HIDDEN if spec.has_personal else str(error))
        ) from error


def _plain(spec: ModelSpec, made: pa.Table) -> pa.Table:
    """Return the columns in the types of the lake where the three libraries have several."""
    import pyarrow as pa

    refuse_twice(spec, made.column_names, _ADVICE)
    schema = pa.schema([(field.name, _plain_type(field.type)) for field in made.schema])
    try:
        return made.cast(schema)
    except pa.ArrowException as error:
        raise FeatureError(
            f"{place(spec)}: {error}; times have microseconds at most, and a column of text less "
            "than 2 GB"
        ) from error


def _plain_type(kind: pa.DataType) -> pa.DataType:
    import pyarrow as pa
    import pyarrow.types as pt

    if pt.is_dictionary(kind):
        return _plain_type(kind.value_type)
    if pt.is_large_string(kind) or pt.is_string_view(kind):
        return pa.string()
    if pt.is_timestamp(kind) and kind.tz:
        return pa.timestamp("us", "UTC")
    return pa.date32() if pt.is_date64(kind) else kind


def _in_order(spec: ModelSpec, made: pa.Table) -> pa.Table:
    if not set(spec.key) <= set(made.column_names):
        return made  # refused by the checks of columns
    return made.sort_by([(name, "ascending") for name in spec.key])
