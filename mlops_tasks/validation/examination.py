"""One look at all rows of a partition: contract, suite, and what the checks of history need."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import SchemaMismatchError, ValidationFailedError
from mlops_tasks.sources import day_column
from mlops_tasks.validation.breaches import Repeats, cell_breaches, day_breaches
from mlops_tasks.validation.conditions import selected_rows
from mlops_tasks.validation.contract import duplicate_breaches
from mlops_tasks.validation.judge import Finding, Judge
from mlops_tasks.validation.kinds import HOW_IN_WORDS
from mlops_tasks.validation.marks import RowMarks
from mlops_tasks.validation.outcomes import Tally, contract_outcomes
from mlops_tasks.validation.reductions import REDUCED, Distinct, Extremes, is_reduced
from mlops_tasks.validation.row_checks import compare_rows, is_compared
from mlops_tasks.validation.rows import to_frame
from mlops_tasks.validation.whole_checks import check_whole, is_checked_whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from mlops_tasks.specs import DatasetSpec
    from mlops_tasks.validation.kinds import How
    from mlops_tasks.validation.results import CheckOutcome
    from mlops_tasks.validation.rows import PartitionRows
    from mlops_tasks.validation.suite import Expectation, Suite

__all__ = ["Examination", "Facts", "examine"]

# What one expectation may hold in memory of a partition that is larger than a chunk: about 400 MB.
_MAX_CELLS = 50_000_000


@dataclass(frozen=True, slots=True)
class Facts:
    """What the checks of history need of the good rows: hashes of keys, newest time, categories."""

    keys: npt.NDArray[np.uint64]
    newest: Extremes
    categories: dict[str, Distinct]


@dataclass(frozen=True, slots=True)
class Examination:
    """Every check with its verdict, and the rows that a critical one refuses."""

    outcomes: list[CheckOutcome]
    marks: RowMarks
    facts: Facts


def examine(spec: DatasetSpec, suite: Suite, rows: PartitionRows) -> Examination:
    """Judge a partition, chunk by chunk where it is larger than one.

    Parameters
    ----------
    spec : DatasetSpec
        The dataset.
    suite : Suite
        From `load_suite`.
    rows : PartitionRows
        The partition.

    Returns
    -------
    Examination
        The same verdicts and the same refused rows, whatever the size of the chunks.

    Raises
    ------
    SchemaMismatchError
        If the partition lacks a column of the contract.
    """
    if missing := [name for name in spec.columns if name not in rows.schema.names]:
        raise SchemaMismatchError(
            f"dataset {spec.name!r}: {rows.table.name!r} version {rows.commit.version} has no "
            f"column {missing} of the contract; ingest the partition again"
        )
    examiner = _Examiner(spec, suite, rows)
    for start, chunk in rows.chunks(examiner.columns()):
        examiner.take(start, chunk)
    return examiner.finish()


class _Examiner:
    def __init__(self, spec: DatasetSpec, suite: Suite, rows: PartitionRows) -> None:
        self.spec, self.rows = spec, rows
        self.marks = RowMarks(rows.n_rows)
        self.chunked = rows.n_chunks > 1
        self.tallies = {e.index: Tally(e, self._how(e)) for e in suite.expectations}
        self.by_how: dict[How, list[Expectation]] = defaultdict(list)
        for expectation in suite.expectations:
            if lacking := self._lacking(expectation):
                self._found(expectation, Finding(success=False, error=lacking))
            else:
                self.by_how[self._plan(expectation)].append(expectation)
        self.reductions = [
            (e, REDUCED[how]())
            for how, group in self.by_how.items()
            for e in group
            if how in REDUCED
        ]
        self.repeats = {e.index: (e, _repeats(e)) for e in self.by_how["unique"]}
        self.keys = Repeats(spec.key)

    @cached_property
    def judge(self) -> Judge:
        """Great Expectations, made when the first check needs it: most need Arrow alone."""
        return Judge()

    def columns(self) -> list[str] | None:
        """Name the columns that the chunks must have; None for all."""
        names = set(self.spec.columns)
        chunked = [e for how in HOW_IN_WORDS if how != "whole" for e in self.by_how[how]]
        for expectation in chunked:
            if expectation.columns is None:
                return None
            names.update(name for name in expectation.columns if name in self.rows.schema.names)
        return sorted(names)

    def take(self, start: int, chunk: pa.Table) -> None:
        for reason, positions in cell_breaches(self.spec, chunk):
            self.marks.add(reason, positions + start)
        if day_column(self.spec) is not None:
            for reason, positions in day_breaches(self.spec, self.rows.commit.partition, chunk):
                self.marks.add(reason, positions + start)
        self.keys.add(chunk)
        for expectation, reduction in self.reductions:
            selected, _ = selected_rows(expectation.kwargs, chunk)
            reduction.add(selected.column(expectation.named[0]))
        for _, repeats in self.repeats.values():
            repeats.add(chunk)
        self._judge_rows(chunk, self.by_how["rows"], start)

    def finish(self) -> Examination:
        refusal = self._judge_keys()
        counts = {r: n for r, n in self.marks.counts().items() if not r.startswith("#")}
        contract = contract_outcomes(counts, self.rows.n_rows, refusal)
        self._judge_table()
        self._judge_reductions()
        self._judge_repeats()
        self._judge_whole()
        for tally in self.tallies.values():
            self._settle(tally)
        outcomes = [tally.outcome() for tally in self.tallies.values()]
        return Examination([*contract, *outcomes], self.marks, self._facts())

    def _facts(self) -> Facts:
        """Look at the good rows only: what is kept back neither is news nor makes a day fresh."""
        import pyarrow as pa

        fresh, growth = self.spec.history.freshness, self.spec.history.categories
        newest, seen = Extremes(), {name: Distinct() for name in (growth.columns if growth else ())}
        names = [*seen, fresh.column] if fresh else [*seen]
        for start, chunk in self.rows.chunks(names) if names else ():
            good = chunk.filter(pa.array(~self.marks.bad(start, chunk.num_rows)))
            for name, values in seen.items():
                values.add(good.column(name))
            if fresh:
                newest.add(good.column(fresh.column))
        return Facts(self.keys.hashes()[~self.marks.bad(0, self.rows.n_rows)], newest, seen)

    def _judge_keys(self) -> str:
        """Mark the rows that share a key; return why, if that refuses the whole partition."""
        suspects = self.keys.suspects()
        if not len(suspects):
            return ""
        try:
            found = duplicate_breaches(
                self.spec, self.rows.take(suspects.tolist(), self.spec.columns)
            )
        except ValidationFailedError as error:
            return str(error)
        for reason, positions in found.items():
            self.marks.add(reason, suspects[positions])
        return ""

    def _plan(self, expectation: Expectation) -> How:
        """Tell how it is made here: what only GX judges, it judges as it is in a single chunk."""
        how, schema = expectation.how, self.rows.schema
        if how in ("schema", "count") or is_reduced(expectation, schema):
            return how
        if how in REDUCED:  # of a type that only GX can make something of
            how = "whole"
        return how if self.chunked or is_checked_whole(expectation, schema) else "rows"

    def _how(self, expectation: Expectation) -> str:
        return HOW_IN_WORDS[expectation.how] if self.chunked else "all rows at once"

    def _lacking(self, expectation: Expectation) -> str:
        known = self.rows.schema.names
        lost = [name for name in expectation.columns or () if name not in known]
        if not lost or expectation.how == "schema":
            return ""
        return f"there is no column {', '.join(map(repr, lost))}; there are {', '.join(known)}"

    def _judge_rows(self, chunk: pa.Table, wanted: Sequence[Expectation], start: int) -> None:
        compared = [e for e in wanted if is_compared(e, chunk.schema)]
        found = {e.index: compare_rows(e, chunk) for e in compared}
        found |= self._judged_by_gx(chunk, [e for e in wanted if e.index not in found])
        for index, finding in found.items():
            if finding.positions is not None:
                finding.positions = finding.positions + start
            self._found(self.tallies[index].expectation, finding)

    def _judged_by_gx(self, rows: pa.Table, wanted: Sequence[Expectation]) -> dict[int, Finding]:
        """Let GX judge frames of the rows that conditions select, which it never sees itself."""
        found: dict[int, Finding] = {}
        for columns, group in _grouped(wanted):
            own = rows if columns is None else rows.select(list(columns))
            plain = [e for e in group if not e.kwargs.get("row_condition")]
            if plain:
                found |= self.judge.findings(to_frame(own), plain)
            for e in group:
                selected, positions = selected_rows(e.kwargs, own)
                if positions is not None:
                    kwargs = {n: v for n, v in e.kwargs.items() if n != "row_condition"}
                    frame = to_frame(selected, positions.tolist())
                    found |= self.judge.findings(frame, [replace(e, kwargs=kwargs)])
        return found

    def _judge_table(self) -> None:
        import pandas as pd

        frames: dict[How, pd.DataFrame] = {
            "schema": to_frame(self.rows.schema.empty_table()),
            "count": pd.DataFrame(index=pd.RangeIndex(self.rows.n_rows)),
        }
        for how, frame in frames.items():
            if wanted := self.by_how[how]:
                self._all_found(wanted, self.judge.findings(frame, wanted))

    def _judge_reductions(self) -> None:
        for expectation, reduction in self.reductions:
            self._found(expectation, reduction.finding(expectation))

    def _judge_repeats(self) -> None:
        for expectation, repeats in self.repeats.values():
            suspects = repeats.suspects()
            finding = Finding(success=True, row_wise=True)
            if len(suspects):
                keys = self.rows.take(suspects.tolist(), repeats.columns)
                frame = to_frame(keys, suspects.tolist())
                finding = self.judge.findings(frame, [expectation])[expectation.index]
            finding.n_rows = self.rows.n_rows - repeats.n_skipped
            self._found(expectation, finding)

    def _judge_whole(self) -> None:
        for columns, group in _grouped(self.by_how["whole"]):
            names = self.rows.schema.names if columns is None else columns
            if (cells := len(names) * self.rows.n_rows) > _MAX_CELLS:
                error = (
                    f"it needs all {cells:,} values of {', '.join(names)} in memory at once, more "
                    f"than {_MAX_CELLS:,}; remove it, or make the partitions smaller"
                )
                self._all_found(group, {e.index: Finding(False, error=error) for e in group})
            else:
                rows = self.rows.columns(names)
                whole = [e for e in group if is_checked_whole(e, rows.schema)]
                found = {e.index: _checked_whole(e, rows) for e in whole}
                others = [e for e in group if e.index not in found]
                self._all_found(group, found | self._judged_by_gx(rows, others))

    def _all_found(self, wanted: Iterable[Expectation], found: dict[int, Finding]) -> None:
        for expectation in wanted:
            self._found(expectation, found[expectation.index])

    def _found(self, expectation: Expectation, finding: Finding) -> None:
        """Count a finding; rows are remembered only where they could be refused."""
        self.tallies[expectation.index].add(finding)
        if expectation.severity == "critical" and finding.positions is not None:
            self.marks.add(f"#{expectation.index}", finding.positions)
        finding.positions = None

    def _settle(self, tally: Tally) -> None:
        """Keep the marked rows under their reason if the expectation failed; else they are good."""
        mark = f"#{tally.expectation.index}"
        if tally.passed:
            self.marks.drop(mark)
        else:
            self.marks.rename(mark, tally.expectation.label)


def _grouped(
    wanted: Iterable[Expectation],
) -> list[tuple[tuple[str, ...] | None, list[Expectation]]]:
    """Group expectations by the columns they read: GX copies the frame for each of them."""
    groups: dict[tuple[str, ...] | None, list[Expectation]] = defaultdict(list)
    for expectation in wanted:
        groups[expectation.columns].append(expectation)
    return list(groups.items())


def _checked_whole(expectation: Expectation, rows: pa.Table) -> Finding:
    selected, positions = selected_rows(expectation.kwargs, rows)
    finding = check_whole(expectation, selected.column(expectation.named[0]))
    if positions is not None and finding.positions is not None:
        finding.positions = positions[finding.positions]
    return finding


def _repeats(expectation: Expectation) -> Repeats:
    ignored = expectation.kwargs.get("ignore_row_if", "all_values_are_missing")
    skip = {"never": "", "any_value_is_missing": "any"}.get(ignored, "all")
    return Repeats(expectation.named, skip=skip)
