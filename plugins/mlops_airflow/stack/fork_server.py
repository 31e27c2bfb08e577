"""What the scheduler's fork server does once, before any worker is forked from it.

Airflow imports this module by name (`[core] mp_forkserver_preload`); nothing else should.
"""

from __future__ import annotations

from mlops_airflow.stack.worker_output import mask_worker_output

mask_worker_output()
