"""What the collector makes of a request before it reads its body."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from eventlogging.collector.app import Collector
from eventlogging.collector.request import is_binary, said_no
from eventlogging.config import Config
from eventlogging.platform import open_platform
from tests.coroutines import run


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("application/json", True),
        ("application/geo+json", True),
        ("", True),
        ("application/cloudevents+json; charset=utf-8", False),
        ("application/cloudevents-batch+json", False),
    ],
)
def test_the_type_of_a_body_says_whether_headers_are_its_attributes(
    kind: str, expected: bool
) -> None:
    assert is_binary({"ce-specversion": "1.0", "content-type": kind}) is expected
    assert not is_binary({"content-type": kind})


@pytest.mark.parametrize("text", ["false", "False", " false "])
def test_a_no_in_a_header_of_a_cloudevent_is_one_to_everything(text: str) -> None:
    assert said_no({"ce-consent": text}) == (True, frozenset())
    assert said_no({"ce-consent": "true"}) == (False, frozenset())


class Asked:
    """A collector whose registry was never read, asked without a server around it."""

    def __init__(self, var: Path) -> None:
        platform = open_platform(Config(var=var, admin_token="all-rights"))
        self.collector = Collector(platform, lambda *_: None)  # type: ignore[arg-type, return-value]

    def ask(self, method: str, path: str, token: str) -> tuple[int, Any]:
        scope = {
            "type": "http", "method": method, "path": path, "query_string": b"",
            "headers": [(b"authorization", f"Bearer {token}".encode())],
        }  # fmt: skip
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        run(self.collector(scope, receive, send))
        return sent[0]["status"], json.loads(sent[1]["body"])


def test_while_nobody_knows_the_tokens_none_is_called_wrong(tmp_path: Path) -> None:
    """A head or an edge would take 401 for the last word, and this one knows of no token yet."""
    asked = Asked(tmp_path)
    routes = [("POST", "/v1/forward"), ("POST", "/v1/edge"), ("GET", "/v1/forward/registry")]
    for method, path in routes:
        status, answer = asked.ask(method, path, "evl_unknown")
        assert status == 503, answer
        assert "registry" in answer["error"][0]["text"]
    assert asked.ask("POST", "/v1/forward", "all-rights")[0] == 400
    assert asked.ask("POST", "/v1/edge", "all-rights")[0] == 400
