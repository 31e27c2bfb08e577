"""The shared world, as `tests.mutation` keeps it, is the one that is built."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tasks.steps.score import score
from tests.unit.conftest import copy_world
from tests.unit.orders import ROWS_PER_DAY, day

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.conftest import World


def test_a_copy_of_the_world_can_be_scored(world: World, tmp_path: Path) -> None:
    own = copy_world(world, tmp_path)
    stores = {"lake": own.lake, "tracking": own.tracking}
    result = score(own.spec, day(17), own.champion, **stores, token=own.ledger.next_token())
    assert (result.predictions.n_rows, result.model_version) == (ROWS_PER_DAY, "1")
    assert own.trained.run_id == own.champion.run_id
    assert own.pin.as_of == own.as_of
