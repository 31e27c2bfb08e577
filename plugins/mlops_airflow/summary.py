"""The block at the end of a task's log that says what went in, what came out and what is next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Protocol

    class Log(Protocol):
        """Both Airflow's task logger and the standard one."""

        def info(self, event: str, *args: Any) -> None: ...


__all__ = ["format_summary", "log_summary"]


def format_summary(title: str, facts: Mapping[str, Any]) -> list[str]:
    """Return the lines of a summary block, names aligned.

    Parameters
    ----------
    title : str
        What was done.
    facts : mapping of str to Any
        Name to value; empty values are left out, lists take a line each.

    Returns
    -------
    list of str
        The lines.

    Examples
    --------
    >>> format_summary("score 2013-02-01", {"rows": 926, "links": ["a", "b"], "unseen": {}})
    ['── score 2013-02-01', '   rows   926', '   links  a', '          b']
    """
    shown = {name: value for name, value in facts.items() if value not in (None, "", [], (), {})}
    width = max((len(name) for name in shown), default=0)
    lines = [f"── {title}"]
    for name, value in shown.items():
        items = list(value) if isinstance(value, list | tuple) else [value]
        lines += [f"   {(name if i == 0 else ''):<{width}}  {item}" for i, item in enumerate(items)]
    return lines


def log_summary(log: Log, title: str, facts: Mapping[str, Any]) -> None:
    """Log a summary block, line by line, so that it reads well in the log view.

    Parameters
    ----------
    log : Logger
        Of the task.
    title, facts
        As for `format_summary`.
    """
    for line in format_summary(title, facts):
        log.info("%s", line)
