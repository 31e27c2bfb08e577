"""``mlops replay``: play a model's past through Airflow, partition by partition."""

from __future__ import annotations

import signal
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from mlops_airflow.commands.asked import (
    INTERRUPTED,
    REFUSED,
    UNKNOWN,
    JsonOption,
    LoginFileOption,
    ModelArgument,
    UrlOption,
    fail,
    the_airflow,
    the_model,
)

if TYPE_CHECKING:
    from mlops_airflow.replay import Replay, Round, Training
    from mlops_airflow.rest import AirflowApi
    from mlops_tasks.specs import ModelSpec

__all__ = ["replay"]


def replay(
    model: ModelArgument,
    *,
    first: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="First partition, such as 2024-03-01. By default the newest are played, as many "
            "as the longest window of monitoring has and until its labels are there, after as "
            "much history as the first training looks at.",
            show_default=False,
        ),
    ] = None,
    last: Annotated[
        str | None,
        typer.Option("--to", help="Last partition; by default the newest.", show_default=False),
    ] = None,
    url: UrlOption = None,
    login_file: LoginFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Play a model's past through Airflow: history, a first champion, then partition by partition.

    Each partition is taken in when its schedule would have, scored, monitored and decided on, and
    trained on where the decision says so. What is done is not repeated: after Ctrl-C or a failure
    the same command goes on. The Dags of the model run afterwards.

    Exit code 0: all is played; 1: a run failed, or the gate refused the first model; 3: it cannot
    be played here and now.
    """
    from mlops_airflow.replay import View, choose_span
    from mlops_tasks.exceptions import PartitionKeyError

    spec = the_model(model)
    try:
        span = choose_span(spec, first, last)
    except PartitionKeyError as error:
        fail(str(error))
    # A supervisor's SIGTERM ends it as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    output = Console(stderr=as_json, highlight=False)
    with the_airflow(url, login_file) as api:
        raise typer.Exit(_play(spec, span, api, View(output), as_json=as_json))


def _play(
    spec: ModelSpec, span: tuple[str, str], api: AirflowApi, view: Any, *, as_json: bool
) -> int:
    from mlops_airflow.replay import Replay, ReplayError
    from mlops_airflow.replay.exceptions import NoFirstChampionError, RunFailedError
    from mlops_airflow.rest import AirflowApiError
    from mlops_tasks.specs.calendar import Calendar

    asked = Replay(api, Calendar(spec, span[0]), span[1], view)
    grain = asked.calendar.grain.name
    view.say(f"{spec.name}: {grain} {span[0]} to {span[1]} through Airflow at {api.base_url}")
    trained, stopped, code = None, None, 0
    try:
        trained = asked.prepare()
        asked.run()
    except KeyboardInterrupt:
        stopped, code = "interrupted; the same command goes on from here", INTERRUPTED
    except (RunFailedError, NoFirstChampionError) as error:
        stopped, code = str(error), REFUSED
    except ReplayError as error:
        stopped, code = str(error), UNKNOWN
    except AirflowApiError as error:
        stopped, code = f"Airflow refused a request or went away: {error}", UNKNOWN
    view.say(f"The replay stops: {stopped}" if stopped else _farewell(spec, asked.done))
    if as_json:
        _print_json(asked, span, trained, stopped)
    return code


def _farewell(spec: ModelSpec, done: list[Round]) -> str:
    from mlops_airflow.pausing import has_ended

    trainings = [one.training for one in done if one.training]
    promoted = sum(one.promoted for one in trainings)
    played = f"played {len(done)}: {len(trainings)} trainings, {promoted} promoted"
    if has_ended(spec):
        return (
            f"{played}. The data of {spec.name} have ended with {spec.rows.last} (`end` in its "
            f"spec): by themselves its Dags do nothing more; the form of {spec.name}.train trains"
        )
    return (
        f"{played}. The Dags of {spec.name} go on by their schedules; `mlops stop {spec.name}` "
        "pauses them"
    )


def _print_json(
    asked: Replay, span: tuple[str, str], trained: Training | None, stopped: str | None
) -> None:
    import json

    report = {
        "model": asked.model,
        "airflow": asked.api.base_url,
        "first": span[0],
        "last": span[1],
        "first_training": asdict(trained) if trained else None,
        "rounds": [asdict(one) for one in asked.done],
        "stopped": stopped,
    }
    sys.stdout.write(json.dumps(report, indent=2) + "\n")
