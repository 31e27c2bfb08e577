"""What a saved model says it needs: MLflow would spend seconds in a subprocess to guess it."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["requirements"]


def requirements(files: Iterable[Path]) -> list[str]:
    """Return the libraries that a model needs, at their exact versions, by the files beside it."""
    boosters = {path.name.split("-")[0] for path in files} & {"lightgbm", "xgboost"}
    names = ["scikit-learn", "skops", *sorted(boosters)]
    return [f"{name}=={_installed(name)}" for name in names]


def _installed(name: str) -> str:
    """Return the version of a library; that of xgboost comes under two names."""
    try:
        return installed(name)
    except PackageNotFoundError:
        return installed(f"{name}-cpu")
