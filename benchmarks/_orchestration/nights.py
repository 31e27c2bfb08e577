"""Replay some nights through a running stack, as the demo does."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING

from rich.console import Console

from benchmarks._orchestration.data import TRAIN_NIGHT
from demo.plan import ALL_DAGS, MODEL
from demo.projects import PROJECTS
from mlops_airflow.projects import find_model
from mlops_airflow.replay import Replay, View
from mlops_airflow.rest import AirflowApi
from mlops_tasks.specs.calendar import Calendar

if TYPE_CHECKING:
    from mlops_airflow.stack.stack import Stack

__all__ = ["replay_nights"]


def replay_nights(stack: Stack, n_nights: int) -> list[float]:
    """Play the nights after the prepared slice, each to its end.

    Parameters
    ----------
    stack : Stack
        A running stack with the prepared slice and a champion.
    n_nights : int
        Nights to measure; one more, not counted, goes before them.

    Returns
    -------
    list of float
        Seconds of each measured night: new rows in the source database, four ingestions, score,
        drift, monitors, decision, and a training where the decision asks for one.
    """
    home = stack.settings.home
    project, seconds = PROJECTS[MODEL], []
    nights = [TRAIN_NIGHT + timedelta(days=1 + number) for number in range(n_nights + 1)]
    keys = [night.isoformat() for night in nights]
    calendar = Calendar(find_model(MODEL, stack.settings.dags_folder), keys[0])
    with AirflowApi(stack.airflow_url, *stack.login) as api:
        api.unpause(ALL_DAGS)
        view = View(Console(quiet=True))
        replay = Replay(
            api, calendar, keys[-1], view, advance=lambda day: project.advance(home, day)
        )
        for key in keys:
            started = time.monotonic()
            replay.play(key, lambda *_: None)
            seconds.append(time.monotonic() - started)
    return seconds[1:]
