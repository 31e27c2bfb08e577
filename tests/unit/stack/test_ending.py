from __future__ import annotations

import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

from mlops_airflow.stack import ending
from mlops_airflow.stack.ending import end_stack
from mlops_airflow.stack.processes import ProcessId
from mlops_airflow.stack.record import StackRecord

if TYPE_CHECKING:
    import pytest

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


def test_running_stack_is_ended(made_home: StackSettings) -> None:
    runner = subprocess.Popen(["sleep", "60"], start_new_session=True)
    try:
        StackRecord(ProcessId.of(runner.pid), 0.0, "http://a", "http://m").write(
            made_home.record_file
        )

        assert end_stack(made_home) == (1, 0)
        assert runner.poll() is not None
        assert not made_home.record_file.exists()
    finally:
        runner.kill()


def test_record_of_what_cannot_be_ended_is_kept(
    made_home: StackSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    StackRecord(ProcessId(1, 1.0), 0.0, "http://a", "http://m").write(made_home.record_file)
    monkeypatch.setattr(ending, "end_processes", lambda processes: 2)

    assert end_stack(made_home) == (0, 2)
    assert made_home.record_file.exists()
