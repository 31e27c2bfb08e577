from __future__ import annotations

import json

from mlops_tasks.lake import Pin, TrainingPin
from mlops_tasks.serialization import from_json, to_json


def test_a_training_pin_survives_json() -> None:
    pin = Pin("orders", "2024-03-01", "2024-03-09", (2, 3), ("a", "b"), 7, "d" * 64)
    whole = TrainingPin(
        as_of="2024-03-11",
        train=("2024-03-01", "2024-03-05"),
        evaluation=("2024-03-06", "2024-03-09"),
        inputs={"orders": pin, "traffic": pin},
        labels=pin,
    )
    assert from_json(TrainingPin, json.loads(json.dumps(to_json(whole)))) == whole
