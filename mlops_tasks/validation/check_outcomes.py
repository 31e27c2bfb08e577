"""What a check found, and the outcome of it: the verdict in numbers and in words."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from mlops_tasks.personal import redacted, redacted_text
from mlops_tasks.validation.arrow_values import N_EXAMPLES, readable

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt

    from mlops_tasks.specs import DatasetSpec
    from mlops_tasks.validation.row_flags import RowFlags
    from mlops_tasks.validation.suite import Expectation

    Positions = npt.NDArray[np.int64]

__all__ = [
    "CheckOutcome",
    "Finding",
    "blocking_reasons",
    "contract_outcomes",
    "limits_text",
    "redacted_finding",
    "suite_outcome",
]

# Rows that a later one replaces are quarantined, but they are no bad rows.
_SUPERSEDED = "superseded"
_RULES = {
    "null": "no nulls, says the contract",
    "not_finite": "finite numbers only, says the contract",
    "other_day": "rows of the partition's own day only, says the source's time_column",
    "no_day": "a time, which says the day of the row",
    "duplicate_key": "every key once, says the contract",
    _SUPERSEDED: "the last row of every key, says the contract",
}


@dataclass(slots=True)
class Finding:
    """What one expectation found in some of the rows.

    Attributes
    ----------
    success : bool
        Whether it was met.
    row_wise : bool
        Whether it judged rows one by one.
    n_rows, n_bad : int
        Rows judged, without those it leaves out as missing, and those that fell short.
    positions : array of int64
        Index of the rows that fell short.
    observed : str
        What it saw, for a check of the whole.
    examples : tuple of str
        Some values that fell short.
    error : str
        Why it could not be made.
    """

    success: bool
    row_wise: bool = False
    n_rows: int = 0
    n_bad: int = 0
    positions: Positions | None = field(default=None, repr=False)
    observed: str = ""
    examples: tuple[str, ...] = ()
    error: str = ""

    def joined(self, later: Finding) -> Finding:
        """Return what both found: rows add up, and the first error stays; no positions."""
        if self.error or later.error:
            return self if self.error else later
        return Finding(
            success=self.success and later.success,
            row_wise=self.row_wise,
            n_rows=self.n_rows + later.n_rows,
            n_bad=self.n_bad + later.n_bad,
            observed=self.observed,
            examples=(*self.examples, *later.examples)[:N_EXAMPLES],
        )

    def meets(self, mostly: float) -> bool:
        """Return whether the expectation is met, where at least this share of the rows must be."""
        if self.error or not self.row_wise:
            return self.success
        # As GX counts: the share of the rows that are not missing, and none of none is fine.
        return not self.n_rows or (self.n_rows - self.n_bad) / self.n_rows >= mostly


@dataclass(frozen=True, slots=True)
class CheckOutcome:
    """One check of a validation: what it saw, against its limits.

    Attributes
    ----------
    name : str
        Kind of check and its columns, ``<kind>:<column>,<column>``.
    source : str
        Who asked for it: ``contract``, ``suite`` or ``history``.
    severity : str
        ``critical`` blocks, ``warning`` flags, ``info`` is only reported.
    passed : bool or None
        None when there was too little to judge, which blocks and flags nothing.
    observed, limits : str
        What was seen and what was asked for, as a person reads them.
    n_rows, n_bad : int or None
        Rows that were judged one by one and those that fell short; None for a check of the whole.
    how : str
        How a partition larger than one chunk was judged.
    examples : tuple of str
        A few of the values that fell short.
    error : str
        Why the check could not be made; it has failed then.
    value, threshold : float or None
        The number and its limit, for checks across partitions.
    """

    name: str
    source: str
    severity: str
    passed: bool | None
    observed: str = ""
    limits: str = ""
    n_rows: int | None = None
    n_bad: int | None = None
    how: str = ""
    examples: tuple[str, ...] = ()
    error: str = ""
    value: float | None = None
    threshold: float | None = None

    @property
    def text(self) -> str:
        """The whole outcome in one sentence."""
        parts = [self.error] if self.error else []
        if self.observed and not self.error:
            parts.append(f"observed {self.observed}")
        if self.n_bad is not None:
            parts.append(f"{self.n_bad:,} of {self.n_rows:,} rows fall short")
        return f"{self.name}{' ' if self.limits else ''}{self.limits}: {', '.join(parts)}"


def suite_outcome(expectation: Expectation, found: Finding | None, how: str) -> CheckOutcome:
    """Return the verdict of an expectation on all rows; one that was never made has failed."""
    found = found or Finding(success=False, error="it was not made")
    by_row = found.row_wise and not found.error
    nothing = by_row and not found.n_rows
    return CheckOutcome(
        expectation.label,
        "suite",
        expectation.severity,
        passed=found.meets(expectation.mostly),
        observed="no value to judge, all are missing" if nothing else found.observed,
        limits=limits_text(expectation.kwargs),
        n_rows=found.n_rows if by_row else None,
        n_bad=found.n_bad if by_row else None,
        how=how,
        examples=found.examples,
        error=found.error,
    )


def redacted_finding(
    spec: DatasetSpec, expectation: Expectation, found: Finding | None
) -> Finding | None:
    """Hide what was seen of personal columns; numbers of rows stay."""
    if found is None or not spec.has_personal or expectation.how in ("count", "schema"):
        return found  # the last two see no value
    columns = spec.columns if expectation.columns is None else expectation.columns
    error = redacted_text(found.error, known=f"{expectation.kwargs!r} {spec.columns!r}")
    return replace(
        found,
        observed=found.observed and redacted(spec, columns, found.observed),
        examples=tuple(redacted(spec, columns, one) for one in found.examples),
        error=found.error and redacted(spec, columns, error),
    )


def contract_outcomes(counts: dict[str, int], n_rows: int, refusal: str = "") -> list[CheckOutcome]:
    """Return the verdict of the contract: one outcome for each rule that rows break.

    `counts` are rows by reason, `refusal` says why keys refuse the whole partition. If no rule is
    broken, there is a single outcome that passed.
    """
    outcomes = [
        CheckOutcome(
            reason,
            "contract",
            "info" if reason == _SUPERSEDED else "critical",
            passed=False,
            limits=_RULES[reason.partition(":")[0]],
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


def blocking_reasons(
    outcomes: Sequence[CheckOutcome], flags: RowFlags, max_share: float
) -> list[str]:
    """Return why a partition must not be published: a check of the whole, or too many bad rows."""
    reasons = [
        outcome.text
        for outcome in outcomes
        if outcome.severity == "critical"
        and outcome.passed is False
        and (outcome.n_bad is None or outcome.error)
    ]
    n_bad, n_rows = flags.n_flagged_beyond(_SUPERSEDED), flags.n_rows
    if n_bad > max_share * n_rows:
        worst = ", ".join(f"{reason} {n}" for reason, n in sorted(flags.counts().items()))
        reasons.append(
            f"{n_bad} of {n_rows} rows are bad ({n_bad / n_rows:.1%}, allowed {max_share:.1%}): "
            f"{worst}"
        )
    return reasons


def limits_text(kwargs: dict[str, Any]) -> str:
    """Return the limits of an expectation as a person reads them.

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
