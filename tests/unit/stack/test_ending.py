from __future__ import annotations

import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

from mlops_airflow.stack.ending import end_stack
from mlops_airflow.stack.processes import ProcessId
from mlops_airflow.stack.record import StackRecord

if TYPE_CHECKING:
    from mlops_airflow.stack.settings import StackSettings


def test_nothing_runs(made_home: StackSettings) -> None:
    assert end_stack(made_home) == (0, 0)


def test_strangers_with_recorded_pids_are_spared(made_home: StackSettings) -> None:
    stranger = subprocess.Popen(["sleep", "60"], start_new_session=True)
    try:
        mine = StackRecord(ProcessId.of(stranger.pid), 0.0, "http://a", "http://m")
        earlier = replace(mine, runner=replace(mine.runner, create_time=1.0))
        for record in (earlier, replace(mine, boot_time=1.0)):
            record.write(made_home.record_file)

            assert end_stack(made_home) == (0, 0)
            assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()
