"""Import the heavy libraries once, where processes are forked from: set it, and nothing else.

For LocalExecutor ``[scheduler] mp_start_method = forkserver`` with ``[core] mp_forkserver_preload =
mlops_airflow.preload``, for Celery ``imports`` in ``[celery] extra_celery_config``. Without it
every task would import them again, which takes seconds.
"""

from __future__ import annotations

import contextlib
import importlib

from mlops_airflow.stack.environment import PRELOAD

for _name in PRELOAD:
    # As in the fork server: what is not installed is not needed.
    with contextlib.suppress(ImportError):
        importlib.import_module(_name)
