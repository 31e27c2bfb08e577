"""``mlops ledger verify`` and ``mlops ledger aliases``."""

from __future__ import annotations

import getpass
import json
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from mlops_airflow.commands.output import output

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlops_tasks.registry.aliases import AliasMove
    from mlops_tasks.registry.ledger.verification import LedgerCheck
    from mlops_tasks.registry.tracking import Tracking

__all__ = ["aliases", "verify"]

_EXIT = {"fine": 0, "alarm": 1, "cannot_tell": 3}
_SAID = {
    "fine": "Nothing was changed, put in, removed or cut off.",
    "alarm": "Something is not as the ledger was written. Restore its database from a backup, or "
    "find out who has written to it; nothing was changed by this command.",
    "cannot_tell": "Nothing is wrong as far as can be seen, but not all could be looked at.",
}
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable.")]


def verify(
    anchor: Annotated[
        list[str] | None, typer.Option(help="A head from elsewhere, SEQ:HASH; once for each.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Prove that no entry was changed, put in, removed or cut off, and that all follows from them.

    Exit code 0: it is as it was written; 1: it is not, the first entry is named; 3: cannot tell.
    """
    from mlops_airflow.hooks.database import LedgerHook
    from mlops_airflow.hooks.lake import LakeHook
    from mlops_tasks.registry.ledger.anchors import parse_anchor
    from mlops_tasks.registry.ledger_check import verify_ledger
    from mlops_tasks.serialization import to_json

    with _errors_said():
        more = [parse_anchor(text) for text in anchor or ()]
        ledger, tracking = LedgerHook().get_ledger(), _tracking()
        check = verify_ledger(ledger, lake=LakeHook().get_conn(), tracking=tracking, more=more)
    if tracking is None:
        check = check.with_more(unknown=["no MLflow is configured: its aliases were not looked at"])
    if as_json:
        output().print_json(json.dumps(to_json(check)))
    else:
        _show(check)
    raise typer.Exit(_EXIT[check.answer])


def _show(check: LedgerCheck) -> None:
    say = output().print
    head = f", the last is {check.head.seq}:{check.head.hash}" if check.n_entries else ""
    say(f"{check.n_entries} entries{head}", markup=False, soft_wrap=True)
    for finding in check.findings:
        say(f"ALARM        {finding.text}", markup=False, soft_wrap=True)
    for text in check.unknown:
        say(f"CANNOT TELL  {text}", markup=False, soft_wrap=True)
    for text in check.notes:
        say(f"note         {text}", markup=False, soft_wrap=True)
    say(_SAID[check.answer], soft_wrap=True)


def aliases(
    model: Annotated[str | None, typer.Argument(help="Registered model; all by default.")] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Put them where the ledger says.")] = False,
    adopt: Annotated[
        bool, typer.Option("--adopt", help="Make the version champion that it was moved to.")
    ] = False,
    because: Annotated[str, typer.Option(help="Why; it is written down with your name.")] = "",
    as_json: AsJson = False,
) -> None:
    """List aliases that were moved outside of the ledger, undo the moves, or adopt one.

    Exit code 0: all are where the ledger says, or are now; 1: some are not; 3: cannot tell.
    """
    from mlops_airflow.hooks.database import LedgerHook
    from mlops_tasks.registry.alias_moves import adopt_move, undo_moves
    from mlops_tasks.registry.aliases import moved_aliases
    from mlops_tasks.serialization import to_json

    if undo and adopt:
        raise typer.BadParameter("say --undo or --adopt")
    if (undo or adopt) and not (model and because.strip()):
        raise typer.BadParameter("name the MODEL, and say why: --because")
    with _errors_said():
        ledger, tracking = LedgerHook().get_ledger(), _tracking()
        if tracking is None:
            _fail("no MLflow is configured, so there are no aliases")
        stores: dict[str, Any] = {"tracking": tracking, "ledger": ledger}
        word: dict[str, Any] = {"reason": because.strip(), "person": getpass.getuser()}
        found: dict[str, list[AliasMove]] = {}
        for name in [model] if model else ledger.models():
            if undo:
                found[name] = undo_moves(name, **stores, **word)
            elif adopt:
                found[name] = [adopt_move(name, **stores, **word)]
            else:
                found[name] = moved_aliases(name, **stores)
    if as_json:
        output().print_json(json.dumps(to_json(found)))
    else:
        _show_moves(found)
    raise typer.Exit(int(any(found.values()) and not (undo or adopt)))


def _show_moves(found: dict[str, list[AliasMove]]) -> None:
    say = output().print
    for name, moves in found.items():
        for move in moves:
            done = "" if move.state == "open" else f": {move.state}"
            say(f"{name}: {move}{done}", markup=False, soft_wrap=True)
    if not any(found.values()):
        say("All aliases are where the ledger says.")


def _tracking() -> Tracking | None:
    from airflow.sdk.exceptions import AirflowNotFoundException

    from mlops_airflow.hooks.mlflow import MlflowHook

    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")  # seconds, not four minutes
    try:
        return MlflowHook().get_conn()
    except AirflowNotFoundException:
        return None


@contextmanager
def _errors_said() -> Iterator[None]:
    from mlflow.exceptions import MlflowException

    from mlops_tasks.exceptions import MlopsError

    try:
        yield
    except (MlopsError, MlflowException) as error:
        _fail(" ".join(str(error).split()))


def _fail(text: str) -> NoReturn:
    output(stderr=True).print(f"mlops: {text}", markup=False, soft_wrap=True)
    raise typer.Exit(3)
