"""The report of one validation: a single HTML file, nothing from outside and no script."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_tasks.personal import redacted_row
from mlops_tasks.reports import page_template
from mlops_tasks.validation.arrow_values import readable, to_python

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlops_tasks.lake import Commit, PartitionVersion
    from mlops_tasks.specs import DatasetSpec
    from mlops_tasks.validation.check_outcomes import CheckOutcome
    from mlops_tasks.validation.partition_rows import PartitionRows
    from mlops_tasks.validation.row_changes import RowChanges
    from mlops_tasks.validation.row_flags import RowFlags
    from mlops_tasks.validation.suite import Suite

__all__ = ["render_report"]

_TEMPLATE = Path(__file__).with_name("report.html.j2")
_ROWS_PER_REASON, _MAX_ROWS, _MAX_CELL = 3, 12, 60
_ORDER = {"critical": 0, "warning": 1, "info": 2}
_CHART = {"width": 640, "height": 120, "foot": 18}


def render_report(
    spec: DatasetSpec,
    suite: Suite,
    rows: PartitionRows,
    flags: RowFlags,
    outcomes: Sequence[CheckOutcome],
    history: Sequence[Commit],
    *,
    published: PartitionVersion | None = None,
    changes: RowChanges | None = None,
    blocked: Sequence[str] = (),
) -> str:
    """Return the report as HTML; every value is escaped.

    `history` are the published partitions before this one. Without `published`, nothing was, and
    `blocked` says why.
    """
    failed = [o for o in outcomes if o.passed is False]
    return page_template(_TEMPLATE).render(
        spec=spec,
        suite=suite,
        rows=rows,
        n_bad=flags.n_flagged,
        samples=_samples(spec, rows, flags),
        published=published,
        changes=changes,
        blocked=blocked,
        verdict=_verdict(flags.n_flagged, failed, refused=published is None),
        failed=failed,
        outcomes=sorted(outcomes, key=_by_weight),
        n_unknown=sum(o.passed is None for o in outcomes),
        chart=_chart(history, rows, flags),
    )


def _samples(spec: DatasetSpec, rows: PartitionRows, flags: RowFlags) -> list[dict[str, str]]:
    """Return a few refused rows, the first of every reason, as text with the reasons first."""
    positions = flags.first(_ROWS_PER_REASON)[:_MAX_ROWS]
    if not positions:
        return []
    taken = rows.take(positions).select(rows.schema.names)
    values = zip(*(map(_short, to_python(column)) for column in taken.columns), strict=True)
    return [
        {
            "reasons": flags.reasons(position, 1)[0],
            **redacted_row(spec, dict(zip(taken.column_names, row, strict=True))),
        }
        for position, row in zip(positions, values, strict=True)
    ]


def _verdict(n_bad: int, failed: Sequence[CheckOutcome], *, refused: bool) -> dict[str, str]:
    """Return in one word and one sentence how it ended."""
    if refused:
        return {"word": "Refused", "kind": "stop", "text": "Nothing was published."}
    n_warnings = sum(outcome.severity == "warning" for outcome in failed)
    quarantined = f"{n_bad:,} rows quarantined" if n_bad else ""
    warnings = f"{n_warnings} warning{'s' if n_warnings != 1 else ''}" if n_warnings else ""
    text = " and ".join(part for part in (quarantined, warnings) if part)
    if not text:
        return {"word": "Published", "kind": "good", "text": "Every row is fit for use."}
    return {"word": "Published", "kind": "flag", "text": f"With {text}."}


def _by_weight(outcome: CheckOutcome) -> tuple[int, int, str]:
    verdict = {False: 0, None: 1, True: 2}[outcome.passed]
    return verdict, _ORDER.get(outcome.severity, 3), outcome.name


def _chart(
    history: Sequence[Commit], rows: PartitionRows, flags: RowFlags
) -> dict[str, Any] | None:
    """Lay out the row counts of the trailing partitions and this one as bars."""
    bars = [(c.partition, c.n_rows, False) for c in history]
    bars.append((rows.partition, rows.n_rows - flags.n_flagged, True))
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
