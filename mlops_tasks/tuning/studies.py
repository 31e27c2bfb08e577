"""Searches that several processes share: Optuna studies in a database of their own.

Each trial has a number of its own from the start, and the task of that number works on it and on no
other: what a killed task has begun is found by its number and gone on with, fold by fold.
"""

from __future__ import annotations

import json
import logging
import time
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from mlops_tasks.exceptions import SpecError
from mlops_tasks.serialization import from_json, to_json
from mlops_tasks.specs.selection import Choice as ValueChoice
from mlops_tasks.tuning.candidates import FoldScore
from mlops_tasks.tuning.spaces import suggested

if TYPE_CHECKING:
    from optuna import Study
    from optuna.storages import RDBStorage
    from optuna.trial import FrozenTrial

    from mlops_tasks.specs import SearchSpec
    from mlops_tasks.specs.selection import Range

__all__ = ["Studies", "Trial", "check_installed"]

_NUMBER, _SCORES, _REASON, _BEGAN = "number", "scores", "reason", "began"
_WAIT_S = 60


def check_installed() -> None:
    """Refuse a search where Optuna is not installed.

    Raises
    ------
    SpecError
        With what to install.
    """
    if find_spec("optuna") is None:
        raise SpecError(
            "search needs Optuna, which is not installed: pip install 'mlops-airflow[tuning]', or "
            "name candidates in place of search in the spec"
        )


@dataclass(frozen=True, slots=True)
class Studies:
    """The database of all searches.

    Parameters
    ----------
    url : str
        SQLAlchemy URL, for example ``sqlite:////data/studies.db``.
    """

    url: str

    def open(self, name: str, n_trials: int) -> None:
        """Begin a search, or find that it has begun: trials are added up to `n_trials`.

        Parameters
        ----------
        name : str
            Of the study.
        n_trials : int
            How many it has.
        """
        import optuna

        study = optuna.create_study(
            study_name=name, storage=self._storage(), direction="maximize", load_if_exists=True
        )
        if _BEGAN not in study.user_attrs:
            study.set_user_attr(_BEGAN, time.time())
        there = {trial.user_attrs.get(_NUMBER) for trial in study.get_trials(deepcopy=False)}
        for number in set(range(n_trials)) - there:
            study.enqueue_trial({}, user_attrs={_NUMBER: number})

    def trial(self, name: str, number: int, search: SearchSpec, seed: int) -> Trial:
        """Return a trial of a search, as far as it has come.

        Parameters
        ----------
        name : str
            Of the study.
        number : int
            Which one.
        search : SearchSpec
            How parameters are looked for.
        seed : int
            Of the model.

        Returns
        -------
        Trial
            With the parameters and the scores that it has by now.
        """
        import optuna

        # A sampler for each trial: what it draws depends on its number and on what is known by
        # then, and not on the process.
        sampler = optuna.samplers.TPESampler(seed=(seed + 7919 * number) % 2**32)
        study = optuna.load_study(
            study_name=name,
            storage=self._storage(),
            sampler=sampler,
            pruner=optuna.pruners.MedianPruner(),
        )
        return Trial(study, number, search)

    def _storage(self) -> RDBStorage:
        check_installed()
        import optuna
        from sqlalchemy import NullPool

        optuna.logging.set_verbosity(logging.WARNING)
        # A file waits for whoever writes to it; a server has its own patience.
        waits = {"timeout": _WAIT_S} if self.url.startswith("sqlite") else {}
        return optuna.storages.RDBStorage(
            self.url, engine_kwargs={"poolclass": NullPool, "connect_args": waits}
        )


class Trial:
    """One trial of a search.

    Parameters
    ----------
    study : optuna.Study
        The search.
    number : int
        Which trial.
    search : SearchSpec
        How parameters are looked for.
    """

    def __init__(self, study: Study, number: int, search: SearchSpec) -> None:
        self._study, self._number, self._search = study, number, search

    @property
    def over(self) -> bool:
        """Whether it was measured or ended early, by this task or an earlier attempt."""
        return self._frozen.state.is_finished()

    @property
    def pruned(self) -> bool:
        """Whether it has ended early."""
        return self._frozen.state.name == "PRUNED"

    @property
    def out_of_time(self) -> bool:
        """Whether the time budget of the search is used up."""
        began: float = self._study.user_attrs[_BEGAN]
        budget = self._search.time_budget
        hours = budget.number if budget.unit == "h" else 24 * budget.days
        return time.time() - began > hours * 3600

    @property
    def scores(self) -> tuple[FoldScore, ...]:
        """By fold, what was measured of it."""
        raw = json.loads(self._frozen.user_attrs.get(_SCORES, "[]"))
        return tuple(from_json(FoldScore, one) for one in raw)

    @property
    def reason(self) -> str:
        """Why it was not measured, as far as it was written down."""
        return str(self._frozen.user_attrs.get(_REASON, ""))

    @cached_property
    def params(self) -> dict[str, Any]:
        """The parameters: those it has, else chosen by what is known of the others by now."""
        if self._number == 0:
            return {}  # the model as its spec has it, which every other one is compared with
        space = self._search.space
        if isinstance(space, str):
            return suggested(space, self._live)
        return {name: self._draw(name, where) for name, where in space.items()}

    def report(self, scores: tuple[FoldScore, ...], good: float) -> bool:
        """Keep what was measured up to a fold; return whether the trial should end early."""
        self._live.set_user_attr(_SCORES, json.dumps([to_json(one) for one in scores]))
        step = len(scores) - 1
        if step not in self._frozen.intermediate_values:
            self._live.report(good, step)
        return self._number > 0 and bool(self._live.should_prune())

    def finish(self, good: float) -> None:
        """Say what it was worth, more is better."""
        self._tell(good)

    def prune(self, reason: str) -> None:
        """End it early."""
        self._end("PRUNED", reason)

    def refuse(self, reason: str) -> None:
        """Say that its parameters cannot be used."""
        self._end("FAIL", reason)

    def _end(self, state: str, reason: str) -> None:
        from optuna.trial import TrialState

        self._live.set_user_attr(_REASON, reason)
        self._tell(None, TrialState[state])

    def _tell(self, value: float | None, state: Any = None) -> None:
        # An attempt that overlaps with this one has measured the same.
        self._study.tell(self._live, value, state, skip_if_finished=True)

    @property
    def _frozen(self) -> FrozenTrial:
        """The trial as the database has it."""
        for trial in self._study.get_trials(deepcopy=False):
            if trial.user_attrs.get(_NUMBER) == self._number:
                return trial
        raise SpecError(f"search {self._study.study_name!r} has no trial {self._number}")

    @cached_property
    def _live(self) -> Any:
        """The trial to write to; it is taken from the queue where no attempt has begun it."""
        import optuna
        from optuna.trial import TrialState

        found = self._frozen
        if found.state is TrialState.WAITING:
            storage = self._study._storage
            storage.set_trial_state_values(found._trial_id, TrialState.RUNNING)
        return optuna.trial.Trial(self._study, found._trial_id)

    def _draw(self, name: str, where: Range | ValueChoice) -> Any:
        if isinstance(where, ValueChoice):
            return self._live.suggest_categorical(name, list(where.values))
        if where.whole:
            return self._live.suggest_int(name, where.low, where.high, log=where.log)
        return self._live.suggest_float(name, where.low, where.high, log=where.log)
