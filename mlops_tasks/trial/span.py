"""Which partitions a trial uses, and from which on they are played; what lies before is history."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import PartitionKeyError
from mlops_tasks.partitions import window_start
from mlops_tasks.specs.calendar import Calendar

if TYPE_CHECKING:
    from mlops_tasks.partitions import Duration
    from mlops_tasks.specs import ModelSpec

__all__ = [
    "Span",
    "choose_span",
    "closing_round",
    "first_round",
    "longest_span",
    "newest_partition",
]


@dataclass(frozen=True, slots=True)
class Span:
    """Partitions of the rows: the first and the last that are used, and the first round.

    Attributes
    ----------
    first, last : str
        Keys of the rows' partitions, both inclusive.
    calendar : Calendar
        What comes due when, from the first round on.
    rounds : tuple of str
        Keys of the rounds, a decision at the end of each.
    """

    first: str
    last: str
    calendar: Calendar
    rounds: tuple[str, ...]

    @property
    def text(self) -> str:
        """What is history, and what is played."""
        grain = self.calendar.grain.name
        return (
            f"{self.first} to {self.last}: a first training as of {self.calendar.cutoff}, then "
            f"{len(self.rounds)} {grain}s are played, {self.rounds[0]} to {self.rounds[-1]}"
        )


def newest_partition(spec: ModelSpec) -> str:
    """Return the newest partition of the rows whose round is over by now."""
    over = spec.schedule.newest_before(datetime.now(UTC))
    newest = Calendar(spec, over).rows_in(over)[-1]
    return min(newest, spec.rows.last or newest)


def choose_span(spec: ModelSpec, first: str | None, last: str | None) -> Span:
    """Choose where the history begins and where the first round is.

    The history is what the first training needs: label delay, evaluation, embargo, and a training
    window of at least the evaluation's length. The longest window of monitoring and the label delay
    are played, so that labels of a whole window can arrive. What a range has beyond that makes the
    training window longer, up to that of the spec. Where the rows have ended, the rounds go on
    until their last labels have come.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    first, last : str or None
        The range, both inclusive; by default the newest partitions that suffice.

    Returns
    -------
    Span
        The partitions, and the calendar.

    Raises
    ------
    PartitionKeyError
        If the rows cannot have one of them by now, or they do not suffice.
    """
    return _split(spec, first, _checked_end(spec, first, last))


def longest_span(
    spec: ModelSpec, first: str | None, last: str | None, *, play_from: str | None = None
) -> Span:
    """Choose a history that suffices for a first training, and play all that comes after it.

    The first training has its whole window where that leaves at least half of the range to play,
    and else as much training as evaluation.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    first, last : str or None
        The range, both inclusive; by default all that the rows have.
    play_from : str, optional
        The first round, or a partition of the rows in it.

    Returns
    -------
    Span
        The partitions, and the calendar.

    Raises
    ------
    PartitionKeyError
        If the rows cannot have one of them by now, or they do not suffice.
    """
    begin, end = first or spec.rows.first, _checked_end(spec, first, last)
    grain, final = spec.schedule.grain, Calendar(spec, end).first
    rounds = grain.range(Calendar(spec, begin).first, final)

    def able(train: Duration) -> str | None:
        return next((k for k in rounds if Calendar(spec, k).trained_from(train) >= begin), None)

    shortest = min(spec.train, spec.evaluation, key=lambda length: length.days)
    earliest, whole = able(shortest), able(spec.train)
    if earliest is None:
        needed = Calendar(spec, final).trained_from(shortest)
        raise PartitionKeyError(_too_short(spec, begin, end, needed))
    played = earliest
    if whole is not None and len(grain.range(whole, final)) * 2 >= len(rounds):
        played = whole
    if play_from is not None:
        played = Calendar(spec, spec.rows.check_partition(play_from)).first
        if not earliest <= played <= final:
            raise PartitionKeyError(
                f"model {spec.name!r}: nothing can be played from {play_from} on; a first training "
                f"is possible for {earliest}, and the range ends with {final}"
            )
    calendar = Calendar(spec, played, begin)
    return Span(begin, end, calendar, tuple(grain.range(played, closing_round(spec, final))))


def first_round(spec: ModelSpec, last: str) -> str:
    """Return the round from which on a past that ends with one is played, if nothing is said.

    What `mlops try` and `mlops replay` play by default begins with the same first champion.
    """
    return _split(spec, None, last).calendar.first


def closing_round(spec: ModelSpec, last: str, *, now: datetime | None = None) -> str:
    """Return the round that closes a past: where rows end, their last labels are waited for."""
    rows, label, grain = spec.rows, spec.label.dataset, spec.schedule.grain
    if rows.last is None or last < Calendar(spec, rows.last).first:
        return last
    labelled = rows.partition(rows.last).keys(label.calendar)[-1]
    news = max(rows.due(rows.last), label.due(labelled))
    while spec.schedule.known_on(after := grain.shift(last, 1)) <= news:
        last = after
    return min(last, spec.schedule.newest_before(now or datetime.now(UTC)))


def _checked_end(spec: ModelSpec, first: str | None, last: str | None) -> str:
    """Return the last partition of a range that the rows can have by now."""
    newest = newest_partition(spec)
    for key in filter(None, (first, last)):
        spec.rows.check_partition(key)
        if key > newest:
            raise PartitionKeyError(
                f"model {spec.name!r}: {key} is not over, the newest {spec.rows.grain} that is "
                f"decided on is {newest}; end the trial with it or an earlier one"
            )
    end = last or newest
    if first and end < first:
        raise PartitionKeyError(
            f"model {spec.name!r}: the range ends with {end}, before it begins with {first}; "
            "exchange the two"
        )
    return end


def _split(spec: ModelSpec, first: str | None, last: str) -> Span:
    grain, final = spec.schedule.grain, Calendar(spec, last).first
    watched = window_start(grain, _last_labelled(spec, final), _longest_watch(spec))
    begin = first or max(spec.rows.first, Calendar(spec, watched).trained_from(spec.train))
    shortest = min(spec.train, spec.evaluation, key=lambda length: length.days)
    rounds = grain.range(Calendar(spec, begin).first, final)
    able = (key for key in rounds if Calendar(spec, key).trained_from(shortest) >= begin)
    earliest = next(able, None)
    if earliest is None:
        needed = Calendar(spec, final).trained_from(shortest)
        raise PartitionKeyError(_too_short(spec, begin, last, needed))
    played = max(earliest, watched)
    calendar = Calendar(spec, played, begin)
    return Span(begin, last, calendar, tuple(grain.range(played, closing_round(spec, final))))


def _last_labelled(spec: ModelSpec, final: str) -> str:
    """Return the last round whose rows have their labels at the end of the final one."""
    calendar = Calendar(spec, final)
    return max(map(calendar.round_of, calendar.labelled_after(final)), default=final)


def _longest_watch(spec: ModelSpec) -> Duration:
    return max(spec.drift.window, spec.performance.window, key=lambda length: length.days)


def _too_short(spec: ModelSpec, first: str, last: str, needed: str) -> str:
    what = f"{len(spec.calendar.range(first, last))} {spec.rows.grain}s, {first} to {last}"
    text = (
        f"model {spec.name!r}: {what}, do not suffice: a first training needs the label delay, "
        f"{spec.evaluation.words} of evaluation"
        + (f", {spec.embargo.words} of embargo" if spec.embargo else "")
        + " and as much training before it, and one "
        f"{spec.schedule.grain.name} after it is played"
    )
    if needed >= spec.rows.first:
        return f"{text}; begin on {needed} or earlier"
    return (
        f"{text}. The data begin on {spec.rows.first}: take a later end, or a shorter `evaluation` "
        "in the spec"
    )
