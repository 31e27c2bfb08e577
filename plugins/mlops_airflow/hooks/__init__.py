"""Hooks: Airflow connections become the clients that the steps work with."""
