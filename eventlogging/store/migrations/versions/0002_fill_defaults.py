"""Which events a schema's defaults are filled into: so far, those in EventGate's form."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # MySQL commits around it, so an upgrade that was interrupted may find it done.
    columns = sa.inspect(op.get_bind()).get_columns("event_schema")
    if any(column["name"] == "fill_defaults" for column in columns):
        return
    op.add_column(
        "event_schema",
        sa.Column(
            "fill_defaults", sa.String(length=16), nullable=False, server_default="eventgate"
        ),
    )
