"""A whole platform in one process for tests of the console: send, load, look."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from eventlogging import clock
from eventlogging.config import Config
from eventlogging.console.app import create_app
from eventlogging.intake.accept import Accepted, Intake
from eventlogging.intake.context import Context
from eventlogging.loader.loader import Loader
from eventlogging.log.writer import LogWriter
from eventlogging.platform import open_platform
from eventlogging.registry.sign_in_links import create_link
from eventlogging.store.migrate import migrate

ADMIN = "let-me-in"
TOKEN = {"Authorization": f"Bearer {ADMIN}"}
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
CLICK: dict[str, Any] = {
    "type": "object",
    "required": ["target"],
    "properties": {
        "target": {"type": "string", "maxLength": 40, "description": "What was clicked."},
        "count": {"type": "integer"},
        "at": {"type": "object", "properties": {"x": {"type": "number"}}},
    },
}


class House:
    """The platform, and a browser that looks at it."""

    def __init__(self, url: str, var: Path, **settings: Any) -> None:
        self.config = Config(var=var, database_url=url, admin_token=ADMIN, **settings)
        self.platform = open_platform(self.config)
        migrate(self.platform.database)
        self.app = create_app(self.platform)
        self.client = self.app.test_client()
        self._intake = Intake(self.config, self.platform.privacy_key)
        self._writer = LogWriter(
            self.platform.log_folder, segment_bytes=10**7, queue_bytes=10**8
        )  # fmt: skip
        self._loader = Loader(
            self.platform.database, self.platform.registry, self.platform.log_folder
        )

    def publish(self, name: str = "Click", schema: Any = CLICK, **more: Any) -> None:
        body = {"schema": schema, "title": name, "owners": ["owner@example.org"], **more}
        made = self.client.post(f"/v1/schemas/{name}?publish=true", json=body, headers=TOKEN)
        assert made.status_code == 201, made.text

    def accept(
        self, body: bytes, received: int | None = None, *, scopes: Iterable[str] = ()
    ) -> Accepted:
        self.platform.registry.refresh()
        self._intake.use(self.platform.registry.snapshot)
        now = clock.now_ms() if received is None else received
        accepted = self._intake.accept_body(body, Context(received=now, scopes=frozenset(scopes)))
        done = threading.Event()
        self._writer.append(accepted.lines, accepted.sent, lambda _: done.set())
        assert done.wait(10)
        return accepted

    def send(self, *events: dict[str, Any], received: int | None = None) -> None:
        """Send events and load them."""
        self.accept(json.dumps(events).encode(), received)
        self.load()

    def load(self) -> None:
        self._loader.drain()

    def page(self, path: str) -> str:
        answer = self.client.get(path, headers=BROWSER)
        assert answer.status_code == 200, answer.text
        assert answer.mimetype == "text/html"
        return answer.text

    def sign_in(self, client: FlaskClient | None = None) -> TestResponse:
        """Use a fresh link up as a person does."""
        client = client or self.client
        path = create_link(self.platform.database, self.config).removeprefix(self.config.url)
        token = csrf(client.get(path, headers=BROWSER).text)
        return client.post(path, data={"csrf": token}, headers=BROWSER)

    def close(self) -> None:
        self._writer.close()
        self.platform.database.close()


def csrf(page: str) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found is not None, page
    return found[1]
