"""The rules in force: what alerts/default.toml and alerts/<Name>.toml say, for each schema."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Documents = Mapping[tuple[str, str], Any]  # (folder, path in it) → what the file holds

# Kinds of rules that each schema is held against, and those of the whole platform.
OF_SCHEMAS = ("throughput", "invalid", "silent", "rhythm", "volume")
OF_ALL = ("throughput", "invalid", "unexplained", "database", "jobs", "certificate")
OF_HOSTS = ("lag", "stored", "disk")  # each host looks after its own log
# The jobs that prove that events are forgotten on time, and that who opted out is not kept.
VERIFY, CANARY = "retention-verify", "opt-out-canary"
_NEED_LIFE = ("silent", "rhythm")  # no events of a retired schema are no news
_FOLDER, _DEFAULT = "alerts", "default.toml"

_WORDS: Mapping[str, str] = {
    "throughput": "more than {above_per_second:g} events a second over {window_minutes} min",
    "invalid": "more than {above_percent:g} % of at least {at_least_events} events invalid within "
    "{window_minutes} min",
    "silent": "no valid event for {after_minutes} min",
    "rhythm": "no valid event in a span in which at least {at_least_events} came in each of the "
    "last {weeks} weeks",
    "volume": "an hour unlike the same hour of the last {weeks} weeks by {deviations:g} times "
    "their usual deviation, from {at_least_events} events on",
    "unexplained": "more than {above_events} events unexplained within {window_minutes} min",
    "lag": "events that wait for more than {above_seconds:g} s to be stored",
    "stored": "less than {below_percent:g} % of what was accepted stored within {window_minutes} "
    "min, where at least {at_least_bytes} bytes were",
    "disk": "less than {below_gigabytes:g} GB free on the disk of the log",
    "database": "more than {above_percent:g} % of what the database has room for in use",
    "jobs": "a job that failed, found something wrong, or is late by {late_minutes} min",
    "certificate": "something kept that no rule explains, something kept of who opted out, or no "
    "certificate for {after_days:g} days",
}


@dataclass(frozen=True)
class Rule:
    """One rule. `schema` is empty where it is about all events together, or no schema's."""

    kind: str
    schema: str
    values: Mapping[str, float] = field(default_factory=dict)

    @property
    def words(self) -> str:
        """What would raise an alert."""
        return _WORDS[self.kind].format(**self.values)


def rules_of(documents: Documents, schemas: Mapping[str, str]) -> list[Rule]:
    """Return all rules in force; `schemas` maps names to states (`retired` …)."""
    default = _document(documents, _DEFAULT)
    found = [Rule(kind, "", default[kind]) for kind in (*OF_ALL, *OF_HOSTS) if kind in default]
    for name, state in sorted(schemas.items()):
        found += rules_of_schema(documents, name, state)
    return found


def rules_of_schema(documents: Documents, name: str, state: str = "published") -> list[Rule]:
    """Return the rules that one schema is held against: its own file's, else the default's."""
    own, default = _document(documents, f"{name}.toml"), _document(documents, _DEFAULT)
    found = []
    for kind in OF_SCHEMAS:
        values = own.get(kind, default.get(kind))
        if values is None or (state == "retired" and kind in _NEED_LIFE):
            continue
        if kind == "rhythm" and "silent" in own:
            continue  # its owners know better
        found.append(Rule(kind, name, values))
    return found


def recipients_of(documents: Documents, schema: str) -> tuple[str, ...]:
    """Return who is told beside a schema's owners (`""`: of what is about no schema)."""
    own, default = _document(documents, f"{schema}.toml"), _document(documents, _DEFAULT)
    return tuple(own.get("recipients", default.get("recipients", ())))


def webhooks_of(documents: Documents, schema: str) -> tuple[str, ...]:
    """Return the addresses that are called beside the mails."""
    own, default = _document(documents, f"{schema}.toml"), _document(documents, _DEFAULT)
    return tuple(own.get("webhooks", default.get("webhooks", ())))


def names(schemas: Iterable[Any]) -> dict[str, str]:
    """Return name → state of registered schemas."""
    return {schema.name: schema.state for schema in schemas}


def _document(documents: Documents, name: str) -> Mapping[str, Any]:
    found = documents.get((_FOLDER, name))
    return found if isinstance(found, Mapping) else {}
