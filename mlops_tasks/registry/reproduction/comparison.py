"""A recorded training beside its repetition: the verdict, and the first input that differs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mlops_tasks.registry.reproduction.environment import Environment
    from mlops_tasks.registry.reproduction.fingerprint import Fingerprint
    from mlops_tasks.registry.reproduction.retraining import Retrained

__all__ = ["TOLERANCE", "Difference", "ReproductionVerdict", "compare", "differences"]

#: The largest difference of predictions that counts as the same model.
TOLERANCE = 1e-6
_SHOWN = 3
_WRITTEN = 12


class ReproductionVerdict(StrEnum):
    """Whether a recorded training gives the recorded model again."""

    EXACT = "exact"
    WITHIN_TOLERANCE = "within tolerance"
    FAILED = "failed"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True, slots=True)
class Difference:
    """One input or result that is not what was recorded.

    Attributes
    ----------
    what : str
        In the order in which one follows from another: ``environment``, ``code``, ``pin``,
        ``parameters``, ``seed``, ``features``, ``target``, ``weights``, ``model content``,
        ``predictions``.
    text : str
        What was recorded and what was found.
    """

    what: str
    text: str


def compare(
    recorded: Fingerprint, environment: Environment, found: Retrained
) -> tuple[ReproductionVerdict, tuple[Difference, ...]]:
    """Return the verdict, and everything that differs in order.

    Parameters
    ----------
    recorded, environment : Fingerprint, Environment
        Of the training.
    found : Retrained
        Its repetition.

    Returns
    -------
    tuple of (ReproductionVerdict, tuple of Difference)
        Exact where the content of the model is the same; then differences of the environment have
        made no difference. Within tolerance where predictions differ by at most `TOLERANCE`.
    """
    differing = tuple(differences(recorded, environment, found))
    if recorded.content == found.fingerprint.content and not found.answers.n_different:
        return ReproductionVerdict.EXACT, differing
    if found.answers.n_rows and found.answers.largest <= TOLERANCE:
        return ReproductionVerdict.WITHIN_TOLERANCE, differing
    return ReproductionVerdict.FAILED, differing


def differences(
    recorded: Fingerprint, environment: Environment, found: Retrained
) -> Iterator[Difference]:
    """Yield what is not as recorded, causes before what follows from them."""
    now, answers = found.fingerprint, found.answers
    if text := _environment_text(environment, found.environment):
        yield Difference("environment", text)
    seeds = recorded.seeds.keys() | now.seeds.keys()
    ours, theirs = (_parameters(one) for one in (recorded, now))
    parameters = [name for name in sorted(ours.keys() | theirs.keys()) if name not in seeds]
    if text := _changed(ours, theirs, parameters):
        yield Difference("parameters", text)
    if text := _changed(recorded.seeds, now.seeds, sorted(seeds)):
        yield Difference("seed", text)
    elif recorded.content != now.content and recorded.unseeded:
        yield Difference("seed", f"{', '.join(recorded.unseeded)} is not set: every fit draws anew")
    for what in ("features", "target", "weights"):
        before, after = getattr(recorded, what), getattr(now, what)
        if before != after:
            yield Difference(what, _digests(before, after, recorded.n_rows, now.n_rows))
    if recorded.content != now.content:
        text = f"{recorded.content[:_WRITTEN]} recorded, {now.content[:_WRITTEN]} now"
        yield Difference("model content", text)
    if answers.n_different:
        yield Difference(
            "predictions",
            f"{answers.n_different} of {answers.n_rows} rows of the {answers.rows} differ, by "
            f"{answers.largest:.3g} at most",
        )


def _parameters(one: Fingerprint) -> dict[str, str]:
    chosen = {name: str(value) for name, value in one.chosen.items()}
    return chosen | one.spec | one.parameters


def _environment_text(recorded: Environment, now: Environment) -> str:
    """Name what differs of two environments: at most a few, what is likely to matter first."""
    found = []
    for what in ("python", "implementation", "system", "machine", "libc", "cpu", "blas", "threads"):
        before, after = getattr(recorded, what), getattr(now, what)
        if before != after:
            found.append(f"{what} {_words(before)} recorded, {_words(after)} now")
    installed = {one.name: one for one in now.distributions}
    for one in recorded.distributions:
        other = installed.get(one.name)
        if other is None and not one.local:
            found.append(f"{one.name} {one.version} is not installed")
        elif other is not None and other.version != one.version:
            found.append(f"{one.name} {one.version} recorded, {other.version} now")
        elif other is not None and one.files and other.files != one.files and not other.local:
            found.append(f"{one.name} {one.version} with other files")
    return _few(found)


def _words(value: object) -> str:
    if isinstance(value, dict):
        return " ".join(f"{name} {number}" for name, number in sorted(value.items()))
    return "+".join(value) if isinstance(value, tuple) else str(value)


def _changed(before: Mapping[str, str], after: Mapping[str, str], names: list[str]) -> str:
    return _few(
        [
            f"{name} {before.get(name, 'none')} recorded, {after.get(name, 'none')} now"
            for name in names
            if before.get(name) != after.get(name)
        ]
    )


def _few(found: list[str]) -> str:
    more = len(found) - _SHOWN
    return "; ".join([*found[:_SHOWN], *([f"and {more} more"] if more > 0 else [])])


def _digests(before: str, after: str, n_before: int, n_after: int) -> str:
    rows = f" of {n_before} and {n_after} rows" if n_before != n_after else ""
    return f"{before[:_WRITTEN] or 'none'} recorded, {after[:_WRITTEN] or 'none'} now{rows}"
