"""Tokens of forms that need no session: each belongs to the value of a cookie of its own.

A page of another site can have a browser send the cookie, but can read neither it nor the token.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

_MOST_CHARS = 64  # of a cookie's value


def new_value() -> str:
    """Return a value for a cookie that a token belongs to."""
    return secrets.token_urlsafe(18)


def is_value(text: str) -> bool:
    """Whether a cookie's text can be such a value, from whomever it is."""
    return 0 < len(text) <= _MOST_CHARS and text.isascii()


def token(key: str, purpose: str, value: str) -> str:
    """Return the token of a value, for one purpose; it cannot be made without the key."""
    text = purpose.encode() + b"\0" + value.encode()
    return hmac.digest(key.encode(), text, hashlib.sha256).hex()[:48]


def is_right(said: str, key: str, purpose: str, value: str) -> bool:
    """Whether somebody said the token of a value; an empty value has none."""
    given = said.encode(errors="replace")
    return bool(value) and hmac.compare_digest(given, token(key, purpose, value).encode())
