"""``mlops pack``: the evidence of a promoted version in one signed file."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from mlops_airflow.commands.asked import REFUSED, UNKNOWN, JsonOption, fail
from mlops_airflow.commands.connections import connect
from mlops_airflow.commands.evidence import make_evidence_pack
from mlops_airflow.commands.output import output
from mlops_airflow.stack.settings import StackSettings

if TYPE_CHECKING:
    from mlops_tasks.registry.pack import PackCheck

__all__ = ["app"]

app = typer.Typer(help="Evidence packs: make, verify, show.", no_args_is_help=True)

_NO_PACK = 4
_FINGERPRINT = re.compile(r"[0-9a-fA-F]{64}")
_STYLES = {"covered": "green", "in part": "yellow", "not covered": "red"}

PackFile = Annotated[Path, typer.Argument(help="The pack, a .zip file.", show_default=False)]


@app.command()
def make(
    model: Annotated[
        str, typer.Argument(help="Name of the model, or model@version; by default its champion.")
    ],
    as_json: JsonOption = False,
) -> None:
    """Make the pack of a promoted version anew, with all that the ledger knows by now.

    Exit code 0: it was made; 1: it cannot be made.
    """
    from mlops_tasks.exceptions import MlopsError

    connect()
    name, _, version = model.partition("@")
    try:
        made, root = make_evidence_pack(name, version, command="mlops pack make")
    except MlopsError as error:
        fail(str(error), REFUSED)
    if as_json:
        _print_json(asdict(made) | {"file": str(root / made.file)})
        return
    say = output()
    say.print(str(root / made.file), markup=False, soft_wrap=True)
    say.print(
        f"Evidence of {made.model} version {made.version}: {made.n_bytes:,} bytes, "
        f"signed by the key {made.fingerprint}",
        markup=False,
        soft_wrap=True,
    )
    say.print(f"Not covered: {'; '.join(made.not_covered)}", markup=False, soft_wrap=True)


@app.command()
def verify(
    file: PackFile,
    key: Annotated[
        str | None,
        typer.Option(
            help="Public key of the installation, as a file, or its fingerprint; by default that "
            "of the stack on this machine. Never take it from the pack.",
            show_default=False,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say whether a pack is what was signed, and by whom, from the file alone.

    Exit code 0: it is, by the key that you trust; 1: it is not, and what was changed is named;
    3: it is unchanged, but nobody has said whose key to trust; 4: the file is no pack.
    """
    from mlops_tasks.exceptions import EvidencePackError, NewerFormatError
    from mlops_tasks.registry.pack import verify_pack
    from mlops_tasks.registry.pack.signing import missing_libraries

    if missing := missing_libraries():
        fail(f"cannot verify: {missing} not installed; pip install 'mlops-airflow[evidence]'")
    trusted = _trusted(key)
    try:
        found = verify_pack(file, trusted=trusted)
    except NewerFormatError as error:
        fail(str(error))
    except EvidencePackError as error:
        fail(str(error), _NO_PACK)
    if as_json:
        _print_json(asdict(found))
    else:
        _print_check(file, found)
    raise typer.Exit({"verified": 0, "changed": REFUSED}.get(found.answer, UNKNOWN))


@app.command()
def show(
    file: PackFile,
    as_json: JsonOption = False,
) -> None:
    """Show what a pack is about, and what it answers of two regulations; it verifies nothing.

    Exit code 0: it was shown; 4: the file is no pack.
    """
    from mlops_tasks.exceptions import MlopsError
    from mlops_tasks.registry.pack import read_pack

    try:
        files = read_pack(file)
        card = json.loads(files["model_card.json"])
        lines = _lines(card)
    except MlopsError as error:
        fail(str(error), _NO_PACK)
    except (ValueError, LookupError, TypeError):
        fail(f"{file}: its model_card.json is missing or damaged; `mlops pack verify`", _NO_PACK)
    if as_json:
        _print_json(card)
        return
    say = output()
    for name, value in lines.items():
        say.print(f"{name:<12}  {value}", markup=False, soft_wrap=True)
    for part in ("ai_act_annex_iv", "gdpr_article_30"):
        _print_points(card["regulations"][part])
    say.print(f"\nUnverified: mlops pack verify {file}", markup=False, soft_wrap=True)


def _trusted(key: str | None) -> str | None:
    """Return the fingerprint of the key to trust, that of this machine's stack by default."""
    from mlops_tasks.exceptions import EvidencePackError
    from mlops_tasks.registry.pack import PublicKey
    from mlops_tasks.registry.pack.signing import public_file

    if key is not None and _FINGERPRINT.fullmatch(key):
        return key.lower()
    own = public_file(StackSettings.from_env().evidence_key_file)
    if key is None and not own.is_file():
        return None
    try:
        return PublicKey.read(own if key is None else Path(key)).fingerprint
    except EvidencePackError as error:
        fail(str(error), 2)


def _print_check(file: Path, found: PackCheck) -> None:
    say = output()
    styles = {"verified": "green", "changed": "red"}
    style = styles.get(found.answer, "yellow")
    about = f"{found.model or 'unknown'} version {found.version or 'unknown'}"
    say.print(f"[{style}]{found.answer}[/]  {escape(about)}, {escape(str(file))}", soft_wrap=True)
    for problem in found.problems:
        say.print(f"  {problem.text}", markup=False, soft_wrap=True)
    if found.answer == "changed":
        return
    what = f"{found.n_files} files and {found.n_entries} entries of the ledger are what was signed"
    say.print(f"  {what}, by the key {found.fingerprint}", markup=False, soft_wrap=True)
    if found.answer != "verified":
        say.print(
            "  Whose key that is, the pack cannot prove: give the key of the installation, or its "
            "fingerprint, by --key",
            soft_wrap=True,
        )


def _lines(card: dict[str, Any]) -> dict[str, str]:
    about, gate = card["identity"], card["gate"]
    missing = [one["name"] for one in card["intended_use"] if one["text"] == "not stated"]
    return {
        "model": f"{card['model']} version {card['version']}: {card['description']}",
        "promoted": f"{about['promoted_at']}, {about['promoted_because'] or 'no reason recorded'}",
        "before": f"version {about['previous']}" if about["previous"] else "no champion",
        "as of": about["as_of"] or "unknown",
        "gate": gate.get("verdict") or gate["why_not"],
        "not stated": ", ".join(missing) or "nothing",
        "ledger": f"{card['ledger']['n_entries']} entries, until {about['state_of'][:19]} UTC",
        "made by": about["made_by"],
    }


def _print_points(mapped: dict[str, Any]) -> None:
    sheet = Table("point", "asks for", "answer", title=f"\n{mapped['title']}", title_justify="left")
    for point in mapped["points"]:
        style = _STYLES.get(point["answer"], "")
        answer = f"[{style}]{escape(point['answer'])}[/]"
        sheet.add_row(escape(point["point"]), escape(point["asks"]), answer)
    output().print(sheet)


def _print_json(said: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(said, indent=2) + "\n")
