"""The database: one engine, short transactions, errors sorted into ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from eventlogging.errors import ConfigError, StoreUnavailable
from eventlogging.store.dialect import Dialect
from eventlogging.store.mysql import MySQL
from eventlogging.store.sqlite import SQLite


class Database:
    """Gives out connections in a transaction; commits at the end, rolls back on an error.

    Errors of an unreachable or overloaded server become StoreUnavailable.
    """

    def __init__(self, url: str, *, load_data: bool = False) -> None:
        self.url = url
        self.dialect = _dialect(url, load_data)
        self.engine = self.dialect.engine(url)

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A connection for short reads that see one state of the data."""
        with self._transaction(write=False) as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """A connection that commits at the end of the block."""
        with self._transaction(write=True) as connection:
            yield connection

    @contextmanager
    def ddl(self) -> Iterator[sa.Connection]:
        """A connection for statements that change tables: each commits by itself."""
        with self._sorted_errors(), self.engine.connect() as connection:
            yield connection
            connection.commit()

    @contextmanager
    def _transaction(self, *, write: bool) -> Iterator[sa.Connection]:
        with self._sorted_errors(), self.engine.connect() as connection:
            try:
                self.dialect.begin(connection, write=write)
                yield connection
                if write:
                    connection.commit()
                else:
                    connection.rollback()
            except Exception as error:
                if self.dialect.trouble(error) == "server":
                    connection.invalidate()  # in what state it is, nobody knows
                raise

    @contextmanager
    def _sorted_errors(self) -> Iterator[None]:
        try:
            yield
        except sa.exc.TimeoutError as error:
            raise StoreUnavailable("no free database connection") from error
        except Exception as error:
            # Errors of the driver come bare where we use its cursors for speed.
            if self.dialect.trouble(error) == "server":
                cause = getattr(error, "orig", None) or error
                raise StoreUnavailable(f"the database does not answer: {cause}") from error
            raise

    def close(self) -> None:
        self.engine.dispose()


def _dialect(url: str, load_data: bool) -> Dialect:
    try:
        backend = sa.engine.make_url(url).get_backend_name()
    except sa.exc.ArgumentError as error:
        raise ConfigError(
            "EVENTLOGGING_DATABASE_URL is not a database URL, such as "
            "mysql+pymysql://user:password@host/eventlogging"
        ) from error
    if backend == "sqlite":
        return SQLite()
    if backend in ("mysql", "mariadb"):
        return MySQL(load_data=load_data)
    raise ConfigError(
        f"EVENTLOGGING_DATABASE_URL: {backend} is not supported; use sqlite:/// or mysql+pymysql://"
    )
