"""What every page has around its content: the rail of pages, and who is signed in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Flask

from eventlogging.console import who
from eventlogging.console.parts import Parts
from eventlogging.people import readers
from eventlogging.people.model import Person


@dataclass(frozen=True)
class Item:
    """A page in the rail. `here` is what the templates of that area set `here` to."""

    here: str
    path: str
    word: str
    action: str  # of people.permissions, that one must be allowed to see it


_ITEMS = (
    Item("overview", "/", "Overview", "see_schemas"),
    Item("schemas", "/schemas", "Schemas", "see_schemas"),
    Item("reviews", "/reviews", "Reviews", "see_reviews"),
    Item("alerts", "/alerts", "Alerts", "see_live"),
    Item("reports", "/reports", "Reports", "see_live"),
    Item("retention", "/retention", "Retention", "see_schemas"),
    Item("explore", "/explore", "Explore", "read_events"),
    Item("people", "/people", "People", "see_people"),
    Item("erasures", "/erasures", "Erasures", "erase_people"),
    Item("jobs", "/jobs", "Jobs", "see_jobs"),
    Item("outbox", "/outbox", "Outbox", "see_outbox"),
    Item("audit", "/audit", "Audit", "see_audit"),
    Item("transparency", "/transparency", "Transparency", "see_schemas"),
    Item("opt-out", "/opt-out", "Opt out", "see_schemas"),
)


def register(app: Flask, parts: Parts) -> None:
    """Give all templates `allowed`, `readers_in_words`, `person` (who looks, or None), `rail`."""
    app.add_template_global(who.allowed, "allowed")
    app.add_template_global(readers.in_words, "readers_in_words")

    @app.context_processor
    def around() -> dict[str, Any]:
        person = who.current()
        return {"person": person, "rail": _rail(parts, person)}


def _rail(parts: Parts, person: Person | None) -> list[Item]:
    """Return the pages that this visitor may see."""
    return [
        item
        for item in _ITEMS
        if who.allowed(item.action)
        or (item.here == "explore" and person is not None and _owns_any(parts, person))
    ]


def _owns_any(parts: Parts, person: Person) -> bool:
    """Whether somebody owns a schema, whose events they may read whatever their role."""
    return any(owns(schema.owners, person) for schema in parts.registry.snapshot.schemas.values())


def owns(owners: tuple[str, ...], person: Person | None) -> bool:
    """Whether somebody is among a schema's owners."""
    return person is not None and person.email in {owner.casefold() for owner in owners}
