"""What is collected, why, from whom and for how long, as anybody may read it.

Owners are named with their addresses, as on a schema's page: they are who to ask.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.console.charts import percent
from eventlogging.console.field_words import Fields, fields_of
from eventlogging.console.parts import Parts
from eventlogging.governance.model import field_of
from eventlogging.ledger.sentence import grouped
from eventlogging.registry.model import RegisteredSchema, Snapshot
from eventlogging.retention import words
from eventlogging.retention.policy import (
    Extension,
    Policies,
    Policy,
    look_up_policy,
    read_policies,
)
from eventlogging.retention.remains import leaves, stripped_words
from eventlogging.retention.standing import Going, Standing, read_standing, standing_of
from eventlogging.store.fixed import event_schema, schema_version

MOST_ROWS = 60
_SENTENCE_CHARS = 160
_NUMBERS = {2: "two", 3: "three", 4: "four", 5: "five", 6: "six", 8: "eight", 10: "ten"}
_UNITS = {"pageview": ("page view", "page views"), "session": ("visit", "visits"),
          "device": ("device", "devices")}  # fmt: skip

# What every event has around what its schema describes, in words; columns of a table hold it.
ENVELOPE: Sequence[tuple[str, str]] = (
    ("When it happened, and when it arrived", "two times, in UTC"),
    ("An identifier of the event", "random: it tells a second copy from a second event, and only "
     "the device that made it can know it as its own"),
    ("The site", "its name and wiki, such as `en.example.org`, where the sender says it"),
    ("The kind of browser", "its name and major version, the system, the kind of device and "
     "whether it is a robot; never the browser’s full signature"),
    ("How it was sent", "the version of the description, the share that was sampled, and the name "
     "of the program that sent it"),
)  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """One schema in the list."""

    schema: RegisteredSchema
    policy: Policy
    rows: int  # stored now

    @property
    def is_over(self) -> bool:
        """Whether it takes no more events, and old ones are still stored."""
        return self.schema.state == "retired"

    @property
    def purpose(self) -> str:
        """The beginning of what it is for."""
        text = self.schema.description
        first = text.split(". ")[0].rstrip(".") + "." if text else ""
        return first if len(first) <= _SENTENCE_CHARS else first[: _SENTENCE_CHARS - 1] + "…"

    @property
    def sampled(self) -> str:
        """Which share sends, in words."""
        return sampled_words(self.schema.sampling_rate, self.schema.sampling_unit)


@dataclass(frozen=True)
class Page:
    """All that is said of one schema."""

    entry: Entry
    fields: Fields
    since: str  # ISO time of its first version
    changed: str  # of its latest
    remains: Sequence[str]
    extensions: Sequence[Extension]  # in force
    oldest: str | None
    next: Going | None
    next_words: str


def read_entries(parts: Parts, snapshot: Snapshot) -> list[Entry]:
    """Return the live schemas by title, and retired ones of which events are still stored.

    Raises StoreUnavailable.
    """
    with parts.database.read() as connection:
        policies = read_policies(connection)
        standing = read_standing(connection, policies, clock.day(clock.now_ms()))
    return _entries(snapshot, policies, standing)


def read_page(parts: Parts, schema: RegisteredSchema) -> Page:
    """Return what is said of one schema. Raises StoreUnavailable."""
    today = clock.day(clock.now_ms())
    with parts.database.read() as connection:
        policy = look_up_policy(connection, schema.name)
        standing = standing_of(connection, policy, today)
        times = _times(connection, schema.name)
    return _page(schema, standing, times.get(schema.name, ("", "")), today)


def read_all(parts: Parts, snapshot: Snapshot) -> tuple[list[Page], Policies]:
    """Return what is said of every schema in the list. Raises StoreUnavailable."""
    today = clock.day(clock.now_ms())
    with parts.database.read() as connection:
        policies = read_policies(connection)
        standing = read_standing(connection, policies, today)
        times = _times(connection, None)
    entries = _entries(snapshot, policies, standing)
    pages = [
        _page(
            one.schema,
            standing.get(one.schema.name) or Standing(one.schema.name, one.policy),
            times.get(one.schema.name, ("", "")),
            today,
        )
        for one in entries
    ]
    return pages, policies


def sampled_words(rate: float, unit: str) -> str:
    """Return `every page view`, `one visit of ten`, `12.5 % of devices`, `no page view`."""
    one, many = _UNITS.get(unit, (unit, f"{unit}s"))
    if rate >= 1:
        return f"every {one}"
    if rate <= 0:
        return f"no {one}"
    whole = round(1 / rate)
    if whole > 1 and abs(rate * whole - 1) < 1e-9:
        return f"one {one} of {_NUMBERS.get(whole, grouped(whole))}"
    return f"{percent(rate)} of {many}"


def senders_words(schema: RegisteredSchema) -> str:
    """Return who may send events of a schema."""
    if schema.producers == "token":
        return "only servers that hold a key of ours; no page can"
    if schema.origins:
        return f"pages of {', '.join(schema.origins)}, and programs"
    return "any page, and any program"


def as_dict(page: Page) -> dict[str, Any]:
    """Return one schema as JSON says it."""
    schema, policy = page.entry.schema, page.entry.policy
    return {
        "schema": schema.name,
        "title": schema.title,
        "purpose": schema.description,
        "owners": list(schema.owners),
        "state": schema.state,
        "since": page.since,
        "version": schema.latest,
        "changed": page.changed,
        "fields": [
            {"name": one.name, "meaning": one.text, "kind": one.kind, "required": one.required,
             "private": one.private_words or None, "only_in_older_versions": one.is_old}
            for one in page.fields.fields
        ],
        "more_fields": page.fields.more,
        "open": page.fields.is_open,
        "sampling": {"rate": schema.sampling_rate, "unit": schema.sampling_unit,
                     "words": page.entry.sampled},
        "senders": senders_words(schema),
        "keep_days": policy.keep_days,
        "invalid_keep_days": policy.invalid_keep_days,
        "remains": [text.replace("`", "") for text in page.remains],
        "extensions": [
            {"words": words.extension_words(one), "until": one.until, "reason": one.reason}
            for one in page.extensions
        ],
        "held": policy.held,
        "stored": page.entry.rows,
    }  # fmt: skip


def _entries(
    snapshot: Snapshot, policies: Policies, standing: Mapping[str, Standing]
) -> list[Entry]:
    found = [
        Entry(schema, policies.of(name), standing[name].rows if name in standing else 0)
        for name, schema in snapshot.schemas.items()
    ]
    live = [one for one in found if not one.is_over or one.rows]
    return sorted(live, key=lambda one: (one.schema.title or one.schema.name).casefold())


def _page(
    schema: RegisteredSchema, standing: Standing, times: tuple[str, str], today: str
) -> Page:  # fmt: skip
    policy, going = standing.policy, standing.next(today)
    return Page(
        Entry(schema, policy, standing.rows), fields_of(schema), *times,
        remains=_remains(policy, schema),
        extensions=[one for one in policy.extensions if today <= one.until],
        oldest=standing.oldest,
        next=going,
        next_words=words.ahead(going.on, today) if going else "",
    )  # fmt: skip


def _remains(policy: Policy, schema: RegisteredSchema) -> list[str]:
    """Return what stays when the events are gone, a sentence each; empty: nothing does.

    For the people who are measured, other than `words.remains`, which is for those who measure:
    what matters to them is that no figure stands for few.
    """
    found = []
    if policy.scrub is not None:
        last = policy.scrub.keep_days
        until = f"until they are {words.days(last)} old" if last is not None else "for good"
        what = stripped_words(policy.scrub, leaves(schema)).rstrip(".")
        found.append(f"Of each event, {until}: {what}.")
    for one in policy.aggregates:
        of = ", ".join([*one.capsule, *map(field_of, one.fields)])
        by = f" by {of}" if of else ""
        least = f"no figure stands for fewer than {grouped(one.min_cell)} events"
        found.append(f"Statistics{by}, for good: {least} (`{one.name}`).")
    return found


def _times(connection: sa.Connection, name: str | None) -> dict[str, tuple[str, str]]:
    """Return schema → when it came, and when its latest version did."""
    e, v = event_schema.c, schema_version.c
    query = (
        sa.select(e.name, e.created_at, sa.func.max(v.published_at))
        .join_from(event_schema, schema_version, e.name == v.schema)
        .group_by(e.name, e.created_at)
    )
    if name is not None:
        query = query.where(e.name == name)
    return {row[0]: (row[1], row[2]) for row in connection.execute(query)}
