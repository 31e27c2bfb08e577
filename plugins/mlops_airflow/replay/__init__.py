"""Play a model's past through Airflow, in the order in which its schedules bring it.

Modules: `replay` (the order of events), `span` (which partitions), `readiness` (are the Dags
there), `settling` (wait until Airflow is quiet), `patience` and `failures` (what to do when it is
not), `outcomes` (what happened), `progress` (how it is shown).
"""

from mlops_airflow.replay.exceptions import ReplayError, RunFailedError
from mlops_airflow.replay.outcomes import Round, Training
from mlops_airflow.replay.progress import View
from mlops_airflow.replay.replay import Replay
from mlops_airflow.replay.settling import wait_until_quiet
from mlops_airflow.replay.span import choose_span

__all__ = [
    "Replay",
    "ReplayError",
    "Round",
    "RunFailedError",
    "Training",
    "View",
    "choose_span",
    "wait_until_quiet",
]
