"""What is said beside a schema's document, as the texts that inputs show.

As with rows, a text is an edit: what it does not say differently stays as it was.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from eventlogging.console.form_types import lines
from eventlogging.governance.model import (
    DEFAULT_FILL_DEFAULTS,
    DEFAULT_PRODUCERS,
    DEFAULT_RATE,
    DEFAULT_READERS,
    DEFAULT_UNIT,
)

TEXTS = (
    "title", "description", "owners", "rate", "unit", "producers", "origins", "fill_defaults",
    "readers",
)  # fmt: skip
_DEFAULTS = {
    "producers": DEFAULT_PRODUCERS,
    "fill_defaults": DEFAULT_FILL_DEFAULTS,
    "readers": DEFAULT_READERS,
}
_BETWEEN = re.compile(r"[,;\s]+")


def texts_of(body: Mapping[str, Any]) -> dict[str, str]:
    """Return the text of each of `TEXTS`; the rate in percent, lists one item a line."""
    sampling = body.get("sampling")
    sampling = sampling if isinstance(sampling, Mapping) else {}
    return {
        "title": _text(body.get("title")),
        "description": _text(body.get("description")),
        "owners": _list_text(body.get("owners")),
        "rate": _percent(sampling.get("rate", DEFAULT_RATE)),
        "unit": _text(sampling.get("unit", DEFAULT_UNIT)),
        "producers": _text(body.get("producers") or _DEFAULTS["producers"]),
        "origins": _list_text(body.get("origins")),
        "fill_defaults": _text(body.get("fill_defaults") or _DEFAULTS["fill_defaults"]),
        "readers": _text(body.get("readers") or _DEFAULTS["readers"]),
    }


def with_texts(body: Mapping[str, Any], posted: Mapping[str, str]) -> dict[str, Any]:
    """Return the body with what the texts say differently; names not posted stay."""
    shown = texts_of(body)
    changed = {
        name: text
        for name, text in posted.items()
        if name in shown and _plain(text) != _plain(shown[name])
    }
    settings: dict[str, Any] = {}
    for name, text in changed.items():
        text = _plain(text)
        if name == "owners":
            settings[name] = [item for item in _BETWEEN.split(text) if item]
        elif name == "origins":
            settings[name] = lines(text)
        elif name not in ("rate", "unit"):
            settings[name] = text.strip()
    if "rate" in changed or "unit" in changed:
        before = body.get("sampling")
        sampling = dict(before) if isinstance(before, Mapping) else {}
        if "rate" in changed:
            sampling["rate"] = _rate(changed["rate"])
        if "unit" in changed:
            sampling["unit"] = changed["unit"]
        settings["sampling"] = sampling
    # A text that was emptied is not stated: it stays as it is published, or is missing.
    kept = {key: value for key, value in body.items() if key not in settings}
    return {**kept, **{key: value for key, value in settings.items() if value != ""}}


def is_closed(document: Any) -> bool:
    """Whether a document refuses fields that it does not list."""
    return isinstance(document, Mapping) and document.get("additionalProperties") is False


def with_closed(document: Any, closed: bool) -> Any:
    """Return the document closed, or open."""
    if not isinstance(document, Mapping) or is_closed(document) == closed:
        return document
    if closed:
        return {**document, "additionalProperties": False}
    return {key: value for key, value in document.items() if key != "additionalProperties"}


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else json.dumps(value)


def _list_text(value: Any) -> str:
    if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        return "\n".join(value)
    return _text(value)


def _percent(rate: Any) -> str:
    if isinstance(rate, bool) or not isinstance(rate, int | float):
        return _text(rate)
    text = f"{Decimal(repr(rate)) * 100:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _rate(text: str) -> Any:
    """Return the share that a percentage says, or the text where it says none."""
    plain = text.strip().removesuffix("%").strip().replace(",", ".")
    try:
        share = Decimal(plain) / 100
    except InvalidOperation:
        return text.strip()
    return float(share) if share.is_finite() and abs(share) < 1000 else text.strip()
