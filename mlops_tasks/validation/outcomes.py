"""From findings to outcomes: the verdict of each check, in numbers and in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlops_tasks.validation.judge import N_EXAMPLES, readable
from mlops_tasks.validation.results import CheckOutcome

if TYPE_CHECKING:
    from mlops_tasks.validation.judge import Finding
    from mlops_tasks.validation.suite import Expectation

__all__ = ["SUPERSEDED", "Tally", "contract_outcomes", "limits_text"]

# Rows that a later one replaces are kept aside, but they are no bad rows.
SUPERSEDED = "superseded"
_REASONS = {
    "null": "no nulls, says the contract",
    "not_finite": "finite numbers only, says the contract",
    "other_day": "rows of the partition's own day only, says the source's time_column",
    "no_day": "a time, which says the day of the row",
    "duplicate_key": "every key once, says the contract",
    "superseded": "the last row of every key, says the contract",
}


@dataclass(slots=True)
class Tally:
    """What one expectation has found so far, chunk after chunk."""

    expectation: Expectation
    how: str
    finding: Finding | None = None

    def add(self, finding: Finding) -> None:
        """Add the finding of one more chunk: rows add up, and the first error stays."""
        if self.finding is None or (finding.error and not self.finding.error):
            self.finding = finding
        elif not self.finding.error:
            total = self.finding
            total.n_rows += finding.n_rows
            total.n_bad += finding.n_bad
            total.examples = (*total.examples, *finding.examples)[:N_EXAMPLES]

    @property
    def passed(self) -> bool:
        """Whether the expectation is met by all rows together."""
        found = self.finding
        if found is None or found.error:
            return False
        if not found.row_wise:
            return found.success
        # As GX counts: the share of the rows that are not missing, and none of none is fine.
        good = found.n_rows - found.n_bad
        return not found.n_rows or good / found.n_rows >= self.expectation.mostly

    def outcome(self) -> CheckOutcome:
        """Return the verdict."""
        wanted, found = self.expectation, self.finding
        if found is None or found.error:
            why = "it was not made" if found is None else found.error
            return CheckOutcome(
                wanted.label,
                "suite",
                wanted.severity,
                passed=False,
                limits=limits_text(wanted.kwargs),
                how=self.how,
                error=why,
            )
        nothing = found.row_wise and not found.n_rows
        return CheckOutcome(
            wanted.label,
            "suite",
            wanted.severity,
            passed=self.passed,
            observed="no value to judge, all are missing" if nothing else found.observed,
            limits=limits_text(wanted.kwargs),
            n_rows=found.n_rows if found.row_wise else None,
            n_bad=found.n_bad if found.row_wise else None,
            how=self.how,
            examples=found.examples,
        )


def contract_outcomes(counts: dict[str, int], n_rows: int, refusal: str = "") -> list[CheckOutcome]:
    """Return the verdict of the contract: one outcome for each rule that rows break.

    Parameters
    ----------
    counts : dict of str to int
        Rows by reason.
    n_rows : int
        All rows.
    refusal : str, optional
        Why keys refuse the whole partition.

    Returns
    -------
    list of CheckOutcome
        A single one that passed, if no rule is broken.
    """
    outcomes = [
        CheckOutcome(
            reason,
            "contract",
            "info" if reason == SUPERSEDED else "critical",
            passed=False,
            limits=_REASONS[reason.partition(":")[0]],
            n_rows=n_rows,
            n_bad=n_bad,
        )
        for reason, n_bad in counts.items()
    ]
    if refusal:
        key = CheckOutcome("duplicate_key", "contract", "critical", passed=False, error=refusal)
        outcomes.append(key)
    fine = CheckOutcome("contract", "contract", "critical", True, n_rows=n_rows, n_bad=0)
    return outcomes or [fine]


def limits_text(kwargs: dict[str, Any]) -> str:
    """Return the limits of an expectation as a person reads them.

    Parameters
    ----------
    kwargs : dict
        Its arguments.

    Examples
    --------
    >>> limits_text({"column": "a", "min_value": 0, "max_value": 5, "strict_max": True})
    'at least 0, below 5'
    >>> limits_text({"column": "a", "regex": "^x", "mostly": 0.99})
    'regex ^x, for at least 99 % of the rows'
    """
    left = {
        name: value
        for name, value in kwargs.items()
        if name not in ("column", "column_A", "column_B", "column_list") and value is not None
    }
    parts = []
    for end, loose, strict in (("min", "at least", "above"), ("max", "at most", "below")):
        word = strict if left.pop(f"strict_{end}", False) else loose
        if f"{end}_value" in left:
            parts.append(f"{word} {readable(left.pop(f'{end}_value'))}")
    mostly = left.pop("mostly", 1)
    parts += [f"{name} {readable(value)}" for name, value in left.items()]
    if mostly != 1:
        parts.append(f"for at least {readable(round(mostly * 100, 6))} % of the rows")
    return ", ".join(parts)
