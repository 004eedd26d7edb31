"""What waits: events in a bounded queue, counts, reports; all of it under one lock."""

from __future__ import annotations

import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from eventlogging_client.capsule import Event, encoded
from eventlogging_client.counts import Counts, Table
from eventlogging_client.left import Report
from eventlogging_client.rates import Rates
from eventlogging_client.sampling import in_sample
from eventlogging_client.spool import Spool

_MOST_BYTES = 32_000_000  # of all events that wait
_PARCEL_BYTES = 500_000


class Parcel:
    """What goes to the collector in one request."""

    def __init__(self, events: list[Event], report: Report | None) -> None:
        self.events = events
        self.report = report

    def body(self, client: str) -> bytes:
        """Return the JSON."""
        parts = [b'{"events":[', b",".join(event.body for event in self.events), b"]"]
        if self.report is not None:
            report = {"id": self.report.id, "client": client, "counts": self.report.counts}
            parts.append(b',"counters":' + encoded(report))
        return b"".join([*parts, b',"consent":true}'])


class Waiting:
    """The queue. Events are put in by any thread and taken out by the sender alone."""

    def __init__(self, most: int, enough: int, spool: Callable[[], Spool] | None = None) -> None:
        # Reentrant, for a signal handler may log in the midst of anything.
        self.changed = threading.Condition(threading.RLock())
        self.counts = Counts()
        self.counted_at: float | None = None  # since when there is something to report
        self._events: deque[Event] = deque()
        self._bytes = 0
        self._most = most
        self._enough = enough  # events that do not wait for company
        self._undecided = False
        self._inside = 0  # the thread that is in what must not be interrupted
        self._deferred: deque[tuple[Any, Event | None, tuple[str, ...]]] = deque()
        self._reports: deque[Report] = deque()
        self._unspooled = Counts()  # what no line of the spool speaks of
        self.spool = spool() if spool else None

    # ---------------------------------------------------------------- any thread

    def count(self, schema: Any, *kinds: str) -> None:
        """Count an event of which nothing waits."""
        with self.changed:
            if self._inside == threading.get_ident():
                self._deferred.append((schema, None, kinds))
                return
        with self._alone():
            self._count(schema, kinds)

    def put(self, schema: str, event: Event) -> bool:
        """Let an event wait; if there is no room, count it as dropped and return False."""
        with self.changed:
            if self._inside == threading.get_ident():
                self._deferred.append((schema, event, ()))
                return True
        with self._alone():
            return self._put(schema, event)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the lock; who logs in the midst of it, by the same thread, has to wait.

        A signal handler may, and what is called when an object is no more. Such a handler may also
        wait for the sender, which then goes on here in another thread's midst.
        """
        me = threading.get_ident()
        with self.changed:
            before, self._inside = self._inside, me
            try:
                yield
                while before != me and self._deferred:
                    schema, event, kinds = self._deferred.popleft()
                    if event is None:
                        self._count(schema, kinds)
                    else:
                        self._put(schema, event)
            finally:
                self._inside = before

    def _count(self, schema: Any, kinds: tuple[str, ...]) -> None:
        name = self.counts.name(schema)
        for kind in kinds:
            self.counts.add(name, kind)
            self._unspooled.add(name, kind)
        self._counted()

    def _put(self, schema: str, event: Event) -> bool:
        fits = len(self._events) < self._most and self._bytes + len(event.body) <= _MOST_BYTES
        if not fits:
            self._count(schema, ("attempted", "dropped"))
        else:
            event.name = self.counts.name(schema)
            self.counts.add(event.name, "attempted")
            self._events.append(event)
            self._bytes += len(event.body)
            self._undecided = self._undecided or not event.decided
            if len(self._events) in (1, self._enough):
                self.changed.notify_all()
            if self.spool is not None:
                self.spool.add(event)
            self._counted()
        return fits

    def _counted(self) -> None:
        if self.counted_at is None:
            self.counted_at = time.monotonic()
            self.changed.notify_all()

    def __len__(self) -> int:
        return len(self._events)

    @property
    def oldest(self) -> float | None:
        """When the event that waits longest was logged."""
        return self._events[0].at if self._events else None

    @property
    def settled(self) -> bool:
        """Whether nothing waits and everything that may be told was told."""
        waits = self._events or self._reports or self._deferred
        return not waits and not self.counts.worth_telling()

    def figures(self) -> Table:
        """Return all counts by schema, and what waits."""
        with self._alone():
            found: Table = {}
            for name, of in self.counts.total.items():
                row = {"attempted": 0, "sampled_out": 0, "suppressed": 0, "dropped": 0, "sent": 0}
                row.update(of)
                row["waiting"] = 2 * row["attempted"] - sum(row.values())
                found[name] = row
            return found

    # ---------------------------------------------------------------- the sender

    @property
    def may_recover(self) -> bool:
        """Whether dead processes may have left something behind, and there is room for it."""
        few = len(self._events) <= min(self._enough, self._most // 2)
        more = self.spool is not None and self.spool.more
        return more and few and self._bytes <= _PARCEL_BYTES

    def recover(self) -> int:
        """Take over what processes left behind that died, as much as may wait; return how many.

        Events are dropped only where a single file holds more than twice as many as may wait: one
        of a process like this holds what may wait, and the few that waited when it took that over.
        """
        if self.spool is None:
            return 0
        left = self.spool.left(self._most, _MOST_BYTES)
        with self._alone():
            self.counts.add_all(left.counts.new)
            if left.counts.new:
                self._counted()
            self._reports.extend(left.reports.values())
            taken: list[Event] = []
            size = 0
            for event in left.events.values():
                event.name = self.counts.name(event.name)
                size += len(event.body)
                if len(taken) < 2 * self._most and size <= 2 * _MOST_BYTES:
                    taken.append(event)
                else:
                    self.counts.add(event.name, "dropped")
            self._events.extendleft(reversed(taken))
            self._bytes += sum(len(event.body) for event in taken)
            if self.spool.has_left:
                self._rewrite()
            return len(taken)

    def decide(self, rates: Rates) -> None:
        """Sample what was logged before the rates were known."""
        if not self._undecided:
            return
        with self._alone():
            out: list[Event] = []
            for event in self._events:
                if not event.decided:
                    event.decided = True
                    rate = rates.of(event.name)
                    if rate < 1 and in_sample(event.unit, rate):
                        self._bytes -= len(event.body)
                        event.state_rate(rate)
                        self._bytes += len(event.body)
                    elif rate < 1:
                        out.append(event)
            self._remove(out, "sampled_out")
            self._undecided = False

    def pack(self, most: int) -> Parcel:
        """Return what goes next: events from the front, which stay, and counts."""
        with self._alone():
            events: list[Event] = []
            size = 0
            for event in self._events:
                size += len(event.body) + 1
                if events and (len(events) >= most or size > _PARCEL_BYTES):
                    break
                events.append(event)
            if not self._reports and (events or self.counts.worth_telling()) and self.counts.new:
                report = Report(str(uuid.uuid4()), self.counts.take())
                self.counted_at = None
                self._reports.append(report)
                self._unspooled.take()
                if self.spool is not None:
                    self.spool.reported(report)
            return Parcel(events, self._reports[0] if self._reports else None)

    def sync(self) -> None:
        """Wait until the spool is on disk; the lock is not held, and nobody else waits."""
        if self.spool is None:
            return
        with self._alone():
            self._spool_counts()
        try:
            self.spool.sync()
        except OSError as error:
            with self._alone():
                self.spool.fail(error)
        if self.spool.must_rewrite:
            with self._alone():
                self._rewrite()

    def close(self, *, let_go: bool) -> None:
        """Leave in the spool what waits and what was not told, for whoever comes next.

        Until it is let go of, by the last thread that uses it, it is locked.
        """
        if self.spool is None:
            return
        with self._alone():
            keep = not self.settled
            if keep:
                self._spool_counts()
                try:
                    self.spool.sync()
                except OSError as error:
                    self.spool.fail(error)
            if let_go:
                self.spool.close(keep=keep)

    def settle(self, parcel: Parcel, *, told: bool = True) -> None:
        """Count the events of a parcel as sent, and its report as `told`."""
        with self._alone():
            is_first = bool(self._reports) and self._reports[0] is parcel.report
            if told and is_first and parcel.report is not None:
                self._reports.popleft()
                if self.spool is not None:
                    self.spool.acknowledged(parcel.report.id)
            self._remove(parcel.events, "sent")
            if self.spool is not None and not (self._events or self._reports or self.counts.new):
                self.spool.empty()
            self.changed.notify_all()

    def drop(self, event: Event) -> None:
        """Count an event as dropped that no server takes."""
        with self._alone():
            self._remove([event], "dropped")
            self.changed.notify_all()

    def suppress(self) -> None:
        """Count all that waits as suppressed: the process was told to send nothing."""
        with self._alone():
            self._remove(list(self._events), "suppressed")
            self.changed.notify_all()

    def _remove(self, events: list[Event], kind: str) -> None:
        if not events:
            return
        gone = set(map(id, events))
        found: list[Event] = []
        while self._events and id(self._events[0]) in gone:
            found.append(self._events.popleft())
        if len(found) < len(gone):
            found.extend(event for event in self._events if id(event) in gone)
            self._events = deque(event for event in self._events if id(event) not in gone)
        for event in found:
            self._bytes -= len(event.body)
            self.counts.add(event.name, kind)
        if self.spool is not None:
            self.spool.done(found, kind)
        self._counted()

    def _spool_counts(self) -> None:
        if self.spool is not None and self._unspooled.new:
            self.spool.counted(self._unspooled.take())

    def _rewrite(self) -> None:
        if self.spool is None:
            return
        if self.spool.rewrite(list(self._events), self.counts.new, list(self._reports)):
            self._unspooled.take()
