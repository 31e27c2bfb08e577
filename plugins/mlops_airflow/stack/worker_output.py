"""Hide secrets in what LocalExecutor's workers copy from task logs to the scheduler's output.

Airflow has no switch for the copy and masks nothing in it. A worker knows what its task has
registered as secret, so Airflow's own masker only has to be put in front of the copy.
"""

from __future__ import annotations

__all__ = ["mask_worker_output"]


def mask_worker_output() -> None:
    """Put Airflow's masker into the log pipeline of this process and of those forked from it.

    Notes
    -----
    Must run before the first line is logged by ``airflow.sdk.execution_time.supervisor``: structlog
    fixes the pipeline of a logger when it is first used.
    """
    import structlog
    from airflow.sdk.log import mask_logs

    processors = list(structlog.get_config()["processors"])
    if mask_logs not in processors:
        # Last but the renderer: what is added on the way must be masked too.
        structlog.configure(processors=[*processors[:-1], mask_logs, processors[-1]])
