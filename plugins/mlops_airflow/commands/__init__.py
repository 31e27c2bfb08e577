"""Commands below ``mlops``, one module each; they work with the same connections as the Dags."""
