"""A few parameters of a search, to see before a training whether its space can be used."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from mlops_tasks.specs.selection import Choice
from mlops_tasks.tuning.spaces import suggested

if TYPE_CHECKING:
    from mlops_tasks.specs import SearchSpec
    from mlops_tasks.specs.selection import Range

__all__ = ["sampled_parameters"]

_FEWEST, _MOST = 2, 8


def sampled_parameters(search: SearchSpec, *, seed: int) -> list[dict[str, Any]]:
    """Return parameters from all over a space: both ends of each range, and each of its values.

    Parameters
    ----------
    search : SearchSpec
        The search. A function is asked three times, by a study that is kept nowhere.
    seed : int
        Of what the function draws.

    Returns
    -------
    list of dict
        At most eight.

    Raises
    ------
    SpecError
        If the function cannot be found, or returns something else.
    """
    if isinstance(search.space, str):
        return _asked(search.space, seed)
    lengths = [len(one.values) for one in search.space.values() if isinstance(one, Choice)]
    n_samples = min(max([_FEWEST, *lengths]), _MOST)
    return [
        {name: _value(where, number) for name, where in search.space.items()}
        for number in range(n_samples)
    ]


def _value(where: Range | Choice, number: int) -> Any:
    if isinstance(where, Choice):
        return where.values[number % len(where.values)]
    return where.high if number % 2 else where.low


def _asked(function: str, seed: int) -> list[dict[str, Any]]:
    import optuna

    optuna.logging.set_verbosity(logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    return [suggested(function, study.ask()) for _ in range(_FEWEST + 1)]
