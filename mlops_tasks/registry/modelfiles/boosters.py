"""Boosters of xgboost and lightgbm: each a file of its own, in the library's format of plain text.

The estimator itself, and the pipeline around it, stay in the skops file; in the place of its
booster it holds the number of that file.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mlops_tasks.exceptions import UnsafeModelError
from mlops_tasks.registry.modelfiles.booster_text import check_lightgbm, check_xgboost
from mlops_tasks.registry.modelfiles.parts import parts_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["attach_boosters", "check_booster_files", "detached_boosters", "write_boosters"]

_HOLDERS = {"xgboost": "XGBModel", "lightgbm": "LGBMModel"}
_SUFFIXES = {"xgboost": "json", "lightgbm": "txt"}
_CHECKS = {"xgboost": check_xgboost, "lightgbm": check_lightgbm}


@contextmanager
def detached_boosters(model: Any) -> Iterator[None]:
    """Take the boosters out of a model inside the block, where it can be dumped."""
    taken = [(holder, holder._Booster) for holder, _ in _fitted(model)]
    try:
        for number, (holder, _) in enumerate(taken):
            holder._Booster = number
        yield
    finally:
        for holder, booster in taken:
            holder._Booster = booster


def write_boosters(model: Any, folder: Path) -> list[Path]:
    """Write each booster of a fitted model to a file."""
    files = []
    for number, (holder, library) in enumerate(_fitted(model)):
        path = folder / _file_name(library, number)
        path.write_bytes(_text(library, holder._Booster))
        files.append(path)
    return files


def attach_boosters(model: Any, folder: Path) -> None:
    """Give a loaded model its boosters back."""
    for holder, library in _holders(model):
        number = vars(holder).get("_Booster")
        if number is None:
            continue
        holder._Booster = _booster(library, (folder / _file_name(library, number)).read_bytes())


def check_booster_files(model: Any, folder: Path) -> None:
    """Refuse boosters that point outside of themselves, before their libraries read them."""
    for holder, library in _holders(model):
        number = vars(holder).get("_Booster")
        if number is None:  # one that was never fitted: the pattern of a search, say
            continue
        path = folder / _file_name(library, number if type(number) is int else 0)
        if type(number) is not int or not path.is_file():
            raise UnsafeModelError(f"the booster of a {type(holder).__name__} is no file beside it")
        if wrong := _CHECKS[library](path.read_bytes()):
            raise UnsafeModelError(f"{path.name} is not what {library} writes: {wrong}")


def _holders(model: Any) -> Iterator[tuple[Any, str]]:
    """Yield each estimator of these libraries, in the order in which a model holds them."""
    for part in parts_of(model):
        for base in type(part).__mro__:
            library = base.__module__.split(".")[0]
            if _HOLDERS.get(library) == base.__name__:
                yield part, library


def _fitted(model: Any) -> list[tuple[Any, str]]:
    return [
        (holder, library)
        for holder, library in _holders(model)
        if vars(holder).get("_Booster") is not None
    ]


def _file_name(library: str, number: int) -> str:
    return f"{library}-{number}.{_SUFFIXES[library]}"


def _text(library: str, booster: Any) -> bytes:
    if library == "xgboost":
        return bytes(booster.save_raw("json"))
    return str(booster.model_to_string()).encode()


def _booster(library: str, text: bytes) -> Any:
    if library == "xgboost":
        import xgboost

        booster = xgboost.Booster()
        booster.load_model(bytearray(text))
        return booster
    import lightgbm

    return lightgbm.Booster(model_str=text.decode())
