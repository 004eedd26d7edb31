"""What is kept how long, what was forgotten last, and how that is proved: for page, JSON, command.

Nothing here is anybody's secret: no address, no reason of a hold, no event.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from eventlogging import clock
from eventlogging.console.parts import Parts
from eventlogging.jobs import claims
from eventlogging.jobs.claims import Run
from eventlogging.receipts import chain
from eventlogging.receipts.chain import BrokenChain, Receipt
from eventlogging.registry.model import RegisteredSchema, Snapshot
from eventlogging.retention import words
from eventlogging.retention.policy import Extension, Policies, Policy, read_policies
from eventlogging.retention.standing import Going, Standing, read_standing

PASS, CERTIFICATE, CANARY = "retention", "retention-verify", "opt-out-canary"  # jobs
_FORGETTING = {"purge": "deleted", "scrub": "stripped"}  # kind of receipt → what it did to rows
_NOTHING = "nothing to try yet"  # as such a run says it
_WORDS = {"done": "found nothing wrong", "warning": "ended with a warning",
          "failed": "found something wrong"}  # fmt: skip


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
class Pass:
    """The last pass that was carried out. `rows` maps what was done to how many rows."""

    at: str
    rows: Mapping[str, int]
    days: int  # of the log, deleted as a whole


@dataclass(frozen=True)
class Receipts:
    """How many there are, the digest of the newest, and what the last pass came to."""

    number: int = 0
    digest: str = ""
    trouble: str = ""
    last_pass: Pass | None = None


@dataclass(frozen=True)
class Check:
    """The newest run of a job that checks. `kind` is the colour of its outcome."""

    job: str
    at: str | None
    outcome: str | None
    detail: str = ""

    @property
    def words(self) -> str:
        """How it went."""
        if self.at is None:
            return "has not run yet"
        if self.outcome == "done" and self.detail.startswith(_NOTHING):
            return _NOTHING
        return _WORDS.get(self.outcome or "", "is running")

    @property
    def kind(self) -> str:
        """Which colour that has."""
        if self.at is None or self.outcome is None or self.words == _NOTHING:
            return "suppressed"
        return {"done": "valid", "warning": "pending"}.get(self.outcome, "invalid")


@dataclass(frozen=True)
class View:
    """All of it."""

    today: str
    policies: Policies
    rows: tuple[Row, ...]
    receipts: Receipts
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
    with parts.database.read() as connection:
        policies = read_policies(connection)
        standing = read_standing(connection, policies, today)
    runs = claims.last_runs(parts.database)
    rows = [
        _row(schema, standing[name], today)
        for name, schema in sorted(snapshot.schemas.items(), key=lambda item: item[0].casefold())
        if name in standing and (schema.state != "retired" or standing[name].rows)
    ]
    return View(
        today, policies, tuple(rows), read_receipts(chain.folder_of(parts.config.var)),
        *(_check(job, runs) for job in (PASS, CERTIFICATE, CANARY)),
    )  # fmt: skip


def read_receipts(folder: Path) -> Receipts:
    """Return what the receipts say; they are read anew when the file changed."""
    try:
        found = (folder / chain.FILE).stat()
    except FileNotFoundError:
        return Receipts()
    except OSError as error:
        return Receipts(trouble=str(error))
    return _receipts(folder, found.st_mtime_ns, found.st_size)


# Anybody may ask for the page, and a chain of years takes a while to read.
@lru_cache(maxsize=4)
def _receipts(folder: Path, changed: int, size: int) -> Receipts:
    try:
        every = chain.read(folder)
    except (BrokenChain, OSError) as error:
        return Receipts(trouble=str(error))
    if not every:
        return Receipts()
    return Receipts(every[-1].number, every[-1].digest, "", _last_pass(every))


def _last_pass(every: Sequence[Receipt]) -> Pass | None:
    """Return what the receipts before the last one of a whole pass, back to the one before, say."""
    passes = [at for at, one in enumerate(every) if one.kind == "pass"]
    if not passes:
        return None
    start = passes[-2] if len(passes) > 1 else 0
    rows: dict[str, int] = {}
    days = 0
    for one in every[start : passes[-1]]:
        if word := _FORGETTING.get(one.kind):
            gone = int(one.body.get("rows_before", 0)) - int(one.body.get("rows_after", 0))
            rows[word] = rows.get(word, 0) + gone
        elif one.kind == "log" and one.body.get("what") != "blanked":
            days += len(one.body.get("days", ()))
    return Pass(every[passes[-1]].at, rows, days)


def _row(schema: RegisteredSchema, standing: Standing, today: str) -> Row:
    policy = standing.policy
    return Row(
        schema.name, schema.title, schema.state, policy, standing,
        tuple(words.remains(policy, schema)),
        tuple(one for one in policy.extensions if today <= one.until), today,
    )  # fmt: skip


def _check(job: str, runs: Mapping[str, Run]) -> Check:
    run = runs.get(job)
    if run is None:
        return Check(job, None, None)
    return Check(job, run.finished_at or run.started_at, run.outcome, run.detail)


def as_dict(view: View) -> dict[str, Any]:
    """Return it as JSON says it."""
    default, made = view.policies.default, view.receipts
    last = made.last_pass
    return {
        "today": view.today,
        "default": _days_of(default),
        "cap_days": view.policies.cap_days,
        "schemas": [_row_dict(row) for row in view.rows],
        "last_pass": {"at": last.at, "rows": dict(last.rows), "log_days": last.days}
        if last
        else None,
        "checks": {
            one.job: {"at": one.at, "outcome": one.outcome}
            for one in (view.nightly, view.certificate, view.canary)
        },
        "receipts": {"number": made.number, "newest_digest": made.digest, "trouble": made.trouble},
    }


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
