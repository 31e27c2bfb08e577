"""Incidents: all alarms of one cause, told once, from when it begins to how it ends."""

from mlops_tasks.policy.incidents.book import IncidentBook
from mlops_tasks.policy.incidents.deliveries import Delivery, deliver, deliveries_of
from mlops_tasks.policy.incidents.records import Alarm, Cause, Incident
from mlops_tasks.policy.incidents.text import headline, message
from mlops_tasks.policy.incidents.timing import Timing, median_timing, timing_of

__all__ = [
    "Alarm",
    "Cause",
    "Delivery",
    "Incident",
    "IncidentBook",
    "Timing",
    "deliver",
    "deliveries_of",
    "headline",
    "median_timing",
    "message",
    "timing_of",
]
