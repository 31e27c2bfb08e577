"""What a model says of itself: read, never believed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from mlops_tasks.exceptions import UnsafeModelError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["WEIGHTS", "check_description"]

WEIGHTS = "model.skops"
_FLAVORS = {"sklearn", "python_function"}
_MOST_BYTES, _DEEPEST = 4 * 2**20, 100
_LOG_IT = "log the model with mlops_tasks.registry.tracking, which saves plain skops files"


def check_description(path: Path) -> list[dict[str, Any]]:
    """Return the columns that a model takes; refuse one that asks for other code or formats."""
    try:
        raw = _read(path)
        flavors: dict[str, Any] = dict(raw["flavors"])
        sklearn, pyfunc = (dict(flavors.get(name, {})) for name in ("sklearn", "python_function"))
        inputs = json.loads((raw.get("signature") or {}).get("inputs") or "[]")
    except Exception as error:  # whatever a parser makes of a crafted file
        raise UnsafeModelError(f"{path.name} describes no model: {error!r}; {_LOG_IT}") from error
    wrong = [
        name
        for name, bad in (
            ("flavors", not set(flavors) <= _FLAVORS),
            ("loader_module", pyfunc.get("loader_module") != "mlflow.sklearn"),
            ("code", bool(sklearn.get("code") or pyfunc.get("code"))),
            ("serialization_format", sklearn.get("serialization_format") != "skops"),
            ("pickled_model", sklearn.get("pickled_model") != WEIGHTS),
        )
        if bad
    ]
    if wrong:
        raise UnsafeModelError(
            f"{path.name} asks for something that is never loaded: {', '.join(wrong)}; {_LOG_IT}"
        )
    return [one for one in inputs if isinstance(one, dict)] if isinstance(inputs, list) else []


def _read(path: Path) -> Any:
    import yaml

    if path.stat().st_size > _MOST_BYTES:
        raise ValueError(f"larger than {_MOST_BYTES // 2**20} MiB")
    text, depth = path.read_text(), 0
    # In C where it was built, as in every wheel: ten times faster.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for token in yaml.scan(text, loader):
        # A few lines of them stand for gigabytes; no description that MLflow writes has any.
        if isinstance(token, yaml.AliasToken):
            raise ValueError("it has an alias")
        kind = type(token).__name__
        depth += kind.endswith("StartToken") - kind.endswith("EndToken")
        if depth > _DEEPEST:  # the scanner takes the square of it
            raise ValueError(f"it is nested more than {_DEEPEST} deep")
    return yaml.load(text, loader)  # noqa: S506 (it is a safe one)
