"""Undo the percent-encoding of a query, and the escapes that an access log puts around it."""

from __future__ import annotations

import re
from binascii import a2b_qp
from urllib.parse import unquote_to_bytes

_LOG_ESCAPE = re.compile(rb"\\x([0-9A-Fa-f]{2})")


def event_text(query: bytes) -> bytes:
    """Return the JSON of a query such as `?%7B…%7D;`, as the collector sees that of a beacon."""
    if query.startswith(b"?"):
        query = query[1:]
    if query.endswith(b";"):
        query = query[:-1]
    if b"\\" in query:
        # No request line holds a backslash by itself in the log: nginx writes \x22 for a quote.
        query = _LOG_ESCAPE.sub(lambda match: bytes((int(match[1], 16),)), query)
    return unquoted(query)


def unquoted(text: bytes) -> bytes:
    """Return what `urllib.parse.unquote_to_bytes` does, some fifteen times as fast.

    Quoted-printable is percent-encoding with another sign, and its decoder is written in C. Where
    they differ (`%%`, `%zz`, a sign at the end, line breaks) fewer signs vanish than two for each
    percent sign, or there is a line break; such a text is read the slow way.
    """
    signs = text.count(b"%")
    if not signs:
        return text
    if b"\r" in text or b"\n" in text:
        return unquote_to_bytes(text)
    protected = text
    if b"=" in text:
        protected = text.replace(b"=", b"%3D")
        signs = protected.count(b"%")
    decoded = a2b_qp(protected.replace(b"%", b"="))
    if len(protected) - len(decoded) == 2 * signs:
        return decoded
    return unquote_to_bytes(text)
