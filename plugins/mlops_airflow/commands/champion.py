"""``mlops promote``, ``rollback`` and ``retire``: which version is the champion, by a person."""

from __future__ import annotations

import contextlib
import getpass
import json
import logging
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlops_airflow.commands.asked import (
    REFUSED,
    JsonOption,
    LoginFileOption,
    ModelArgument,
    UrlOption,
    fail,
    the_airflow,
    the_model,
)
from mlops_airflow.commands.connections import connect
from mlops_airflow.commands.evidence import keep_evidence
from mlops_airflow.commands.output import output

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlops_airflow.rest import AirflowApi
    from mlops_tasks.registry.ledger import Ledger
    from mlops_tasks.specs import ModelSpec

__all__ = ["VersionArgument", "promote", "retire", "rollback", "the_stores"]

_NOTE = "Scored again by the champion that mlops rollback has returned to"

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
    score_again_since: Annotated[
        str | None,
        typer.Option(
            help="Also start <model>.score for every partition that was scored since this one.",
            show_default=False,
        ),
    ] = None,
    url: UrlOption = None,
    login_file: LoginFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Return to a former champion, once its files and golden rows have proved to be the same.

    Exit code 1: it was refused, and nothing was moved.
    """
    from mlops_tasks.steps.rollback import rollback as roll_back

    spec = None if score_again_since is None else _checked(model, score_again_since)
    with contextlib.ExitStack() as opened:
        # Who may not start runs hears of it before anything is moved.
        api = opened.enter_context(the_airflow(url, login_file)) if spec else None
        stores = opened.enter_context(the_stores())
        done = roll_back(model, to, reason=reason, by=getpass.getuser(), **stores)
        pack = keep_evidence(model, done.version, command="mlops rollback")
        again = _score_again(spec, score_again_since, api, stores["ledger"])
    facts: dict[str, Any] = {
        "model": model,
        "champion": done.version,
        "before": done.before,
        "reason": done.reason,
    }
    facts |= {"files": done.verified.digest, "golden_rows": done.verified.golden_rows}
    facts |= {"scored_again": again, "pack": pack}
    rest = f"What version {done.before} has scored stays as it is; to score it again, trigger "
    rest += f"{model}.score for those partitions."
    if score_again_since is not None:
        rest = f"{len(again)} partitions that were scored since {score_again_since} are scored "
        rest += f"again: {model}.score runs for each."
    _say(
        facts,
        f"{model}: version {done.version} is the champion again, in place of {done.before}.\n"
        f"Its files are those of the ledger ({done.verified.digest[:12]}), and its "
        f"{done.verified.golden_rows} golden rows get the same predictions.\n"
        f"{rest}{_evidence(pack)}",
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
        pack = keep_evidence(model, version, command="mlops promote")
    facts = {"model": model, "champion": now.version, "generation": now.generation, "pack": pack}
    text = f"{model}: version {version} is the champion, on your word.{_evidence(pack)}"
    _say(facts, text, as_json=as_json)


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


def _checked(model: str, since: str) -> ModelSpec:
    """Return the spec of a model, once a key can be that of a partition."""
    from mlops_tasks.exceptions import PartitionKeyError
    from mlops_tasks.partitions import check_partition

    try:
        check_partition(since)
    except PartitionKeyError as error:
        fail(f"--score-again-since: {error}", REFUSED)
    return the_model(model)


def _score_again(
    spec: ModelSpec | None, since: str | None, api: AirflowApi | None, ledger: Ledger
) -> list[str]:
    """Start a run for each partition that has predictions; it is the same run if asked again."""
    from mlops_airflow.hooks.lake import LakeHook
    from mlops_airflow.rest import AirflowApiError

    if spec is None or since is None or api is None:
        return []
    now, table = ledger.champion(spec.name), LakeHook().get_conn().table(spec.predictions_table)
    keys = [key for key in (table.partitions() if table.exists else []) if key >= since]
    for n_asked, key in enumerate(keys):
        run_id = f"rollback__{now.generation if now else 0}__{key}"
        try:
            api.trigger(f"{spec.name}.score", key, run_id=run_id, note=_NOTE)
        except AirflowApiError as error:
            fail(
                f"the champion was moved, and {n_asked} of {len(keys)} partitions are scored again;"
                f" then Airflow refused: {error}. Trigger {spec.name}.score from {key} on"
            )
    return keys


def _evidence(pack: str) -> str:
    return f"\nEvidence: {pack}" if pack else ""


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
