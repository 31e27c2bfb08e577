"""The embedded stack: Airflow and MLflow on one machine, without a container or a database."""
