"""Profiles of days that several trainings of one process share: each is made once."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

    from mlops_tasks.profiles.profile import Profile

__all__ = ["RememberedProfiles"]


@dataclass(slots=True)
class RememberedProfiles:
    """Profiles by the content of the rows that they are of.

    Windows of trainings a night apart have all days but two in common.
    """

    _known: dict[bytes, Profile] = field(default_factory=dict)

    def of(self, what: str, rows: pa.Table, make: Callable[[], Profile]) -> Profile:
        """Return the profile of some rows, made anew if none of the same rows is known.

        Parameters
        ----------
        what : str
            What is profiled of the rows.
        rows : Table
            The rows, in their order.
        make : callable
            Makes the profile.
        """
        key = _digest(what, rows)
        if key not in self._known:
            self._known[key] = make()
        return self._known[key]


def _digest(what: str, rows: pa.Table) -> bytes:
    """Return a digest of columns, types and values."""
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    whole = rows.combine_chunks().replace_schema_metadata(None)
    with pa.ipc.new_stream(sink, whole.schema) as stream:
        stream.write_table(whole)
    return hashlib.blake2b(sink.getvalue(), key=what.encode()[:64], digest_size=16).digest()
