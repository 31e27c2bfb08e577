"""What ledger and registry name, and so nothing may remove."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlops_tasks.exceptions import UnknownPinsError
from mlops_tasks.lake import TrainingPin
from mlops_tasks.registry.artifacts import PIN_FILE
from mlops_tasks.registry.ledger import EvidenceKind
from mlops_tasks.registry.tracking import DIGEST_TAG
from mlops_tasks.serialization import from_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlops_tasks.lake import Pin
    from mlops_tasks.registry.ledger import Ledger
    from mlops_tasks.registry.tracking import Tracking

__all__ = ["ledger_pins", "named_in_ledger", "registered_pins"]


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
    for entry in ledger.entries(kind=EvidenceKind.PIN, history=True):
        training = from_json(TrainingPin, entry.evidence)
        pins.setdefault(f"training of {entry.model} as of {entry.key}", []).extend(training.pins)
    return pins


def registered_pins(tracking: Tracking) -> dict[str, list[Pin]]:
    """Return the pins of what every version of every registered model was trained on.

    Parameters
    ----------
    tracking : Tracking
        The server.

    Returns
    -------
    dict of str to list of Pin
        By ``"version 3 of flight_delays"``. Versions that something else registered are not in it:
        they have no pin.

    Raises
    ------
    UnknownPinsError
        If the server cannot be reached, or has lost the pin of a version.
    """
    from mlflow.exceptions import MlflowException

    pins: dict[str, list[Pin]] = {}
    try:
        for version in tracking.versions():
            if DIGEST_TAG in version.tags:
                name = f"version {version.version} of {version.name}"
                pins[name] = _pins_of_run(tracking, version.run_id or "", name)
    except (MlflowException, OSError) as error:
        raise UnknownPinsError(
            f"MLflow at {tracking.uri} cannot be asked what its model versions were trained on: "
            f"{error}"
        ) from error
    return pins


def _pins_of_run(tracking: Tracking, run_id: str, name: str) -> list[Pin]:
    try:
        return list(from_json(TrainingPin, tracking.read_json(run_id, PIN_FILE)).pins)
    except (ValueError, TypeError, KeyError) as error:
        raise UnknownPinsError(
            f"{name}: {PIN_FILE} of its run {run_id} cannot be read ({error!r})"
        ) from error


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
