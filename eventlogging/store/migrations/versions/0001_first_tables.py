"""The first form of the fixed tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.String(length=24), nullable=False),
        sa.Column("who", sa.String(length=191), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=191), nullable=False),
        sa.Column("detail", sa.Text(length=16777215), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_audit_subject"), "audit", ["subject"], unique=False)
    op.create_table(
        "checkpoint",
        sa.Column("segment", sa.String(length=100), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("finished", sa.Boolean(), nullable=False),
        sa.Column("updated_at", sa.String(length=24), nullable=False),
        sa.PrimaryKeyConstraint("segment"),
    )
    op.create_table(
        "event_schema",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("stem", sa.String(length=64), nullable=False),
        sa.Column("folded_stem", sa.String(length=64), nullable=False),
        sa.Column("title", sa.String(length=255), nullable=False),
        sa.Column("description", sa.Text(length=16777215), nullable=False),
        sa.Column("producers", sa.String(length=16), nullable=False),
        sa.Column("origins", sa.Text(length=16777215), nullable=False),
        sa.Column("sampling_rate", sa.Double(), nullable=False),
        sa.Column("sampling_unit", sa.String(length=16), nullable=False),
        sa.Column("privacy", sa.Text(length=16777215), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.String(length=24), nullable=False),
        sa.Column("updated_at", sa.String(length=24), nullable=False),
        sa.PrimaryKeyConstraint("name"),
        sa.UniqueConstraint("folded_stem"),
    )
    op.create_table(
        "governance",
        sa.Column("folder", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=191), nullable=False),
        sa.Column("document", sa.Text(length=16777215), nullable=False),
        sa.Column("updated_at", sa.String(length=24), nullable=False),
        sa.PrimaryKeyConstraint("folder", "name"),
    )
    op.create_table(
        "job_run",
        sa.Column("job", sa.String(length=64), nullable=False),
        sa.Column("slot", sa.String(length=32), nullable=False),
        sa.Column("started_at", sa.String(length=24), nullable=False),
        sa.Column("lease_until", sa.String(length=24), nullable=False),
        sa.Column("finished_at", sa.String(length=24), nullable=True),
        sa.Column("outcome", sa.String(length=16), nullable=True),
        sa.Column("detail", sa.Text(length=16777215), nullable=False),
        sa.PrimaryKeyConstraint("job", "slot"),
    )
    op.create_table(
        "ledger",
        sa.Column("minute", sa.String(length=16), nullable=False),
        sa.Column("schema", sa.String(length=64), nullable=False),
        sa.Column("version", sa.String(length=32), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("kept", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("minute", "schema", "version", "outcome", "reason"),
    )
    op.create_table(
        "parked",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("segment", sa.String(length=100), nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("end", sa.BigInteger(), nullable=False),
        sa.Column("table_name", sa.String(length=64), nullable=False),
        sa.Column("lines", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("since", sa.String(length=24), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_parked_table_name"), "parked", ["table_name"], unique=False)
    op.create_table(
        "proposal",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("schema", sa.String(length=64), nullable=False),
        sa.Column("version", sa.String(length=32), nullable=False),
        sa.Column("body", sa.Text(length=16777215), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("proposed_at", sa.String(length=24), nullable=False),
        sa.Column("proposed_by", sa.String(length=191), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_proposal_schema"), "proposal", ["schema"], unique=False)
    op.create_table(
        "recent_id",
        sa.Column("table_name", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("dt", sa.String(length=23), nullable=False),
        sa.Column("added", sa.String(length=10), nullable=False),
        sa.PrimaryKeyConstraint("table_name", "id"),
    )
    op.create_index(op.f("ix_recent_id_added"), "recent_id", ["added"], unique=False)
    op.create_table(
        "registry_counter",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "schema_column",
        sa.Column("table_name", sa.String(length=64), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("pointer", sa.Text(length=16777215), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("length", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("table_name", "position"),
    )
    op.create_table(
        "schema_example",
        sa.Column("schema", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=191), nullable=False),
        sa.Column("passes", sa.Boolean(), nullable=False),
        sa.Column("payload", sa.Text(length=16777215), nullable=False),
        sa.PrimaryKeyConstraint("schema", "name"),
    )
    op.create_table(
        "schema_owner",
        sa.Column("schema", sa.String(length=64), nullable=False),
        sa.Column("email", sa.String(length=191), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("schema", "email"),
    )
    op.create_table(
        "schema_table",
        sa.Column("schema", sa.String(length=64), nullable=False),
        sa.Column("major", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("table_name", sa.String(length=64), nullable=False),
        sa.Column("overflow", sa.Text(length=16777215), nullable=False),
        sa.PrimaryKeyConstraint("schema", "major"),
        sa.UniqueConstraint("table_name"),
    )
    op.create_table(
        "schema_version",
        sa.Column("schema", sa.String(length=64), nullable=False),
        sa.Column("major", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("minor", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("patch", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("source", sa.Text(length=16777215), nullable=False),
        sa.Column("document", sa.Text(length=16777215), nullable=False),
        sa.Column("draft", sa.String(length=16), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=True),
        sa.Column("changes", sa.Text(length=16777215), nullable=False),
        sa.Column("override_reason", sa.Text(length=16777215), nullable=True),
        sa.Column("published_at", sa.String(length=24), nullable=False),
        sa.Column("published_by", sa.String(length=191), nullable=False),
        sa.PrimaryKeyConstraint("schema", "major", "minor", "patch"),
    )
    op.create_table(
        "sign_in_link",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.String(length=24), nullable=False),
        sa.Column("expires_at", sa.String(length=24), nullable=False),
        sa.Column("used_at", sa.String(length=24), nullable=True),
        sa.PrimaryKeyConstraint("digest"),
    )
    op.create_table(
        "table_day",
        sa.Column("table_name", sa.String(length=64), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("rows_in", sa.BigInteger(), nullable=False),
        sa.Column("rows_out", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("table_name", "day"),
    )
    op.create_table(
        "token",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=191), nullable=False),
        sa.Column("scopes", sa.String(length=191), nullable=False),
        sa.Column("created_at", sa.String(length=24), nullable=False),
        sa.Column("expires_at", sa.String(length=24), nullable=True),
        sa.Column("revoked_at", sa.String(length=24), nullable=True),
        sa.PrimaryKeyConstraint("digest"),
    )
    op.execute("INSERT INTO registry_counter (id, value) VALUES (1, 1)")
