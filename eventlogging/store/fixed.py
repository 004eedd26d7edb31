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
    sa.Column("readers", sa.String(16), nullable=False, server_default="analysts"),
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

# What people ask to have registered: from the first draft to its end. `body` is JSON, the proposal
# as `registry.proposal` reads it; `answers` is JSON, what the proposer says to `request.md`.
# `revision` counts the edits, so that of two people who edit at once the second is told.
proposal = sa.Table(
    "proposal",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("schema", _NAME, nullable=False, index=True),
    sa.Column("version", sa.String(32), nullable=False),  # computed; "" where it cannot be yet
    sa.Column("body", _LONG, nullable=False),
    # draft | proposed | returned | approved | published | withdrawn
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("proposed_at", _TIME, nullable=False),  # of a draft: when it was begun
    sa.Column("proposed_by", sa.String(191), nullable=False),
    sa.Column("revision", sa.Integer, nullable=False, server_default="1"),
    sa.Column("updated_at", _TIME, nullable=False, server_default=""),
    sa.Column("updated_by", sa.String(191), nullable=False, server_default=""),
    sa.Column("answers", _LONG),
    sa.Column("reviewer", sa.String(191)),  # whose turn it is
    sa.Column("assigned_at", _TIME),
    sa.Column("reminded_at", _TIME),
)

proposal_revision = sa.Table(
    "proposal_revision",
    metadata,
    sa.Column("proposal", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("revision", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("at", _TIME, nullable=False),
    sa.Column("who", sa.String(191), nullable=False),
    sa.Column("body", _LONG, nullable=False),
)

# The thread of a proposal: comments and all that happened to it.
proposal_event = sa.Table(
    "proposal_event",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("proposal", sa.Integer, nullable=False, index=True),
    sa.Column("at", _TIME, nullable=False),
    sa.Column("who", sa.String(191), nullable=False),
    # edit | comment | propose | assign | remind | hand_over | return | approve | publish | withdraw
    sa.Column("action", sa.String(16), nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("text", _LONG, nullable=False),
)

person = sa.Table(
    "person",
    metadata,
    sa.Column("email", sa.String(191), primary_key=True),  # case-folded
    sa.Column("name", sa.String(191), nullable=False),
    sa.Column("role", sa.String(16), nullable=False),  # admin | analyst | viewer
    sa.Column("state", sa.String(16), nullable=False),  # invited | active | disabled
    sa.Column("password", sa.String(255)),  # argon2, or none: another way of signing in
    sa.Column("subject", sa.String(255), unique=True),  # of the OpenID provider
    sa.Column("created_at", _TIME, nullable=False),
    sa.Column("seen_at", _TIME),
    sa.Column("away_until", sa.String(10)),  # the last day out of office
)

person_session = sa.Table(
    "person_session",
    metadata,
    sa.Column("digest", sa.String(64), primary_key=True),  # SHA-256, hex
    sa.Column("email", sa.String(191), nullable=False, index=True),
    sa.Column("created_at", _TIME, nullable=False),
    sa.Column("expires_at", _TIME, nullable=False, index=True),
)

# Failed attempts to sign in, by account: no address of anybody is kept.
sign_in_failure = sa.Table(
    "sign_in_failure",
    metadata,
    sa.Column("email", sa.String(191), primary_key=True),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("last_at", _TIME, nullable=False),
)

reviewer_invitation = sa.Table(
    "reviewer_invitation",
    metadata,
    sa.Column("email", sa.String(191), primary_key=True),
    sa.Column("schema", _NAME, nullable=False),  # whose first valid event was the occasion
    sa.Column("invited_at", _TIME, nullable=False),
    sa.Column("answer", sa.String(16)),  # yes | no
    sa.Column("answered_at", _TIME),
)

# Owners that cannot be reached.
owner_trouble = sa.Table(
    "owner_trouble",
    metadata,
    sa.Column("schema", _NAME, primary_key=True),
    sa.Column("email", sa.String(191), primary_key=True),
    sa.Column("reason", sa.String(16), nullable=False),  # bounced | disabled
    sa.Column("since", _TIME, nullable=False),
    sa.Column("owners_asked_at", _TIME),
    sa.Column("reviewers_asked_at", _TIME),
)

# Mail on its way: written in the transaction that decides on it, sent by the jobs process.
mail = sa.Table(
    "mail",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("key", sa.String(191), nullable=False, unique=True),  # what must be said once
    sa.Column("message_id", sa.String(191), nullable=False),
    sa.Column("recipient", sa.String(191), nullable=False, index=True),
    sa.Column("subject", sa.String(500), nullable=False),
    sa.Column("text", _LONG, nullable=False),
    sa.Column("html", _LONG, nullable=False),
    sa.Column("images", _LONG, nullable=False),  # JSON: content id → base64 PNG
    sa.Column("headers", _LONG, nullable=False),  # JSON: more headers
    sa.Column("created_at", _TIME, nullable=False),
    sa.Column("due_at", _TIME, nullable=False, index=True),  # not before
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),  # waiting | sending | sent | failed
    sa.Column("sent_at", _TIME),
    sa.Column("trouble", sa.String(500), nullable=False),
)

# What test keys sent: shown live, outside of every sum, and gone after a day.
test_event = sa.Table(
    "test_event",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("segment", sa.String(100), nullable=False),
    sa.Column("offset", sa.BigInteger, nullable=False),
    sa.Column("index", sa.Integer, nullable=False),
    sa.Column("received", sa.String(24), nullable=False, index=True),
    sa.Column("key_name", sa.String(191), nullable=False),
    sa.Column("schema", _NAME, nullable=False, index=True),
    sa.Column("version", sa.String(32), nullable=False),
    sa.Column("outcome", sa.String(16), nullable=False),  # valid | invalid
    sa.Column("code", sa.String(32), nullable=False),
    sa.Column("errors", _LONG, nullable=False),  # JSON
    sa.Column("event", _LONG, nullable=False),  # JSON, sealed where it could be
    sa.UniqueConstraint("segment", "offset", "index", name="test_event_place"),
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
    # bin/run's link makes the first admin; others are for one person
    sa.Column("purpose", sa.String(16), nullable=False, server_default="admin"),  # | invite | reset
    sa.Column("email", sa.String(191)),
)

# A time of trouble, from its first sign to its end: one mail when it opens, one when it closes.
alert_episode = sa.Table(
    "alert_episode",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("rule", sa.String(32), nullable=False),
    sa.Column("schema", _NAME, nullable=False, index=True),  # "": all events together
    # rule and schema while it is open, so that there is one; NULL afterwards
    sa.Column("open_key", sa.String(128), unique=True),
    sa.Column("opened_at", _TIME, nullable=False, index=True),
    sa.Column("closed_at", _TIME),
    sa.Column("acknowledged_at", _TIME),
    sa.Column("acknowledged_by", sa.String(191)),
    sa.Column("snoozed_until", _TIME),
    sa.Column("told_again_at", _TIME),  # when the other owners were told that nobody acted
    sa.Column("value", sa.Double, nullable=False),  # the newest measured
    sa.Column("detail", _LONG, nullable=False),  # JSON
)

subscription = sa.Table(
    "subscription",
    metadata,
    sa.Column("email", sa.String(191), primary_key=True),
    sa.Column("topic", sa.String(80), primary_key=True),  # daily | weekly | alerts | schema:<name>
    sa.Column("created_at", _TIME, nullable=False),
)

# The validity report of each day, as it went out.
validity_report = sa.Table(
    "validity_report",
    metadata,
    sa.Column("day", sa.String(10), primary_key=True),
    sa.Column("made_at", _TIME, nullable=False),
    sa.Column("complete", sa.Boolean, nullable=False),
    sa.Column("body", _LONG, nullable=False),  # JSON
)

# Calls of chat tools on their way, as mail is.
webhook_call = sa.Table(
    "webhook_call",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("key", sa.String(191), nullable=False, unique=True),
    sa.Column("url", sa.String(500), nullable=False),
    sa.Column("body", _LONG, nullable=False),
    sa.Column("created_at", _TIME, nullable=False),
    sa.Column("due_at", _TIME, nullable=False, index=True),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),  # waiting | sending | sent | failed
    sa.Column("trouble", sa.String(500), nullable=False),
)

# Which days of an aggregate are computed, and from how many rows; `final` once their raw is gone.
aggregate_day = sa.Table(
    "aggregate_day",
    metadata,
    sa.Column("schema", _NAME, primary_key=True),
    sa.Column("aggregate", _NAME, primary_key=True),
    sa.Column("day", sa.String(10), primary_key=True),
    sa.Column("definition", sa.String(32), nullable=False),  # digest of what was asked for
    sa.Column("source", sa.String(191), nullable=False),  # what the raw rows' books said
    sa.Column("events", sa.BigInteger, nullable=False),
    sa.Column("final", sa.Boolean, nullable=False),
    sa.Column("computed_at", _TIME, nullable=False),
)

aggregate_cell = sa.Table(
    "aggregate_cell",
    metadata,
    sa.Column("schema", _NAME, primary_key=True),
    sa.Column("aggregate", _NAME, primary_key=True),
    sa.Column("day", sa.String(10), primary_key=True),
    sa.Column("cell", sa.String(32), primary_key=True),  # digest of `by`
    sa.Column("by", _LONG, nullable=False),  # JSON: what is counted by → value
    sa.Column("events", sa.BigInteger, nullable=False),  # rows
    sa.Column("count", sa.Double, nullable=False),  # weighted by sample rate
    sa.Column("measures", _LONG, nullable=False),  # JSON, sketches in base64
)

# A longer keep for some schemas and days, asked for by an owner and decided by a reviewer.
extension = sa.Table(
    "extension",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("schemas", _LONG, nullable=False),  # JSON list of names
    sa.Column("first_day", sa.String(10), nullable=False),  # of the events that are kept longer
    sa.Column("last_day", sa.String(10), nullable=False),
    sa.Column("keep_days", sa.Integer, nullable=False),
    sa.Column("until", sa.String(10), nullable=False),  # the last day that it holds
    sa.Column("reason", _LONG, nullable=False),
    sa.Column("why_not_less", _LONG, nullable=False),  # why neither stripping nor counts would do
    sa.Column("state", sa.String(16), nullable=False),  # asked | granted | refused | withdrawn
    sa.Column("asked_by", sa.String(191), nullable=False),
    sa.Column("asked_at", _TIME, nullable=False),
    sa.Column("decided_by", sa.String(191)),
    sa.Column("decided_at", _TIME),
    sa.Column("decision", _LONG, nullable=False),  # the reviewer's words
)

# Nothing of a held schema is purged, stripped or erased.
legal_hold = sa.Table(
    "legal_hold",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("schema", _NAME, nullable=False, index=True),
    sa.Column("reason", _LONG, nullable=False),
    sa.Column("placed_by", sa.String(191), nullable=False),
    sa.Column("placed_at", _TIME, nullable=False),
    sa.Column("lifted_by", sa.String(191)),
    sa.Column("lifted_at", _TIME),
)

# A person's wish to be forgotten. Keyed hashes alone say who it is, until some days after it is
# done.
erasure = sa.Table(
    "erasure",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("hashes", _LONG, nullable=False),  # JSON: of `<key id>:<hash>`, or ids of events
    sa.Column("asked_at", _TIME, nullable=False),
    sa.Column("asked_by", sa.String(191), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),  # asked | done
    sa.Column("detail", _LONG, nullable=False),  # JSON: what was done where, what still waits
    sa.Column("done_at", _TIME),
)

# The keys of hashes in stripped tables, one a month; without its key a month is out of reach.
epoch_key = sa.Table(
    "epoch_key",
    metadata,
    sa.Column("epoch", sa.String(7), primary_key=True),  # 2026-11
    sa.Column("secret", sa.String(64)),  # hex; NULL once destroyed. No backup holds it.
    sa.Column("made_at", _TIME, nullable=False),
    sa.Column("destroyed_at", _TIME),
)

# What clients say of themselves: per day of receipt, schema and client, since their last report.
client_count = sa.Table(
    "client_count",
    metadata,
    sa.Column("day", sa.String(10), primary_key=True),
    sa.Column("schema", _NAME, primary_key=True),
    sa.Column("client", _NAME, primary_key=True),
    sa.Column("attempted", sa.BigInteger, nullable=False),
    sa.Column("sampled_out", sa.BigInteger, nullable=False),
    sa.Column("suppressed", sa.BigInteger, nullable=False),
    sa.Column("dropped", sa.BigInteger, nullable=False),
    sa.Column("sent", sa.BigInteger, nullable=False),
)

# Reports of clients that are counted already, so that a retry counts once.
client_report = sa.Table(
    "client_report",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("added", sa.String(10), nullable=False, index=True),  # day
)

# Batches that a forwarder sent and that are loaded, so that a retry is stored once.
forwarded = sa.Table(
    "forwarded",
    metadata,
    sa.Column("origin", sa.String(191), primary_key=True),  # forwarder and segment
    sa.Column("start", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("segment", sa.String(100), nullable=False),  # of ours, and where in it it stands
    sa.Column("offset", sa.BigInteger, nullable=False),
    sa.Column("added", sa.String(10), nullable=False, index=True),  # day
)

# Accounts whose people said no: keyed hashes of their ids.
opt_out = sa.Table(
    "opt_out",
    metadata,
    sa.Column("hash", sa.String(64), primary_key=True),
    sa.Column("at", _TIME, nullable=False),
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
