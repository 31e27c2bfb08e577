"""The airline of the demo: it keeps the source database and drives Airflow, night after night."""
