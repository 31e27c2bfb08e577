"""What a trial came to: steps, trainings, decisions, and what monitoring could tell."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from mlops_tasks.serialization import to_json

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "Answer",
    "Conclusion",
    "Decision",
    "Failure",
    "Training",
    "TrialReport",
    "TrialStep",
]

Answer = Literal["fine", "alarm", "cannot tell", "failed"]
Outcome = Literal["champion", "refused", "failed"]

_EXIT_CODES: Mapping[Outcome, int] = {"champion": 0, "refused": 1, "failed": 3}


@dataclass(frozen=True, slots=True)
class TrialStep:
    """One step on one partition.

    Attributes
    ----------
    name : str
        ``ingest``, ``validate``, ``pin``, ``train``, ``evaluate``, ``register``, ``promote``,
        ``score``, ``drift``, ``monitor`` or ``decide``; ``plan`` before the first of them.
    about : str
        The dataset, or the model.
    key : str
        The partition; of a training or a decision, the day as of which it is.
    answer : str
        ``fine``, ``alarm``, ``cannot tell`` or ``failed``.
    text : str
        What was done or found, in one line.
    n_rows : int or None
        Rows it was about.
    seconds : float
        How long it took; left out where reports are compared.
    """

    name: str
    about: str
    key: str
    answer: Answer = "fine"
    text: str = ""
    n_rows: int | None = None
    seconds: float = field(default=0.0, compare=False)


@dataclass(frozen=True, slots=True)
class Training:
    """One training and what the gate said of it.

    Attributes
    ----------
    as_of : str
        Its cut-off.
    cause : str
        Why it was trained: ``first training``, or the cause of the decision.
    train, evaluation : tuple of str
        First and last partition of each window.
    verdict, reason : str
        The gate's verdict, and why.
    version : str
        The registered version.
    metric : str
        The metric that decided.
    value, lower, upper : float or None
        It on the evaluation window, with its interval; None where it is not defined there.
    n_train, n_evaluation : int
        Rows of both windows.
    """

    as_of: str
    cause: str
    train: tuple[str, str]
    evaluation: tuple[str, str]
    verdict: str
    reason: str
    version: str
    metric: str
    value: float | None
    lower: float | None
    upper: float | None
    n_train: int
    n_evaluation: int


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether to train again, as of one day."""

    as_of: str
    retrain: bool
    cause: str
    reason: str


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What one check of monitoring came to over the trial.

    Attributes
    ----------
    kind : str
        ``performance``, ``labels`` or ``drift``.
    name : str
        The metric, or the column.
    n_fine, n_alarm, n_cannot_tell : int
        How often it gave each answer.
    text : str
        The newest answer, in a sentence.
    fix : str
        What would let it tell; empty where its newest answer tells something.
    """

    kind: str
    name: str
    n_fine: int
    n_alarm: int
    n_cannot_tell: int
    text: str
    fix: str = ""

    @property
    def answer(self) -> Answer:
        """All answers in one: an alarm counts, and one answer is enough to tell."""
        if self.n_alarm:
            return "alarm"
        return "fine" if self.n_fine else "cannot tell"


@dataclass(frozen=True, slots=True)
class Failure:
    """The step that failed, and why.

    Attributes
    ----------
    step, about, key : str
        As of `TrialStep`.
    message : str
        What went wrong, and what to do.
    error : str
        Class of the error.
    known : bool
        Whether it is an error of ours, whose message names the fix; another one is a bug, of the
        project's code or of ours.
    """

    step: str
    about: str
    key: str
    message: str
    error: str
    known: bool


@dataclass(frozen=True, slots=True)
class TrialReport:
    """What `try_model` returns. Equal inputs give equal reports: no times are compared.

    Attributes
    ----------
    model : str
        The model.
    outcome : str
        ``champion`` if the loop came to one; ``refused`` if the gate promoted none; ``failed`` if
        a step could not be done, which `failure` names.
    reason : str
        Why, in a sentence.
    first, last : str
        The first and the last partition of the rows that were used; empty if it did not come to
        that.
    played_from : str
        The first partition that was scored; what lies before it is history.
    steps : tuple of TrialStep
        Every step, in order.
    trainings : tuple of Training
        The first one, and those that were decided on.
    decisions : tuple of Decision
        One for each day, or week or month, of the part that was played.
    conclusions : tuple of Conclusion
        What monitoring could and could not conclude.
    failure : Failure or None
        The step that failed.
    error : Exception or None
        The error itself, to be raised or shown; not compared.
    seconds : float
        How long all took; not compared.
    """

    model: str
    outcome: Outcome
    reason: str
    first: str = ""
    last: str = ""
    played_from: str = ""
    steps: tuple[TrialStep, ...] = ()
    trainings: tuple[Training, ...] = ()
    decisions: tuple[Decision, ...] = ()
    conclusions: tuple[Conclusion, ...] = ()
    failure: Failure | None = None
    error: Exception | None = field(default=None, compare=False, repr=False)
    seconds: float = field(default=0.0, compare=False)

    @property
    def champion(self) -> Training | None:
        """The training of the version that was champion at the end."""
        promoted = [one for one in self.trainings if one.verdict == "promote"]
        return promoted[-1] if promoted else None

    @property
    def exit_code(self) -> int:
        """0 with a champion, 1 where the gate promoted none, 3 where a step failed."""
        return _EXIT_CODES[self.outcome]

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON, with the exit code."""
        plain = to_json(replace(self, error=None)) | {"exit_code": self.exit_code}
        del plain["error"]
        return plain
