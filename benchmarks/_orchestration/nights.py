"""Replay some nights through a running stack, as the demo does."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING

from rich.console import Console

from benchmarks._orchestration.data import TRAIN_NIGHT
from demo.airflow_api import AirflowApi
from demo.plan import ALL_DAGS
from demo.replay import Replay
from demo.source import SourceDatabase
from demo.view import View
from mlops_tasks.registry.ledger import Ledger

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
    source = SourceDatabase(home / "source.db")
    ledger = Ledger(f"sqlite:///{home / 'ledger.db'}")
    seconds = []
    with AirflowApi(stack.airflow_url, *stack.login) as api:
        api.unpause(ALL_DAGS)
        replay = Replay(api, source, ledger, View(Console(quiet=True)))
        for number in range(n_nights + 1):
            started = time.monotonic()
            replay.play(TRAIN_NIGHT + timedelta(days=1 + number), lambda *_: None)
            seconds.append(time.monotonic() - started)
    source.engine.dispose()
    return seconds[1:]
