"""Find one person: in the tables, in this host's log, in texts; and hand out what is there."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import orjson

from eventlogging.platform import Platform
from eventlogging.retention import person_log, person_rows, person_texts
from eventlogging.retention.identity import Identity, hashes, ids_of, keys_of
from eventlogging.retention.person_rows import Hit, Place
from eventlogging.retention.policy import read_policies
from eventlogging.schema.codec import compile_decoder
from eventlogging.store.dialect import CAPSULE_COLUMNS, INVALID_COLUMNS

__all__ = ["Found", "export", "find", "hashes", "identity", "keys_of", "shown"]


@dataclass(frozen=True)
class Found:
    """What there is of a person: rows by table, lines of this host's log, texts.

    `held`: rows by table that a legal hold keeps. `out_of_reach`: sentences.
    """

    tables: Mapping[str, int] = field(default_factory=dict)
    held: Mapping[str, int] = field(default_factory=dict)
    log_lines: int = 0
    log_waiting: int = 0  # of lines that are in no table yet
    texts: Mapping[str, int] = field(default_factory=dict)
    out_of_reach: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """All rows, the held ones apart."""
        return sum(self.tables.values())

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing of the person anywhere."""
        return not (self.tables or self.held or self.log_lines or self.log_waiting or self.texts)

    def as_dict(self) -> dict[str, Any]:
        """Return all of it as JSON has it."""
        return asdict(self) | {"rows": self.rows}


def identity(platform: Platform, ids: Sequence[str]) -> Identity:
    """Return who is meant by plain ids. Raises EventLoggingError where there is none."""
    keys = keys_of(platform)
    return Identity(hashes(keys, ids), keys, frozenset(ids_of(ids)))


def find(platform: Platform, hashes: Sequence[str], plain: Sequence[str] = ()) -> Found:
    """Count what there is of a person. Raises StoreUnavailable, OSError."""
    who = Identity(tuple(hashes), keys_of(platform), frozenset(plain))
    database = platform.database
    with database.read() as connection:
        policies = read_policies(connection)
    held_schemas = {name for name, policy in policies.own.items() if policy.held}
    tables: dict[str, int] = {}
    held: dict[str, int] = {}
    for place in person_rows.places(database, person_rows.refreshed(platform)):
        for hit in person_rows.find(database, place, who):
            kept = held if is_held(hit, held_schemas) else tables
            kept[place.table] = kept.get(place.table, 0) + 1
    done = person_log.progress(database)
    lines = person_log.look(platform.log_folder, done, who)
    texts = person_texts.count(database, platform.config.var / "outbox", who.hashes)
    return Found(tables, held, lines.loaded, lines.waiting, texts, out_of_reach(platform))


def is_held(hit: Hit, held: Collection[str]) -> bool:
    """Whether a legal hold keeps a row."""
    return hit.place.schema in held


def out_of_reach(platform: Platform) -> tuple[str, ...]:
    """Return, in sentences, where nobody can be found any more."""
    database = platform.database
    found = []
    for place in person_rows.places(database, platform.registry.snapshot):
        if place.kind == "stripped" and (months := person_rows.unreachable(database, place)):
            found.append(
                f"{place.table} of {', '.join(months)}: hashed under a key that is destroyed"
            )
    return tuple(found)


def export(platform: Platform, ids: Sequence[str]) -> dict[str, Any]:
    """Return all that there is of a person, decoded, as one JSON document.

    `events`, `refused`, `stripped`, `test_events` come from the tables; `waiting` are lines of
    this host's log that are in no table yet. Raises StoreUnavailable, OSError.
    """
    who = identity(platform, ids)
    database = platform.database
    document: dict[str, Any] = {
        "made_at": person_rows.now_iso(), "hashes": list(who.hashes), "events": [],
        "refused": [], "stripped": [], "test_events": [], "waiting": [],
    }  # fmt: skip
    lists = {"valid": "events", "refused": "refused", "stripped": "stripped", "test": "test_events"}
    for place in person_rows.places(database, person_rows.refreshed(platform)):
        hits = list(person_rows.find(database, place, who))
        rows = person_rows.read(database, hits)
        document[lists[place.kind]] += [shown(place, row) for row in rows]
    done = person_log.progress(database)
    waiting = person_log.waiting(platform.log_folder, done, who)
    document["waiting"] = [_parsed_raw(line) for line in waiting]
    document["out_of_reach"] = list(out_of_reach(platform))
    return document


def shown(place: Place, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of a table as one reads it."""
    plain = {name: _plain(value) for name, value in row.items()}
    if place.kind == "valid" and place.plan is not None:
        names = [name for name, _ in CAPSULE_COLUMNS]
        columns = [column.name for column in place.plan.columns]
        # What a minor version added may not be there yet in the table.
        values = [row.get(name) for name in columns]
        event = compile_decoder(place.plan)(values, row.get("event_more"))
        return {"schema": place.schema, **{name: plain[name] for name in names}, "event": event}
    if place.kind == "refused":
        refused = {name: plain[name] for name, _ in INVALID_COLUMNS}
        refused["errors"] = _json(refused["errors"])
        return _parsed_raw(refused)
    if place.kind == "test":
        return plain | {"event": _json(plain["event"]), "errors": _json(plain["errors"])}
    return {"schema": place.schema, **{k: v for k, v in plain.items() if v is not None}}


def _parsed_raw(content: Mapping[str, Any]) -> dict[str, Any]:
    shown = dict(content)
    if isinstance(shown.get("raw"), str):
        shown["raw"] = _json(shown["raw"])
    return shown


def _json(text: Any) -> Any:
    try:
        return orjson.loads(text)
    except (orjson.JSONDecodeError, TypeError):
        return text


def _plain(value: Any) -> Any:
    if hasattr(value, "isoformat"):
        return value.isoformat(" ", "milliseconds")
    return value
