"""A no reaches the web heads: of an account within seconds, of a browser with its request."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.test_forwarder import head as _head
from tests.journeys.test_forwarder import storage as _storage
from tests.servers import Server, wait_until

storage, head = _storage, _head
ANN = "5a" * 16
ACTIVITY: dict[str, Any] = json.loads(
    next(
        (Path(__file__).parents[2] / "schemas/AccountActivity/examples").glob("*.pass.json")
    ).read_text()
)


def ask(server: Server, path: str, body: Any = None, method: str = "POST", **headers: str) -> Any:
    data = None if body is None else json.dumps(body).encode()
    named = {"Content-Type": "application/json", "Authorization": f"Bearer {server.token}"}
    request = urllib.request.Request(server.url + path, data, {**named, **headers}, method=method)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.loads(answer.read())


@pytest.mark.timeout(180)
def test_a_forwarder_obeys_a_no_of_accounts_and_of_browsers(
    storage: list[Server], head: Server
) -> None:
    event = {"schema": "AccountActivity", "event": {**ACTIVITY, "uid": ANN}}
    server_side = {"Authorization": f"Bearer {head.token}"}

    def suppressed(**headers: str) -> int:
        found = ask(head, "/v1/events", event, **{**server_side, **headers})
        return int(found["suppressed"])

    assert suppressed() == 0
    assert suppressed(Cookie="eventlogging_opt_out_for=Click:AccountActivity") == 1
    assert suppressed(Cookie="eventlogging_opt_out_for=Click") == 0
    assert ask(storage[1], f"/v1/opt-out/{ANN}", method="PUT")["opted_out"]
    wait_until(lambda: suppressed() == 1, 10)
    # What the head knew it knows after a restart, with nobody to ask.
    for one in storage:
        one.kill()
    head.kill()
    head.start()
    assert suppressed() == 1
