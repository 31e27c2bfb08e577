"""Import paths of 0.1: they work until 0.3, with a warning that names the new one."""

__all__ = ["MOVED"]

#: By old module, where its names are now: operators are named for their step.
MOVED: dict[str, tuple[str, ...]] = {
    "operators.decision": ("operators.decide",),
    "operators.evaluation": ("operators.evaluate",),
    "operators.ingestion": ("operators.ingest",),
    "operators.monitoring": ("operators.monitor",),
    "operators.registration": ("operators.register", "operators.promote"),
    "operators.scoring": ("operators.score",),
    "operators.training": ("operators.pin", "operators.train"),
    "operators.validation": ("operators.validate",),
}
