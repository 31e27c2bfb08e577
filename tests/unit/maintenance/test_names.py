from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mlops_tasks.exceptions import UnknownPinsError
from mlops_tasks.maintenance import registered_pins
from mlops_tasks.registry.artifacts import PIN_FILE
from mlops_tasks.registry.tracking import DIGEST_TAG

if TYPE_CHECKING:
    from tests.unit.conftest import World


def test_every_registered_version_says_what_it_was_trained_on(
    own_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of all pages; a version of somebody else pins nothing."""
    from mlflow import MlflowClient

    search = MlflowClient.search_model_versions
    monkeypatch.setattr(
        MlflowClient,
        "search_model_versions",
        lambda self, **asked: search(self, max_results=1, **asked),
    )
    tracking, trained = own_world.tracking, own_world.trained
    client = tracking.client
    client.create_model_version("late_orders", trained.model_uri)
    tags = {DIGEST_TAG: trained.digest}
    client.create_model_version("late_orders", trained.model_uri, trained.run_id, tags=tags)
    found = registered_pins(tracking)
    assert sorted(found) == ["version 1 of late_orders", "version 3 of late_orders"]
    assert all(pins == list(own_world.pin.pins) for pins in found.values())
    assert [pin.table for pin in own_world.pin.pins] == ["orders", "traffic", "deliveries"]


@pytest.mark.parametrize("what", ["no such run", "a run without a pin", "a pin cut short"])
def test_a_version_whose_pin_is_lost_is_no_version_without_a_pin(
    own_world: World, what: str
) -> None:
    tracking, trained, run_id = own_world.tracking, own_world.trained, "0" * 32
    if what != "no such run":
        with tracking.run("late_orders", "x") as run_id:
            pass
    if what == "a pin cut short":
        tracking.log_json(run_id, PIN_FILE, {"as_of": "2024-03-09"})
    client, tags = tracking.client, {DIGEST_TAG: trained.digest}
    client.create_model_version("late_orders", trained.model_uri, run_id, tags=tags)
    with pytest.raises(UnknownPinsError, match="cannot be"):
        registered_pins(tracking)
