"""A CSV stream in blocks of whole rows, with its quotes checked: nothing is read leniently."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from mlops_tasks.sources.formats import text_start

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["LONGEST_ROW", "first_row", "row_blocks"]

#: A row, or a line of JSON, is at most this long; more is a quote that was never closed.
LONGEST_ROW = 64 * 2**20

_QUOTE = ord('"')
_LINE_ENDS = b"\r\n"


def row_blocks(stream: Any, delimiter: str, block_bytes: int) -> Iterator[bytes]:
    r"""Cut a stream, from its beginning, where rows end; a block is longer only if its one row is.

    A value is quoted if its first byte is a quote; a quote in the middle of any other value is a
    character like others. Rows end with ``\n``, ``\r\n`` or ``\r``. A byte order mark is left out.
    Raises ValueError, with the line, if text follows a closing quote, the stream ends inside
    quotes, or a row is longer than `LONGEST_ROW`; also if it begins as no text in UTF-8 does.
    """
    grammar = _Grammar(delimiter)
    rest, line, wanted = text_start(stream), 1, block_bytes
    while data := stream.read(wanted):
        block = rest + data
        end = grammar.last_row_end(block, line)
        if not end and len(block) > LONGEST_ROW:
            raise ValueError(
                f"the row that begins in line {line} is longer than {LONGEST_ROW // 2**20} MiB; "
                "is a quote not closed?"
            )
        rest, wanted = block[end:], block_bytes if end else len(block)
        if end:
            yield block[:end]
            line += block.count(b"\n", 0, end)
    if rest:
        grammar.refuse_open_end(rest, line)
        yield rest


def first_row(block: bytes, delimiter: str) -> bytes:
    """Return the first row of a block of whole rows, with its end and the empty lines before."""
    found = _Grammar(delimiter).one_row.match(block)
    return found[0] if found else block


class _Grammar:
    """Rows of one delimiter."""

    def __init__(self, delimiter: str) -> None:
        mark = re.escape(delimiter.encode())
        field = rb'(?:"[^"]*+(?:""[^"]*+)*+"|[^"%b\r\n][^%b\r\n]*+|)' % (mark, mark)
        fields = rb"%b(?:%b%b)*+" % (field, mark, field)
        # A carriage return at the end of a block may be half of a line end.
        row = rb"%b(?:\r?\n|\r(?=[^\n]))" % fields
        self.fields = re.compile(fields)
        self.rows = re.compile(rb"(?:%b)*+" % row)
        self.one_row = re.compile(rb"[\r\n]*+%b" % row)
        self._around = (*_LINE_ENDS, ord(delimiter), _QUOTE)

    def last_row_end(self, block: bytes, line: int) -> int:
        """Return where the last whole row ends, 0 if none does; `line` is the block's first."""
        import numpy as np

        if _QUOTE not in block:
            return _last_line_end(block, len(block))
        bytes_ = np.frombuffer(block, np.uint8)
        quotes = np.flatnonzero(bytes_ == _QUOTE)
        if not self._in_pairs(bytes_, quotes):
            return self._by_row(block, line)
        end = _last_line_end(block, len(block))
        while end:  # inside quotes? then before them
            before = int(np.searchsorted(quotes, end - 1))
            if before % 2 == 0:
                return end
            end = _last_line_end(block, int(quotes[before - 1]) + 1)
        return 0

    def refuse_open_end(self, rest: bytes, line: int) -> None:
        """Refuse the last row, which no line end follows, if it ends inside quotes."""
        end = self._by_row(rest, line)
        found = self.fields.match(rest, end)
        if found and rest[found.end() :].strip(_LINE_ENDS):
            line += rest.count(b"\n", 0, found.end())
            raise ValueError(f"the file ends inside a quoted value that begins in line {line}")

    def _in_pairs(self, block: Any, quotes: Any) -> bool:
        """Return whether every quote opens a value, closes one or is one of a pair inside it."""
        import numpy as np

        opening, closing = quotes[0::2], quotes[1::2]
        before = block[opening[opening > 0] - 1]
        after = block[closing[closing < len(block) - 1] + 1]
        return bool(np.isin(before, self._around).all() and np.isin(after, self._around).all())

    def _by_row(self, block: bytes, line: int) -> int:
        """Go through it row by row, where a quote is a character like others, or an error."""
        end = self._rows_end(block)
        found = self.fields.match(block, end)
        stop = found.end() if found else end
        behind_quote = end < stop < len(block) and block[stop - 1] == _QUOTE
        if behind_quote and block[stop] not in self._around:
            number = line + block.count(b"\n", 0, stop)
            shown = block[max(stop - 20, end) : stop + 20].decode(errors="replace")
            raise ValueError(
                f"line {number}: text follows a closing quote ({shown!r}); a quote inside a "
                'quoted value is written twice (""), never behind a backslash'
            )
        return end

    def _rows_end(self, block: bytes) -> int:
        found = self.rows.match(block)
        return found.end() if found else 0


def _last_line_end(block: bytes, stop: int) -> int:
    """Return the position behind the last line end before `stop`, 0 if there is none."""
    # The last byte, if it is a carriage return, may be half of a line end.
    alone = block.rfind(b"\r", 0, min(stop, len(block) - 1))
    return max(block.rfind(b"\n", 0, stop), alone) + 1
