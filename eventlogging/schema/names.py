"""Schema names: which are allowed, and the table stem each one gives.

A name is CamelCase (`NavigationTiming`) or a path of segments
(`analytics/legacy/navigationtiming`); the registry stores the table name it
was given once, and nobody derives it again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.\-]*(?:/[A-Za-z][A-Za-z0-9_.\-]*)*\Z", re.ASCII)
_DIGITS_WITH_DOTS = re.compile(r"[0-9.]+\Z", re.ASCII)
_LIKE_A_TABLE = re.compile(r".*_(?:[0-9]+|invalid|scrubbed)\Z", re.ASCII)
MAX_STEM = 50
RESERVED_SEGMENTS = frozenset({"invalid", "latest", "scrubbed"})
RESERVED_STEMS = frozenset(
    {
        "unknown", "registry_counter", "event_schema", "schema_owner", "schema_version",
        "schema_example", "schema_table", "schema_column", "proposal", "governance", "audit",
        "token", "sign_in_link", "checkpoint", "ledger", "table_day", "recent_id", "parked",
        "job_run", "alembic_version", "proposal_revision", "proposal_event", "person",
        "person_session", "sign_in_failure", "reviewer_invitation", "owner_trouble", "mail",
        "test_event", "alert_episode", "subscription", "validity_report", "webhook_call",
        "aggregate_day", "aggregate_cell", "extension", "legal_hold", "erasure", "epoch_key",
        "client_count", "client_report", "forwarded", "opt_out",
    }
)  # fmt: skip


def table_stem(name: str) -> str:
    """Return the name with its separators as `_`: the stem of its tables and view."""
    return re.sub(r"[/.\-]", "_", name)


def name_problems(name: str) -> Iterator[str]:
    """Yield every reason why `name` cannot name a schema (none: it can)."""
    if not _NAME.match(name):
        yield (
            f"{name!r} is not a schema name: use letters, digits, '_', '-', '.' and '/', "
            "each segment starting with a letter, such as NavigationTiming"
        )
        return
    stem = table_stem(name)
    if len(stem) > MAX_STEM:
        yield f"{name!r} is {len(stem)} characters long; at most {MAX_STEM} fit into a table name"
    last = name.rsplit("/", 1)[-1]
    if last.casefold() in RESERVED_SEGMENTS or _DIGITS_WITH_DOTS.match(last):
        yield f"the last segment {last!r} is reserved; choose another"
    if stem.casefold() in RESERVED_STEMS:
        yield f"{name!r} is reserved for the platform's own table; choose another"
    if _LIKE_A_TABLE.match(stem):
        yield f"{name!r} ends like a table name (_1, _invalid, _scrubbed); choose another"
