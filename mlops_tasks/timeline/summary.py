"""The state of a model in words: three answers, and what comes next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlops_tasks.figures import short_number

if TYPE_CHECKING:
    from mlops_tasks.timeline.records import Measured, Timeline

__all__ = ["Answered", "Summary", "interval", "summarize"]

_NAMED = 3


@dataclass(frozen=True, slots=True)
class Answered:
    """One question with its answer: ``fine``, ``alarm`` or ``cannot_tell``.

    Attributes
    ----------
    question : str
        What is asked.
    answer : str
        One of three.
    word : str
        How it is called here, as *not measured yet* or *retrain*.
    text : str
        Why.
    """

    question: str
    answer: str
    word: str
    text: str


@dataclass(frozen=True, slots=True)
class Summary:
    """What stands above the picture.

    Attributes
    ----------
    answer : str
        The worst of all: fine only where everything is known to be fine.
    word : str
        The same for people.
    lines : tuple of str
        The state in sentences.
    answers : tuple of Answered
        Performance, drift, decision.
    """

    answer: str
    word: str
    lines: tuple[str, ...]
    answers: tuple[Answered, ...]


_WORDS = {"fine": "fine", "alarm": "alarm", "cannot_tell": "cannot tell"}


def summarize(timeline: Timeline) -> Summary:
    """Say how a model does.

    Parameters
    ----------
    timeline : Timeline
        From `read_timeline`.

    Returns
    -------
    Summary
        What nobody has measured is never fine.
    """
    answers = (_performance(timeline), _drift(timeline), _decision(timeline))
    n_open = sum(one.incident.is_open for one in timeline.incidents)
    found = {one.answer for one in answers} | ({"alarm"} if n_open else set())
    worst = next(one for one in ("alarm", "cannot_tell", "fine") if one in found)
    lines = [_champion(timeline), _incidents(n_open), *_estimated(timeline)]
    return Summary(worst, _WORDS[worst], tuple(lines), answers)


def interval(one: Measured) -> str:
    """Return a value with its interval and its limit, as far as they are known.

    Parameters
    ----------
    one : Measured
        A measurement, or an estimate.

    Returns
    -------
    str
        ``0.7413 (0.7102 to 0.7710), limit 0.7000``; *cannot tell* where there is no value.
    """
    if one.value is None:
        return "cannot tell"
    text = short_number(one.value)
    if one.lower is not None and one.upper is not None:
        text += f" ({short_number(one.lower)} to {short_number(one.upper)})"
    return text if one.threshold is None else f"{text}, limit {short_number(one.threshold)}"


def _performance(timeline: Timeline) -> Answered:
    question = f"What are predictions worth? ({timeline.metric_title})"
    if not timeline.performance:
        text = "there is no champion yet" if timeline.champion is None else _due(timeline)
        return Answered(question, "cannot_tell", "not measured yet", text)
    newest = timeline.performance[-1]
    said = [one.text for one in newest.result.alarms] or [newest.text]
    text = f"{newest.result.first} to {newest.key}: {'; '.join(said)}"
    if timeline.champion not in (None, newest.result.model_version):
        old = f"what is known is of version {newest.result.model_version}, {text}"
        why = f"version {timeline.champion} is champion; {old}. {_due(timeline)}"
        return Answered(question, "cannot_tell", "not measured yet", why)
    answer = newest.result.answer
    return Answered(question, answer, _WORDS[answer], text)


def _due(timeline: Timeline) -> str:
    return f"labels of {timeline.next.partition} are due by the end of {timeline.next.measured_on}"


def _drift(timeline: Timeline) -> Answered:
    question, newest = "Have data or predictions moved?", timeline.drift.newest
    if newest is None:
        return Answered(question, "cannot_tell", "not measured yet", "nothing was scored yet")
    window, answer = f"{newest.first} to {newest.last}", newest.answer
    loud = newest.alarms
    names = ", ".join(one.name for one in loud[:_NAMED])
    more = f" and {len(loud) - _NAMED} more" if len(loud) > _NAMED else ""
    n = len(newest.checks)
    text = f"{window}: {len(loud)} of {n} columns alarm"
    if loud:
        text += f": {names}{more}; {loud[0].text}"
    elif answer == "cannot_tell":
        text = f"{window}: {newest.checks[0].text if n else 'nothing was compared'}"
    return Answered(question, answer, _WORDS[answer], text)


def _decision(timeline: Timeline) -> Answered:
    question = "Is it trained again?"
    if not timeline.decisions:
        text = f"the first decision is as of {timeline.next.as_of}"
        return Answered(question, "cannot_tell", "not decided yet", text)
    newest = timeline.decisions[-1]
    words = {
        "retrain": ("alarm", f"retrain ({newest.cause})"),
        "not_retrained": ("fine", "not retrained"),
        "cannot_tell": ("cannot_tell", "cannot tell"),
    }
    answer, word = words[newest.answer]
    # An alarm that something holds back is no good news.
    if newest.answer == "not_retrained" and newest.cause != "none":
        answer, word = "alarm", f"not retrained ({newest.cause})"
    return Answered(question, answer, word, f"as of {newest.as_of}: {newest.reason}")


def _champion(timeline: Timeline) -> str:
    if timeline.champion is None:
        return "There is no champion yet."
    since = [one for one in timeline.moves if one.version == timeline.champion][-1:]
    when = f" since {since[0].day}" if since else ""
    return f"Version {timeline.champion} is champion{when}."


def _incidents(n_open: int) -> str:
    if not n_open:
        return "No incident is open."
    return f"{n_open} incident{' is' if n_open == 1 else 's are'} open."


def _estimated(timeline: Timeline) -> list[str]:
    """Say what predictions are estimated to be worth where labels are still missing."""
    measured = timeline.performance[-1].key if timeline.performance else ""
    newest = timeline.estimates[-1:]
    if not newest or newest[0].key <= measured:
        return []
    said = interval(newest[0])
    return [f"Estimated without labels for {newest[0].key}: {timeline.metric_title} {said}."]
