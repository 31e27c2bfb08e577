"""Great Expectations on a frame: expectations in, findings out, nothing dropped on the way."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mlops_tasks.exceptions import SuiteError
from mlops_tasks.validation.arrow_values import N_EXAMPLES, readable
from mlops_tasks.validation.check_outcomes import Finding
from mlops_tasks.validation.row_conditions import selected_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd
    import pyarrow as pa
    from great_expectations.data_context.data_context.ephemeral_data_context import (
        EphemeralDataContext,
    )

    from mlops_tasks.validation.suite import Expectation

__all__ = ["GreatExpectations", "grouped_by_columns", "to_frame"]

# Positions of all bad rows, but no query text of them all, and values only as examples.
_RESULT_FORMAT = {
    "result_format": "COMPLETE",
    "partial_unexpected_count": N_EXAMPLES,
    "return_unexpected_index_query": False,
}
# Beyond it neighbouring integers are the same float.
_EXACT_FLOAT = 2**53


class GreatExpectations:
    """Great Expectations without its stores: it hashes and logs nothing, and only judges."""

    @cached_property
    def context(self) -> EphemeralDataContext:
        """Its context, made when the first check needs it: most need Arrow alone."""
        import great_expectations as gx
        from great_expectations.data_context.types.base import ProgressBarsConfig

        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = ProgressBarsConfig(globally=False)
        return context

    def findings(
        self, frame: pd.DataFrame, expectations: Sequence[Expectation]
    ) -> dict[int, Finding]:
        """Judge a frame, whose index says the position of each row.

        Returns one finding for each expectation, by its index in the suite; if Great Expectations
        gives fewer results than it was asked for, it is a `SuiteError`.
        """
        if not expectations:
            return {}
        from great_expectations.execution_engine.pandas_execution_engine import (
            PandasExecutionEngine,
        )
        from great_expectations.expectations.expectation_configuration import (
            ExpectationConfiguration,
        )
        from great_expectations.validator.validator import Validator

        # The public way loads the frame as a batch and hashes every cell of it first, which takes
        # twice as long as judging does.
        engine = PandasExecutionEngine(batch_data_dict={"partition": frame})
        results = Validator(execution_engine=engine, data_context=self.context).graph_validate(
            configurations=[
                ExpectationConfiguration(type=e.kind, kwargs=e.kwargs, meta={"index": e.index})
                for e in expectations
            ],
            runtime_configuration={"result_format": dict(_RESULT_FORMAT)},
        )
        found = dict(map(_indexed, results))
        lost = [e.label for e in expectations if e.index not in found]
        if lost:
            raise SuiteError(
                f"Great Expectations gave no result for {lost}; they would pass unchecked"
            )
        return found

    def row_findings(
        self, rows: pa.Table, expectations: Sequence[Expectation]
    ) -> dict[int, Finding]:
        """Judge the rows that conditions select, which Great Expectations never sees itself."""
        found: dict[int, Finding] = {}
        for columns, group in grouped_by_columns(expectations):
            own = rows if columns is None else rows.select(list(columns))
            if plain := [e for e in group if not e.kwargs.get("row_condition")]:
                found |= self.findings(to_frame(own), plain)
            for e in group:
                selected, positions = selected_rows(e.kwargs, own)
                if positions is not None:
                    kwargs = {n: v for n, v in e.kwargs.items() if n != "row_condition"}
                    frame = to_frame(selected, positions.tolist())
                    found |= self.findings(frame, [replace(e, kwargs=kwargs)])
        return found


def grouped_by_columns(
    expectations: Iterable[Expectation],
) -> list[tuple[tuple[str, ...] | None, list[Expectation]]]:
    """Group expectations by the columns they read: GX copies the frame for each of them."""
    groups: dict[tuple[str, ...] | None, list[Expectation]] = defaultdict(list)
    for expectation in expectations:
        groups[expectation.columns].append(expectation)
    return list(groups.items())


def _indexed(result: Any) -> tuple[int, Finding]:
    return int(result.expectation_config.meta["index"]), _finding(result)


def _finding(result: Any) -> Finding:
    details = result.result or {}
    error = next(iter(_errors(result.exception_info)), "")
    if error:
        return Finding(success=False, error=error)
    if "unexpected_index_list" not in details:
        observed = details.get("observed_value")
        text = _differences(details) if observed is None else readable(observed)
        return Finding(success=bool(result.success), observed=text)
    import numpy as np

    return Finding(
        success=bool(result.success),
        row_wise=True,
        n_rows=int(details["element_count"]) - int(details.get("missing_count") or 0),
        n_bad=int(details["unexpected_count"]),
        positions=np.asarray(details["unexpected_index_list"], np.int64),
        examples=tuple(readable(v) for v in details.get("partial_unexpected_list") or []),
    )


def _errors(info: Any) -> Iterable[str]:
    """Find the messages in GX's two shapes of exception info: one, or one per metric."""
    nested = info.values() if info and "exception_message" not in info else [info or {}]
    for item in nested:
        if isinstance(item, dict) and (text := item.get("exception_message")):
            yield str(text).strip().splitlines()[0]


def _differences(details: dict[str, Any]) -> str:
    """Name the values too many and those missing, where GX observes nothing else."""
    parts = []
    for word in ("unexpected", "missing"):
        if n := details.get(f"{word}_count"):
            some = [readable(value) for value in details.get(f"partial_{word}_list") or []]
            parts.append(f"{n} {word}: {', '.join(some[:N_EXAMPLES])}")
    return "; ".join(parts) or "nothing"


def to_frame(rows: pa.Table, positions: Sequence[int] | None = None) -> pd.DataFrame:
    """Return columns as pandas judges them, the same whatever else is in the chunk.

    Nulls and NaN are missing. Integers beside nulls become floats only where those are exact, and
    days become midnights in UTC. The index is 0, 1, 2, … or the positions given.
    """
    import pandas as pd

    frame = pd.DataFrame({name: _series(rows.column(name)) for name in rows.column_names})
    if not rows.column_names:  # a count of rows needs no column
        return pd.DataFrame(index=pd.RangeIndex(rows.num_rows))
    if positions is not None:
        frame.index = pd.Index(positions)
    return frame


def _series(column: pa.ChunkedArray) -> pd.Series:
    import pandas as pd
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_integer(column.type) and column.null_count:
        ends = pc.min_max(column).as_py()
        if max(abs(ends["min"] or 0), abs(ends["max"] or 0)) > _EXACT_FLOAT:
            exact: pd.Series = column.to_pandas(types_mapper=lambda _: pd.Int64Dtype())
            return exact
    if pa.types.is_date(column.type):  # else objects, which compare with nothing in a suite
        column = pc.cast(column, pa.timestamp("us", tz="UTC"))
    series: pd.Series = column.to_pandas()
    return series
