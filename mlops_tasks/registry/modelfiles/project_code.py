"""Classes and functions of the deployed project in a model, whose code is never in a file."""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.util
import json
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_tasks.exceptions import UnsafeModelError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = [
    "CODE",
    "changed_code",
    "check_deployed",
    "digest_code",
    "project_folder",
    "read_code",
    "resolve",
    "write_code",
]

CODE = "project_code.json"
_MOST_BYTES = 2**20
_LIBRARIES = tuple(
    Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "purelib", "platlib")
)


def project_folder(package: str) -> Path | None:
    """Return the folder from which a project's package is imported; None for a library."""
    if not package.isidentifier() or package in sys.stdlib_module_names:
        return None
    try:
        found = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        return None
    places = [*(found.submodule_search_locations or ())] if found else []
    if not places and found and found.origin:
        places = [found.origin]
    if not places:
        return None
    folder = Path(places[0]).resolve().parent
    inside = any(folder.is_relative_to(library) for library in _LIBRARIES)
    return None if inside or package in {"mlops_tasks", "mlops_airflow"} else folder


def check_deployed(names: Iterable[str]) -> None:
    """Refuse names of libraries: only classes and functions of a deployed project are imported.

    Raises
    ------
    UnsafeModelError
        Naming the first.
    """
    for name in sorted(names):
        if "." not in name or project_folder(name.split(".")[0]) is None:
            raise UnsafeModelError(
                f"it uses {name[:100]!r}, which is no class or function of a deployed project: a "
                "library, or a project that is not importable here. Deploy it, or train again"
            )


def resolve(name: str) -> Any:
    """Import a class or function of the project by its name."""
    module, _, attribute = name.rpartition(".")
    try:
        return getattr(importlib.import_module(module), attribute)
    except Exception as error:  # a module may fail with anything when it is imported
        raise UnsafeModelError(
            f"it uses {name!r}, which the deployed project no longer has: {error!r}. Put it back, "
            "roll back, or train again"
        ) from error


def digest_code(name: str) -> str:
    """Return the SHA-256 of the source that decides what a class or function of a project does.

    That is its module, the modules of the same package which that imports, and theirs; not the
    libraries.
    """
    module = name.rpartition(".")[0]
    package = module.split(".")[0]
    sources: dict[str, bytes] = {}
    waiting = [module]
    while waiting:
        one = waiting.pop()
        source = _source(one)
        if one in sources or source is None:
            continue
        sources[one] = source
        waiting += [found for found in _imports(one, source) if found.split(".")[0] == package]
        waiting += [one.rpartition(".")[0]] if "." in one else []
    if module not in sources:
        raise UnsafeModelError(f"it uses {name!r}, whose source is not there to be recorded")
    lines = [f"{hashlib.sha256(sources[one]).hexdigest()} {one}" for one in sorted(sources)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def changed_code(recorded: Mapping[str, str]) -> list[str]:
    """Return the names whose source is not what it was when the model was saved."""
    return [name for name, digest in recorded.items() if digest_code(name) != digest]


def write_code(names: Iterable[str], folder: Path) -> Path:
    """Record the digests of the project's code that a model uses."""
    path = folder / CODE
    path.write_text(json.dumps({name: digest_code(name) for name in sorted(names)}, indent=2))
    return path


def read_code(folder: Path) -> dict[str, str]:
    """Read what a model says it uses of its project: to be held against its spec, not believed."""
    path = folder / CODE
    if not path.exists():
        return {}
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError("too large")
        recorded = json.loads(path.read_text())
        plain = isinstance(recorded, dict) and all(
            isinstance(digest, str) and all(part.isidentifier() for part in name.split("."))
            for name, digest in recorded.items()
        )
        if not plain:
            raise ValueError("no names with digests")
    except (ValueError, RecursionError) as error:
        raise UnsafeModelError(f"{CODE} is not what training writes: {error!r:.200}") from error
    return dict(recorded)


def _source(module: str) -> bytes | None:
    try:
        found = importlib.util.find_spec(module)
    except (ImportError, ValueError, AttributeError):
        return None
    path = Path(found.origin) if found and found.origin else None
    return path.read_bytes() if path and path.suffix == ".py" and path.is_file() else None


def _imports(module: str, source: bytes) -> Iterator[str]:
    """Yield each module that a source may import; a name that is none is not found later."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                found = importlib.util.find_spec(module)
                inside = found is not None and found.submodule_search_locations is not None
                parts = module.split(".")
                parts = parts[: len(parts) - node.level + inside]
                base = ".".join([*parts, *([node.module] if node.module else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)
