"""Counts of clients, batches of forwarders, accounts that opted out, readers of a schema."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # MySQL commits around each statement, so an upgrade that was interrupted may find some done.
    inspector = sa.inspect(op.get_bind())
    there = set(inspector.get_table_names())
    if not any(column["name"] == "readers" for column in inspector.get_columns("event_schema")):
        op.add_column(
            "event_schema",
            sa.Column("readers", sa.String(length=16), nullable=False, server_default="analysts"),
        )
    if "client_count" not in there:
        op.create_table(
            "client_count",
            sa.Column("day", sa.String(length=10), nullable=False),
            sa.Column("schema", sa.String(length=64), nullable=False),
            sa.Column("client", sa.String(length=64), nullable=False),
            sa.Column("attempted", sa.BigInteger(), nullable=False),
            sa.Column("sampled_out", sa.BigInteger(), nullable=False),
            sa.Column("suppressed", sa.BigInteger(), nullable=False),
            sa.Column("dropped", sa.BigInteger(), nullable=False),
            sa.Column("sent", sa.BigInteger(), nullable=False),
            sa.PrimaryKeyConstraint("day", "schema", "client"),
        )
    if "client_report" not in there:
        op.create_table(
            "client_report",
            sa.Column("id", sa.String(length=36), nullable=False),
            sa.Column("added", sa.String(length=10), nullable=False),
            sa.PrimaryKeyConstraint("id"),
        )
        op.create_index(op.f("ix_client_report_added"), "client_report", ["added"], unique=False)
    if "forwarded" not in there:
        op.create_table(
            "forwarded",
            sa.Column("origin", sa.String(length=191), nullable=False),
            sa.Column("start", sa.BigInteger(), autoincrement=False, nullable=False),
            sa.Column("segment", sa.String(length=100), nullable=False),
            sa.Column("offset", sa.BigInteger(), nullable=False),
            sa.Column("added", sa.String(length=10), nullable=False),
            sa.PrimaryKeyConstraint("origin", "start"),
        )
        op.create_index(op.f("ix_forwarded_added"), "forwarded", ["added"], unique=False)
    if "opt_out" not in there:
        op.create_table(
            "opt_out",
            sa.Column("hash", sa.String(length=64), nullable=False),
            sa.Column("at", sa.String(length=24), nullable=False),
            sa.PrimaryKeyConstraint("hash"),
        )
