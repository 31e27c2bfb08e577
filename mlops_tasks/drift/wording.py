"""What changed in a column: in words, and as bars to draw."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from mlops_tasks.drift.cells import OTHER
from mlops_tasks.drift.columns import present_rows
from mlops_tasks.drift.decision import Picture
from mlops_tasks.profiles.recoding import single_precision

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mlops_tasks.drift.columns import Categories, Floats, Numbers
    from mlops_tasks.drift.gauges import Aspect
    from mlops_tasks.drift.pairs import CategoryPair, NumberPairs, Pairs

__all__ = ["draw_categories", "draw_numbers", "say", "short_number"]

_N_BINS = 24
_N_BARS = 12
_N_WORDS = 3
_LONGEST_NAME = 40
# Whole numbers below are written in full.
_WHOLE = 1e15
# The outermost bins hold all that lies beyond these shares of either side.
_DRAWN = np.array([0.005, 0.995])


def say(aspect: Aspect, pairs: Pairs, name: str, expected: float = 0.0) -> str:
    """Tell what changed in one aspect of a column.

    Parameters
    ----------
    aspect : {"shape", "level", "shares", "unseen", "concentration", "missing"}
        What to tell.
    pairs : Pairs
        Profiles with at least one row each; with a value each, unless `aspect` is ``missing``.
    name : str
        The column.
    expected : float, default 0
        Share that a new day of the reference would have unseen, or on its commonest value; of no
        other aspect.

    Returns
    -------
    str
        Reference first, then current.
    """
    if aspect == "shape":
        told = zip(("10th", "50th", "90th"), *pairs.numbers.percentiles[name], strict=True)
        return "percentiles " + ", ".join(f"{which} {_change(a, b)}" for which, a, b in told)
    if aspect == "shares":
        return _say_shares(pairs.of_categories(name))
    if aspect == "unseen" and name not in pairs.categories:
        tell = _say_new_numbers if name in pairs.known_numbers else _say_beyond
        return tell(pairs, name)
    sides: tuple[Any, Any] = pairs.reference[name], pairs.current[name]
    if aspect == "level":
        return _say_level(*sides)
    if aspect == "concentration":
        return _say_commonest(sides[1], expected)
    return _say_unseen(*sides, expected) if aspect == "unseen" else _say_missing(*sides)


def draw_categories(pair: CategoryPair) -> Picture:
    """Prepare the bars of both sides of a column of categories.

    Parameters
    ----------
    pair : CategoryPair
        Both sides.

    Returns
    -------
    Picture
        The 12 largest categories, and the rest.
    """
    labels, (p, q) = pair.labels, pair.shares
    rest = labels[-1:] == [OTHER]
    largest = np.maximum(p, q)[: len(labels) - rest]
    order = np.argsort(-largest, kind="stable").tolist() + [len(largest)] * rest
    drawn, others = order[:_N_BARS], order[_N_BARS:]
    names = [_short(labels[i]) for i in drawn]
    sides = [side[drawn] for side in (p, q)]
    if others:
        names.append(f"{len(others)} more")
        sides = [np.append(side[drawn], side[others].sum()) for side in (p, q)]
    have = present_rows(pair.reference) > 0, present_rows(pair.current) > 0
    return _picture(names, sides, have, is_ordered=False)


def draw_numbers(pairs: NumberPairs) -> dict[str, Picture]:
    """Prepare the bars of both sides of columns of numbers, of all at once.

    Parameters
    ----------
    pairs : NumberPairs
        Both sides.

    Returns
    -------
    dict of str to Picture
        By column: 24 bins of equal width between the values that all but 0.5 % of either side are
        above, and below; fewer where edges coincide.
    """
    old, new = pairs.reference, pairs.current
    ends = np.concatenate([old.quantiles(_DRAWN), new.quantiles(_DRAWN)], axis=1)
    low, high = np.fmin.reduce(ends, axis=1)[:, None], np.fmax.reduce(ends, axis=1)[:, None]
    # Weighed rather than stepped: ends may be too far apart to be subtracted.
    part = np.arange(_N_BINS) / _N_BINS
    edges = low * (1 - part) + high * part
    p, q = pairs.cells(edges)
    rows = np.maximum([old.n_finite, new.n_finite], 1)[:, :, None]
    shares = np.stack([p, q], axis=1) / np.moveaxis(rows, 0, 1)
    exists = np.ones(p.shape, bool)
    exists[:, 1:-1] = edges[:, 1:] != edges[:, :-1]
    found = {}
    for i, name in enumerate(pairs.names):
        have = bool(old.n_finite[i]), bool(new.n_finite[i])
        own = exists[i, 1:] if any(have) else np.zeros(_N_BINS, bool)
        say = _instant if pairs.is_time[i] else short_number
        names = [say(edge) for edge in edges[i, own].tolist()]
        labels = [f"up to {name}" for name in names[:1]] + [f"above {name}" for name in names]
        found[name] = _picture(labels, shares[i][:, exists[i]], have, is_ordered=True)
    return found


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
    text = f"{value:.4g}"
    return f"{value:.0f}" if "e" in text and 1e3 <= abs(value) < 1e6 else text


def _change(old: float, new: float) -> str:
    """Write two numbers with as many digits as tell them apart."""
    short = short_number(old), short_number(new)
    if short[0] == short[1] and old != new:
        return f"{old:.12g} → {new:.12g}"
    return f"{short[0]} → {short[1]}"


def _say_level(reference: Numbers, current: Numbers) -> str:
    old, new = reference.mean, current.mean
    spread = math.sqrt(max(reference.variance, current.variance, 0.0))  # as the effect has it
    moved = f" ({(new - old) / spread:+.2f} standard deviations)" if spread > 0 else ""
    return f"mean {_change(old, new)}{moved}"


def _say_missing(reference: Any, current: Any) -> str:
    old, new = (1 - present_rows(side) / side.n for side in (reference, current))
    return f"missing {_percent(old)} → {_percent(new)}{_odd_kinds(current)}"


def _say_shares(pair: CategoryPair) -> str:
    p, q = pair.shares
    most = np.argsort(-np.abs(q - p), kind="stable")[:_N_WORDS].tolist()
    told = [f"{_short(pair.labels[i])} {_percent(p[i])} → {_percent(q[i])}" for i in most]
    return "shares " + ", ".join(told)


def _say_unseen(reference: Categories, current: Categories, expected: float) -> str:
    unseen = current.counts.keys() - reference.counts.keys()
    new = {name: current.counts[name] for name in unseen}
    share = sum(new.values()) / max(present_rows(current), 1)
    most = sorted(new, key=lambda name: (-new[name], name))
    told = f"{_percent(share)} of the rows in new categories{_usual(expected)}"
    return _with_names(told, map(_short, most))


def _say_commonest(current: Categories, expected: float) -> str:
    name, rows = next(iter(current.counts.items()), ("", 1))
    share, named = (rows - 1) / present_rows(current), f": {_short(name)}" if name else ""
    return f"{_percent(share)} of the rows repeat the commonest value{_usual(expected)}{named}"


def _with_names(told: str, names: Iterable[str]) -> str:
    """Name the first of something."""
    all_ = list(names)
    more = f" and {len(all_) - _N_WORDS} more" if len(all_) > _N_WORDS else ""
    return f"{told}: {', '.join(all_[:_N_WORDS])}{more}" if all_ else told


def _say_new_numbers(pairs: Pairs, name: str) -> str:
    at = pairs.numbers.names.index(name)
    points = single_precision(pairs.numbers.current.points(at))
    is_new = ~np.isin(points, pairs.known_numbers[name])
    new, rows = np.unique(points[is_new], return_counts=True)
    about = "" if len(points) == pairs.numbers.current.n_finite[at] else "about "
    told = f"new numbers in {about}{_percent(is_new.mean())} of the rows"
    most = new[np.argsort(-rows, kind="stable")].tolist()
    return _with_names(told, map(_whole_number, most))


def _say_beyond(pairs: Pairs, name: str) -> str:
    at = pairs.numbers.names.index(name)
    (low, high), (lowest, highest) = (
        side.ends[at].tolist() for side in (pairs.numbers.reference, pairs.numbers.current)
    )
    points = pairs.numbers.current.points(at)
    share = np.mean((points < low) | (points > high))
    ends = [f"down to {_whole_number(lowest)}"] * (lowest < low)
    ends += [f"up to {_whole_number(highest)}"] * (highest > high)
    told = f"{_percent(share) if share or not ends else 'a few'} of the rows outside"
    known = f"{_whole_number(low)} to {_whole_number(high)}"
    return _with_names(f"{told} {known}, the range of the reference", ends)


def _usual(share: float) -> str:
    return f" ({_percent(share)} on the reference's own days)" if share else ""


def _whole_number(value: float) -> str:
    """Write a number so that it can be looked for."""
    return f"{value:.0f}" if value == round(value) and abs(value) < _WHOLE else f"{value:.7g}"


def _odd_kinds(current: Any) -> str:
    if current.kind != "numeric":
        return ""
    names = {"NaN": current.n_nan, "+inf": current.n_pos_inf, "-inf": current.n_neg_inf}
    odd = [f"{count} {name}" for name, count in names.items() if count]
    return f" (among them {', '.join(odd)})" if odd else ""


def _picture(
    labels: list[str], sides: Iterable[Floats], have: tuple[bool, bool], *, is_ordered: bool
) -> Picture:
    old, new = (
        tuple(side.round(5).tolist()) if has else () for side, has in zip(sides, have, strict=True)
    )
    return Picture(tuple(labels), old, new, is_ordered)


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
