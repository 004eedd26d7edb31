"""People and their sessions, invitations, the life of proposals, mail, what test keys sent."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # MySQL commits around each statement, so an upgrade that was interrupted may find some done.
    there = set(sa.inspect(op.get_bind()).get_table_names())
    if "mail" not in there:
        op.create_table(
            "mail",
            sa.Column("id", sa.Integer(), nullable=False),
            sa.Column("key", sa.String(length=191), nullable=False),
            sa.Column("message_id", sa.String(length=191), nullable=False),
            sa.Column("recipient", sa.String(length=191), nullable=False),
            sa.Column("subject", sa.String(length=500), nullable=False),
            sa.Column("text", sa.Text(length=16777215), nullable=False),
            sa.Column("html", sa.Text(length=16777215), nullable=False),
            sa.Column("images", sa.Text(length=16777215), nullable=False),
            sa.Column("headers", sa.Text(length=16777215), nullable=False),
            sa.Column("created_at", sa.String(length=24), nullable=False),
            sa.Column("due_at", sa.String(length=24), nullable=False),
            sa.Column("attempts", sa.Integer(), nullable=False),
            sa.Column("state", sa.String(length=16), nullable=False),
            sa.Column("sent_at", sa.String(length=24), nullable=True),
            sa.Column("trouble", sa.String(length=500), nullable=False),
            sa.PrimaryKeyConstraint("id"),
            sa.UniqueConstraint("key"),
        )
        op.create_index(op.f("ix_mail_due_at"), "mail", ["due_at"], unique=False)
        op.create_index(op.f("ix_mail_recipient"), "mail", ["recipient"], unique=False)
    if "owner_trouble" not in there:
        op.create_table(
            "owner_trouble",
            sa.Column("schema", sa.String(length=64), nullable=False),
            sa.Column("email", sa.String(length=191), nullable=False),
            sa.Column("reason", sa.String(length=16), nullable=False),
            sa.Column("since", sa.String(length=24), nullable=False),
            sa.Column("owners_asked_at", sa.String(length=24), nullable=True),
            sa.Column("reviewers_asked_at", sa.String(length=24), nullable=True),
            sa.PrimaryKeyConstraint("schema", "email"),
        )
    if "person" not in there:
        op.create_table(
            "person",
            sa.Column("email", sa.String(length=191), nullable=False),
            sa.Column("name", sa.String(length=191), nullable=False),
            sa.Column("role", sa.String(length=16), nullable=False),
            sa.Column("state", sa.String(length=16), nullable=False),
            sa.Column("password", sa.String(length=255), nullable=True),
            sa.Column("subject", sa.String(length=255), nullable=True),
            sa.Column("created_at", sa.String(length=24), nullable=False),
            sa.Column("seen_at", sa.String(length=24), nullable=True),
            sa.Column("away_until", sa.String(length=10), nullable=True),
            sa.PrimaryKeyConstraint("email"),
            sa.UniqueConstraint("subject"),
        )
    if "person_session" not in there:
        op.create_table(
            "person_session",
            sa.Column("digest", sa.String(length=64), nullable=False),
            sa.Column("email", sa.String(length=191), nullable=False),
            sa.Column("created_at", sa.String(length=24), nullable=False),
            sa.Column("expires_at", sa.String(length=24), nullable=False),
            sa.PrimaryKeyConstraint("digest"),
        )
        op.create_index(op.f("ix_person_session_email"), "person_session", ["email"], unique=False)
        op.create_index(
            op.f("ix_person_session_expires_at"), "person_session", ["expires_at"], unique=False
        )
    if "proposal_event" not in there:
        op.create_table(
            "proposal_event",
            sa.Column("id", sa.Integer(), nullable=False),
            sa.Column("proposal", sa.Integer(), nullable=False),
            sa.Column("at", sa.String(length=24), nullable=False),
            sa.Column("who", sa.String(length=191), nullable=False),
            sa.Column("action", sa.String(length=16), nullable=False),
            sa.Column("revision", sa.Integer(), nullable=False),
            sa.Column("text", sa.Text(length=16777215), nullable=False),
            sa.PrimaryKeyConstraint("id"),
        )
        op.create_index(
            op.f("ix_proposal_event_proposal"), "proposal_event", ["proposal"], unique=False
        )
    if "proposal_revision" not in there:
        op.create_table(
            "proposal_revision",
            sa.Column("proposal", sa.Integer(), autoincrement=False, nullable=False),
            sa.Column("revision", sa.Integer(), autoincrement=False, nullable=False),
            sa.Column("at", sa.String(length=24), nullable=False),
            sa.Column("who", sa.String(length=191), nullable=False),
            sa.Column("body", sa.Text(length=16777215), nullable=False),
            sa.PrimaryKeyConstraint("proposal", "revision"),
        )
    if "reviewer_invitation" not in there:
        op.create_table(
            "reviewer_invitation",
            sa.Column("email", sa.String(length=191), nullable=False),
            sa.Column("schema", sa.String(length=64), nullable=False),
            sa.Column("invited_at", sa.String(length=24), nullable=False),
            sa.Column("answer", sa.String(length=16), nullable=True),
            sa.Column("answered_at", sa.String(length=24), nullable=True),
            sa.PrimaryKeyConstraint("email"),
        )
    if "sign_in_failure" not in there:
        op.create_table(
            "sign_in_failure",
            sa.Column("email", sa.String(length=191), nullable=False),
            sa.Column("failures", sa.Integer(), nullable=False),
            sa.Column("last_at", sa.String(length=24), nullable=False),
            sa.PrimaryKeyConstraint("email"),
        )
    if "test_event" not in there:
        op.create_table(
            "test_event",
            sa.Column("id", sa.Integer(), nullable=False),
            sa.Column("segment", sa.String(length=100), nullable=False),
            sa.Column("offset", sa.BigInteger(), nullable=False),
            sa.Column("index", sa.Integer(), nullable=False),
            sa.Column("received", sa.String(length=24), nullable=False),
            sa.Column("key_name", sa.String(length=191), nullable=False),
            sa.Column("schema", sa.String(length=64), nullable=False),
            sa.Column("version", sa.String(length=32), nullable=False),
            sa.Column("outcome", sa.String(length=16), nullable=False),
            sa.Column("code", sa.String(length=32), nullable=False),
            sa.Column("errors", sa.Text(length=16777215), nullable=False),
            sa.Column("event", sa.Text(length=16777215), nullable=False),
            sa.PrimaryKeyConstraint("id"),
            sa.UniqueConstraint("segment", "offset", "index", name="test_event_place"),
        )
        op.create_index(op.f("ix_test_event_received"), "test_event", ["received"], unique=False)
        op.create_index(op.f("ix_test_event_schema"), "test_event", ["schema"], unique=False)
    _add(
        "proposal",
        sa.Column("revision", sa.Integer(), server_default="1", nullable=False),
        sa.Column("updated_at", sa.String(length=24), server_default="", nullable=False),
        sa.Column("updated_by", sa.String(length=191), server_default="", nullable=False),
        sa.Column("answers", sa.Text(length=16777215), nullable=True),
        sa.Column("reviewer", sa.String(length=191), nullable=True),
        sa.Column("assigned_at", sa.String(length=24), nullable=True),
        sa.Column("reminded_at", sa.String(length=24), nullable=True),
    )
    _add(
        "sign_in_link",
        sa.Column("purpose", sa.String(length=16), server_default="admin", nullable=False),
        sa.Column("email", sa.String(length=191), nullable=True),
    )


def _add(table: str, *columns: "sa.Column[object]") -> None:
    there = {column["name"] for column in sa.inspect(op.get_bind()).get_columns(table)}
    for column in columns:
        if column.name not in there:
            op.add_column(table, column)
