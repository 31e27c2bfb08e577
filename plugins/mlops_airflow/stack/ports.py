"""The ports of a stack."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from mlops_airflow.stack.exceptions import PortTakenError
from mlops_airflow.stack.settings import LOOPBACK

if TYPE_CHECKING:
    from mlops_airflow.stack.settings import StackSettings

__all__ = ["check_ports"]


def check_ports(settings: StackSettings) -> None:
    """Refuse to start on a port that is in use.

    Parameters
    ----------
    settings : StackSettings
        The stack to start.

    Raises
    ------
    PortTakenError
        Naming the port and the variable that moves it.
    """
    ports = {
        "MLOPS_AIRFLOW_PORT": settings.airflow_port,
        "MLOPS_MLFLOW_PORT": settings.mlflow_port,
    }
    for variable, port in ports.items():
        with socket.socket() as probe:
            # As the servers do: a connection that is still closing down is no obstacle.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOOPBACK, port))
            except OSError as error:
                msg = (
                    f"Port {port} cannot be used ({error.strerror}). "
                    f"Set {variable} to a free port, or end what listens there"
                )
                raise PortTakenError(msg) from error
