"""Aggregates, extensions of keeping, legal holds, erasures, the keys of stripped tables."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # MySQL commits around each statement, so an upgrade that was interrupted may find some done.
    there = set(sa.inspect(op.get_bind()).get_table_names())
    if "aggregate_day" not in there:
        op.create_table(
            "aggregate_day",
            sa.Column("schema", sa.String(length=64), nullable=False),
            sa.Column("aggregate", sa.String(length=64), nullable=False),
            sa.Column("day", sa.String(length=10), nullable=False),
            sa.Column("definition", sa.String(length=32), nullable=False),
            sa.Column("source", sa.String(length=191), nullable=False),
            sa.Column("events", sa.BigInteger(), nullable=False),
            sa.Column("final", sa.Boolean(), nullable=False),
            sa.Column("computed_at", sa.String(length=24), nullable=False),
            sa.PrimaryKeyConstraint("schema", "aggregate", "day"),
        )
    if "aggregate_cell" not in there:
        op.create_table(
            "aggregate_cell",
            sa.Column("schema", sa.String(length=64), nullable=False),
            sa.Column("aggregate", sa.String(length=64), nullable=False),
            sa.Column("day", sa.String(length=10), nullable=False),
            sa.Column("cell", sa.String(length=32), nullable=False),
            sa.Column("by", sa.Text(length=16777215), nullable=False),
            sa.Column("events", sa.BigInteger(), nullable=False),
            sa.Column("count", sa.Double(), nullable=False),
            sa.Column("measures", sa.Text(length=16777215), nullable=False),
            sa.PrimaryKeyConstraint("schema", "aggregate", "day", "cell"),
        )
    if "extension" not in there:
        op.create_table(
            "extension",
            sa.Column("id", sa.Integer(), nullable=False),
            sa.Column("schemas", sa.Text(length=16777215), nullable=False),
            sa.Column("first_day", sa.String(length=10), nullable=False),
            sa.Column("last_day", sa.String(length=10), nullable=False),
            sa.Column("keep_days", sa.Integer(), nullable=False),
            sa.Column("until", sa.String(length=10), nullable=False),
            sa.Column("reason", sa.Text(length=16777215), nullable=False),
            sa.Column("why_not_less", sa.Text(length=16777215), nullable=False),
            sa.Column("state", sa.String(length=16), nullable=False),
            sa.Column("asked_by", sa.String(length=191), nullable=False),
            sa.Column("asked_at", sa.String(length=24), nullable=False),
            sa.Column("decided_by", sa.String(length=191), nullable=True),
            sa.Column("decided_at", sa.String(length=24), nullable=True),
            sa.Column("decision", sa.Text(length=16777215), nullable=False),
            sa.PrimaryKeyConstraint("id"),
        )
    if "legal_hold" not in there:
        op.create_table(
            "legal_hold",
            sa.Column("id", sa.Integer(), nullable=False),
            sa.Column("schema", sa.String(length=64), nullable=False),
            sa.Column("reason", sa.Text(length=16777215), nullable=False),
            sa.Column("placed_by", sa.String(length=191), nullable=False),
            sa.Column("placed_at", sa.String(length=24), nullable=False),
            sa.Column("lifted_by", sa.String(length=191), nullable=True),
            sa.Column("lifted_at", sa.String(length=24), nullable=True),
            sa.PrimaryKeyConstraint("id"),
        )
        op.create_index(op.f("ix_legal_hold_schema"), "legal_hold", ["schema"], unique=False)
    if "erasure" not in there:
        op.create_table(
            "erasure",
            sa.Column("id", sa.String(length=36), nullable=False),
            sa.Column("hashes", sa.Text(length=16777215), nullable=False),
            sa.Column("asked_at", sa.String(length=24), nullable=False),
            sa.Column("asked_by", sa.String(length=191), nullable=False),
            sa.Column("state", sa.String(length=16), nullable=False),
            sa.Column("detail", sa.Text(length=16777215), nullable=False),
            sa.Column("done_at", sa.String(length=24), nullable=True),
            sa.PrimaryKeyConstraint("id"),
        )
    if "epoch_key" not in there:
        op.create_table(
            "epoch_key",
            sa.Column("epoch", sa.String(length=7), nullable=False),
            sa.Column("secret", sa.String(length=64), nullable=True),
            sa.Column("made_at", sa.String(length=24), nullable=False),
            sa.Column("destroyed_at", sa.String(length=24), nullable=True),
            sa.PrimaryKeyConstraint("epoch"),
        )
