"""Send events to a collector over HTTP, on one connection that is kept open."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from eventlogging.errors import EventLoggingError

_PATH = "/v1/events"
# How a server shows that it closed a connection that nobody used for a while.
_CLOSED = (
    http.client.BadStatusLine,  # RemoteDisconnected is one
    http.client.CannotSendRequest,
    BrokenPipeError,
    ConnectionResetError,
    ConnectionAbortedError,
)


class Unreachable(EventLoggingError):
    """Raised when no answer came: the connection was refused, broke or took too long."""


@dataclass(frozen=True)
class Answer:
    """What a collector answered; `body` is its parsed JSON, or its text where it is none.

    `retry_after` is in seconds, where the collector named it.
    """

    status: int
    body: Any
    retry_after: float | None = None

    @property
    def busy(self) -> bool:
        """Whether the same events may be taken later: too many requests, or trouble there."""
        return self.status == 429 or self.status >= 500

    @property
    def judged(self) -> bool:
        """Whether each event was looked at by itself; else the body was refused as a whole."""
        return self.status in (201, 202, 207) or (self.status == 400 and bool(self.refusals()))

    def refusals(self) -> list[Mapping[str, Any]]:
        """All refused events as the collector lists them, in the order they were sent."""
        if not isinstance(self.body, dict):
            return []
        items = [*(self.body.get("invalid") or ()), *(self.body.get("error") or ())]
        return sorted((item for item in items if isinstance(item, dict)), key=index_of)

    @property
    def text(self) -> str:
        """What the collector says is wrong, in words, cut short."""
        for item in self.refusals():
            words = (item.get("context") or {}).get("errorsText") or item.get("code")
            if words:
                return str(words)[:300]
        return (self.body if isinstance(self.body, str) else json.dumps(self.body))[:300]


def index_of(refusal: Mapping[str, Any]) -> int:
    """Return the place of a refused event among those sent."""
    index = refusal.get("index")
    return index if isinstance(index, int) else 0


class Sender:
    """A connection to one collector; it is made when first needed, and again once it broke.

    Where the collector has closed the connection while it was idle, the same events are sent
    once more: those that carry an id are stored once, whatever happened.
    """

    def __init__(
        self,
        url: str,
        token: str = "",
        headers: Mapping[str, str] | None = None,
        timeout: float = 30.0,
    ) -> None:
        self._connection, self._path = _opened(url, timeout)
        self._used = False
        self._headers = {"Content-Type": "application/json", **(headers or {})}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"

    def post(self, events: Any) -> Answer:
        """Send one event (a dict) or several (a list). Raises Unreachable."""
        data = json.dumps(events, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
        try:
            try:
                return self._post(data)
            except _CLOSED:
                if not self._used:
                    raise
                self.close()
                return self._post(data)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise Unreachable(reason) from error

    def _post(self, data: bytes) -> Answer:
        self._connection.request("POST", self._path, data, self._headers)
        response = self._connection.getresponse()
        answer = Answer(response.status, _parsed(response.read()), _seconds(response))
        self._used = True
        return answer

    def close(self) -> None:
        """Close the connection; the next `post` opens another."""
        self._connection.close()
        self._used = False

    def __enter__(self) -> Sender:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def post_events(
    url: str, events: Any, token: str = "", headers: Mapping[str, str] | None = None
) -> Answer:
    """Send one event (a dict) or several (a list) on a connection of their own.

    `url` is the collector's base address. Raises Unreachable where no answer comes, and
    EventLoggingError where `url` is no address.
    """
    with Sender(url, token, headers) as sender:
        return sender.post(events)


def _opened(url: str, timeout: float) -> tuple[http.client.HTTPConnection, str]:
    wrong = EventLoggingError(f"{url!r} is not an address such as http://127.0.0.1:8080")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise wrong from error
    if parts.scheme not in ("http", "https") or not host:
        raise wrong
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    return kind(host, port, timeout=timeout), parts.path.rstrip("/") + _PATH


def _parsed(data: bytes) -> Any:
    text = data.decode("utf-8", "replace")
    try:
        return json.loads(text)
    except ValueError:
        return text


def _seconds(response: http.client.HTTPResponse) -> float | None:
    try:
        return max(0.0, float(response.headers.get("Retry-After", "")))
    except ValueError:  # absent, or a date: the caller's own back-off will do
        return None
