"""How MariaDB's and MySQL's own programs sign in: by a file in memory alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.engine import URL

_TLS = ("ssl_ca", "ssl_cert", "ssl_key")


@contextmanager
def login_file(url: URL) -> Iterator[int]:
    """Give an open option file for the account, the server and the way to it.

    Everybody may read a command line. This file lies on no disk, so that nothing is left of it
    however we end; a program is given it as `/dev/fd/<number>`.
    """
    descriptor = os.memfd_create("login")
    try:
        os.fchmod(descriptor, 0o600)
        os.write(descriptor, text_of(url).encode())
        yield descriptor
    finally:
        os.close(descriptor)


def text_of(url: URL) -> str:
    """Return the option file's text."""
    socket = url.query.get("unix_socket")
    options = {"user": url.username or "", "password": url.password or ""}
    if socket:
        options["socket"] = str(socket)
    else:
        options |= {"host": url.host or "localhost", "port": str(url.port or 3306)}
        options["protocol"] = "tcp"
    for name in _TLS:
        if name in url.query:
            options[name.replace("_", "-")] = str(url.query[name])
    lines = [f"{name} = {_quoted(value)}" for name, value in options.items() if value]
    return "\n".join(["[client]", *lines, ""])


def _quoted(value: str) -> str:
    """Only the outermost quotes are taken off, and a backslash escapes."""
    escaped = value.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t")
    return f'"{escaped}"'
