"""A JSON lines stream in blocks of whole lines, each of which is one object and nothing else."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from mlops_tasks.sources.csv_blocks import LONGEST_ROW
from mlops_tasks.sources.formats import text_start
from mlops_tasks.spelling import shortened

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Block", "line_blocks", "objects"]

# Behind an object, it would end the process that has Arrow read it.
_BARE_NULL = re.compile(rb"}\s*+null")
# So would a value nested some ten thousand times; this many are never looked at twice.
_MAX_OPENED = 500


class Block:
    """Whole lines of a file; `first` is the number of the first one, from 1."""

    def __init__(self, content: bytes, first: int) -> None:
        self.content = content
        self.first = first
        self.n_ends = content.count(b"\n")

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        """Iterate over the lines that are not empty, with their numbers."""
        for number, line in enumerate(self.content.split(b"\n"), self.first):
            if line := line.strip():
                yield number, line

    @property
    def n_lines(self) -> int:
        """Lines that are not empty."""
        return sum(1 for _ in self)

    @property
    def is_plain(self) -> bool:
        """Whether every line begins and ends as an object does, as far as that can be seen."""
        content = self.content
        n_between = self.n_ends - content.endswith(b"\n")
        if not content.startswith(b"{") or not content.endswith((b"}", b"}\n", b"}\r\n")):
            return False
        if all(content.count(b"}" + end + b"{") != n_between for end in (b"\n", b"\r\n")):
            return False
        return not _BARE_NULL.search(content) and not self._may_be_deep()

    def _may_be_deep(self) -> bool:
        """Return whether a line opens enough lists and objects to be nested too deeply."""
        n_opened = self.content.count(b"[") + self.content.count(b"{")
        if n_opened - self.n_ends <= _MAX_OPENED:
            return False
        return any(line.count(b"[") + line.count(b"{") > _MAX_OPENED for _, line in self)


def line_blocks(stream: Any, block_bytes: int) -> Iterator[Block]:
    """Cut a stream, from its beginning, where lines end; a block is longer only if its line is.

    A byte order mark is left out. Raises ValueError, with the line, if one is longer than
    `LONGEST_ROW` or is no UTF-8, or the stream begins as no text does.
    """
    rest, first, wanted = text_start(stream), 1, block_bytes
    while data := stream.read(wanted):
        content = rest + data
        end = content.rfind(b"\n") + 1
        if not end and len(content) > LONGEST_ROW:
            raise ValueError(f"line {first} is longer than {LONGEST_ROW // 2**20} MiB")
        rest, wanted = content[end:], block_bytes if end else len(content)
        if end:
            block = _text(Block(content[:end], first))
            yield block
            first += block.n_ends
    if rest.strip():
        yield _text(Block(rest, first))


def objects(block: Block) -> Iterator[tuple[int, dict[str, Any]]]:
    """Read line by line, with numbers, which is slow but knows every line that is wrong.

    Raises ValueError if a line is not one JSON object, or has a name twice.
    """
    for number, line in block:
        try:
            row = json.loads(line, object_pairs_hook=_once)
        except RecursionError:
            raise ValueError(f"line {number} is nested too deeply") from None
        except ValueError as error:
            if "int_max_str_digits" in str(error):
                raise ValueError(f"line {number} has a number of thousands of digits") from None
            raise ValueError(f"line {number} is no JSON: {error}") from None
        if not isinstance(row, dict):
            raise ValueError(f"line {number} is no JSON object")
        yield number, row


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{shortened(twice)} stands twice in one object")
    if not all(name.isascii() for name in found):
        _refuse_surrogates(found)
    return found


def _refuse_surrogates(names: Iterable[str]) -> None:
    r"""Refuse names that are no text, as half of a pair (``\ud800``) is."""
    for name in names:
        try:
            name.encode()
        except UnicodeEncodeError:
            raise ValueError(f"the name {shortened(name)} is no Unicode text") from None


def _text(block: Block) -> Block:
    try:
        if not block.content.isascii():
            block.content.decode()
    except UnicodeDecodeError as error:
        line = block.first + block.content.count(b"\n", 0, error.start)
        raise ValueError(f"line {line} is no UTF-8: {error}") from None
    return block
