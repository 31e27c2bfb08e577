"""The schema of a skops file: what the file would make, looked at before anything is made.

skops asks of each name whether it is trusted, not what is done with it: a file may ask for a list
whose class is any trusted name, and that name is called with what the file says. So each kind of
node is held to the names that skops itself writes there.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

from mlops_tasks.exceptions import UnsafeModelError
from mlops_tasks.registry.modelfiles.allowed import CLASSES, FUNCTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import IO

__all__ = ["Node", "check_nodes", "misuse", "read_nodes"]

# Of skops 0.16. An older one has other rules for the same kinds of node.
_PROTOCOL = 2
_PLAIN = {
    "BytearrayNode": {"builtins.bytearray"},
    "BytesNode": {"builtins.bytes"},
    "DTypeNode": {"numpy.dtype"},
    "DefaultDictNode": {"collections.defaultdict"},
    "DictNode": {"builtins.dict", "collections.OrderedDict", "sklearn.utils._bunch.Bunch"},
    "ListNode": {"builtins.list"},
    "MaskedArrayNode": {"numpy.ma.MaskedArray"},
    "PartialNode": {"functools.partial"},
    "RandomGeneratorNode": {"numpy.random._generator.Generator"},
    "RandomStateNode": {"numpy.random.mtrand.RandomState"},
    "SetNode": {"builtins.set"},
    "TreeNode": {"sklearn.tree._tree.Tree"},
    "TupleNode": {"builtins.tuple"},
}
_DATA = {"JsonNode", "SliceNode", "SparseMatrixNode"}  # name nothing that is made or called
_TRUSTED = {"LossNode", "ObjectNode", "FunctionNode"}  # by the lists of names
_HELD_TYPES = {
    "builtins.bool",
    "builtins.float",
    "builtins.int",
    "builtins.str",
    "collections.OrderedDict",
    "sklearn.model_selection._split.KFold",
    "sklearn.model_selection._split.StratifiedKFold",
}
_PARTIAL_OF = "sklearn.utils.validation.check_array"


@dataclass(frozen=True, slots=True)
class Node:
    """One object that a file would make.

    Attributes
    ----------
    loader : str
        How skops makes it.
    name : str
        Its class, or itself where it is a function or a class.
    owner, attribute : str
        Where it is: the innermost object with attributes around it, and which of them.
    state : dict
        All that the file says of it.
    """

    loader: str
    name: str
    owner: str
    attribute: str
    state: dict[str, Any]

    @property
    def where(self) -> str:
        """The place in words."""
        return f"{self.owner}.{self.attribute}" if self.attribute else self.owner or "the model"


def read_nodes(file: Path | IO[bytes]) -> list[Node]:
    """List everything that a skops file would make, outermost first."""
    with ZipFile(file) as archive:
        schema = json.loads(archive.read("schema.json"))
    if schema["protocol"] != _PROTOCOL:
        raise UnsafeModelError(
            f"it was saved with protocol {schema['protocol']!r:.20} of skops, only {_PROTOCOL} is "
            "loaded; train again with the skops that is installed"
        )
    return list(_walk(schema))


def check_nodes(nodes: list[Node]) -> None:
    """Refuse a file in which a name, trusted or not, is used for what skops never uses it for.

    Parameters
    ----------
    nodes : list of Node
        From `read_nodes`.

    Raises
    ------
    UnsafeModelError
        Naming the object and the place.
    """
    seen: dict[Any, tuple[str, str, bool]] = {}
    for node in nodes:
        if wrong := misuse(node):
            raise UnsafeModelError(f"{node.where} holds {node.name[:100]!r}, {wrong}")
        # An object that was met before is taken as it was then, whatever is written the next time.
        made = node.loader, node.name, _types_only(node.state)
        if "__id__" in node.state and seen.setdefault(node.state["__id__"], made) != made:
            raise UnsafeModelError(f"{node.where} holds two objects under one number")


def _walk(schema: dict[str, Any]) -> Iterator[Node]:
    waiting: list[tuple[Any, str, str]] = [(schema, "", "")]
    while waiting:
        state, owner, attribute = waiting.pop()
        if isinstance(state, list):
            waiting += [(inner, owner, attribute) for inner in reversed(state)]
            continue
        if not isinstance(state, dict):
            continue
        if "__loader__" not in state:
            waiting += [(inner, owner, attribute) for inner in reversed(state.values())]
            continue
        loader, name = str(state["__loader__"]), f"{state['__module__']}.{state['__class__']}"
        yield Node(loader, name, owner, attribute, state)
        if loader in {"ObjectNode", "TreeNode"}:
            owner, attribute = str(state["__class__"]), ""
        inner = [(value, owner, attribute) for value in state.values()]
        content = state.get("content")
        if loader == "DictNode" and isinstance(content, dict) and not attribute:
            inner = [(state.get("key_types"), owner, attribute)]
            inner += [(value, owner, str(key)) for key, value in content.items()]
        waiting += reversed(inner)


def misuse(node: Node) -> str:
    """Say what is wrong with a node: a name that is called there, or a kind that is not known."""
    loader, name = node.loader, node.name
    if loader in _PLAIN:
        if name not in _PLAIN[loader]:
            return "which is not what skops writes there"
        return _misused_inside(node)
    if loader == "NdArrayNode":
        return "" if name == "numpy.ndarray" or _is_number(name) else "which is no array or number"
    if loader == "TypeNode":
        held = name in _HELD_TYPES or _is_number(name)
        return "" if held else "a class: let it hold an instance instead"
    if loader not in _DATA | _TRUSTED:
        return f"which is made in a way ({loader[:40]}) that no allowed type needs"
    if loader == "ObjectNode" and name in FUNCTIONS:
        return "a function, as an object"
    if loader == "FunctionNode" and name in CLASSES:
        return "a class, as a function"
    return ""


def _misused_inside(node: Node) -> str:
    state = node.state
    if node.loader == "PartialNode":
        func = state["content"]["func"]
        return "" if _is(func, "FunctionNode", {_PARTIAL_OF}) else "which may call anything"
    if node.loader == "DefaultDictNode":
        factory = state["content"]["default_factory"]
        plain = factory["__loader__"] in {"TypeNode", "JsonNode"}
        return "" if plain else "whose missing values are made by a function"
    if node.loader == "DictNode":
        keys = state["key_types"]
        return "" if _types_only(keys) else "whose keys are made by something else than types"
    return ""


def _types_only(state: dict[str, Any]) -> bool:
    """Whether this is a list of nothing but types: the types of a dictionary's keys."""
    return state["__loader__"] == "ListNode" and all(
        one["__loader__"] == "TypeNode" for one in state["content"]
    )


def _is(state: dict[str, Any], loader: str, names: set[str]) -> bool:
    return state["__loader__"] == loader and f"{state['__module__']}.{state['__class__']}" in names


def _is_number(name: str) -> bool:
    import numpy as np

    module, _, kind = name.rpartition(".")
    made = getattr(np, kind, None) if module == "numpy" else None
    return isinstance(made, type) and issubclass(made, np.generic) and made is not np.object_
