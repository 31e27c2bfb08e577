"""Rows that a model is asked about: valid ones, odd ones, and ones of another shape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pyarrow as pa

__all__ = ["edge_rows", "wrong_rows"]

# Further than any measurement, and still a number in single precision, which trees compare in.
_EXTREME = 1e30
_UNSEEN = "never seen by any training"
_LONG = "word " * 20_000


def edge_rows(rows: pa.Table, forms: Mapping[str, str]) -> dict[str, dict[str, pa.Table]]:
    """Return odd rows, by kind and by the feature that is odd in each: one row a feature.

    Parameters
    ----------
    rows : Table
        Valid rows, of which the first is changed.
    forms : mapping of str to str
        ``text``, ``number`` or ``free text`` by feature, as `estimator_frame` takes it.
    """
    valid = rows.slice(0, 1)
    kinds: dict[str, dict[str, pa.Table]] = {
        "a null": {name: _null(valid, name) for name in forms},
        "nothing but nulls": {"every feature": _nulls(valid, forms)},
        "an unseen category": {
            name: _with(valid, name, _UNSEEN) for name, form in forms.items() if form == "text"
        },
        "an extreme number": {
            f"{name} {'+-'[sign < 0]}{_EXTREME:.0e}": _with(valid, name, sign * _EXTREME)
            for name, form in forms.items()
            if form == "number"
            for sign in (1.0, -1.0)
        },
        "an odd text": {
            f"{name} {what}": _with(valid, name, text)
            for name, form in forms.items()
            if form == "free text"
            for what, text in (("empty", ""), ("very long", _LONG), ("control signs", "\x00\x1b"))
        },
    }
    return {kind: found for kind, found in kinds.items() if found}


def wrong_rows(
    rows: pa.Table, forms: Mapping[str, str]
) -> Iterator[tuple[str, dict[str, pa.Table]]]:
    """Yield rows that a model must refuse, by kind and by the feature that is wrong."""
    valid = rows.slice(0, 1)
    yield "a missing column", {name: valid.drop_columns([name]) for name in forms}
    # Text that looks like a number: a cast would go well, and the type must decide all the same.
    wrong = {"number": "12", "text": b"12", "values": b"12", "free text": 12}
    called = {"number": "text", "text": "bytes", "values": "bytes", "free text": "a number"}
    for form in dict.fromkeys(forms.values()):
        yield (
            f"{called[form]} in place of a {form.replace('values', 'category')}",
            {
                name: _with(valid, name, wrong[form])
                for name, own_form in forms.items()
                if own_form == form
            },
        )


def _with(rows: pa.Table, name: str, value: Any) -> pa.Table:
    import pyarrow as pa

    place = rows.column_names.index(name)
    return rows.set_column(place, name, pa.array([value] * rows.num_rows))


def _null(rows: pa.Table, name: str) -> pa.Table:
    import pyarrow as pa

    place = rows.column_names.index(name)
    return rows.set_column(place, name, pa.nulls(rows.num_rows, rows.schema.field(name).type))


def _nulls(rows: pa.Table, forms: Mapping[str, str]) -> pa.Table:
    for name in forms:
        rows = _null(rows, name)
    return rows
