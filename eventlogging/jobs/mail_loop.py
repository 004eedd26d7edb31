"""Deliver mail every few seconds, beside the jobs that fire by the clock."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from eventlogging.errors import StoreUnavailable
from eventlogging.mail.deliver import deliver_due
from eventlogging.mail.forget import forget_old
from eventlogging.mail.send import Session
from eventlogging.platform import Platform

SECONDS = 3.0  # between two looks
_FORGET_SECONDS = 3600.0
_logger = logging.getLogger(__name__)

NoteBounce = Callable[[sa.Connection, str, str], object]  # who cannot be reached, and why


@contextmanager
def delivering(platform: Platform, note: NoteBounce) -> Iterator[None]:
    """Deliver mail on a thread of its own while the block runs; what is being sent is finished."""
    stopped = threading.Event()
    thread = threading.Thread(target=run, args=(platform, note, stopped), name="mail")
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


def run(platform: Platform, note: NoteBounce, stopped: threading.Event) -> None:
    """Deliver until stopped; a database that is away is waited for."""
    silent = False
    forget_at = 0.0
    bounced: list[str] = []
    with Session(platform.config) as session:
        while not stopped.is_set():
            try:
                done = deliver_due(platform.database, platform.config, session, stopped.is_set)
                bounced += done.bounced
                while bounced:
                    with platform.database.write() as connection:
                        note(connection, bounced[0], "bounced")
                    del bounced[0]
                if time.monotonic() >= forget_at:
                    forget_old(platform.database)
                    forget_at = time.monotonic() + _FORGET_SECONDS
                silent = False
            except StoreUnavailable as error:
                if not silent:
                    _logger.warning("mail waits for the database: %s", error)
                silent = True
            except Exception:  # a fault of ours, which must not end the mail of all
                _logger.exception("mail could not be delivered")
                bounced.clear()
            stopped.wait(SECONDS)
