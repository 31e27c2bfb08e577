"""``mlops reproduce``: train a registered version again, and say whether it is the same."""

from __future__ import annotations

import getpass
import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from mlops_airflow.commands.asked import JsonOption, fail
from mlops_airflow.commands.connections import connect
from mlops_airflow.commands.output import output

if TYPE_CHECKING:
    from mlops_tasks.steps.reproduce import Reproduction

__all__ = ["reproduce"]

_CODES = {"exact": 0, "within tolerance": 0, "failed": 1, "cannot tell": 3}


def reproduce(
    version: Annotated[
        str,
        typer.Argument(
            metavar="MODEL@VERSION",
            help="The version, as flight_delays@3 or flight_delays@champion.",
            show_default=False,
        ),
    ],
    *,
    as_json: JsonOption = False,
) -> None:
    """Train a version again from its record, in an environment made anew, and compare.

    Exit code 0: exact, or within tolerance; 1: another model; 2: no such form of a version;
    3: it cannot be told.
    """
    name, separator, number = version.partition("@")
    if not name or not separator or not (number == "champion" or number.isdecimal()):
        fail(f"{version!r}: write MODEL@VERSION, as flight_delays@3 or flight_delays@champion", 2)
    connect()
    found = _reproduce(name, number)
    if as_json:
        from mlops_tasks.serialization import to_json

        sys.stdout.write(json.dumps(to_json(found), indent=2) + "\n")
    else:
        _show(found)
    raise typer.Exit(_CODES[found.verdict.value])


def _reproduce(name: str, number: str) -> Reproduction:
    """Reproduce a version with the connections of this Airflow, and write the verdict down."""
    from mlops_airflow.hooks.database import LedgerHook
    from mlops_airflow.hooks.lake import LakeHook
    from mlops_airflow.hooks.mlflow import MlflowHook
    from mlops_tasks.exceptions import MlopsError
    from mlops_tasks.outages import outages_named
    from mlops_tasks.registry.champions import champion_of, registered_version
    from mlops_tasks.registry.ledger import EvidenceKind
    from mlops_tasks.registry.reproduction.fresh_environment import FreshEnvironments
    from mlops_tasks.scratch import scratch
    from mlops_tasks.serialization import to_json
    from mlops_tasks.steps.reproduce import reproduce as train_again

    try:
        with scratch(), outages_named():
            tracking, ledger = MlflowHook().get_conn(), LedgerHook().get_ledger()
            if number == "champion":
                known = champion_of(name, tracking=tracking, ledger=ledger)
            else:
                known = registered_version(name, number, ledger=ledger)
            found = train_again(
                known,
                lake=LakeHook().get_conn(),
                tracking=tracking,
                environments=FreshEnvironments.of_user(),
            )
            ledger.record(
                model=name,
                kind=EvidenceKind.REPRODUCTION,
                key=known.version,
                evidence=to_json(found),
                dag_run="mlops reproduce",
                by=getpass.getuser(),
            )
            return found
    except MlopsError as error:
        fail(str(error))


def _show(found: Reproduction) -> None:
    from mlops_airflow.operators.reproduce import reproduction_facts

    say = output().print
    for name, value in reproduction_facts(found).items():
        for line in value if isinstance(value, list) else [value]:
            if line:
                say(f"{name:<18}  {line}", markup=False)
