"""Anchors: heads of the chain, written down in the lake, where who changes a ledger is not at work.

A tail that was cut off with its head, and a chain that was written anew from some entry on, agree
with themselves. Only what was kept elsewhere tells.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import LedgerError, NewerFormatError
from mlops_tasks.formats import check_format
from mlops_tasks.registry.ledger.chain import Head
from mlops_tasks.storage import create_file

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tasks.lake import Lake

__all__ = ["Anchors", "parse_anchor", "read_anchors", "write_anchor"]

_FOLDER, _FORMAT = "_ledger", "1.0"
_UNREADABLE = (ValueError, LookupError, TypeError, AttributeError, OSError)


@dataclass(frozen=True, slots=True)
class Anchors:
    """Heads that were written down, and files that should hold one and cannot be read."""

    heads: tuple[Head, ...] = ()
    unreadable: tuple[str, ...] = ()


def write_anchor(lake: Lake, head: Head) -> Path | None:
    """Write a head down in a lake, once; a file that is there stays.

    Parameters
    ----------
    lake : Lake
        Any lake that the ledger's models read.
    head : Head
        As `Ledger.head` gives it.

    Returns
    -------
    Path or None
        The file; None for an empty ledger.
    """
    if not head.seq:
        return None
    # Named by both: a chain that was written anew cannot take the place of what it replaced.
    path = lake.root / _FOLDER / f"{head.seq:012}-{head.hash[:12]}.json"
    if not path.exists():
        at = datetime.now(UTC).isoformat(timespec="seconds")
        content = {"format": _FORMAT, "seq": head.seq, "hash": head.hash, "anchored_at": at}
        create_file(path, json.dumps(content).encode())
    return path


def read_anchors(lake: Lake) -> Anchors:
    """Return the heads that were written down in a lake.

    Parameters
    ----------
    lake : Lake
        The lake.

    Returns
    -------
    Anchors
        Those, and the files that cannot be read: whatever is wrong with them, they are named.
    """
    heads, unreadable = list[Head](), list[str]()
    folder = lake.root / _FOLDER
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else ():
        try:
            content = json.loads(path.read_text())
            check_format(content, _FORMAT, f"the anchor {path}")
            heads.append(Head(int(content["seq"]), str(content["hash"])))
        except (NewerFormatError, *_UNREADABLE) as error:
            unreadable.append(f"the anchor {path} cannot be read ({error!r:.100})")
    return Anchors(tuple(heads), tuple(unreadable))


def parse_anchor(text: str) -> Head:
    """Return a head that a person gives, ``SEQ:HASH``, as from the page of a pack.

    Raises
    ------
    LedgerError
        If it is none.
    """
    seq, _, digest = text.partition(":")
    if not seq.isdigit() or len(digest) != 64 or set(digest) - set("0123456789abcdef"):
        raise LedgerError(
            f"{text!r} is no anchor; write the number of an entry and its whole hash, 1234:9f86…"
        )
    return Head(int(seq), digest)
