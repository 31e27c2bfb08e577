"""Windows that were measured before labels of one of their partitions came, or were corrected."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tasks.registry.ledger import EvidenceKind

if TYPE_CHECKING:
    from mlops_tasks.registry.ledger import Ledger
    from mlops_tasks.specs import ModelSpec

__all__ = ["later_windows"]


def later_windows(spec: ModelSpec, partition: str, *, ledger: Ledger) -> list[str]:
    """Return the newer partitions whose windows hold one: new labels of it change what they say.

    Labels come in any order, and may be corrected. Only windows that the policy still weighs are
    among them, ``retrain.of_last`` at most: what was decided from others stays as it was.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    partition : str
        The partition whose labels are new.
    ledger : Ledger
        Where it is written what was measured.

    Returns
    -------
    list of str
        Keys of these partitions, in order; none where labels come in the order of the rows.
    """
    newest = ledger.newest_of_keys(spec.name, EvidenceKind.PERFORMANCE, spec.retrain.of_last)
    return [one.key for one in newest if one.evidence["first"] <= partition < one.key]
