from __future__ import annotations

import json
import os
import stat
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from mlops_airflow.stack.exceptions import StackRunningError
from mlops_airflow.stack.processes import ProcessId
from mlops_airflow.stack.record import ComponentRecord, StackRecord, is_locked, locked, read_record

if TYPE_CHECKING:
    from mlops_airflow.stack.settings import StackSettings

RECORD = StackRecord(
    runner=ProcessId(10, 1.5),
    started_at=2.5,
    airflow_url="http://a",
    mlflow_url="http://m",
    components={
        "scheduler": ComponentRecord(ProcessId(11, 2.0), "healthy", 3.5, restarts=2, last_exit=-9),
        "mlflow": ComponentRecord(),
    },
    left_over=(ProcessId(9, 1.0),),
)


@pytest.mark.parametrize("record", [RECORD, replace(RECORD, failure=("scheduler", "it died"))])
def test_record_survives_the_file(made_home: StackSettings, record: StackRecord) -> None:
    record.write(made_home.record_file)

    assert read_record(made_home.record_file) == record
    assert stat.S_IMODE(made_home.record_file.stat().st_mode) == 0o600


def test_leaders_end_with_the_runner() -> None:
    assert [leader.pid for leader in RECORD.leaders()] == [11, 9, 10]


def test_a_running_record() -> None:
    assert not RECORD.is_running()
    assert replace(RECORD, runner=ProcessId.of(os.getpid())).is_running()


def test_pids_mean_nothing_after_a_reboot() -> None:
    assert not RECORD.is_of_another_boot()
    assert replace(RECORD, boot_time=RECORD.boot_time - 3600).is_of_another_boot()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"runner": {"pid": 1}}', '{"runner": 3}'])
def test_unreadable_record_is_none(made_home: StackSettings, text: str) -> None:
    made_home.record_file.write_text(text)

    assert read_record(made_home.record_file) is None


def test_missing_record_is_none(settings: StackSettings) -> None:
    assert read_record(settings.record_file) is None


def test_second_stack_is_refused(made_home: StackSettings) -> None:
    with (
        locked(made_home),
        pytest.raises(StackRunningError, match=r"is running or being started.*mlops down"),
        locked(made_home),
    ):
        pass


def test_refusal_names_the_running_stack(made_home: StackSettings) -> None:
    replace(RECORD, runner=ProcessId.of(os.getpid())).write(made_home.record_file)

    with (
        locked(made_home),
        pytest.raises(StackRunningError, match=rf"http://a \(process {os.getpid()}\)"),
        locked(made_home),
    ):
        pass


def test_lock_is_free_afterwards(made_home: StackSettings) -> None:
    for _ in range(2):
        with locked(made_home):
            pass


def test_record_is_readable_by_other_tools(made_home: StackSettings) -> None:
    RECORD.write(made_home.record_file)

    raw = json.loads(made_home.record_file.read_text())

    assert raw["components"]["scheduler"]["process"] == {"pid": 11, "create_time": 2.0}


def test_looking_at_the_lock_takes_nothing(made_home: StackSettings) -> None:
    assert not is_locked(made_home)
    with locked(made_home):
        assert is_locked(made_home)
    assert not is_locked(made_home)


def test_home_that_does_not_exist_is_not_locked(settings: StackSettings) -> None:
    assert not is_locked(settings)
    assert not settings.home.exists()
