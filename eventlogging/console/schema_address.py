"""Addresses below a schema's, such as `/schemas/<name>/live`, and schemas that are named so."""

from __future__ import annotations

from typing import Any

from flask import abort, current_app

from eventlogging.console import snapshots
from eventlogging.console.parts import Parts
from eventlogging.registry.model import RegisteredSchema


def page_of_namesake(parts: Parts, name: str, last: str) -> Any:
    """Return the page of the schema that is itself named `<name>/<last>`; None: there is none.

    Names may have slashes, and a schema's own page comes first.
    """
    whole = f"{name}/{last}"
    if whole not in snapshots.newest(parts).schemas:
        return None
    return current_app.view_functions["pages.schema"](name=whole)


def schema_or_404(parts: Parts, name: str) -> RegisteredSchema:
    """Return a schema, or answer that there is none of this name."""
    schema = snapshots.find(parts, name)
    if schema is None:
        abort(404, f"No schema is named {name!r}. The list of schemas shows all there are.")
    return schema
