"""The event log of a service: what is logged is sent, or accounted for, without its notice."""

from __future__ import annotations

import atexit
import inspect
import logging
import os
import re
import sys
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Union

from eventlogging_client.capsule import Event, capsule, new_id
from eventlogging_client.consent import switched_off
from eventlogging_client.rates import Rates
from eventlogging_client.sampling import in_sample
from eventlogging_client.sender import OnRefused, Sender
from eventlogging_client.spool import Spool
from eventlogging_client.waiting import Waiting
from eventlogging_client.wire import Wire

LOGGER = "eventlogging_client"
NAME = "eventlogging-python/1.0.0"
_CLIENT = re.compile(r"[\x21-\x7e][\x20-\x7e]{0,63}\Z")
_SPOOL_BYTES = 64_000_000
_AT_EXIT = 3.0  # seconds

Consent = Union[Callable[[], bool], Callable[[str], bool]]


class EventLog:
    """Sends events to the collector at `url`. For any number of threads.

    `client` is the name and version of your service, `host` and `wiki` the site, `token` what
    schemas for servers ask for. At most `queue_events` wait; `batch` of them, or one that is `age`
    seconds old, are sent. `spool` is a folder in which what waits outlives a crash. `consent` is
    asked, in the thread that logs, before each event, for its schema if it takes an argument;
    False keeps the event from being sent.
    `on_refused(event, code, errors)` is called, in the thread that sends, for what the collector
    refuses. `debug` shows on stderr what is otherwise logged at DEBUG.

    Raises ValueError where an argument makes no sense; nothing raises later.
    """

    def __init__(
        self,
        url: str,
        *,
        client: str | None = None,
        host: str | None = None,
        wiki: str | None = None,
        token: str | None = None,
        spool: str | None = None,
        queue_events: int = 10_000,
        batch: int = 100,
        age: float = 1.0,
        timeout: float = 10,
        debug: bool = False,
        consent: Consent = lambda: True,
        on_refused: OnRefused | None = None,
    ) -> None:
        if client is not None and not _CLIENT.match(client):
            raise ValueError("client is a name such as my-service/2.1, at most 64 characters")
        if queue_events < 1 or not 1 <= batch <= 2000 or age < 0 or timeout <= 0:
            raise ValueError(
                "queue_events, batch (to 2000) and timeout are above 0, age is not below"
            )
        self._client = client or NAME
        self._said = {"host": host, "wiki": wiki, "client": self._client}
        self._consent: Callable[..., bool] = consent
        self._for_schema = _takes_schema(consent)
        self._level = logging.WARNING if debug else logging.DEBUG
        self._closed = False
        self._log = logging.getLogger(LOGGER)

        def opened() -> tuple[Waiting, Sender]:
            wire = Wire(url, token, timeout, self._client)
            store = (lambda: Spool(os.fspath(spool), _SPOOL_BYTES)) if spool else None
            waiting = Waiting(queue_events, batch, store)
            sender = Sender(
                waiting, wire, self._rates,
                client=self._client, batch=batch, age=age, level=self._level,
                on_refused=on_refused, log=self._log,
            )  # fmt: skip
            return waiting, sender

        self._rates = Rates()
        self._opened = opened
        self._waiting, self._sender = opened()
        self._pid = os.getpid()
        if self._waiting.spool is not None:
            self._start()  # something may have been left behind
        me = weakref.ref(self)
        self._end = lambda: _close(me)
        atexit.register(self._end)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=lambda: _forked(me))

    # ---------------------------------------------------------------- logging

    def log(
        self,
        schema: str,
        event: Mapping[str, Any],
        *,
        version: str | None = None,
        id: str | None = None,
        dt: Any = None,
        unit_id: str | None = None,
    ) -> str | None:
        """Log an event; return its id, or None where it will not be sent. Never raises or blocks.

        `dt` is when it happened, if not now: a datetime (without a zone: UTC), ISO 8601 or a
        number of seconds or milliseconds. `unit_id` is what its schema samples by, if not the id.
        """
        try:
            return self._log_event(schema, event, version, id, dt, unit_id)
        except Exception as error:
            self._waiting.count(schema, "attempted", "dropped")
            self._say("an event is dropped: %s", error)
            return None

    def _log_event(
        self,
        schema: str,
        event: Mapping[str, Any],
        version: str | None,
        id: str | None,
        dt: Any,
        unit_id: str | None,
    ) -> str | None:
        waiting = self._waiting
        if self._closed:
            raise RuntimeError("the event log is closed")
        if not self._may(schema):
            waiting.count(schema, "attempted", "suppressed")
            return None
        own = str(id) if id else new_id()
        unit = str(unit_id) if unit_id else own
        decided = self._rates.asked
        rate = self._rates.of(schema) if decided else 1.0
        self._start()
        if rate < 1 and not in_sample(unit, rate):
            waiting.count(schema, "attempted", "sampled_out")
            return None
        more = {**self._said, "version": version and str(version)}
        stated = unit if unit_id else None
        body = capsule(schema, event, own, dt, sample_unit_id=stated, **more)
        made = Event(schema, unit, body, decided=decided, unit_stated=stated is not None)
        if rate < 1:
            made.state_rate(rate)
        if not waiting.put(schema, made):
            self._say("%s dropped: too much waits", schema)
            return None
        return own

    def _may(self, schema: str) -> bool:
        """Whether nobody says no; who cannot be asked has not said yes."""
        if switched_off():
            return False
        try:
            return bool(self._consent(schema) if self._for_schema else self._consent())
        except Exception as error:
            self._say("consent cannot be asked for: %r", error)
            return False

    @contextmanager
    def timed(self, schema: str, field: str, /, **payload: Any) -> Iterator[dict[str, Any]]:
        """Log an event when the block ends, `field` being how many milliseconds it took.

        The block is given the event and may add to it. It is logged, too, when the block raises.
        """
        event = dict(payload)
        start = time.perf_counter()
        try:
            yield event
        finally:
            event[field] = round((time.perf_counter() - start) * 1000)
            self.log(schema, event)

    def counts(self) -> dict[str, dict[str, int]]:
        """By schema: attempted = sampled_out + suppressed + dropped + sent + waiting."""
        return self._waiting.figures()

    # ---------------------------------------------------------------- the end

    def flush(self, timeout: float = 10.0) -> bool:
        """Send what waits now; return whether all of it was settled in so many seconds."""
        try:
            self._start()
            return self._sender.flush(time.monotonic() + timeout, at_once=False)
        except Exception as error:
            self._say("not flushed: %r", error)
            return False

    def close(self, timeout: float = 10.0) -> bool:
        """Send what waits and end; what is not settled by then is kept in the spool, if any."""
        if self._closed:
            return self._waiting.settled
        self._closed = True
        atexit.unregister(self._end)
        try:
            deadline = time.monotonic() + timeout
            waiting, sender = self._waiting, self._sender
            done = waiting.settled and waiting.spool is None
            if not done:
                self._start()
                done = sender.flush(deadline, at_once=True)
            sender.stop(deadline - time.monotonic())
            waiting.close(let_go=not sender.is_working)
            sender.tell_of_spool()
            return done
        except Exception as error:
            self._say("not closed as it should be: %r", error)
            return False

    def __enter__(self) -> EventLog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _in_child(self) -> None:
        """Begin anew: what waits in the parent is the parent's to send."""
        if self._pid == os.getpid():
            return
        self._pid = os.getpid()
        self._sender.forget()
        if not self._closed:
            self._waiting, self._sender = self._opened()

    def _start(self) -> None:
        if self._sender.start():
            self._sender.owner = self  # so that it lives as long as something may wait
            # Children of multiprocessing end without a word to atexit, but with one to a list.
            util = sys.modules.get("multiprocessing.util")
            process = sys.modules.get("multiprocessing.process")
            if util is not None and process is not None and process.parent_process() is not None:
                util.Finalize(None, _close, args=(weakref.ref(self),), exitpriority=10)

    def _say(self, text: str, *words: Any) -> None:
        with suppress(Exception):  # whatever logging does, all else goes on
            self._log.log(self._level, text, *words)


def _takes_schema(consent: Callable[..., bool]) -> bool:
    """Whether it wants to be told the schema for which it is asked."""
    try:
        inspect.signature(consent).bind()
    except TypeError:
        return True
    except ValueError:  # nothing is known of it
        return False
    return False


def _close(me: weakref.ref[EventLog]) -> None:
    event_log = me()
    if event_log is not None:
        event_log.close(_AT_EXIT)


def _forked(me: weakref.ref[EventLog]) -> None:
    event_log = me()
    if event_log is not None:
        event_log._in_child()
