"""Seal a payload: hash or drop its private fields before anything is written."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import orjson

_DROP = object()
Seal = Callable[[dict[str, Any]], dict[str, Any]]


class Hasher(Protocol):
    """What makes the hashes."""

    def hash(self, value: Any) -> str:
        """Return the hash of a value."""


class PrivacyKey:
    """The HMAC key; its id prefixes each value, so that a change of key can be seen."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()
        self.id = hashlib.sha256(b"key id:" + self._secret).hexdigest()[:6]

    def hash(self, value: Any) -> str:
        """Return `<key id>:<128 bits of HMAC-SHA256, in hex>` of a value."""
        try:
            message = value.encode() if isinstance(value, str) else orjson.dumps(value, default=str)
        except orjson.JSONEncodeError:  # too deep to write; such an event is refused anyway
            message = b""
        return f"{self.id}:{hmac.digest(self._secret, message, 'sha256').hex()[:32]}"


def compile_seal(privacy: Mapping[str, str], key: Hasher) -> Seal | None:
    """Return a function that gives back a sealed copy of a payload; None where nothing is private.

    `privacy` maps JSON pointers (`*` for each item of an array) to `hmac` or
    `drop`. A null is neither hashed nor dropped into something else: it says nothing.
    """
    if not privacy:
        return None
    rules = [
        ([_plain(part) for part in pointer.split("/")[1:]], action)
        for pointer, action in privacy.items()
    ]

    def seal(payload: dict[str, Any]) -> dict[str, Any]:
        sealed: Any = payload
        for path, action in rules:
            sealed = _apply(sealed, path, action, key)
        return dict(sealed)

    return seal


def _apply(value: Any, path: list[str], action: str, key: Hasher) -> Any:
    if not path:
        if action == "drop":
            return _DROP
        return None if value is None else key.hash(value)
    part, rest = path[0], path[1:]
    if isinstance(value, dict):
        names = list(value) if part == "*" else [part] if part in value else []
        for name in names:
            changed = _apply(value[name], rest, action, key)
            value = dict(value)
            if changed is _DROP:
                del value[name]
            else:
                value[name] = changed
        return value
    if isinstance(value, list) and (part == "*" or part.isdigit()):
        return [
            changed
            for index, item in enumerate(value)
            if (changed := _apply(item, rest, action, key) if part in ("*", str(index)) else item)
            is not _DROP
        ]
    return value


def _plain(part: str) -> str:
    return part.replace("~1", "/").replace("~0", "~")
