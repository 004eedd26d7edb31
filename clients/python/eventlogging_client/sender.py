"""The thread that sends what waits, tries again later, and tells what was refused."""

from __future__ import annotations

import gzip
import json
import logging
import random
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from eventlogging_client.backoff import delay, meaning
from eventlogging_client.capsule import Event
from eventlogging_client.consent import switched_off
from eventlogging_client.rates import Rates
from eventlogging_client.waiting import Parcel, Waiting
from eventlogging_client.wire import Reply, Trouble, Wire

OnRefused = Callable[[Mapping[str, Any], str, list[Any]], None]
_ZIPPED_FROM = 1024  # bytes
_REPORT_AGE = 10.0  # seconds that counts wait for events to travel with
_LONGEST_WAIT = 3600.0


class Sender:
    """Sends what waits. All but `wake`, `start` and `stop` happens in its own thread."""

    def __init__(
        self,
        waiting: Waiting,
        wire: Wire,
        rates: Rates,
        *,
        client: str,
        batch: int,
        age: float,
        level: int,
        on_refused: OnRefused | None,
        log: logging.Logger,
    ) -> None:
        self.owner: object = None
        self._not_before = 0.0
        self._asked_to_wait = False  # by the collector, until then
        self._hurried = 0  # how many wait for all to be sent
        self._waiting = waiting
        self._wire = wire
        self._rates = rates
        self._client = client
        self._batch = batch
        self._most = batch  # of the next parcel; smaller for a while after a 413
        self._age = age
        self._level = level
        self._on_refused = on_refused
        self._log = log
        self._attempt = 0
        self._busy = False
        self._fault = ""  # of the spool, as last told
        self._stopped = False
        self._thread: threading.Thread | None = None

    # ---------------------------------------------------------------- from any thread

    def start(self) -> bool:
        """Start the thread, unless it runs; at the interpreter's end none can be started."""
        if self._thread is None and not self._stopped:
            with self._waiting.changed:
                if self._thread is None:
                    thread = threading.Thread(target=self._run, name="eventlogging", daemon=True)
                    self._thread = thread
                    try:
                        thread.start()
                    except RuntimeError:
                        self._thread = None
                    return self._thread is not None
        return False

    def forget(self) -> None:
        """Let go of what belongs to the parent of this process, without a word to anybody."""
        self._stopped = True
        self._wire.abandon()
        if self._waiting.spool is not None:
            self._waiting.spool.forget()

    def flush(self, deadline: float, *, at_once: bool) -> bool:
        """Wait until all is settled; return whether it is. Gives up where the back-off is longer.

        `at_once` does not wait for the back-off, but for what the collector has asked for.
        """
        waiting = self._waiting
        with waiting.changed:
            self._hurried += 1
            if at_once and not self._asked_to_wait:
                self._not_before = 0.0
            waiting.changed.notify_all()
        try:
            while self._thread is None and not self._is_over(deadline):
                time.sleep(max(0.0, min(self._not_before, deadline) - time.monotonic()))
                self._turn()  # here, as there is no thread at the interpreter's end
            with waiting.changed:
                while not self._is_over(deadline):
                    waiting.changed.wait(max(0.0, min(0.1, deadline - time.monotonic())))
                return self._is_settled()
        finally:
            with waiting.changed:
                self._hurried -= 1

    def tell_of_spool(self) -> None:
        """Say, once, that what waits would not outlive a crash: who asked for that relies on it."""
        spool = self._waiting.spool
        fault = spool.fault if spool is not None else ""
        if fault != self._fault:
            self._fault = fault
            if fault:
                with suppress(Exception):
                    self._log.warning("the spool fails, a crash would cost what waits: %s", fault)

    def stop(self, seconds: float) -> None:
        """End the thread after the request under way, for which it is waited so long."""
        with self._waiting.changed:
            self._stopped = True
            self._waiting.changed.notify_all()
        if self._thread is None:
            self._wire.close()
        elif self._thread is not threading.current_thread():
            self._thread.join(max(0.0, min(seconds, threading.TIMEOUT_MAX)))

    @property
    def is_working(self) -> bool:
        """Whether the thread still runs."""
        return self._thread is not None and self._thread.is_alive()

    def _is_settled(self) -> bool:
        return self._waiting.settled and not self._busy and not self._waiting.may_recover

    def _is_over(self, deadline: float) -> bool:
        if self._is_settled() or self._stopped or time.monotonic() >= deadline:
            return True
        return not self._busy and self._not_before >= deadline

    # ---------------------------------------------------------------- the thread

    def _run(self) -> None:
        waiting = self._waiting
        while True:
            with waiting.changed:
                while not self._stopped and (seconds := self._seconds_to_wait()) > 0:
                    waiting.changed.wait(seconds)
                if self._stopped:
                    break
                self._busy = True
            try:
                self._turn()
            finally:
                with waiting.changed:
                    self._busy = False
                    waiting.changed.notify_all()
        self._wire.close()
        waiting.close(let_go=True)

    def _seconds_to_wait(self) -> float:
        """How long there is nothing to do, as far as is known."""
        now = time.monotonic()
        waiting = self._waiting
        if waiting.may_recover:
            return 0.0
        if waiting.settled:
            return _LONGEST_WAIT
        if self._hurried or len(waiting) >= self._batch:
            due = now
        elif waiting.oldest is not None:
            due = waiting.oldest + self._age
        elif waiting.counted_at is not None:
            due = waiting.counted_at + _REPORT_AGE
        else:
            due = now  # a report that was not acknowledged
        return min(max(due, self._not_before) - now, _LONGEST_WAIT)

    def _turn(self) -> None:
        """Send one parcel; whatever happens, the thread lives on."""
        try:
            self._send()
        except Exception as error:  # a fault of ours must not end the sending
            self._later(None)
            self._say("a fault of the client: %r", error)
        self.tell_of_spool()

    def _send(self) -> None:
        waiting = self._waiting
        if waiting.may_recover:
            number = waiting.recover()
            if number:
                self._say("%d events are taken over from a process that died", number)
            return
        if switched_off():
            waiting.suppress()
            self._wire.close()
            self._not_before = time.monotonic() + 1.0
            return
        if self._rates.stale():
            fault = self._rates.read(self._wire)
            if fault:
                self._say("the config cannot be read, the collector samples for us: %s", fault)
        waiting.decide(self._rates)
        parcel = waiting.pack(self._most)
        if not parcel.events and parcel.report is None:
            return
        waiting.sync()
        reply = self._post(parcel)
        then = "again" if reply is None else meaning(reply.status)
        refused = _refusals(reply) if reply is not None and then == "settled" else []
        if reply is not None and reply.status == 400 and len(refused) < len(parcel.events) > 1:
            then = "split"  # the body was refused as a whole, for the sake of one
        if then == "settled":
            self._attempt, self._not_before, self._asked_to_wait = 0, 0.0, False
            self._most = min(self._batch, self._most * 2)
            # Where the body may not have been read at all, the report goes once more, under its id.
            unread = reply is not None and reply.status == 400 and not _judged(reply)
            waiting.settle(parcel, told=not (unread and parcel.events))
            self._tell(parcel, refused)
        elif then == "split" and len(parcel.events) > 1:
            self._most = (len(parcel.events) + 1) // 2
        elif then == "split" and parcel.events:
            waiting.drop(parcel.events[0])
            self._say("%s dropped: the collector takes none so large", parcel.events[0].name)
        else:
            self._later(reply)

    def _post(self, parcel: Parcel) -> Reply | None:
        body = parcel.body(self._client)
        headers = {"Content-Type": "application/json"}
        if len(body) > _ZIPPED_FROM:
            body = gzip.compress(body, 6)
            headers["Content-Encoding"] = "gzip"
        try:
            return self._wire.request("POST", "/v1/events", body, headers)
        except Trouble as error:
            self._say("no answer: %s", error)
            return None

    def _later(self, reply: Reply | None) -> None:
        self._attempt += 1
        said = reply.headers.get("retry-after") if reply is not None else None
        seconds = delay(self._attempt, said, random.random()) / 1000  # noqa: S311
        self._asked_to_wait = bool(said)
        self._not_before = time.monotonic() + seconds
        what = f"HTTP {reply.status}" if reply is not None else "no answer"
        self._say("not sent (%s), next try in %.1f s", what, seconds)

    def _tell(self, parcel: Parcel, refused: list[Any]) -> None:
        """Tell of events that were refused: it is for the instrumenter to mend them."""
        for item in refused:
            place = item.get("index")
            if not isinstance(place, int) or not 0 <= place < len(parcel.events):
                continue
            event = parcel.events[place]
            code = str(item.get("code") or item.get("status"))
            context = item.get("context")
            errors = context.get("errors") if isinstance(context, dict) else None
            errors = errors if isinstance(errors, list) else []
            self._say("%s refused: %s; %s", event.name, code, "; ".join(map(_words, errors)))
            self._call(event, code, errors)

    def _call(self, event: Event, code: str, errors: list[Any]) -> None:
        if self._on_refused is None:
            return
        try:
            self._on_refused(json.loads(event.body), code, errors)
        except (Exception, SystemExit) as error:  # the caller's fault must not end the sending
            self._say("on_refused failed: %r", error)

    def _say(self, text: str, *words: Any) -> None:
        with suppress(Exception):  # whatever logging does, all else goes on
            self._log.log(self._level, text, *words)


def _refusals(reply: Reply) -> list[Any]:
    try:
        body = json.loads(reply.body)
        items = [*body.get("invalid", ()), *body.get("error", ())]
    except (ValueError, TypeError, AttributeError, RecursionError):
        return []
    return [item for item in items if isinstance(item, dict)]


def _judged(reply: Reply) -> bool:
    """Whether a schema judged any event: then the body was read."""
    try:
        return bool(json.loads(reply.body).get("invalid"))
    except (ValueError, AttributeError, RecursionError):
        return False


def _words(error: Any) -> str:
    if not isinstance(error, dict):
        return str(error)
    where = error.get("pointer") or "the event"
    return f"{where}: expected {error.get('expected')}, found {error.get('found')}"
