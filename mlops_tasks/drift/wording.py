"""What changed in a column: in words, and as bars to draw."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from mlops_tasks.drift.cells import OTHER, cell_counts
from mlops_tasks.drift.columns import is_categories, present_rows
from mlops_tasks.drift.decision import Picture

if TYPE_CHECKING:
    from mlops_tasks.drift.columns import Categories, Floats, Numbers
    from mlops_tasks.drift.gauges import Aspect

__all__ = ["draw", "say", "short_number"]

_N_BINS = 24
_N_BARS = 12
_N_WORDS = 3
_LONGEST_NAME = 40
# The outermost bins hold all that lies beyond these shares of either side.
_DRAWN = np.array([0.005, 0.995])


def say(aspect: Aspect, reference: Any, current: Any) -> str:
    """Tell what changed in one aspect of a column.

    Parameters
    ----------
    aspect : {"shape", "level", "shares", "unseen", "missing"}
        What to tell.
    reference, current : Numbers or Categories
        Profiles with at least one row each; with a value each, unless `aspect` is ``missing``.

    Returns
    -------
    str
        Reference first, then current.
    """
    if aspect == "missing":
        old, new = (1 - present_rows(side) / side.n for side in (reference, current))
        return f"missing {_percent(old)} → {_percent(new)}{_odd_kinds(current)}"
    if aspect == "level":
        return _say_level(reference, current)
    if aspect == "shape":
        ends = [side.quantiles(np.array([0.1, 0.5, 0.9])) for side in (reference, current)]
        old, new = ([short_number(float(value)) for value in side] for side in ends)
        pairs = zip(("10th", "50th", "90th"), old, new, strict=True)
        return "percentiles " + ", ".join(f"{name} {a} → {b}" for name, a, b in pairs)
    if aspect == "unseen":
        return _say_unseen(reference, current)
    return _say_shares(reference, current)


def draw(reference: Numbers | Categories, current: Numbers | Categories) -> Picture:
    """Prepare the bars of both distributions.

    Parameters
    ----------
    reference, current : Numbers or Categories
        Profiles of one column, of the same kind.

    Returns
    -------
    Picture
        24 bins of equal width, or the 12 largest categories and the rest.
    """
    if is_categories(reference) and is_categories(current):
        return _draw_categories(reference, current)
    return _draw_numbers(reference, current)  # type: ignore[arg-type]


def short_number(value: float) -> str:
    """Write a number with at most four digits that matter.

    Parameters
    ----------
    value : float
        Any number.

    Returns
    -------
    str
        Without an exponent between 0.001 and a million.

    Examples
    --------
    >>> [short_number(x) for x in (0.0, 1234.567, 0.012345, 1.5e12)]
    ['0', '1235', '0.01235', '1.5e+12']
    """
    if value == 0 or 1e-3 <= abs(value) < 1e6:
        text = f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"
        return text
    return f"{value:.4g}"


def _say_level(reference: Numbers, current: Numbers) -> str:
    old, new = reference.mean, current.mean
    spread = math.sqrt(max(reference.variance, 0.0))
    moved = f" ({(new - old) / spread:+.2f} standard deviations)" if spread > 0 else ""
    return f"mean {short_number(old)} → {short_number(new)}{moved}"


def _say_shares(reference: Categories, current: Categories) -> str:
    labels, p, q = _labelled_shares(reference, current)
    most = sorted(range(len(labels)), key=lambda i: -abs(q[i] - p[i]))[:_N_WORDS]
    parts = [f"{_short(labels[i])} {_percent(p[i])} → {_percent(q[i])}" for i in most]
    return "shares " + ", ".join(parts)


def _say_unseen(reference: Categories, current: Categories) -> str:
    new = {name: rows for name, rows in current.counts.items() if name not in reference.counts}
    share = sum(new.values()) / max(present_rows(current), 1)
    most = sorted(new, key=lambda name: (-new[name], name))
    names = ", ".join(_short(name) for name in most[:_N_WORDS])
    more = f" and {len(most) - _N_WORDS} more" if len(most) > _N_WORDS else ""
    return f"{_percent(share)} of the rows in new categories{f': {names}{more}' if new else ''}"


def _odd_kinds(current: Any) -> str:
    if current.kind != "numeric":
        return ""
    names = {"NaN": current.n_nan, "+inf": current.n_pos_inf, "-inf": current.n_neg_inf}
    odd = [f"{count} {name}" for name, count in names.items() if count]
    return f" (among them {', '.join(odd)})" if odd else ""


def _labelled_shares(
    reference: Categories, current: Categories
) -> tuple[list[str], Floats, Floats]:
    p, q = cell_counts(reference, current)
    labels = sorted(set(reference.counts) | set(current.counts))
    if len(labels) < len(p):
        labels.append(OTHER)
    return labels, p / max(p.sum(), 1), q / max(q.sum(), 1)


def _draw_categories(reference: Categories, current: Categories) -> Picture:
    labels, p, q = _labelled_shares(reference, current)
    order = sorted(range(len(labels)), key=lambda i: (labels[i] == OTHER, -max(p[i], q[i])))
    drawn, rest = order[:_N_BARS], order[_N_BARS:]
    names = [_short(labels[i]) for i in drawn]
    old, new = [float(p[i]) for i in drawn], [float(q[i]) for i in drawn]
    if rest:
        names.append(f"{len(rest)} more")
        old.append(float(p[rest].sum()))
        new.append(float(q[rest].sum()))
    return _picture(names, old, new, reference, current, is_ordered=False)


def _draw_numbers(reference: Numbers, current: Numbers) -> Picture:
    sides = [side for side in (reference, current) if side.n_finite]
    if not sides:
        return Picture((), (), (), is_ordered=True)
    ends = np.concatenate([side.quantiles(_DRAWN) for side in sides]).astype(float)
    low, high = float(ends.min()), float(ends.max())
    # Weighed rather than stepped: ends may be too far apart to be subtracted.
    part = np.arange(_N_BINS) / _N_BINS
    edges = np.unique(low * (1 - part) + high * part)
    p, q = cell_counts(reference, current, edges) if len(sides) == 2 else _one(sides[0], edges)
    names = [_instant(x) if reference.kind == "time" else short_number(x) for x in edges]
    labels = [f"up to {names[0]}", *(f"above {name}" for name in names)]
    old, new = (list(map(float, side / max(side.sum(), 1))) for side in (p, q))
    return _picture(labels, old, new, reference, current, is_ordered=True)


def _one(side: Numbers, edges: Floats) -> tuple[Floats, Floats]:
    return cell_counts(side, side, edges)


def _picture(
    labels: list[str],
    old: list[float],
    new: list[float],
    reference: Any,
    current: Any,
    *,
    is_ordered: bool,
) -> Picture:
    return Picture(
        tuple(labels),
        tuple(round(x, 5) for x in old) if present_rows(reference) else (),
        tuple(round(x, 5) for x in new) if present_rows(current) else (),
        is_ordered,
    )


def _instant(microseconds: float) -> str:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=float(microseconds))
    return f"{moment:%Y-%m-%d %H:%M}"


def _percent(share: float) -> str:
    percent = 100 * share
    if percent == 0 or percent >= 1:
        return f"{percent:.3g} %"
    return f"{percent:.2g} %"


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"
