"""One look at all rows of a partition: its contract and its suite."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import SchemaMismatchError, ValidationFailedError
from mlops_tasks.validation import row_expectations, whole_column_expectations
from mlops_tasks.validation.aggregate_expectations import AGGREGATES
from mlops_tasks.validation.aggregate_expectations import supports as has_aggregate
from mlops_tasks.validation.check_outcomes import (
    Finding,
    contract_outcomes,
    redacted_finding,
    suite_outcome,
)
from mlops_tasks.validation.contract import duplicate_violations, row_violations
from mlops_tasks.validation.duplicates import DuplicateFinder
from mlops_tasks.validation.expectation_types import HOW_IN_WORDS
from mlops_tasks.validation.gx import GreatExpectations, grouped_by_columns, to_frame
from mlops_tasks.validation.row_conditions import selected_rows
from mlops_tasks.validation.row_flags import RowFlags

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from mlops_tasks.specs import DatasetSpec
    from mlops_tasks.validation.check_outcomes import CheckOutcome
    from mlops_tasks.validation.expectation_types import How
    from mlops_tasks.validation.partition_rows import PartitionRows
    from mlops_tasks.validation.suite import Expectation, Suite

__all__ = ["Examination", "examine"]

# What one expectation may hold in memory of a partition that is larger than a chunk: about 400 MB.
_MAX_CELLS = 50_000_000


@dataclass(frozen=True, slots=True)
class Examination:
    """Every check with its verdict, the rows that critical ones refuse, and the keys as hashes."""

    outcomes: list[CheckOutcome]
    flags: RowFlags
    key_hashes: npt.NDArray[np.uint64]


def examine(spec: DatasetSpec, suite: Suite, rows: PartitionRows) -> Examination:
    """Judge a partition, chunk by chunk where it is larger than one.

    The verdicts and the refused rows are the same, whatever the size of the chunks.
    """
    import pandas as pd

    _refuse_missing_columns(spec, rows)
    plan, findings = _plan(suite, rows)
    critical = {e.index for e in suite.expectations if e.severity == "critical"}
    gx, flags, short = GreatExpectations(), RowFlags(rows.n_rows), RowFlags(rows.n_rows)

    def record(found: Mapping[int, Finding], start: int = 0) -> None:
        """Add up findings; rows that fall short are remembered only where they may be refused."""
        for index, finding in found.items():
            if finding.positions is not None and index in critical:
                short.add(str(index), finding.positions + start)
            finding.positions = None
            before = findings.get(index)
            findings[index] = finding if before is None else before.joined(finding)

    keys = DuplicateFinder(spec.key)
    aggregates = [(e, made()) for how, made in AGGREGATES.items() for e in plan[how]]
    uniques = [(e, _unique_finder(e)) for e in plan["unique"]]
    for start, chunk in rows.chunks(_columns(spec, plan, rows)):
        for reason, positions in row_violations(spec, rows.partition, chunk):
            flags.add(reason, positions + start)
        keys.add(chunk)
        for expectation, aggregate in aggregates:
            selected, _ = selected_rows(expectation.kwargs, chunk)
            aggregate.add(selected.column(expectation.named[0]))
        for _, finder in uniques:
            finder.add(chunk)
        record(_row_findings(plan["rows"], chunk, gx), start)
    refusal = _flag_duplicates(spec, rows, keys, flags)
    contract = contract_outcomes(flags.counts(), rows.n_rows, refusal)
    record(gx.findings(to_frame(rows.schema.empty_table()), plan["schema"]))
    record(gx.findings(pd.DataFrame(index=pd.RangeIndex(rows.n_rows)), plan["count"]))
    record({e.index: aggregate.finding(e) for e, aggregate in aggregates})
    record({e.index: _unique_finding(e, finder, rows, gx) for e, finder in uniques})
    record(_whole_column_findings(plan["whole"], rows, gx))
    outcomes = []
    for e in suite.expectations:
        how = HOW_IN_WORDS[e.how] if rows.n_chunks > 1 else "all rows at once"
        outcome = suite_outcome(e, redacted_finding(spec, e, findings.get(e.index)), how)
        outcomes.append(outcome)
        if not outcome.passed:
            flags.adopt(e.label, short, str(e.index))
    return Examination([*contract, *outcomes], flags, keys.hashes())


def _refuse_missing_columns(spec: DatasetSpec, rows: PartitionRows) -> None:
    if missing := [name for name in spec.columns if name not in rows.schema.names]:
        raise SchemaMismatchError(
            f"dataset {spec.name!r}: {rows.table.name!r} version {rows.commit.version} has no "
            f"column {missing} of the contract; ingest the partition again"
        )


def _plan(
    suite: Suite, rows: PartitionRows
) -> tuple[dict[How, list[Expectation]], dict[int, Finding]]:
    """Return the expectations by how they are made here, and findings where columns are missing."""
    plan: dict[How, list[Expectation]] = defaultdict(list)
    findings, known = {}, rows.schema.names
    for e in suite.expectations:
        lost = [repr(name) for name in e.columns or () if name not in known]
        if lost and e.how != "schema":
            error = f"there is no column {', '.join(lost)}; there are {', '.join(known)}"
            findings[e.index] = Finding(False, error=error)
        elif e.how in ("schema", "count") or has_aggregate(e, rows.schema):
            plan[e.how].append(e)
        elif rows.n_chunks == 1 and not whole_column_expectations.supports(e, rows.schema):
            plan["rows"].append(e)  # what only GX judges, it judges as it is in a single chunk
        else:  # an aggregate of another type is one that only GX can make something of
            plan["whole" if e.how in AGGREGATES else e.how].append(e)
    return plan, findings


def _columns(
    spec: DatasetSpec, plan: Mapping[How, list[Expectation]], rows: PartitionRows
) -> list[str] | None:
    """Name the columns that the chunks must have; None for all."""
    names = set(spec.columns)
    for expectation in (e for how, group in plan.items() if how != "whole" for e in group):
        if expectation.columns is None:
            return None
        names.update(name for name in expectation.columns if name in rows.schema.names)
    return sorted(names)


def _flag_duplicates(
    spec: DatasetSpec, rows: PartitionRows, keys: DuplicateFinder, flags: RowFlags
) -> str:
    """Flag the rows that share a key; return why, if that refuses the whole partition."""
    suspects = keys.suspects()
    if not len(suspects):
        return ""
    try:
        found = duplicate_violations(spec, rows.take(suspects.tolist(), spec.columns))
    except ValidationFailedError as error:
        return str(error)
    for reason, positions in found.items():
        flags.add(reason, suspects[positions])
    return ""


def _row_findings(
    wanted: Sequence[Expectation], chunk: pa.Table, gx: GreatExpectations
) -> dict[int, Finding]:
    found = {
        e.index: row_expectations.evaluate(e, chunk)
        for e in wanted
        if row_expectations.supports(e, chunk.schema)
    }
    return found | gx.row_findings(chunk, [e for e in wanted if e.index not in found])


def _whole_column_findings(
    wanted: Sequence[Expectation], rows: PartitionRows, gx: GreatExpectations
) -> dict[int, Finding]:
    found: dict[int, Finding] = {}
    for columns, group in grouped_by_columns(wanted):
        names = rows.schema.names if columns is None else columns
        if (cells := len(names) * rows.n_rows) > _MAX_CELLS:
            error = (
                f"it needs all {cells:,} values of {', '.join(names)} in memory at once, more "
                f"than {_MAX_CELLS:,}; remove it, or make the partitions smaller"
            )
            found |= {e.index: Finding(False, error=error) for e in group}
        else:
            whole = rows.load(names)
            ours = [e for e in group if whole_column_expectations.supports(e, whole.schema)]
            found |= {e.index: whole_column_expectations.evaluate(e, whole) for e in ours}
            found |= gx.row_findings(whole, [e for e in group if e not in ours])
    return found


def _unique_finder(expectation: Expectation) -> DuplicateFinder:
    ignored = expectation.kwargs.get("ignore_row_if", "all_values_are_missing")
    skip = {"never": "", "any_value_is_missing": "any"}.get(ignored, "all")
    return DuplicateFinder(expectation.named, skip=skip)


def _unique_finding(
    expectation: Expectation, finder: DuplicateFinder, rows: PartitionRows, gx: GreatExpectations
) -> Finding:
    """Look at the suspects again, exactly."""
    suspects = finder.suspects()
    finding = Finding(success=True, row_wise=True)
    if len(suspects):
        frame = to_frame(rows.take(suspects.tolist(), finder.columns), suspects.tolist())
        finding = gx.findings(frame, [expectation])[expectation.index]
    finding.n_rows = rows.n_rows - finder.n_skipped
    return finding
