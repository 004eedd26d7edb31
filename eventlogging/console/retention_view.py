"""What is kept how long, what was forgotten last, and how that is proved: for page, JSON, command.

Nothing here is anybody's secret: no address, no reason of a hold, no event.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from eventlogging import clock
from eventlogging.console import retention_proof as proof
from eventlogging.console.parts import Parts
from eventlogging.console.retention_proof import Check, Pass, Receipts
from eventlogging.receipts import chain
from eventlogging.registry.model import RegisteredSchema, Snapshot
from eventlogging.retention import words
from eventlogging.retention.policy import Extension, Policies, Policy, read_policies
from eventlogging.retention.standing import Going, Standing, read_standing

_CHECKS = (proof.PASS, proof.CERTIFICATE, proof.CANARY)


@dataclass(frozen=True)
class Row:
    """One schema. `remains` are sentences; empty: nothing remains of its events."""

    schema: str
    title: str
    state: str
    policy: Policy
    standing: Standing
    remains: tuple[str, ...]
    extensions: tuple[Extension, ...]  # in force
    today: str

    @property
    def next(self) -> Going | None:
        """What goes first."""
        return self.standing.next(self.today)

    @property
    def next_words(self) -> str:
        """When it goes, in words; empty where nothing is to go."""
        return words.ahead(self.next.on, self.today) if self.next is not None else ""


@dataclass(frozen=True)
class View:
    """All of it."""

    today: str
    policies: Policies
    rows: tuple[Row, ...]
    receipts: Receipts
    last_pass: Pass | None
    nightly: Check
    certificate: Check
    canary: Check

    @property
    def extended(self) -> list[tuple[Extension, list[str]]]:
        """The extensions in force, each with the schemas that it is for."""
        found: dict[Extension, list[str]] = {}
        for row in self.rows:
            for one in row.extensions:
                found.setdefault(one, []).append(row.schema)
        return list(found.items())

    @property
    def held(self) -> list[str]:
        """The schemas that are held."""
        return [row.schema for row in self.rows if row.policy.held]

    def find(self, name: str) -> Row | None:
        """Return one schema's row."""
        return next((row for row in self.rows if row.schema == name), None)


def read_view(parts: Parts, snapshot: Snapshot) -> View:
    """Return how things stand. Raises StoreUnavailable."""
    today = clock.day(clock.now_ms())
    receipts = proof.read_receipts(chain.folder_of(parts.config.var))
    with parts.database.read() as connection:
        policies = read_policies(connection)
        standing = read_standing(connection, policies, today)
        last_pass = proof.last_pass(connection, receipts)
        checks = [proof.read_check(connection, job) for job in _CHECKS]
    rows = [
        _row(schema, standing[name], today)
        for name, schema in sorted(snapshot.schemas.items(), key=lambda item: item[0].casefold())
        if name in standing and (schema.state != "retired" or standing[name].rows)
    ]
    return View(today, policies, tuple(rows), receipts, last_pass, *checks)


def _row(schema: RegisteredSchema, standing: Standing, today: str) -> Row:
    policy = standing.policy
    return Row(
        schema.name, schema.title, schema.state, policy, standing,
        tuple(words.remains(policy, schema)),
        tuple(one for one in policy.extensions if today <= one.until), today,
    )  # fmt: skip


def as_dict(view: View) -> dict[str, Any]:
    """Return it as JSON says it."""
    default, made = view.policies.default, view.receipts
    last = view.last_pass
    return {
        "today": view.today,
        "default": _days_of(default),
        "cap_days": view.policies.cap_days,
        "schemas": [_row_dict(row) for row in view.rows],
        "last_pass": _pass_dict(last) if last else None,
        "checks": {
            one.job: {"at": one.at, "outcome": one.outcome}
            for one in (view.nightly, view.certificate, view.canary)
        },
        "receipts": {"number": made.number, "newest_digest": made.digest, "trouble": made.trouble},
    }


def _pass_dict(last: Pass) -> dict[str, Any]:
    rows = None if last.rows is None else dict(last.rows)
    return {"at": last.at, "rows": rows, "log_days": last.days}


def _row_dict(row: Row) -> dict[str, Any]:
    going = row.next
    return {
        "schema": row.schema,
        **_days_of(row.policy),
        "remains": [text.replace("`", "") for text in row.remains],
        "extensions": [_extension_dict(one) for one in row.extensions],
        "held": row.policy.held,
        "oldest_day": row.standing.oldest,
        "rows": row.standing.rows,
        "next": {"on": going.on, "rows": going.rows} if going else None,
    }


def _days_of(policy: Policy) -> dict[str, int]:
    return {
        "keep_days": policy.keep_days,
        "invalid_keep_days": policy.invalid_keep_days,
        "unsealed_keep_days": policy.unsealed_keep_days,
    }


def _extension_dict(one: Extension) -> dict[str, Any]:
    # One that a rule's file states is for all days.
    return {
        "first_day": one.first_day if one.first_day > "0001" else None,
        "last_day": one.last_day if one.last_day < "9999" else None,
        "keep_days": one.keep_days,
        "until": one.until,
        "reason": one.reason,
    }
