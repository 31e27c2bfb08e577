"""What of an Airflow is right for the loop, what is not, and how to set it."""

from mlops_airflow.doctor.examination import examine
from mlops_airflow.doctor.finding import Answer, Finding, worst

__all__ = ["Answer", "Finding", "examine", "worst"]
