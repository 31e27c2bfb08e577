"""Where models are kept: MLflow, safe model files, and the ledger."""

__all__: list[str] = []
