"""Import paths of 0.1: they work until 0.3, with a warning that names the new one."""

from __future__ import annotations

import importlib
import sys
import warnings
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from operator import attrgetter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import ModuleType

__all__ = ["MOVED", "MOVED_NAMES", "moved_name", "serve_old_paths"]

#: By old module, where its names are now.
MOVED: dict[str, tuple[str, ...]] = {
    "atomic_files": ("storage",),
    "classes": ("problem_types.binary.classes",),
    "clock_times": ("partitions",),
    "contract": ("specs.schema", "validation.contract", "validation.duplicates"),
    "digest": ("lake.digest",),
    "drift.domain": ("drift.domain_classifier",),
    "drift.movement": ("drift.day_effects", "drift.baseline"),
    "estimators": ("problem_types.estimator",),
    "evaluation": (
        "steps.evaluate",
        "gate",
        "problem_types.binary.metrics",
        "problem_types.importance",
    ),
    "history_spec": ("specs.history",),
    "ingestion": ("steps.ingest",),
    "intervals": ("problem_types.binary.intervals", "problem_types.binary.metrics"),
    "ledger": ("registry.ledger",),
    "modelfiles": ("registry.modelfiles",),
    "parity": ("features.parity",),
    "profile_store": ("profiles.store", "profiles.archive"),
    "registration": ("steps.register", "steps.promote", "steps.adopt", "registry.champions"),
    "scoring": ("steps.score", "features.categories"),
    "source_spec": ("specs.source",),
    "spec": ("specs", "names", "partitions"),
    "suggestion": ("validation.suggestion",),
    "tracking": ("registry.tracking",),
    "training": ("steps.train",),
    "types": (
        "lake.pins",
        "validation.check_outcomes",
        "validation.row_changes",
        "steps.validate",
        "registry.versions",
        "gate.verdict",
        "monitoring.results",
        "steps.ingest",
        "steps.score",
        "steps.decide",
    ),
    "windows": ("features.windows", "steps.pin"),
}

#: By package or old module and old name in it, the module that has it now, and behind a colon what
#: it is there, if not the same.
MOVED_NAMES: dict[str, dict[str, str]] = {
    "mlops_tasks.contract": {
        "duplicate_breaches": "mlops_tasks.validation.contract:duplicate_violations"
    },
    "mlops_tasks.evaluation": {"judge": "mlops_tasks.gate.scores:judge_scores"},
    "mlops_tasks.lake": {
        "as_of_night": "mlops_tasks.lake.known_at:known_by_schedule",
        "check_partition": "mlops_tasks.partitions",
    },
    "mlops_tasks.monitoring": {
        "Outcomes": "mlops_tasks.monitoring.labelled_predictions:LabelledPredictions",
        "measure_drift": "mlops_tasks.steps.monitor",
        "measure_labels": "mlops_tasks.steps.monitor",
        "measure_performance": "mlops_tasks.steps.monitor",
        "read_outcomes": "mlops_tasks.monitoring.labelled_predictions:read_labelled_predictions",
        "tell_apart": "mlops_tasks.monitoring.labels:interpret",
    },
    "mlops_tasks.policy": {
        "decide": "mlops_tasks.steps.decide",
        "note_on": "mlops_tasks.steps.decide",
    },
    "mlops_tasks.source_spec": {"Source": "mlops_tasks.specs.source:SourceSpec"},
    "mlops_tasks.sources": {
        "Day": "mlops_tasks.partitions:Partition",
        "SourceConnection": "mlops_tasks.sources.source:Source",
        "reading_ahead": "mlops_tasks.sources.prefetch:prefetch",
    },
    "mlops_tasks.validation": {
        "Readmission": "mlops_tasks.steps.validate",
        "readmit": "mlops_tasks.steps.validate",
        "validate": "mlops_tasks.steps.validate",
        "validation_evidence": "mlops_tasks.steps.validate:ValidationResult.evidence",
    },
}


class _MovedLoader(Loader):
    """Fill a module of an old name with what stands at the new places."""

    def __init__(self, homes: Sequence[str]) -> None:
        self.homes = homes

    def exec_module(self, module: ModuleType) -> None:
        homes = self.homes
        _warn(module.__name__, " and ".join(homes) if len(homes) < 4 else "the module of its step")
        for home in homes:
            found = importlib.import_module(home)
            vars(module).update({name: getattr(found, name) for name in found.__all__})
        for name in MOVED_NAMES.get(module.__name__, {}):
            vars(module)[name] = _found(module.__name__, name)


class _MovedFinder(MetaPathFinder):
    """Find the modules of a package that have moved; of others it knows nothing."""

    def __init__(self, package: str, moved: Mapping[str, Sequence[str]]) -> None:
        self.package, self.moved = package, moved

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        package, _, module = fullname.partition(".")
        if package != self.package or module not in self.moved:
            return None
        homes = [f"{package}.{home}" for home in self.moved[module]]
        return ModuleSpec(fullname, _MovedLoader(homes))


def serve_old_paths(
    package: str = "mlops_tasks", moved: Mapping[str, Sequence[str]] = MOVED
) -> None:
    """Let the old import paths be found, from now on and in this process.

    Parameters
    ----------
    package : str
        The package whose modules have moved.
    moved : Mapping of str to Sequence of str
        By old module, where its names are now; both within the package.
    """
    served = [finder.package for finder in sys.meta_path if isinstance(finder, _MovedFinder)]
    if package not in served:
        # First: a folder of old bytecode, as an upgrade leaves it, would pass for a package.
        sys.meta_path.insert(0, _MovedFinder(package, moved))


def moved_name(package: str, name: str) -> object:
    """Return what a package used to have under a name.

    Parameters
    ----------
    package, name : str
        The package's full name, and the name that it lacks.

    Returns
    -------
    object
        What has the name at its new place.

    Raises
    ------
    AttributeError
        If there never was such a name.
    """
    if name not in MOVED_NAMES[package]:
        raise AttributeError(f"module {package!r} has no attribute {name!r}")
    home, _, there = MOVED_NAMES[package][name].partition(":")
    _warn(f"{package}.{name}", f"{home}.{there or name}")
    return _found(package, name)


def _found(package: str, name: str) -> object:
    home, _, there = MOVED_NAMES[package][name].partition(":")
    found: object = attrgetter(there or name)(importlib.import_module(home))
    return found


def _warn(old: str, new: str) -> None:
    warnings.warn(f"{old} is now {new}; the old path goes in 0.3", DeprecationWarning, stacklevel=3)
