"""What the query or the function of a model gave: its rows, their types, and how to change them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pyarrow as pa
    import pyarrow.dataset as ds

    from mlops_tasks.specs import EstimatorSpec

    Rows: TypeAlias = pa.Table | ds.Dataset

__all__ = ["Advice", "FeatureResult", "place"]


@dataclass(frozen=True, slots=True)
class Advice:
    """What to write where the features are made, by what is wrong; ``{name}`` is the column."""

    missing: str
    twice: str
    number: str
    text: str
    seconds: str
    instant: str


@dataclass(frozen=True, slots=True)
class FeatureResult:
    """Rows in the order of their key, not checked yet.

    Attributes
    ----------
    schema : Schema
        Of each batch.
    batches : iterable of RecordBatch
        To be read once.
    types : mapping of str to str
        By column its type in the words of who wrote the features.
    advice : Advice
        For errors.
    """

    schema: pa.Schema
    batches: Iterable[pa.RecordBatch]
    types: Mapping[str, str]
    advice: Advice


def place(spec: EstimatorSpec) -> str:
    """Return where the features of a model are written, for errors."""
    return f"model {spec.name!r}, {spec.features_from}"
