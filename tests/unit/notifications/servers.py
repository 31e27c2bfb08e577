"""A mail server and a webhook on loopback, which keep what they are sent."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import threading
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from html import unescape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import EmailMessage


@dataclass
class MailServer:
    """What came in; ``refuse`` makes it answer that it is busy."""

    port: int
    mails: list[EmailMessage] = field(default_factory=list)
    refuse: bool = False

    @property
    def connection(self) -> dict[str, Any]:
        """As Airflow knows it."""
        extra = {
            "from_email": "mlops@example.com",
            "to_email": "ops@example.com",
            "disable_ssl": True,
            "disable_tls": True,
        }
        return {"conn_type": "smtp", "host": "127.0.0.1", "port": self.port, "extra": extra}

    def texts(self) -> list[str]:
        """What people read, mail by mail."""
        found = [mail.get_body(("html",)) for mail in self.mails]
        whole = [body.get_content() for body in found if body is not None]
        return [unescape(re.sub(r"</?pre[^>]*>", "", text)).strip() for text in whole]


@contextlib.contextmanager
def mail_server() -> Iterator[MailServer]:
    """Run a real SMTP server while a test runs."""
    from aiosmtpd.controller import Controller

    server = MailServer(free_port())

    class Handler:
        async def handle_DATA(self, _: Any, __: Any, envelope: Any) -> str:
            if server.refuse:
                return "451 4.3.0 try again later"
            mail = message_from_bytes(envelope.content, policy=policy.default)
            mail["X-To"] = ", ".join(envelope.rcpt_tos)
            server.mails.append(mail)  # type: ignore[arg-type]
            return "250 OK"

    controller = Controller(Handler(), hostname="127.0.0.1", port=server.port)
    controller.start()
    try:
        yield server
    finally:
        controller.stop()


@dataclass
class Webhook:
    """What was posted; ``status`` is the answer."""

    port: int = 0
    posts: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    status: int = 200

    @property
    def connection(self) -> dict[str, Any]:
        """As Airflow knows it: the secret part of the address is the password."""
        extra = {"headers": {"X-Team": "ops"}}
        host = "127.0.0.1/services"
        found = {"conn_type": "http", "host": host, "port": self.port, "password": "T0/K3N"}
        return found | {"extra": extra}


@contextlib.contextmanager
def webhook() -> Iterator[Webhook]:
    """Run a real HTTP server while a test runs."""
    found = Webhook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.posts.append((self.path, json.loads(body)))
            self.send_response(found.status)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
