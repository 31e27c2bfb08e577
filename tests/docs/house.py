"""Draw the house, docs/pictures/house.svg, from the imports: ``python -m tests.docs.house``.

A room is a package; modules that stand alone are one room together. Arrows go from a room to those
that it imports, less the ones that longer ways show already.
"""

from __future__ import annotations

import ast
import sys
import textwrap
from collections import defaultdict
from graphlib import TopologicalSorter
from html import escape
from pathlib import Path

import grimp

from tests.quality.discovery import ROOT, module_files, tree

PICTURE = ROOT / "docs" / "pictures" / "house.svg"
GROUND, PLUGIN_GROUND, DOORS = "ground", "mlops_airflow.ground", "mlops_airflow.doors"
#: Rooms without a folder: what they are called, and what is in them.
_SHOWN = {
    GROUND: ("single modules", "errors, calendar, storage, time limits, outages"),
    PLUGIN_GROUND: ("single modules", "assets, projects, summary of a task, links"),
    DOORS: ("lifecycle, cli, plugin", "from a spec to Dags; where Airflow and people enter"),
}

Graph = dict[str, set[str]]

_WIDTH, _ROOM_WIDTH, _ROOM_HEIGHT, _GAP, _STOREY = 1120, 168, 84, 16, 132
_LETTERS, _LINES = 24, 3
_STYLE = """
    .plugin { fill: #fff6e5; stroke: #b7791f; stroke-width: 1.5 }
    .tasks { fill: #eef4fb; stroke: #4a6fa5; stroke-width: 1.5 }
    .arrow { fill: none; stroke: #8a94a3; stroke-width: 1.2; marker-end: url(#head) }
    .name { fill: #111; font-weight: 600 }
    .small { fill: #444; font-size: 12px }
    @media (prefers-color-scheme: dark) {
      .plugin { fill: #3a2c10; stroke: #e0a93f }
      .tasks { fill: #16263a; stroke: #7ea6dc }
      .arrow { stroke: #7d8794 }
      .name { fill: #fff }
      .small { fill: #ccc }
    }
"""


def rooms_of(modules: grimp.ImportGraph) -> dict[str, str]:
    """Return the room of each module: its package, or for one that stands alone, the ground.

    In the plugin those that stand alone are the ground of its rooms if a room imports them, and
    doors into it if none does.
    """
    packages = {name for name, file in _files().items() if file.name == "__init__.py"}
    rooms = {}
    for module in modules.modules - {"mlops_tasks"}:
        home = ".".join(module.split(".")[:2])
        rooms[module] = home if home in packages and home != "mlops_airflow" else GROUND
    for module in [m for m, room in rooms.items() if room == GROUND and m.startswith("mlops_air")]:
        users = {rooms[one] for one in modules.find_modules_that_directly_import(module)}
        rooms[module] = PLUGIN_GROUND if users - {GROUND, PLUGIN_GROUND, DOORS} else DOORS
    return rooms


def imports() -> Graph:
    """Return for each room the rooms that it imports, also for types only."""
    modules = grimp.build_graph("mlops_tasks", "mlops_airflow", exclude_type_checking_imports=False)
    rooms = rooms_of(modules)
    graph: Graph = defaultdict(set)
    for module, here in rooms.items():
        there = {rooms[m] for m in modules.find_modules_directly_imported_by(module) if m in rooms}
        graph[here] |= there - {here}
    return dict(graph)


def reduced(graph: Graph) -> Graph:
    """Leave out each arrow that a longer way shows already."""
    below = {room: _reach(graph, room) for room in graph}
    return {
        room: {one for one in there if not any(one in below[other] for other in there - {one})}
        for room, there in graph.items()
    }


def storeys(graph: Graph) -> list[list[str]]:
    """Put each room as low as its imports allow; the first storey is the roof."""
    height: dict[str, int] = {}
    for room in TopologicalSorter(graph).static_order():
        height[room] = 1 + max((height[one] for one in graph.get(room, ())), default=-1)
    levels = range(max(height.values()), -1, -1)
    return [sorted(room for room in height if height[room] == level) for level in levels]


def picture() -> str:
    """Return the picture."""
    graph = reduced(imports())
    rows = storeys(graph)
    place: dict[str, tuple[float, float, float]] = {}
    boxes = []
    for level, row in enumerate(rows):
        width = min(_ROOM_WIDTH, (_WIDTH - _GAP) / len(row) - _GAP)
        left = (_WIDTH - len(row) * width - _GAP * (len(row) - 1)) / 2
        for number, room in enumerate(row):
            x, y = left + number * (width + _GAP), 20.0 + level * _STOREY
            place[room] = (x, y, width)
            boxes.append(_box(room, x, y, width))
    arrows = [
        _arrow(place[room], place[one]) for room in sorted(graph) for one in sorted(graph[room])
    ]
    height = 20 + (len(rows) - 1) * _STOREY + _ROOM_HEIGHT + 20
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" '
            'aria-labelledby="title desc" font-family="system-ui, sans-serif" font-size="14">',
            '  <title id="title">The house</title>',
            '  <desc id="desc">Rooms of the code from the plugin above to the ground below; arrows '
            "go from a room to those that it imports.</desc>",
            f"  <style>{_STYLE}  </style>",
            '  <defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="6" '
            'markerHeight="6" orient="auto"><path d="M0 0 10 5 0 10z" fill="#8a94a3"/></marker>'
            "</defs>",
            *arrows,
            *boxes,
            "</svg>",
            "",
        ]
    )


def _reach(graph: Graph, room: str) -> set[str]:
    """Return every room below, without the room itself."""
    found: set[str] = set()
    todo = list(graph.get(room, ()))
    while todo:
        one = todo.pop()
        if one not in found:
            found.add(one)
            todo += graph.get(one, ())
    return found


def _files() -> dict[str, Path]:
    return module_files("mlops_tasks", "mlops_airflow")


def _box(room: str, x: float, y: float, width: float) -> str:
    kind = "plugin" if room.startswith("mlops_airflow") else "tasks"
    title = _SHOWN[room][0] if room in _SHOWN else room.partition(".")[2] + "/"
    lines = textwrap.wrap(_about(room), _LETTERS, max_lines=_LINES, placeholder=" …")
    middle = f'x="{x + width / 2:.0f}" text-anchor="middle"'
    small = "".join(
        f'<text class="small" {middle} y="{y + 38 + 15 * number:.0f}">{escape(line)}</text>'
        for number, line in enumerate(lines)
    )
    return (
        f'  <g><rect class="{kind}" x="{x:.0f}" y="{y:.0f}" width="{width:.0f}" '
        f'height="{_ROOM_HEIGHT}" rx="8"/>'
        f'<text class="name" {middle} y="{y + 20:.0f}">{escape(title)}</text>{small}</g>'
    )


def _about(room: str) -> str:
    """Return what a package says of itself in the first line of its docstring."""
    if room in _SHOWN:
        return _SHOWN[room][1]
    first = (ast.get_docstring(tree(_files()[room])) or "").split("\n\n")[0]
    return " ".join(first.partition(": ")[2].split() or first.split()).rstrip(".").replace("``", "")


def _arrow(above: tuple[float, float, float], below: tuple[float, float, float]) -> str:
    x1, y1 = above[0] + above[2] / 2, above[1] + _ROOM_HEIGHT
    x2, y2 = below[0] + below[2] / 2, below[1]
    bend = (y2 - y1) / 2
    return (
        f'  <path class="arrow" d="M{x1:.0f} {y1:.0f} C{x1:.0f} {y1 + bend:.0f} '
        f'{x2:.0f} {y2 - bend:.0f} {x2:.0f} {y2 - 2:.0f}"/>'
    )


def main() -> int:
    """Write the picture."""
    Path(PICTURE).write_text(picture(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
