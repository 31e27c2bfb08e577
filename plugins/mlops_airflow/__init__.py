"""The MLOps loop for Apache Airflow: operators, hooks, Dags from specs, and a local stack."""
