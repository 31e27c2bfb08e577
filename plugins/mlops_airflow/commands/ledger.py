"""``mlops ledger``: what only a person may enter."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.console import Console

from mlops_airflow.commands.connections import connect
from mlops_airflow.commands.ledger_check import aliases, verify

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlflow.entities.model_registry import ModelVersion

__all__ = ["app"]

app = typer.Typer(help="Prove the ledger, and enter what only a person may.", no_args_is_help=True)
app.command()(verify)
app.command()(aliases)


@app.callback()
def ledger() -> None:
    """Prove the ledger, and enter what only a person may."""
    connect()


@app.command()
def adopt(
    model: Annotated[str, typer.Argument(help="Registered model.")],
    version: Annotated[str, typer.Argument(help="Its version in MLflow.")],
    because: Annotated[str, typer.Option(help="Why; it is written down with your name.")],
    champion: Annotated[
        bool, typer.Option("--champion", help="Make it the champion, if the ledger has none.")
    ] = False,
    code: Annotated[
        list[str] | None,
        typer.Option(help="Class or function of its project that it may import; once for each."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; you have looked.")] = False,
) -> None:
    """Take over a version that the ledger does not know, after you have looked at it."""
    from mlflow.exceptions import MlflowException

    from mlops_airflow.hooks.database import LedgerHook
    from mlops_airflow.hooks.mlflow import MlflowHook
    from mlops_tasks.exceptions import MlopsError
    from mlops_tasks.steps.adopt import adopt as take_over

    try:
        tracking = MlflowHook().get_conn()
        _show(tracking.by_version(model, version))
        if not yes:
            typer.confirm("Is this version yours, and may it score?", abort=True)
        adopted = take_over(
            model,
            version,
            tracking=tracking,
            ledger=LedgerHook().get_ledger(),
            reason=because,
            person=getpass.getuser(),
            champion=champion,
            code=code or (),
        )
    except (MlopsError, MlflowException) as error:
        _fail(str(error))
    say = Console(soft_wrap=True).print
    say(f"The ledger knows version {version} of {model} now: files {adopted.digest[:12]}")
    say(f"with {', '.join(sorted(adopted.artifacts)) or 'no artifacts'}", markup=False)
    if champion:
        say(f"and it is the champion of {model}")


def _show(found: ModelVersion) -> None:
    """Print what a person needs to know it by."""
    made = datetime.fromtimestamp((found.creation_timestamp or 0) / 1000, UTC)
    facts = {
        "version": f"{found.version} of {found.name}, made {made:%Y-%m-%d %H:%M} UTC",
        "aliases": ", ".join(found.aliases) or "none",
        "run": found.run_id or "none",
        "made by": found.tags.get("airflow.run_id", "unknown"),
        "verdict": found.tags.get("mlops.verdict_reason", "none"),
        "metric": _metric(found.tags),
    }
    for name, value in facts.items():
        Console(soft_wrap=True).print(f"{name:<8}  {value}", markup=False)


def _metric(tags: Mapping[str, str]) -> str:
    if "mlops.metric" in tags:
        return f"{tags['mlops.metric']} {tags.get('mlops.metric_value', 'unknown')}"
    # Versions of 0.1 have this tag alone.
    return f"roc_auc {tags['mlops.roc_auc']}" if "mlops.roc_auc" in tags else "unknown"


def _fail(text: str) -> NoReturn:
    Console(stderr=True, soft_wrap=True).print(f"mlops: {text}", markup=False)
    raise typer.Exit(1)
