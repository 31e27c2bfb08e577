"""What this package declares to Airflow's provider manager."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Any

__all__ = ["get_provider_info"]

_NAME = "MLOps"
_STEPS = (
    *("ingest", "validate", "pin", "candidates", "train", "evaluate", "register", "smoke_test"),
    *("promote", "release", "approve", "rollback", "pack", "reproduce"),
    *("score", "after_promotion", "monitor", "decide", "incidents", "maintenance"),
)
_OPTIONS = {
    "notify": {
        "description": "Who is told of incidents where a spec does not say it: ids of connections "
        "(smtp, http, slackwebhook) or import paths of Airflow notifiers, with commas.",
        "version_added": "0.2.0",
        "type": "string",
        "example": "ops_mail,ops_slack",
        "default": "",
    },
    "evidence_key": {
        "description": "File of the private key (PEM, EC, not encrypted) that evidence packs are "
        "signed with; without one a key is made below Airflow's home.",
        "version_added": "0.2.0",
        "type": "string",
        "example": "/run/secrets/evidence_key.pem",
        "default": "",
    },
    "approval_limit_s": {
        "description": "Seconds that a version waits for a person's word; then the champion is "
        "kept.",
        "version_added": "0.2.0",
        "type": "float",
        "example": "86400",
        "default": "604800",
    },
    "choice_limit_s": {
        "description": "Seconds that a rollback whose form names no version waits for a person to "
        "choose a past champion; then the champion is kept.",
        "version_added": "0.2.0",
        "type": "float",
        "example": "900",
        "default": "3600",
    },
    "retry_base_s": {
        "description": "Seconds before the first retry of a task; each further delay is doubled.",
        "version_added": "0.1.0",
        "type": "float",
        "example": "30",
        "default": "10",
    },
    "retry_longest_s": {
        "description": "Longest delay between two attempts of a task, in seconds.",
        "version_added": "0.1.0",
        "type": "float",
        "example": "1800",
        "default": "3600",
    },
    "time_limit_s": {
        "description": "Seconds after which a task is ended, whatever it does; an operator's "
        "execution_timeout wins.",
        "version_added": "0.1.0",
        "type": "float",
        "example": "7200",
        "default": "1800",
    },
}


def _modules(*names: str) -> list[dict[str, Any]]:
    paths = [f"mlops_airflow.{name}" for name in names]
    return [{"integration-name": _NAME, "python-modules": paths}]


_CONNECTION_TYPES: list[dict[str, Any]] = [
    {
        "connection-type": "mlflow",
        "hook-class-name": "mlops_airflow.hooks.mlflow.MlflowHook",
        "hook-name": "MLflow",
        "ui-field-behaviour": {
            "hidden-fields": ["extra"],
            "relabeling": {"schema": "Scheme", "login": "User"},
            "placeholders": {
                "host": "mlflow.example.com, or the whole address with its path",
                "schema": "http or https",
                "port": "5000",
            },
        },
    },
    {
        "connection-type": "file",
        "hook-class-name": "mlops_airflow.hooks.lake.LakeHook",
        "hook-name": "Folder (lake, or files of a source)",
        "ui-field-behaviour": {
            "hidden-fields": ["host", "schema", "port", "login", "password"],
            "relabeling": {},
        },
        "conn-fields": {
            "path": {
                "label": "Folder",
                "description": "Of the lake, written by the tasks, or of a source's files.",
                "schema": {"type": ["string", "null"]},
            }
        },
    },
]
#: Databases, for sources and the ledger, by the package that has a type of its own for them.
_DATABASE_TYPES: dict[str, dict[str, Any]] = {
    "apache-airflow-providers-sqlite": {
        "connection-type": "sqlite",
        "hook-class-name": "mlops_airflow.hooks.database.SqliteHook",
        "hook-name": "SQLite",
        "ui-field-behaviour": {
            "hidden-fields": ["schema", "port", "login", "password", "extra"],
            "relabeling": {"host": "File"},
        },
    },
    "apache-airflow-providers-postgres": {
        "connection-type": "postgres",
        "hook-class-name": "mlops_airflow.hooks.database.PostgresHook",
        "hook-name": "PostgreSQL",
        "ui-field-behaviour": {"hidden-fields": [], "relabeling": {"schema": "Database"}},
    },
    "apache-airflow-providers-mysql": {
        "connection-type": "mysql",
        "hook-class-name": "mlops_airflow.hooks.database.MysqlHook",
        "hook-name": "MySQL",
        "ui-field-behaviour": {"hidden-fields": [], "relabeling": {"schema": "Database"}},
    },
}


def get_provider_info() -> dict[str, Any]:
    """Return the provider's description.

    Returns
    -------
    dict
        Package, connection types, links, operators, sensors, triggers and decorators.
    """
    return {
        "package-name": "mlops-airflow",
        "name": _NAME,
        "description": "The MLOps loop on Airflow and MLflow.",
        "versions": [version("mlops-airflow")],
        "connection-types": [
            *_CONNECTION_TYPES,
            # Of two hooks of one type Airflow takes either: the database's own provider wins.
            *(kind for package, kind in _DATABASE_TYPES.items() if not _is_installed(package)),
        ],
        "integrations": [{"integration-name": _NAME, "tags": ["software"]}],
        "operators": _modules(*(f"operators.{name}" for name in _STEPS)),
        "sensors": _modules("sensors.partitions"),
        "notifications": [
            f"mlops_airflow.notifications.{name}"
            for name in ("mail.IncidentMailNotifier", "webhook.IncidentWebhookNotifier")
        ],
        "triggers": _modules(
            "triggers.approval", "triggers.partitions", "triggers.rollback_choice"
        ),
        "task-decorators": [
            {"name": f"mlops_{step}", "class-name": f"mlops_airflow.decorators.{step}.{step}_task"}
            for step in ("ingest", "train")
        ],
        "config": {"mlops": {"description": "The MLOps loop.", "options": _OPTIONS}},
        "extra-links": [
            "mlops_airflow.links.MlflowRunLink",
            "mlops_airflow.links.MlflowModelVersionLink",
            "mlops_airflow.links.ReportLink",
            "mlops_airflow.links.TimelineLink",
        ],
    }


def _is_installed(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True
