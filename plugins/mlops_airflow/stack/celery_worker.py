"""What a Celery worker does once, before it forks the processes that run tasks.

Celery imports this module by name (``imports`` in ``[celery] extra_celery_config``); nothing else
should. It is the worker's counterpart of the scheduler's fork server: without it every process of
the pool, and every task forked from one, would import the heavy libraries again.
"""

from __future__ import annotations

import contextlib
import importlib

from mlops_airflow.stack.environment import PRELOAD

for _name in PRELOAD:
    # As in the fork server: what is not installed is not needed.
    with contextlib.suppress(ImportError):
        importlib.import_module(_name)
