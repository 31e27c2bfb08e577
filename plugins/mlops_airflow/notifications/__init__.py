"""Notifiers: who is told of incidents, and how."""

from mlops_airflow.notifications.mail import IncidentMailNotifier
from mlops_airflow.notifications.webhook import IncidentWebhookNotifier

__all__ = ["IncidentMailNotifier", "IncidentWebhookNotifier"]
