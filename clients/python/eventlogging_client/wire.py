"""One HTTP connection to the collector, kept open, through the proxy that the environment names.

`http.client` speaks, for it keeps connections; `urllib.request` says which proxy, as it would
for itself: `http_proxy`, `https_proxy`, `no_proxy`, or what the system has set.
"""

from __future__ import annotations

import base64
import http.client
import os
from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

_MOST_BYTES = 8_000_000  # of an answer
# How a server shows that it closed a connection that nobody used for a while.
_CLOSED = (http.client.BadStatusLine, http.client.CannotSendRequest, ConnectionError)
_ABANDONED: list[http.client.HTTPConnection] = []


class Trouble(Exception):
    """Raised when no answer came: the connection was refused, broke or took too long."""


class Reply:
    """What the collector answered; the names of headers are lower-case."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body


class Wire:
    """A connection, made when first needed and again once it broke. For one thread."""

    def __init__(self, url: str, token: str | None, timeout: float, client: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is not an address such as https://events.example.org")
        self._secure = parts.scheme == "https"
        self._host = parts.hostname
        self._port = parts.port or (443 if self._secure else 80)  # ValueError for a wrong one
        self._path = parts.path.rstrip("/")
        self._site = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        self._timeout = timeout
        self._headers = {"User-Agent": client, "Connection": "keep-alive"}
        if token:
            if not token.isascii() or not token.isprintable() or " " in token:
                raise ValueError("the token holds characters that no token has")
            self._headers["Authorization"] = f"Bearer {token}"
        self._connection: http.client.HTTPConnection | None = None
        self._prefix = ""  # of targets: a proxy is told the site as well
        self._more: Mapping[str, str] = {}
        self._used = False

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> Reply:
        """Ask and return the answer; raises Trouble where none comes.

        Where the server has closed an idle connection, the same is sent once more.
        """
        try:
            try:
                return self._request(method, path, body, headers or {}, timeout)
            except _CLOSED:
                if not self._used:
                    raise
                self.close()
                return self._request(method, path, body, headers or {}, timeout)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.close()
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise Trouble(reason) from error

    def _request(
        self,
        method: str,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str],
        timeout: float | None,
    ) -> Reply:
        connection = self._connection or self._open()
        seconds = min(timeout or self._timeout, self._timeout)
        connection.timeout = seconds
        if connection.sock is not None:
            connection.sock.settimeout(seconds)
        target = f"{self._prefix}{self._path}{path}"
        connection.request(method, target, body, {**self._headers, **self._more, **headers})
        response = connection.getresponse()
        data = response.read(_MOST_BYTES)
        names = {name.lower(): value for name, value in response.getheaders()}
        self._used = True
        if not response.isclosed():  # more than anybody needs to read
            self.close()
        return Reply(response.status, names, data)

    def _open(self) -> http.client.HTTPConnection:
        host, port = self._host, self._port
        kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        proxy = (
            None if proxy_bypass(host) else getproxies().get("https" if self._secure else "http")
        )
        self._prefix, self._more = "", {}
        if not proxy:
            connection = kind(host, port, timeout=self._timeout)
        else:
            parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
            who: Mapping[str, str] = {}
            if parts.username:
                name = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
                secret = base64.b64encode(name.encode()).decode()
                who = {"Proxy-Authorization": f"Basic {secret}"}
            connection = kind(parts.hostname or "", parts.port or 80, timeout=self._timeout)
            if self._secure:
                connection.set_tunnel(host, port, who)
            else:
                self._prefix, self._more = self._site, who
        self._connection, self._used = connection, False
        return connection

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def abandon(self) -> None:
        """Let go of the connection in a forked child, without waiting for anything.

        A thread of the parent may have held locks of these objects when the process was forked,
        and here is nobody who gives them back: none of them is closed or deleted.
        """
        connection, self._connection = self._connection, None
        if connection is not None:
            _ABANDONED.append(connection)
            if connection.sock is not None:
                with suppress(OSError):
                    os.close(connection.sock.detach())
