"""Episodes of alerts, subscriptions, reports of days, calls of chat tools."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # MySQL commits around each statement, so an upgrade that was interrupted may find some done.
    there = set(sa.inspect(op.get_bind()).get_table_names())
    if "alert_episode" not in there:
        op.create_table(
            "alert_episode",
            sa.Column("id", sa.Integer(), nullable=False),
            sa.Column("rule", sa.String(length=32), nullable=False),
            sa.Column("schema", sa.String(length=64), nullable=False),
            sa.Column("open_key", sa.String(length=128), nullable=True),
            sa.Column("opened_at", sa.String(length=24), nullable=False),
            sa.Column("closed_at", sa.String(length=24), nullable=True),
            sa.Column("acknowledged_at", sa.String(length=24), nullable=True),
            sa.Column("acknowledged_by", sa.String(length=191), nullable=True),
            sa.Column("snoozed_until", sa.String(length=24), nullable=True),
            sa.Column("told_again_at", sa.String(length=24), nullable=True),
            sa.Column("value", sa.Double(), nullable=False),
            sa.Column("detail", sa.Text(length=16777215), nullable=False),
            sa.PrimaryKeyConstraint("id"),
            sa.UniqueConstraint("open_key"),
        )
        op.create_index(
            op.f("ix_alert_episode_opened_at"), "alert_episode", ["opened_at"], unique=False
        )
        op.create_index(op.f("ix_alert_episode_schema"), "alert_episode", ["schema"], unique=False)
    if "subscription" not in there:
        op.create_table(
            "subscription",
            sa.Column("email", sa.String(length=191), nullable=False),
            sa.Column("topic", sa.String(length=80), nullable=False),
            sa.Column("created_at", sa.String(length=24), nullable=False),
            sa.PrimaryKeyConstraint("email", "topic"),
        )
    if "validity_report" not in there:
        op.create_table(
            "validity_report",
            sa.Column("day", sa.String(length=10), nullable=False),
            sa.Column("made_at", sa.String(length=24), nullable=False),
            sa.Column("complete", sa.Boolean(), nullable=False),
            sa.Column("body", sa.Text(length=16777215), nullable=False),
            sa.PrimaryKeyConstraint("day"),
        )
    if "webhook_call" not in there:
        op.create_table(
            "webhook_call",
            sa.Column("id", sa.Integer(), nullable=False),
            sa.Column("key", sa.String(length=191), nullable=False),
            sa.Column("url", sa.String(length=500), nullable=False),
            sa.Column("body", sa.Text(length=16777215), nullable=False),
            sa.Column("created_at", sa.String(length=24), nullable=False),
            sa.Column("due_at", sa.String(length=24), nullable=False),
            sa.Column("attempts", sa.Integer(), nullable=False),
            sa.Column("state", sa.String(length=16), nullable=False),
            sa.Column("trouble", sa.String(length=500), nullable=False),
            sa.PrimaryKeyConstraint("id"),
            sa.UniqueConstraint("key"),
        )
        op.create_index(op.f("ix_webhook_call_due_at"), "webhook_call", ["due_at"], unique=False)
