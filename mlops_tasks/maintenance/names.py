"""What the ledger names, and so nothing may remove."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlops_tasks.lake import TrainingPin
from mlops_tasks.serialization import from_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlops_tasks.lake import Pin
    from mlops_tasks.registry.ledger import Ledger

__all__ = ["ledger_pins", "named_in_ledger"]


def ledger_pins(ledger: Ledger) -> dict[str, list[Pin]]:
    """Return the pins of every training that the ledger has seen.

    Parameters
    ----------
    ledger : Ledger
        The ledger, with its whole history.

    Returns
    -------
    dict of str to list of Pin
        By the training that holds them.
    """
    pins: dict[str, list[Pin]] = {}
    for entry in ledger.entries(kind="pin", history=True):
        training = from_json(TrainingPin, entry.evidence)
        pins.setdefault(f"training of {entry.model} as of {entry.key}", []).extend(training.pins)
    return pins


def named_in_ledger(ledger: Ledger, model: str | None = None) -> frozenset[str]:
    """Return every text in the evidence of all entries: ids of runs, versions, addresses.

    Parameters
    ----------
    ledger : Ledger
        The ledger, with its whole history.
    model : str, optional
        Only entries and registered versions of this model, and its champion.

    Returns
    -------
    frozenset of str
        Whatever is in it must stay.
    """
    names = {text for e in ledger.entries(model=model, history=True) for text in _texts(e.evidence)}
    for version in ledger.registrations(model):
        names |= {version.version, version.run_id}
    champion = ledger.champion(model) if model else None
    return frozenset(names | ({champion.version} if champion else set()))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part)
