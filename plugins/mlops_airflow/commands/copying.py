"""``mlops copy``: a version of another environment, for this one to decide on."""

from __future__ import annotations

import getpass
import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from mlops_airflow.commands.asked import JsonOption, ModelArgument  # noqa: TC001 (typer reads it)
from mlops_airflow.commands.champion import VersionArgument, the_stores
from mlops_airflow.commands.output import output

if TYPE_CHECKING:
    from mlops_tasks.registry.ledger import Ledger
    from mlops_tasks.registry.tracking import Tracking
    from mlops_tasks.registry.versions import RegisteredVersion

__all__ = ["copy"]


def copy(
    model: ModelArgument,
    version: VersionArgument,
    *,
    from_mlflow: Annotated[
        str, typer.Option(help="Connection of the other MLflow.", show_default=False)
    ],
    from_ledger: Annotated[
        str, typer.Option(help="Connection of the other ledger.", show_default=False)
    ],
    as_json: JsonOption = False,
) -> None:
    """Copy a version of another environment, bytes unchanged; its release is decided here.

    Exit code 1: it was refused, and nothing was registered.
    """
    from mlops_airflow.hooks.database import LedgerHook
    from mlops_airflow.hooks.mlflow import MlflowHook

    with the_stores() as stores:
        other = MlflowHook(from_mlflow).get_conn(), LedgerHook(from_ledger).get_ledger()
        found = _copied(model, version, other, (stores["tracking"], stores["ledger"]))
    if as_json:
        facts = {"model": model, "version": found.version, "digest": found.digest}
        sys.stdout.write(json.dumps(facts | {"copied": version}, indent=2) + "\n")
        return
    output().print(
        f"{model}: version {version} is version {found.version} here, files {found.digest[:12]} on "
        f"both sides.\nIt is not the champion. To have it released, trigger {model}.release with "
        f"Partition Key {found.version}; a person other than you approves it.",
        markup=False,
        soft_wrap=True,
    )


def _copied(
    name: str, number: str, source: tuple[Tracking, Ledger], target: tuple[Tracking, Ledger]
) -> RegisteredVersion:
    """Copy once: the same files are the same version, however often they are copied."""
    from mlops_tasks.registry.champions import registered_version
    from mlops_tasks.registry.releases import check_in_use
    from mlops_tasks.serialization import to_json
    from mlops_tasks.steps.copy_version import copy_version, request_of_copy
    from mlops_tasks.steps.register import register

    (theirs, their_ledger), (ours, ledger) = source, target
    known, who = registered_version(name, number, ledger=their_ledger), getpass.getuser()
    check_in_use(name, number, ledger=their_ledger)
    origin = f"{theirs.uri}, version {number}"
    there = [one for one in ledger.registrations(name) if one.digest == known.digest]
    if not there:
        copied = copy_version(known, source=theirs, target=ours, origin=origin)
        by = {"dag_run": "mlops copy", "by": who}
        tags = {"mlops.copied_from": origin}
        there = [register(name, copied, None, tracking=ours, ledger=ledger, tags=tags, **by)]
    found = there[0]
    request = request_of_copy(
        found, ledger.champion(name), tracking=ours, origin=origin, author=who
    )
    ledger.record_once(
        model=name,
        kind="release_request",
        key=found.version,
        evidence=to_json(request),
        dag_run="mlops copy",
        by=who,
    )
    return found
