"""Which draft of JSON Schema a document is written in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

DEFAULT_DRAFT = "2020-12"
_DRAFTS = {
    "draft-04": "draft4",
    "draft-06": "draft6",
    "draft-07": "draft7",
    "draft/2019-09": "2019-09",
    "draft/2020-12": "2020-12",
}
_URI = re.compile(r"https?://json-schema\.org/([a-z0-9/-]+)/schema#?")


def draft_of(document: Any) -> str | None:
    """Return `draft4`, `draft6`, `draft7`, `2019-09` or `2020-12`; None for any other draft.

    The scheme and a trailing `#` of `$schema` do not matter; without one it is 2020-12.
    """
    if not isinstance(document, Mapping):
        return None
    uri = document.get("$schema", None)
    if uri is None:
        return DEFAULT_DRAFT if "$schema" not in document else None
    match = _URI.fullmatch(uri) if isinstance(uri, str) else None
    return _DRAFTS.get(match[1]) if match else None
