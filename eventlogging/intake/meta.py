"""Fill in what EventGate adds to `meta`: id, time of receipt, and the id of the request."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from eventlogging import clock
from eventlogging.intake.context import Context
from eventlogging.intake.in_place import declared, parts_of

_FIELDS = ("id", "dt", "request_id")
_MOST_CHARACTERS = 255  # of a request's id


def fields_declared(document: Mapping[str, Any], *, ref_is_alone: bool) -> tuple[str, ...]:
    """Return which of the fields a schema declares in `meta`."""
    parts = parts_of(document, document, ref_is_alone=ref_is_alone)
    inside = [
        part
        for schema in declared(parts, "meta")
        for part in parts_of(schema, document, ref_is_alone=ref_is_alone)
    ]
    return tuple(name for name in _FIELDS if declared(inside, name))


class MetaFields:
    """Fills `meta` in; all events of a request get the same request id."""

    def __init__(self) -> None:
        self._request: Context | None = None
        self._request_id = ""

    def fill(
        self, payload: dict[str, Any], wanted: tuple[str, ...], id: str, context: Context
    ) -> tuple[dict[str, Any], tuple[str, ...]]:
        """Return the payload with the wanted fields, and the JSON pointers of those made here.

        What the event says itself stays, and a `meta` that is no object is left to the gate.
        """
        meta = payload.get("meta", {})
        if not isinstance(meta, dict):
            return payload, ()
        made = tuple(name for name in wanted if name not in meta)
        if not made:
            return payload, ()
        meta = meta.copy()
        for name in made:
            if name == "id":
                meta[name] = id
            elif name == "dt":
                meta[name] = clock.iso(context.received)
            else:
                meta[name] = self._request_id_of(context)
        return {**payload, "meta": meta}, tuple(f"/meta/{name}" for name in made)

    def _request_id_of(self, context: Context) -> str:
        if context is not self._request:
            said = context.request_id
            is_good = 0 < len(said) <= _MOST_CHARACTERS and said.isascii() and said.isprintable()
            self._request = context
            self._request_id = said if is_good else str(uuid.uuid4())
        return self._request_id
