"""The Python client, imported from its folder, and a tiny collector that answers as it is told."""

from __future__ import annotations

import gzip
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

CLIENT = Path(__file__).parents[1] / "clients" / "python"
if str(CLIENT) not in sys.path:
    sys.path.insert(0, str(CLIENT))

KINDS = ("attempted", "sampled_out", "suppressed", "dropped", "sent")
Answer = tuple[int, Any, dict[str, str]]


def taken(_: Any = None) -> Answer:
    return 201, {"accepted": 1}, {}


class TinyCollector:
    """A real HTTP server. `answers` are given one after the other, the last for ever.

    An answer is a status, a function of the parcel, `"close"`, `"hang"`, or `"stall"` in the midst
    of the body.
    """

    def __init__(self, *answers: Any, config: Any = None, port: int = 0) -> None:
        self.answers: list[Any] = list(answers) or [201]
        self.config: Any = {"schemas": {}} if config is None else config
        self.config_asked: list[dict[str, str]] = []
        self.parcels: list[Any] = []  # all that came, whatever was answered
        self.headers: list[dict[str, str]] = []
        self.targets: list[str] = []
        self.at: list[float] = []
        self.connections = 0
        self.stalled = threading.Event()
        self.released = threading.Event()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def setup(self) -> None:
                collector.connections += 1
                super().setup()

            def do_GET(self) -> None:
                collector.answer_config(self)

            def do_POST(self) -> None:
                collector.answer_events(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()

    def answer_config(self, request: BaseHTTPRequestHandler) -> None:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.config_asked.append(headers)
        if self.config == "hang":
            self.released.wait(30)
        if isinstance(self.config, int):
            return reply(request, self.config, b"{}", {})
        body = self.config if isinstance(self.config, bytes) else json.dumps(self.config).encode()
        tag = f'"{hash(body)}"'
        if headers.get("if-none-match") == tag:
            return reply(request, 304, b"", {"ETag": tag})
        return reply(request, 200, body, {"ETag": tag})

    def answer_events(self, request: BaseHTTPRequestHandler) -> None:
        data = request.rfile.read(int(request.headers["Content-Length"]))
        if request.headers.get("Content-Encoding") == "gzip":
            data = gzip.decompress(data)
        parcel = json.loads(data)
        self.at.append(time.monotonic())
        self.targets.append(request.path)
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        self.parcels.append(parcel)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer == "stall":
            request.wfile.write(b"HTTP/1.1 201 Created\r\nContent-Length: 20\r\n\r\n{")
            self.stalled.set()
        if answer in ("hang", "stall"):
            self.released.wait(30)
        if answer in ("close", "hang", "stall"):
            request.close_connection = True
            return
        if isinstance(answer, Callable):  # type: ignore[arg-type]
            answer = answer(parcel)
        if isinstance(answer, int):
            answer = answer, {}, {}
        status, body, more = answer
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        reply(request, status, body, more)

    # ---------------------------------------------------------------- what came

    @property
    def events(self) -> list[Any]:
        return [event for parcel in self.parcels for event in parcel["events"]]

    @property
    def ids(self) -> list[str]:
        return [event["id"] for event in self.events]

    def reported(self, schema: str) -> dict[str, int]:
        """What the reports add up to, each id once, as the collector counts."""
        reports = {p["counters"]["id"]: p["counters"] for p in self.parcels if "counters" in p}
        sums = dict.fromkeys(KINDS, 0)
        for report in reports.values():
            for kind, number in report["counts"].get(schema, {}).items():
                sums[kind] += number
        return sums


@pytest.fixture
def new() -> Iterator[Callable[..., TinyCollector]]:
    """What starts a tiny collector; all are stopped at the end."""
    made: list[TinyCollector] = []

    def start(*answers: Any, **more: Any) -> TinyCollector:
        made.append(TinyCollector(*answers, **more))
        return made[-1]

    yield start
    for one in made:
        one.stop()


def reply(request: BaseHTTPRequestHandler, status: int, body: bytes, more: dict[str, str]) -> None:
    request.send_response(status)
    for name, value in more.items():
        request.send_header(name, value)
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)


def refusing(wrong: Callable[[Any], bool]) -> Callable[[Any], Answer]:
    """Refuses the events that are wrong, as the collector does."""

    def answer(parcel: Any) -> Answer:
        events = parcel["events"]
        invalid = [refusal(at, event) for at, event in enumerate(events) if wrong(event)]
        status = 201 if not invalid else 400 if len(invalid) == len(events) else 207
        return status, {"invalid": invalid, "error": []}, {}

    return answer


def refusal(index: int, event: Any) -> dict[str, Any]:
    problem = {"pointer": "/n", "rule": "type", "found": "a text", "expected": "a whole number"}
    context = {"errors": [problem], "errorsText": "/n: a whole number"}
    code = "type_mismatch"
    return {"index": index, "status": 400, "code": code, "event": event, "context": context}


def accounted(figures: dict[str, int]) -> bool:
    """Whether nothing waits and the sum closes."""
    return figures["waiting"] == 0 and figures["attempted"] == sum(
        figures[kind] for kind in KINDS[1:]
    )
