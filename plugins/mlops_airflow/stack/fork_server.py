"""What the scheduler's fork server does once, before any worker is forked from it.

Airflow imports this module by name (`[core] mp_forkserver_preload`); nothing else should.
"""

from __future__ import annotations

import contextlib
import sys

from mlops_airflow.stack.worker_output import mask_worker_output


def _warm_mlflow() -> None:
    """Do once what MLflow would do again in every task.

    It looks for two notebook packages at each request, and reads the metadata of every installed
    package when it logs a model, which takes a third of a second.
    """
    for name in ("dbruntime", "IPython"):
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]
    # Not a public name: without it tasks are a little slower, and that is all.
    with contextlib.suppress(Exception):
        from mlflow.utils import requirements_utils

        requirements_utils._init_packages_to_modules_map()  # type: ignore[no-untyped-call]


mask_worker_output()
_warm_mlflow()
