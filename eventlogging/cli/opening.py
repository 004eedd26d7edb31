"""How commands open the database: who writes or migrates does not do so while a restore works."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from eventlogging import config
from eventlogging.backup.locks import running
from eventlogging.errors import ConfigError
from eventlogging.platform import Platform, open_platform
from eventlogging.store.database import Database
from eventlogging.store.migrate import migrate


@contextmanager
def opened(*, only_reads: bool = False) -> Iterator[Database]:
    """The database of the settings, closed at the end.

    Raises BackupError while a restore is at work or is not finished: it would take back what is
    written now. Who `only_reads` needs no data folder, and comes in all the same.
    """
    settings = config.load()
    with ExitStack() as stack:
        if not only_reads:
            stack.enter_context(_at_work(settings.var))
        yield stack.enter_context(closing(Database(settings.effective_database_url)))


@contextmanager
def opened_platform() -> Iterator[Platform]:
    """The platform of the settings with its tables up to date, closed at the end.

    Raises as `opened` does.
    """
    platform = open_platform(config.load())
    with _at_work(platform.config.var), closing(platform.database):
        migrate(platform.database)
        yield platform


@contextmanager
def _at_work(var: Path) -> Iterator[None]:
    with ExitStack() as stack:
        try:
            stack.enter_context(running(var))
        except OSError as error:
            raise ConfigError(f"EVENTLOGGING_VAR: {var} cannot be used: {error}") from error
        yield
