"""Links that carry their own right: words, signed with a key of ours, for one purpose."""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from hashlib import sha256

_LONGEST = 2000


def sign(key: str, purpose: str, words: Sequence[str]) -> str:
    """Return a text for addresses that says these words; it cannot be made without the key."""
    body = urlsafe_b64encode(json.dumps(list(words), ensure_ascii=False).encode()).rstrip(b"=")
    return f"{body.decode()}.{_signature(key, purpose, body)}"


def read(key: str, purpose: str, text: str) -> tuple[str, ...] | None:
    """Return the words, None where the text was not signed with this key for this purpose."""
    body, _, signature = text.partition(".")
    if len(text) > _LONGEST or not text.isascii():
        return None
    if not hmac.compare_digest(_signature(key, purpose, body.encode()), signature):
        return None
    words = json.loads(urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return tuple(str(word) for word in words)


def _signature(key: str, purpose: str, body: bytes) -> str:
    made = hmac.digest(key.encode(), purpose.encode() + b"\0" + body, sha256)
    return urlsafe_b64encode(made[:24]).decode()
