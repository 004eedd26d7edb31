"""One HTTP POST to an address that people wrote down: never into our own network unasked.

The name is looked up once, all its addresses are checked, and the connection goes to one of
those that were checked: a name that answers differently the second time gains nothing.
Redirects are not followed.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

SECONDS = 10.0  # for connecting, and for each wait for the answer
_PORTS = {"https": 443, "http": 80}


class CallFailed(Exception):
    """Raised when a call did not arrive; `may_be_repeated`: it may at another time."""

    def __init__(self, reason: str, *, may_be_repeated: bool = True) -> None:
        self.may_be_repeated = may_be_repeated
        super().__init__(reason)


def post(url: str, body: bytes, headers: Mapping[str, str], *, allow_private: bool) -> None:
    """Send a body; an answer of 2xx is success. Raises CallFailed.

    Without `allow_private` only https, and only public addresses.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError as error:
        raise CallFailed(f"is no address: {error}", may_be_repeated=False) from error
    if parts.scheme not in _PORTS or not host:
        raise CallFailed("is no address that begins with https://", may_be_repeated=False)
    if parts.scheme != "https" and not allow_private:
        raise CallFailed("does not begin with https://", may_be_repeated=False)
    address = _checked_address(host, port, allow_private)
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        connection = _PinnedHTTPS(host, port, address)
    else:
        connection = _PinnedHTTP(host, port, address)
    path = parts.path or "/"
    try:
        target = f"{path}?{parts.query}" if parts.query else path
        connection.request("POST", target, body, {**headers, "User-Agent": "EventLogging"})
        answer = connection.getresponse()
        answer.read(1000)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise CallFailed(f"{type(error).__name__}: {error}") from error
    finally:
        connection.close()
    if not 200 <= answer.status < 300:
        lasting = 300 <= answer.status < 400 or answer.status in (404, 410)
        raise CallFailed(f"answered {answer.status}", may_be_repeated=not lasting)


def _checked_address(host: str, port: int, allow_private: bool) -> str:
    """Return an address of the host; none of them may be private unless that is allowed."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise CallFailed(f"{host} cannot be found: {error}") from error
    addresses = list(dict.fromkeys(str(one[4][0]) for one in found))
    for address in addresses:
        if not allow_private and not _is_public(address):
            raise CallFailed(
                f"{host} is {address}, which is not public; the setting webhook_private allows it",
                may_be_repeated=False,
            )
    return addresses[0]


def _is_public(address: str) -> bool:
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            ip = ip.ipv4_mapped
        elif ip.sixtofour is not None or ip.teredo is not None or ip in _NAT64:
            return False  # another address hides in it
    return ip.is_global and not ip.is_multicast


_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class _PinnedHTTP(http.client.HTTPConnection):
    """Connects to an address that was checked; the name goes into the Host header alone."""

    def __init__(self, host: str, port: int, address: str) -> None:
        super().__init__(host, port, timeout=SECONDS)
        self._address = address

    def connect(self) -> None:
        self.sock = socket.create_connection((self._address, self.port), SECONDS)


class _PinnedHTTPS(http.client.HTTPSConnection):
    """The same with TLS; the certificate must be of the name."""

    def __init__(self, host: str, port: int, address: str) -> None:
        self._tls = ssl.create_default_context()
        super().__init__(host, port, timeout=SECONDS, context=self._tls)
        self._address = address

    def connect(self) -> None:
        bare = socket.create_connection((self._address, self.port), SECONDS)
        self.sock = self._tls.wrap_socket(bare, server_hostname=self.host)
