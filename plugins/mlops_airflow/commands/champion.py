"""``mlops promote``, ``rollback`` and ``retire``: which version is the champion, by a person."""

from __future__ import annotations

import contextlib
import getpass
import json
import logging
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlops_airflow.commands.asked import REFUSED, JsonOption, ModelArgument, fail
from mlops_airflow.commands.connections import connect
from mlops_airflow.commands.output import output

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["VersionArgument", "promote", "retire", "rollback", "the_stores"]

VersionArgument = Annotated[
    str, typer.Argument(help="Version, as MLflow has it.", show_default=False)
]
ReasonOption = Annotated[
    str, typer.Option(help="Why; the ledger keeps it with your name.", show_default=False)
]


def rollback(
    model: ModelArgument,
    *,
    reason: ReasonOption,
    to: Annotated[
        str | None,
        typer.Option(help="Former champion; by default the one before this.", show_default=False),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Return to a former champion, once its files and golden rows have proved to be the same.

    Exit code 1: it was refused, and nothing was moved.
    """
    from mlops_tasks.steps.rollback import rollback as roll_back

    with the_stores() as stores:
        done = roll_back(model, to, reason=reason, by=getpass.getuser(), **stores)
    facts: dict[str, Any] = {
        "model": model,
        "champion": done.version,
        "before": done.before,
        "reason": done.reason,
    }
    facts |= {"files": done.verified.digest, "golden_rows": done.verified.golden_rows}
    _say(
        facts,
        f"{model}: version {done.version} is the champion again, in place of {done.before}.\n"
        f"Its files are those of the ledger ({done.verified.digest[:12]}), and its "
        f"{done.verified.golden_rows} golden rows get the same predictions.\n"
        f"What version {done.before} has scored stays as it is; to score it again, trigger "
        f"{model}.score for those partitions.",
        as_json=as_json,
    )


def promote(
    model: ModelArgument,
    version: VersionArgument,
    *,
    reason: ReasonOption,
    as_json: JsonOption = False,
) -> None:
    """Make a version the champion on your word, whatever the gate has said.

    Exit code 1: it was refused, and nothing was moved.
    """
    from mlops_tasks.steps.promote_manually import promote_manually

    with the_stores() as stores:
        now = promote_manually(model, version, reason=reason, by=getpass.getuser(), **stores)
    facts = {"model": model, "champion": now.version, "generation": now.generation}
    _say(facts, f"{model}: version {version} is the champion, on your word.", as_json=as_json)


def retire(
    model: ModelArgument,
    version: VersionArgument,
    *,
    reason: ReasonOption,
    as_json: JsonOption = False,
) -> None:
    """Take a version out of use for good: it is never promoted or rolled back to any more.

    Exit code 1: it was refused, as the champion always is.
    """
    from mlops_tasks.steps.retire import retire as take_out

    with the_stores() as stores:
        said = take_out(
            model, version, reason=reason, by=getpass.getuser(), ledger=stores["ledger"]
        )
    facts = {"model": model, "retired": version, "by": said.by, **said.evidence}
    text = f"{model}: version {version} is retired, by {said.by}: {said.evidence['reason']}"
    _say(facts, text, as_json=as_json)


@contextlib.contextmanager
def the_stores() -> Iterator[dict[str, Any]]:
    """Give MLflow and the ledger, and end with a sentence where something is refused."""
    connect()
    from airflow.sdk.exceptions import AirflowException

    from mlops_airflow.hooks.database import LedgerHook
    from mlops_airflow.hooks.mlflow import MlflowHook
    from mlops_tasks.exceptions import MlopsError
    from mlops_tasks.outages import outages_named

    logging.disable(logging.INFO)
    try:
        # Airflow and MLflow print lines of their own to stdout, where the answer goes.
        with outages_named(), contextlib.redirect_stdout(sys.stderr):
            yield {"tracking": MlflowHook().get_conn(), "ledger": LedgerHook().get_ledger()}
    except (MlopsError, AirflowException) as error:
        fail(str(error), REFUSED)
    finally:
        logging.disable(logging.NOTSET)


def _say(facts: dict[str, Any], text: str, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(facts, indent=2) + "\n")
    else:
        output().print(text, markup=False, soft_wrap=True)
