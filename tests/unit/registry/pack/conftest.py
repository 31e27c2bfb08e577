"""A key and a signed pack, made once: no test changes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mlops_tasks.registry.pack import SigningKey
from tests.unit.packs import sample_pack

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> SigningKey:
    return SigningKey.at(tmp_path_factory.mktemp("keys") / "evidence_key.pem")


@pytest.fixture(scope="session")
def other_key(tmp_path_factory: pytest.TempPathFactory) -> SigningKey:
    return SigningKey.at(tmp_path_factory.mktemp("others") / "evidence_key.pem")


@pytest.fixture(scope="session")
def _packed(key: SigningKey) -> dict[str, bytes]:
    return sample_pack(key)


@pytest.fixture
def files(_packed: dict[str, bytes]) -> dict[str, bytes]:
    """The files of the pack, this test's own to change."""
    return dict(_packed)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where this test's pack goes."""
    return tmp_path / "pack.zip"
