"""JSON as a short text in a hidden input: what the rows of a form are edits of."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

_MOST_UNPACKED = 4 * 1024 * 1024


class BadForm(ValueError):
    """Raised when a form is not one that this page made."""


def packed(value: Any) -> str:
    """Return JSON as a short text for a hidden input; `unpacked` reads it."""
    data = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(zlib.compress(data)).decode("ascii")


def unpacked(text: str) -> Any:
    """Return what was packed. Raises BadForm for what this page did not make."""
    try:
        reader = zlib.decompressobj()
        data = reader.decompress(base64.urlsafe_b64decode(text), _MOST_UNPACKED)
        value = json.loads(data)
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, zlib.error, RecursionError) as error:
        raise BadForm("the form is not whole") from error
    return value
