"""Listeners: what this package does when something happens inside Airflow."""
