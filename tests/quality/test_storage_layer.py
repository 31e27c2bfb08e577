"""One module syncs, links and removes what is stored; scratch folders are not stored."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.quality.discovery import module_files, tree

CALLS = {"fsync", "fdatasync", "hardlink_to", "link", "symlink_to", "unlink", "rmtree"}
ELSEWHERE = {"mlops_tasks.storage", "mlops_tasks.scratch", "mlops_tasks.guard"}
FILES = {name: path for name, path in module_files("mlops_tasks").items() if name not in ELSEWHERE}


@pytest.mark.parametrize("path", FILES.values(), ids=FILES.keys())
def test_only_the_storage_layer_touches_disks_and_links(path: Path) -> None:
    called = {
        node.func.attr: node.lineno
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    assert not called.keys() & CALLS, f"use mlops_tasks.storage: {called}"
