from __future__ import annotations

import socket
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from mlops_airflow.stack.exceptions import PortTakenError
from mlops_airflow.stack.ports import check_ports

if TYPE_CHECKING:
    from mlops_airflow.stack.settings import StackSettings


@pytest.mark.parametrize("name", ["airflow", "mlflow"])
def test_taken_port_is_named_with_its_variable(settings: StackSettings, name: str) -> None:
    with socket.socket() as taken, socket.socket() as free:
        for sock in (taken, free):
            sock.bind(("127.0.0.1", 0))
        taken.listen()
        free_port = free.getsockname()[1]
        free.close()
        ports = {"airflow_port": free_port, "mlflow_port": free_port}
        check_ports(replace(settings, **ports))
        ports[f"{name}_port"] = taken.getsockname()[1]

        with pytest.raises(PortTakenError, match=f"MLOPS_{name.upper()}_PORT to a free port"):
            check_ports(replace(settings, **ports))
