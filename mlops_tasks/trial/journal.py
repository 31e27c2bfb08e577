"""The journal of a trial: every step as it ends, and the one that failed."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import MlopsError
from mlops_tasks.outages import outages_named
from mlops_tasks.trial.report import Failure, TrialStep

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mlops_tasks.trial.report import Answer

__all__ = ["Journal", "Note"]


@dataclass(slots=True)
class Note:
    """What a step writes about itself."""

    answer: Answer = "fine"
    text: str = ""
    n_rows: int | None = None


class Journal:
    """Every step of a trial, in order.

    Parameters
    ----------
    watch : callable
        Called with each step as it ends.
    """

    def __init__(self, watch: Callable[[TrialStep], None]) -> None:
        self.steps: list[TrialStep] = []
        self.failure: Failure | None = None
        self._watch = watch

    @contextmanager
    def step(
        self, name: str, about: str, key: str, *, survives: tuple[type[MlopsError], ...] = ()
    ) -> Iterator[Note]:
        """Write down a step when it ends, also by an error.

        Parameters
        ----------
        name, about, key : str
            As of `TrialStep`.
        survives : tuple of type
            Errors that end the step alone, as they would its task in Airflow; the loop goes on.

        Yields
        ------
        Note
            To be filled in.
        """
        note, started = Note(), time.perf_counter()
        try:
            with outages_named():
                yield note
        except survives as error:
            note.answer, note.text = "alarm", str(error)
        except Exception as error:
            known, kind = isinstance(error, MlopsError), type(error).__name__
            message = str(error) if known else f"{kind}: {error}"
            note.answer, note.text = "failed", message
            self.failure = Failure(name, about, key, message, kind, known)
            raise
        finally:
            seconds = round(time.perf_counter() - started, 3)
            step = TrialStep(name, about, key, note.answer, note.text, note.n_rows, seconds)
            self.steps.append(step)
            self._watch(step)
