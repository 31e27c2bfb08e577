"""Real servers on loopback, as fixtures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.notifications import servers

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def mails() -> Iterator[servers.MailServer]:
    with servers.mail_server() as server:
        yield server


@pytest.fixture
def hook() -> Iterator[servers.Webhook]:
    with servers.webhook() as server:
        yield server
