"""What is measured of free texts: their length, and how many of their words are new.

A profile holds no text: of each text feature it holds two numbers for each row, under names of
their own, and so drift is looked for in them as in any number.

==========================  ========================================================================
``<feature>.length``        characters; null where there is no text
``<feature>.unseen_tokens``  share of the row's tokens that the training had on no other day; null
                            where the row has no token
==========================  ========================================================================

A token is a run of letters, digits and underscores, in lower case. The vocabulary of a training is
a table of bits of a fixed size, one for each hash: it grows with no text, and no token can be read
back from it. Two tokens that share a bit are one, in the reference as in what is compared with it.
"""

from __future__ import annotations

import io
import struct
import zipfile
from typing import TYPE_CHECKING, TypeVar

from mlops_tasks.exceptions import DamagedTableError
from mlops_tasks.lake.digest import row_hashes

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Vocabularies = Mapping[str, npt.NDArray[np.bool_]]

Part = TypeVar("Part", bound="pa.Table | pa.RecordBatch")

__all__ = [
    "MIN_DAYS",
    "is_unseen",
    "measure_fields",
    "measure_texts",
    "pack_vocabularies",
    "trained_texts",
    "unpack_vocabularies",
    "with_measures",
]

#: Fewer days of training have no vocabulary: what one day lacks the others hardly show.
MIN_DAYS = 5

_SLOTS = 2**21
_NO_TOKEN = r"[^\p{L}\p{M}\p{N}_]+"  # noqa: S105
_LENGTH, _UNSEEN = "length", "unseen_tokens"
_TIMELESS = (1980, 1, 1, 0, 0, 0)


def is_unseen(column: str) -> bool:
    """Whether a column of `measure_fields` depends on the vocabulary of a version.

    Parameters
    ----------
    column : str
        Of a profile.
    """
    return column.endswith(f".{_UNSEEN}")


def measure_fields(names: Iterable[str], vocabularies: Vocabularies) -> list[pa.Field]:
    """Return the columns of `measure_texts`.

    Parameters
    ----------
    names : iterable of str
        The text features.
    vocabularies : mapping of str to array
        Of those that have one.

    Returns
    -------
    list of Field
        One or two for each feature.
    """
    import pyarrow as pa

    fields = []
    for name in names:
        fields.append(pa.field(f"{name}.{_LENGTH}", pa.int64()))
        if name in vocabularies:
            fields.append(pa.field(f"{name}.{_UNSEEN}", pa.float64()))
    return fields


def measure_texts(
    rows: pa.Table | pa.RecordBatch, names: Iterable[str], vocabularies: Vocabularies
) -> dict[str, pa.Array]:
    """Measure the texts of some rows.

    Parameters
    ----------
    rows : Table or RecordBatch
        With the text features.
    names : iterable of str
        The text features.
    vocabularies : mapping of str to array
        Of the version that scores the rows, by feature.

    Returns
    -------
    dict of str to Array
        By column of `measure_fields`.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    found = {}
    for name in names:
        texts = _whole(rows.column(name))
        found[f"{name}.{_LENGTH}"] = pc.utf8_length(texts).cast(pa.int64())
        if name in vocabularies:
            row, slots = _tokens(texts)
            found[f"{name}.{_UNSEEN}"] = _shares(len(texts), row, ~vocabularies[name][slots])
    return found


def with_measures(rows: Part, names: Collection[str], vocabularies: Vocabularies) -> Part:
    """Return the rows with the measures in place of the texts, behind the other columns.

    Parameters
    ----------
    rows, names, vocabularies
        As for `measure_texts`.

    Returns
    -------
    Table or RecordBatch
        As `rows`.
    """
    import pyarrow as pa

    if not names:
        return rows
    others = [field for field in rows.schema if field.name not in names]
    measures = measure_texts(rows, names, vocabularies)
    columns = [*(rows.column(field.name) for field in others), *measures.values()]
    schema = pa.schema([*others, *measure_fields(names, vocabularies)])
    found: Part = type(rows).from_arrays(columns, schema=schema)
    return found


def trained_texts(
    days: Mapping[str, pa.Table], names: Iterable[str]
) -> tuple[dict[str, pa.Table], dict[str, npt.NDArray[np.bool_]]]:
    """Measure the texts of the days of a training, each against all other days.

    What a day alone has is new on that day, as it will be for the day that is scored next.

    Parameters
    ----------
    days : mapping of str to Table
        Rows by day.
    names : iterable of str
        The text features.

    Returns
    -------
    dict of str to Table, dict of str to array
        The days with measures in place of the texts, and the vocabularies of the training; none
        of fewer than `MIN_DAYS` days.
    """
    import numpy as np

    measured, vocabularies = dict(days), {}
    for name in names:
        n_days = np.zeros(_SLOTS, np.uint16)
        for part in days.values():
            n_days[np.unique(_tokens(_whole(part.column(name)))[1])] += 1
        several = {name: n_days > 1} if len(days) >= MIN_DAYS else {}
        measured = {day: with_measures(part, [name], several) for day, part in measured.items()}
        if several:
            vocabularies[name] = n_days > 0
    return measured, vocabularies


def pack_vocabularies(vocabularies: Vocabularies) -> bytes:
    """Put vocabularies into one file, for `unpack_vocabularies`.

    Parameters
    ----------
    vocabularies : mapping of str to array
        By feature.

    Returns
    -------
    bytes
        Equal for equal ones; a quarter of a megabyte for each at most.
    """
    import numpy as np

    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, known in vocabularies.items():
            info = zipfile.ZipInfo(name, _TIMELESS)
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, np.packbits(known).tobytes())
    return packed.getvalue()


def unpack_vocabularies(packed: bytes) -> dict[str, npt.NDArray[np.bool_]]:
    """Return the vocabularies of `pack_vocabularies`.

    Parameters
    ----------
    packed : bytes
        From there.

    Returns
    -------
    dict of str to array
        By feature.

    Raises
    ------
    DamagedTableError
        If it is none.
    """
    import numpy as np

    try:
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            stored = {name: archive.read(name) for name in archive.namelist()}
    except (zipfile.BadZipFile, struct.error, LookupError, ValueError, RuntimeError) as error:
        raise DamagedTableError(f"the vocabularies of texts cannot be read: {error}") from error
    if wrong := [name for name, raw in stored.items() if len(raw) * 8 != _SLOTS]:
        raise DamagedTableError(f"the vocabularies of {wrong} do not have {_SLOTS} bits")
    return {
        name: np.unpackbits(np.frombuffer(raw, np.uint8)).astype(bool)
        for name, raw in stored.items()
    }


def _whole(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    import pyarrow as pa

    texts = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return texts.cast(pa.large_string())


def _tokens(texts: pa.Array) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the row and the slot of each token."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    lists = pc.split_pattern_regex(pc.utf8_lower(texts), _NO_TOKEN)
    tokens, row = pc.list_flatten(lists), pc.list_parent_indices(lists)
    some = pc.greater(pc.binary_length(tokens), 0)
    coded = tokens.filter(some).dictionary_encode()
    hashes = row_hashes(pa.table({"token": coded.dictionary}))
    slots = (hashes % np.uint64(_SLOTS)).astype(np.int64)
    return row.filter(some).to_numpy(), slots[coded.indices.to_numpy()]


def _shares(n_rows: int, row: npt.NDArray[np.int64], unseen: npt.NDArray[np.bool_]) -> pa.Array:
    import numpy as np
    import pyarrow as pa

    n_tokens = np.bincount(row, minlength=n_rows)
    n_unseen = np.bincount(row, unseen, minlength=n_rows)
    return pa.array(n_unseen / np.maximum(n_tokens, 1), pa.float64(), mask=n_tokens == 0)
