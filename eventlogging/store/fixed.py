"""The fixed tables: everything in the database that is not a table of events.

Times are texts in UTC (`2026-11-22 03:04` for minutes, ISO with milliseconds
elsewhere), so that both databases hold, order and show them alike. The tables
are created and changed by the migrations beside this file; a test holds the two
against each other.
"""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData()

_LONG = sa.Text(16_777_215)
_NAME = sa.String(64)
_TIME = sa.String(24)

registry_counter = sa.Table(
    "registry_counter",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("value", sa.BigInteger, nullable=False),
)

event_schema = sa.Table(
    "event_schema",
    metadata,
    sa.Column("name", _NAME, primary_key=True),
    sa.Column("stem", _NAME, nullable=False),
    sa.Column("folded_stem", _NAME, nullable=False, unique=True),
    sa.Column("title", sa.String(255), nullable=False),
    sa.Column("description", _LONG, nullable=False),
    sa.Column("producers", sa.String(16), nullable=False),
    sa.Column("origins", _LONG, nullable=False),  # JSON list
    sa.Column("sampling_rate", sa.Double, nullable=False),
    sa.Column("sampling_unit", sa.String(16), nullable=False),
    sa.Column("privacy", _LONG, nullable=False),  # JSON: pointer → hmac | drop
    sa.Column("state", sa.String(16), nullable=False),  # published | deprecated | retired
    sa.Column("created_at", _TIME, nullable=False),
    sa.Column("updated_at", _TIME, nullable=False),
    sa.Column("fill_defaults", sa.String(16), nullable=False, server_default="eventgate"),
)

schema_owner = sa.Table(
    "schema_owner",
    metadata,
    sa.Column("schema", _NAME, primary_key=True),
    sa.Column("email", sa.String(191), primary_key=True),
    sa.Column("position", sa.Integer, nullable=False),
)

schema_version = sa.Table(
    "schema_version",
    metadata,
    sa.Column("schema", _NAME, primary_key=True),
    sa.Column("major", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("minor", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("patch", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("source", _LONG, nullable=False),  # the document as proposed
    sa.Column("document", _LONG, nullable=False),  # resolved: stands alone
    sa.Column("draft", sa.String(16), nullable=False),
    sa.Column("revision", sa.BigInteger),
    sa.Column("changes", _LONG, nullable=False),  # JSON list of sentences
    sa.Column("override_reason", _LONG),
    sa.Column("published_at", _TIME, nullable=False),
    sa.Column("published_by", sa.String(191), nullable=False),
)

schema_example = sa.Table(
    "schema_example",
    metadata,
    sa.Column("schema", _NAME, primary_key=True),
    sa.Column("name", sa.String(191), primary_key=True),
    sa.Column("passes", sa.Boolean, nullable=False),
    sa.Column("payload", _LONG, nullable=False),
)

schema_table = sa.Table(
    "schema_table",
    metadata,
    sa.Column("schema", _NAME, primary_key=True),
    sa.Column("major", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("table_name", _NAME, nullable=False, unique=True),
    sa.Column("overflow", _LONG, nullable=False),  # JSON list of pointers
)

schema_column = sa.Table(
    "schema_column",
    metadata,
    sa.Column("table_name", _NAME, primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("pointer", _LONG, nullable=False),
    sa.Column("name", _NAME, nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("length", sa.Integer),
)

proposal = sa.Table(
    "proposal",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("schema", _NAME, nullable=False, index=True),
    sa.Column("version", sa.String(32), nullable=False),
    sa.Column("body", _LONG, nullable=False),  # JSON: the proposal as it came
    sa.Column("state", sa.String(16), nullable=False),  # proposed | published | withdrawn
    sa.Column("proposed_at", _TIME, nullable=False),
    sa.Column("proposed_by", sa.String(191), nullable=False),
)

governance = sa.Table(
    "governance",
    metadata,
    sa.Column("folder", sa.String(16), primary_key=True),  # reviewers | alerts | purge
    sa.Column("name", sa.String(191), primary_key=True),  # default.toml, emails/throughput.txt …
    sa.Column("document", _LONG, nullable=False),  # JSON: a table, or a text
    sa.Column("updated_at", _TIME, nullable=False),
)

audit = sa.Table(
    "audit",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("at", _TIME, nullable=False),
    sa.Column("who", sa.String(191), nullable=False),
    sa.Column("action", sa.String(64), nullable=False),
    sa.Column("subject", sa.String(191), nullable=False, index=True),
    sa.Column("detail", _LONG, nullable=False),  # JSON
)

token = sa.Table(
    "token",
    metadata,
    sa.Column("digest", sa.String(64), primary_key=True),  # SHA-256, hex
    sa.Column("name", sa.String(191), nullable=False),
    sa.Column("scopes", sa.String(191), nullable=False),  # blank-separated
    sa.Column("created_at", _TIME, nullable=False),
    sa.Column("expires_at", _TIME),
    sa.Column("revoked_at", _TIME),
)

sign_in_link = sa.Table(
    "sign_in_link",
    metadata,
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("created_at", _TIME, nullable=False),
    sa.Column("expires_at", _TIME, nullable=False),
    sa.Column("used_at", _TIME),
)

checkpoint = sa.Table(
    "checkpoint",
    metadata,
    sa.Column("segment", sa.String(100), primary_key=True),
    sa.Column("position", sa.BigInteger, nullable=False),
    sa.Column("finished", sa.Boolean, nullable=False),
    sa.Column("updated_at", _TIME, nullable=False),
)

ledger = sa.Table(
    "ledger",
    metadata,
    sa.Column("minute", sa.String(16), primary_key=True),  # of receipt
    sa.Column("schema", _NAME, primary_key=True),
    sa.Column("version", sa.String(32), primary_key=True),
    sa.Column("outcome", sa.String(16), primary_key=True),  # an Outcome, or sent | pending
    sa.Column("reason", sa.String(32), primary_key=True),  # an invalid event's code
    sa.Column("count", sa.BigInteger, nullable=False),
    sa.Column("kept", sa.BigInteger, nullable=False),  # of them, stored as rows
)

table_day = sa.Table(
    "table_day",
    metadata,
    sa.Column("table_name", _NAME, primary_key=True),
    sa.Column("day", sa.String(10), primary_key=True),
    sa.Column("rows_in", sa.BigInteger, nullable=False),
    sa.Column("rows_out", sa.BigInteger, nullable=False),
)

recent_id = sa.Table(
    "recent_id",
    metadata,
    sa.Column("table_name", _NAME, primary_key=True),
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("dt", sa.String(23), nullable=False),
    sa.Column("added", sa.String(10), nullable=False, index=True),  # day
)

parked = sa.Table(
    "parked",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("segment", sa.String(100), nullable=False),
    sa.Column("start", sa.BigInteger, nullable=False),
    sa.Column("end", sa.BigInteger, nullable=False),
    sa.Column("table_name", _NAME, nullable=False, index=True),
    sa.Column("lines", sa.Integer, nullable=False),
    sa.Column("reason", sa.String(500), nullable=False),
    sa.Column("since", _TIME, nullable=False),
)

job_run = sa.Table(
    "job_run",
    metadata,
    sa.Column("job", _NAME, primary_key=True),
    sa.Column("slot", sa.String(32), primary_key=True),
    sa.Column("started_at", _TIME, nullable=False),
    sa.Column("lease_until", _TIME, nullable=False),
    sa.Column("finished_at", _TIME),
    sa.Column("outcome", sa.String(16)),
    sa.Column("detail", _LONG, nullable=False),
)
