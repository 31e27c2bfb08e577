"""The report of one validation: a single HTML file, nothing from outside and no script."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_tasks import reports
from mlops_tasks.validation.judge import readable
from mlops_tasks.validation.present import to_python

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jinja2 import Template

    from mlops_tasks.lake import Commit, Lake, PartitionVersion
    from mlops_tasks.specs import DatasetSpec
    from mlops_tasks.validation.marks import RowMarks
    from mlops_tasks.validation.results import CheckOutcome, ValidationResult
    from mlops_tasks.validation.rows import PartitionRows
    from mlops_tasks.validation.suite import Suite

__all__ = ["ReportFacts", "bad_row_samples", "render_report", "write_report"]

_TEMPLATE = "report.html.j2"
_ROWS_PER_REASON, _MAX_ROWS, _MAX_CELL = 3, 12, 60
_ORDER = {"critical": 0, "warning": 1, "info": 2}
_CHART = {"width": 640, "height": 120, "foot": 18}


@dataclass(frozen=True, slots=True)
class ReportFacts:
    """Everything that a report shows.

    Attributes
    ----------
    spec, raw, suite : DatasetSpec, PartitionVersion, Suite
        What was validated, and against what.
    chunks : str
        In how many chunks it was made, and why.
    n_bad : int
        Rows refused.
    outcomes : tuple of CheckOutcome
        Every check.
    reasons : dict of str to int
        Refused rows by reason.
    samples : list of dict
        A few refused rows.
    history : list of Commit
        The trailing published partitions.
    result : ValidationResult or None
        None when nothing was published.
    blocked : tuple of str
        Why not.
    """

    spec: DatasetSpec
    raw: PartitionVersion
    suite: Suite
    chunks: str
    outcomes: tuple[CheckOutcome, ...]
    n_bad: int
    reasons: dict[str, int]
    samples: list[dict[str, str]]
    history: list[Commit]
    result: ValidationResult | None
    blocked: tuple[str, ...]


def bad_row_samples(rows: PartitionRows, marks: RowMarks) -> list[dict[str, str]]:
    """Return a few refused rows with their reasons, as text.

    Parameters
    ----------
    rows : PartitionRows
        The raw partition.
    marks : RowMarks
        Its bad rows; the first of every reason are taken.

    Returns
    -------
    list of dict
        Column to value, the reasons first.
    """
    positions = marks.first(_ROWS_PER_REASON)[:_MAX_ROWS]
    if not positions:
        return []
    taken = rows.take(positions).select(rows.schema.names)
    columns = [to_python(column) for column in taken.columns]
    found = [dict(zip(taken.column_names, row, strict=True)) for row in zip(*columns, strict=True)]
    return [
        {
            "reasons": marks.reasons(position, 1)[0],
            **{name: _short(value) for name, value in row.items()},
        }
        for position, row in zip(positions, found, strict=True)
    ]


def write_report(lake: Lake, facts: ReportFacts) -> str:
    """Write the report beside the tables, all of it or nothing.

    Parameters
    ----------
    lake : Lake
        Where to.
    facts : ReportFacts
        What it shows.

    Returns
    -------
    str
        ``_reports/<dataset>/<partition>/<version>.html`` below the root of the lake;
        ``refused-<raw version>.html`` if nothing was published.
    """
    name = f"refused-{facts.raw.version}"
    if facts.result:
        name = str(facts.result.published.version)
    page = render_report(facts)
    return reports.write_report(lake, facts.spec.name, facts.raw.partition, name, page)


def render_report(facts: ReportFacts) -> str:
    """Return the report as HTML; every value is escaped.

    Parameters
    ----------
    facts : ReportFacts
        What it shows.
    """
    failed = [o for o in facts.outcomes if o.passed is False]
    return _template().render(
        facts=facts,
        result=facts.result,
        verdict=_verdict(facts, failed),
        failed=failed,
        outcomes=sorted(facts.outcomes, key=_by_weight),
        n_unknown=sum(o.passed is None for o in facts.outcomes),
        chart=_chart(facts),
    )


@lru_cache(maxsize=1)
def _template() -> Template:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(_TEMPLATE)


def _verdict(facts: ReportFacts, failed: Sequence[CheckOutcome]) -> dict[str, str]:
    """Say in one word and one sentence how it ended."""
    if facts.result is None:
        return {"word": "Refused", "kind": "stop", "text": "Nothing was published."}
    n_flags = sum(outcome.severity == "warning" for outcome in failed)
    kept = f"{facts.n_bad:,} rows kept back" if facts.n_bad else ""
    flags = f"{n_flags} warning{'s' if n_flags != 1 else ''}" if n_flags else ""
    text = " and ".join(part for part in (kept, flags) if part)
    if not text:
        return {"word": "Published", "kind": "good", "text": "Every row is fit for use."}
    return {"word": "Published", "kind": "flag", "text": f"With {text}."}


def _by_weight(outcome: CheckOutcome) -> tuple[int, int, str]:
    verdict = {False: 0, None: 1, True: 2}[outcome.passed]
    return verdict, _ORDER.get(outcome.severity, 3), outcome.name


def _chart(facts: ReportFacts) -> dict[str, Any] | None:
    """Lay out the row counts of the trailing partitions and this one as bars."""
    bars = [(c.partition, c.n_rows, False) for c in facts.history]
    bars.append((facts.raw.partition, facts.raw.n_rows - facts.n_bad, True))
    if len(bars) < 2:
        return None
    top, room = max(n for _, n, _ in bars) or 1, _CHART["height"] - _CHART["foot"] - 16
    step = _CHART["width"] / len(bars)
    return {
        **_CHART,
        "bars": [
            {
                "day": day,
                "n_rows": n_rows,
                "now": now,
                "x": round(index * step + step * 0.1, 2),
                "w": round(step * 0.8, 2),
                "h": round(room * n_rows / top, 2),
                "y": round(_CHART["height"] - _CHART["foot"] - room * n_rows / top, 2),
                "mid": round((index + 0.5) * step, 2),
            }
            for index, (day, n_rows, now) in enumerate(bars)
        ],
    }


def _short(value: Any) -> str:
    text = readable(value)
    return text if len(text) <= _MAX_CELL else f"{text[: _MAX_CELL - 1]}…"
