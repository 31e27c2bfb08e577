"""What Airflow is set to: executor, start of tasks, and the section of this package."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_airflow.doctor.finding import alarm, cannot_tell, fine, setting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlops_airflow.doctor.finding import Finding

__all__ = ["executor", "own_section", "preload", "slots", "test_buttons", "zones"]

_PRELOAD = "mlops_airflow.preload"
#: What takes most of the time of an import; a list of one's own has these.
_HEAVY = {"deltalake", "duckdb", "great_expectations", "mlflow", "pandas", "skops"}
_LONGEST_WAIT_S = 2
#: As it would be without the data base of the operating system: tzdata is needed then.
_ZONES = ("Europe/Berlin", "America/New_York", "Asia/Kolkata")


def executor() -> Iterator[Finding]:
    """Look whether executor and metadata database go together."""
    name, place = _executor(), "[core] executor"
    database = _get("database", "sql_alchemy_conn").partition(":")[0]
    if database.startswith("sqlite") and name != "LocalExecutor":
        fix = (
            f"{setting('core', 'executor', 'LocalExecutor')}, or another database: "
            f"{setting('database', 'sql_alchemy_conn', 'postgresql+psycopg2://…')}"
        )
        yield alarm("executor", f"{name} cannot share the SQLite file of {database}", place, fix)
    elif database == "postgresql":
        fix = setting("database", "sql_alchemy_conn", "postgresql+psycopg2://…")
        place = "[database] sql_alchemy_conn"
        yield alarm("executor", "a bare postgresql:// means a driver of another name", place, fix)
    else:
        yield fine("executor", f"{name} on {database}", place)


def preload() -> Iterator[Finding]:
    """Look whether tasks find the heavy libraries imported."""
    name = _executor()
    if name == "LocalExecutor":
        yield _local_preload()
    elif name == "CeleryExecutor":
        yield _celery_preload()
    elif name == "KubernetesExecutor":
        yield fine("preload", "each task is a pod of its own: nothing is there before", "")
    else:
        yield cannot_tell("preload", f"unknown for {name}", "[core] executor")


def _local_preload() -> Finding:
    method = _get("scheduler", "mp_start_method") or _get("core", "mp_start_method")
    modules = {one.strip().partition(".")[0] for one in _preloaded().split(",")}
    full = _PRELOAD in _preloaded() or modules >= _HEAVY
    place = "[scheduler] mp_start_method, [core] mp_forkserver_preload"
    fix = (
        f"{setting('scheduler', 'mp_start_method', 'forkserver')} and "
        f"{setting('core', 'mp_forkserver_preload', _PRELOAD)} for the scheduler"
    )
    if method == "forkserver" and full:
        return fine("preload", "the fork server imports the heavy libraries once", place)
    what = "the fork server imports none" if method == "forkserver" else "there is no fork server"
    return alarm("preload", f"{what}: every task imports its libraries, for seconds", place, fix)


def _celery_preload() -> Finding:
    place, config = "[celery] extra_celery_config", _get("celery", "extra_celery_config")
    if _PRELOAD in config:
        return fine("preload", "workers import the heavy libraries before they fork", place)
    value = f'\'{{"imports": ["{_PRELOAD}"]}}\''
    fix = f"{setting('celery', 'extra_celery_config', value)} for the workers"
    return alarm("preload", "every task imports its libraries, for seconds", place, fix)


def slots() -> Iterator[Finding]:
    """Look how long a slot is held after its task has ended."""
    place, name = "[workers] min_heartbeat_interval", _executor()
    wait = _get("workers", "min_heartbeat_interval") or "5"
    if name != "LocalExecutor":
        yield fine("slots", f"are those of {name}", place)
    elif not wait.isdigit():
        yield cannot_tell("slots", f"{wait!r} is no whole number of seconds", place)
    elif int(wait) > _LONGEST_WAIT_S:
        fix = setting("workers", "min_heartbeat_interval", "1")
        found = f"a slot is held up to {wait} s after each task"
        yield alarm("slots", found, place, fix)
    else:
        yield fine("slots", f"free within {wait} s after each task", place)


def own_section() -> Iterator[Finding]:
    """Read the options of this package."""
    from mlops_airflow.provider import get_provider_info

    options = get_provider_info()["config"]["mlops"]["options"]
    wrong, shown = [], []
    for name, option in options.items():
        value = _get("mlops", name) or option["default"]
        if option["type"] != "float":
            continue
        shown.append(f"{name} {value}")
        try:
            usable = float(value) > 0
        except ValueError:
            usable = False
        if not usable:
            wrong.append((name, value, option["default"]))
    if wrong:
        found = ", ".join(f"{name} is {value!r}" for name, value, _ in wrong)
        fix = ", ".join(setting("mlops", name, default) for name, _, default in wrong)
        yield alarm("[mlops]", f"{found}: must be seconds, above 0", "[mlops]", fix)
    else:
        yield fine("[mlops]", ", ".join(shown), "[mlops]")


def zones() -> Iterator[Finding]:
    """Look whether time zones are known; Airflow's own changes no partition."""
    from zoneinfo import ZoneInfo

    place = "[core] default_timezone"
    own = _get("core", "default_timezone") or "utc"
    wanted = [*_ZONES] if own in {"utc", "system"} else [*_ZONES, own]
    unknown = []
    for name in wanted:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            unknown.append(name)
    if unknown:
        yield alarm("zones", f"unknown are {', '.join(unknown)}", place, "pip install tzdata")
    else:
        yield fine("zones", f"known; Airflow shows times in {own}, datasets have their own", place)


def test_buttons() -> Iterator[Finding]:
    """Report whether connections may be tested in the UI; it is fine that they may not."""
    state, place = _get("core", "test_connection") or "Disabled", "[core] test_connection"
    fix = setting("core", "test_connection", "Enabled")
    if state.strip().lower() == "enabled":
        yield fine("test buttons", "work: who may edit connections can reach hosts", place)
    else:
        yield fine("test buttons", f"{state}, Airflow's default; to have them", place, fix)


def _executor() -> str:
    first = _get("core", "executor").split(",")[0].partition(";")[0]
    return first.rpartition(":")[2].rpartition(".")[2] or "LocalExecutor"


def _preloaded() -> str:
    return _get("core", "mp_forkserver_preload")


def _get(section: str, option: str) -> str:
    from airflow.configuration import conf

    return str(conf.get(section, option, fallback="") or "")
