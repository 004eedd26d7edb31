"""Alembic's entry: runs the migrations on the connection that it was handed."""

from alembic import context

from eventlogging.store.fixed import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=False,  # the caller's transaction holds all of it
)
context.run_migrations()
