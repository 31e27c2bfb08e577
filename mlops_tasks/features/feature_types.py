"""What becomes of each type on its way from the query to the estimator: one table.

================================  =============================  ==============================
a column of the query that is     as a categorical feature       as a numeric feature
================================  =============================  ==============================
an integer of up to 64 bits       its digits, as text            float64; beyond 2**53 refused
FLOAT, DOUBLE                     shortest exact text            float64; infinite refused
BOOLEAN                           ``false``, ``true``            0.0, 1.0
DECIMAL, HUGEINT                  its digits, as text            refused: ``CAST(x AS DOUBLE)``
VARCHAR, ENUM, UUID, JSON         the text                       refused: ``CAST(x AS DOUBLE)``
DATE                              ``YYYY-MM-DD``                 refused: ``epoch(x)``
a moment, TIME, INTERVAL          refused: ``CAST(x AS ...)``    refused: ``epoch(x)``
anything else, UHUGEINT, NULL     refused: ``CAST(x AS ...)``    refused: ``CAST(x AS DOUBLE)``
================================  =============================  ==============================

A missing value is NaN in either kind of feature; NaN is a missing value. A text feature takes
VARCHAR, ENUM, UUID and JSON only, and a missing one is ``""``, as no vectorizer takes NaN. The type
of a column decides, never the values in it: a row looks the same to the estimator whatever stands
beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlops_tasks.exceptions import FeatureError
from mlops_tasks.features.categories import known_categories

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    import pandas as pd
    import pyarrow as pa

    from mlops_tasks.features.result import Advice

__all__ = [
    "check_feature",
    "check_number",
    "decode",
    "estimator_frame",
    "fitted_forms",
    "free_texts",
    "remember_forms",
    "spec_forms",
]

_TEXT_FEATURES = "text_features_in_"  # beside scikit-learn's own feature_names_in_
_FREE_TEXTS = "free_texts_in_"
_NO_DATE = "<value out of range"  # what Arrow writes for DuckDB's infinity
_MISREAD = {"UHUGEINT"}  # DuckDB gives Arrow other numbers
_CALLED = {"free text": "text", "text": "categorical", "number": "numeric", "values": "categorical"}


def check_feature(
    place: str, name: str, kind: pa.DataType, said: str, advice: Advice, *, form: str
) -> None:
    """Refuse a feature whose type has no place in the table.

    Parameters
    ----------
    place : str
        Where the column comes from, for the error.
    name : str
        The feature.
    kind : DataType
        Its type in Arrow.
    said : str
        Its type in the words of who wrote the features.
    advice : Advice
        What to write instead.
    form : str
        From `spec_forms`.

    Raises
    ------
    FeatureError
        Naming the column, its type and the cast to write.
    """
    import pyarrow.types as pt

    if _usable(kind, form) and said not in _MISREAD:
        return
    number = advice.seconds if pt.is_temporal(kind) else advice.number
    fix = (number if form == "number" else advice.text).format(name=name)
    raise FeatureError(
        f"{place}: {_CALLED[form]} feature {name!r} is {said}; {fix}, or what else it is to mean"
    )


def check_number(place: str, name: str, values: pa.Array) -> None:
    """Refuse numbers that no double holds, or no estimator takes.

    Parameters
    ----------
    place : str
        Where the column comes from, for the error.
    name : str
        The numeric feature.
    values : Array
        Its values; of a type that `check_feature` lets pass.

    Raises
    ------
    FeatureError
        If some are infinite, or integers beyond 2**53.
    """
    import pyarrow.compute as pc
    import pyarrow.types as pt

    if pt.is_integer(values.type):
        _number(place, name, values)
    if pt.is_floating(values.type) and (n := pc.sum(pc.is_inf(values)).as_py()):
        raise FeatureError(
            f"{place}: feature {name!r} is infinite in {n} rows; bound it there or in the "
            "dataset's suite"
        )


def decode(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the rows with the values in place of an ENUM's codes.

    Parameters
    ----------
    batch : RecordBatch
        Rows of a query.

    Returns
    -------
    RecordBatch
        The same rows; no column is a dictionary.
    """
    import pyarrow as pa

    coded = [name for name in batch.schema.names if _is_coded(batch.schema.field(name).type)]
    for name in coded:
        place = batch.schema.get_field_index(name)
        values = batch.column(place).cast(batch.schema.field(place).type.value_type)
        batch = batch.set_column(place, pa.field(name, values.type), values)
    return batch


def estimator_frame(
    place: str, rows: pa.Table | pa.RecordBatch, names: Sequence[str], forms: Mapping[str, str]
) -> pd.DataFrame:
    """Return columns as the frame that the estimator is fitted on and asked with.

    Parameters
    ----------
    place : str
        Where the columns come from, for errors.
    rows : Table or RecordBatch
        Rows of the query.
    names : sequence of str
        The features, in order.
    forms : mapping of str to str
        ``text``, ``number`` or ``free text`` by feature; ``values`` for the categories of a model
        that was fitted before categories were texts.

    Returns
    -------
    DataFrame of shape (n_rows, n_features)
        Texts as ``str``, numbers as ``float64``, values as ``object``; what is missing is NaN, and
        ``""`` in a free text.

    Raises
    ------
    FeatureError
        If a column is of a type that has no place in the table above, or a number cannot be held
        by a double exactly.
    """
    import pandas as pd
    import pyarrow.types as pt

    for name in names:
        kind = rows.schema.field(name).type
        if not (_usable(kind, forms[name]) or pt.is_null(kind)):
            raise FeatureError(
                f"{place}: {_CALLED[forms[name]]} feature {name!r} is {kind}, which this version "
                "was not trained on; give it in the type that it had then"
            )
    form = {"text": _text, "number": _number, "values": _values, "free text": _free_text}
    return pd.DataFrame({name: form[forms[name]](place, name, rows.column(name)) for name in names})


def spec_forms(
    categorical: Collection[str], names: Sequence[str], text: Collection[str] = ()
) -> dict[str, str]:
    """Return the form of each feature in a training: text if it is categorical.

    Parameters
    ----------
    categorical : collection of str
        The spec's categorical features.
    names : sequence of str
        All features.
    text : collection of str, optional
        The spec's text features.

    Returns
    -------
    dict of str to str
        For `estimator_frame` and `remember_forms`.
    """
    declared = dict.fromkeys(categorical, "text") | dict.fromkeys(text, "free text")
    return {name: declared.get(name, "number") for name in names}


def remember_forms(model: Any, forms: Mapping[str, str]) -> None:
    """Let a fitted model say which of its features were texts, also once it is loaded again.

    Parameters
    ----------
    model : estimator
        Fitted.
    forms : mapping of str to str
        From `spec_forms`.
    """
    setattr(model, _TEXT_FEATURES, [name for name, form in forms.items() if form == "text"])
    if free := [name for name, form in forms.items() if form == "free text"]:
        setattr(model, _FREE_TEXTS, free)


def free_texts(model: Any) -> list[str]:
    """Return the features that a fitted model knows as free texts.

    Parameters
    ----------
    model : estimator
        Fitted.

    Returns
    -------
    list of str
        From `remember_forms`.
    """
    return list(getattr(model, _FREE_TEXTS, ()))


def fitted_forms(model: Any, names: Sequence[str], categorical: Collection[str]) -> dict[str, str]:
    """Return the form in which a fitted model knows each feature, whatever the spec says by now.

    Parameters
    ----------
    model : estimator
        Fitted.
    names : sequence of str
        Its features.
    categorical : collection of str
        The spec's categorical features, for a model that does not say what it was fitted on.

    Returns
    -------
    dict of str to str
        For `estimator_frame`.
    """
    if (texts := getattr(model, _TEXT_FEATURES, None)) is not None:
        return spec_forms(texts, names, free_texts(model))
    # Fitted before categories were texts: a column of numbers was encoded as numbers.
    known = known_categories(model)
    numbers = {name for name, values in known.items() if values.dtype.kind in "biuf"}
    return spec_forms(categorical, names) | {
        name: "values" for name in names if name in numbers and name in categorical
    }


def _text(place: str, name: str, values: Any) -> pd.Series:
    import pyarrow as pa
    import pyarrow.compute as pc

    if _is_coded(values.type):
        values = values.cast(values.type.value_type)
    if pa.types.is_floating(values.type):
        zero, missing = pa.scalar(0.0, values.type), pa.scalar(None, values.type)
        values = pc.if_else(pc.is_nan(values), missing, pc.add(values, zero))  # no negative zero
    texts = values.cast(pa.string())
    if pa.types.is_date32(values.type) and pc.any(pc.starts_with(texts, _NO_DATE)).as_py():
        raise FeatureError(
            f"{place}: categorical feature {name!r} has infinite dates; bound them in the query or "
            "in the dataset's suite"
        )
    found: pd.Series = texts.to_pandas()
    return found


def _free_text(place: str, name: str, values: Any) -> pd.Series:
    return _text(place, name, values).fillna("")


def _number(place: str, name: str, values: Any) -> pd.Series:
    import pyarrow as pa

    try:
        numbers: pd.Series = values.cast(pa.float64()).to_pandas()
        return numbers
    except pa.ArrowException as error:
        raise FeatureError(
            f"{place}: numeric feature {name!r} has integers beyond 2**53, which no double holds "
            f"exactly ({error}); declare it categorical if it is an identifier, or cast it to "
            "DOUBLE (float64) there if rounding is fine"
        ) from error


def _values(place: str, name: str, values: Any) -> pd.Series:
    import pandas as pd

    plain = [float("nan") if value is None else value for value in values.to_pylist()]
    return pd.Series(plain, dtype=object)


def _usable(kind: pa.DataType, form: str) -> bool:
    """Return whether a type has a place in the table."""
    import pyarrow.types as pt

    number = pt.is_integer(kind) or pt.is_floating(kind) or pt.is_boolean(kind)
    words = _is_text(kind) or pt.is_dictionary(kind)
    if form == "free text":
        return words
    if form == "number":
        return bool(number)
    return number or words or bool(pt.is_decimal(kind) or pt.is_date32(kind))


def _is_text(kind: pa.DataType) -> bool:
    import pyarrow.types as pt

    return bool(pt.is_string(kind) or pt.is_large_string(kind) or pt.is_string_view(kind))


def _is_coded(kind: pa.DataType) -> bool:
    import pyarrow.types as pt

    return bool(pt.is_dictionary(kind))
