"""From datasets to predictions: what a version was made from, and what it makes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_tasks.reports import page_template

if TYPE_CHECKING:
    from mlops_tasks.lake import Pin, TrainingPin
    from mlops_tasks.registry.versions import RegisteredVersion

__all__ = ["draw", "lineage", "picture"]

_TEMPLATE = Path(__file__).with_name("lineage.svg.j2")
_KINDS = ("dataset", "pin", "run", "version", "predictions")
_BOX, _GAP, _LINE = (188, 52), (30, 14), 26


def lineage(
    version: RegisteredVersion, pin: TrainingPin | None, *, table: str, n_monitored: int
) -> dict[str, Any]:
    """Return the graph: nodes by kind, and edges in the direction of the data.

    Parameters
    ----------
    version : RegisteredVersion
        The version.
    pin : TrainingPin or None
        What it was trained on, where that is known.
    table : str
        Where its predictions go.
    n_monitored : int
        Partitions of them that were monitored by then.
    """
    run, made = f"run:{version.run_id}", f"version:{version.name}/{version.version}"
    nodes = [
        _node(run, "run", "training run", f"{version.run_id[:12]}"),
        _node(made, "version", f"{version.name}", f"version {version.version}"),
        _node(f"table:{table}", "predictions", table, f"{n_monitored} partitions monitored"),
    ]
    edges = [(run, made), (made, f"table:{table}")]
    for one in dict.fromkeys(pin.pins) if pin else ():
        source, pinned = f"dataset:{one.table}", f"pin:{one.digest}"
        nodes += [
            _node(source, "dataset", one.table, "labels" if pin and one is pin.labels else "input"),
            _node(pinned, "pin", f"{one.first} to {one.last}", _pinned(one)),
        ]
        edges += [(source, pinned), (pinned, run)]
    nodes.sort(key=lambda node: _KINDS.index(node["kind"]))
    return {"nodes": nodes, "edges": [{"from": a, "to": b} for a, b in sorted(edges)]}


def _node(name: str, kind: str, label: str, detail: str) -> dict[str, str]:
    return {"id": name, "kind": kind, "label": label, "detail": detail}


def _pinned(pin: Pin) -> str:
    return f"v{pin.version}, {pin.n_rows:,} rows, {pin.digest[:8]}"


def draw(graph: dict[str, Any]) -> dict[str, Any]:
    """Return where the boxes and arrows of a graph are: a column for each kind."""
    columns = {kind: [n for n in graph["nodes"] if n["kind"] == kind] for kind in _KINDS}
    tallest = max(len(nodes) for nodes in columns.values())
    height = tallest * (_BOX[1] + _GAP[1]) - _GAP[1]
    boxes: dict[str, dict[str, Any]] = {}
    for number, nodes in enumerate(columns.values()):
        used = len(nodes) * (_BOX[1] + _GAP[1]) - _GAP[1]
        for row, node in enumerate(nodes):
            x = number * (_BOX[0] + _GAP[0])
            y = (height - used) / 2 + row * (_BOX[1] + _GAP[1]) + _LINE
            boxes[node["id"]] = node | {"x": x, "y": round(y, 1)}
    ends = [(boxes[edge["from"]], boxes[edge["to"]]) for edge in graph["edges"]]
    heads = [number * (_BOX[0] + _GAP[0]) for number in range(len(_KINDS))]
    return {
        "width": heads[-1] + _BOX[0],
        "height": height + _LINE,
        "box": _BOX,
        "heads": list(zip(heads, ("dataset", "pinned rows", *_KINDS[2:]), strict=True)),
        "boxes": list(boxes.values()),
        "arrows": [_arrow(before, after) for before, after in ends],
    }


def _arrow(before: dict[str, Any], after: dict[str, Any]) -> str:
    x, y = before["x"] + _BOX[0], before["y"] + _BOX[1] / 2
    end, to = after["x"], after["y"] + _BOX[1] / 2
    middle = (x + end) / 2
    return f"M{x},{y} C{middle},{y} {middle},{to} {end},{to}"


def picture(graph: dict[str, Any]) -> str:
    """Return the graph as a picture of its own, in SVG."""
    return page_template(_TEMPLATE).render(drawing=draw(graph), alone=True)
