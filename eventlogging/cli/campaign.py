"""Send many events over several connections, again and again until each is answered."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from eventlogging.cli.paint import harmless
from eventlogging.cli.sender import Answer, Sender, Unreachable, index_of
from eventlogging.cli.traffic import Intent, Parcel

_FIRST_WAIT = 0.2  # seconds before the first repetition; doubled each time
_LONGEST_WAIT = 5.0


@dataclass
class Tally:
    """What became of one schema's events, as the collector answered."""

    sent: int = 0
    accepted: int = 0
    refused: int = 0


@dataclass
class Report:
    """What became of all events. `failure` says why sending stopped early; empty: it did not."""

    schemas: dict[str, Tally] = field(default_factory=dict)
    retries: int = 0
    resent: int = 0
    sampled_out: int = 0
    suppressed: int = 0
    seconds: float = 0.0
    failure: str = ""

    def total(self) -> Tally:
        """Return the sum over all schemas."""
        parts = self.schemas.values()
        return Tally(
            sum(part.sent for part in parts),
            sum(part.accepted for part in parts),
            sum(part.refused for part in parts),
        )


@dataclass(frozen=True)
class Plan:
    """How to send: where to, in what portions, how fast (events a second; 0: as fast as can be).

    `patience` is how many seconds may pass without any answer before giving up.
    """

    url: str
    token: str = ""
    batch: int = 20
    connections: int = 4
    rate: float = 0.0
    patience: float = 60.0


class _GivenUp(Exception):
    """Raised when sending cannot go on; its text says why and what to do."""


def send_all(
    parcels: Iterator[Parcel],
    count: int,
    plan: Plan,
    known: Callable[[str], str],
    say: Callable[[str], None],
    step: Callable[[int], None] = lambda _: None,
) -> Report:
    """Send `count` parcels and return what became of them.

    `known(name)` is the name that an event is reported under, `say` takes sentences for people,
    `step` the number of events just answered. Neither is called by two threads at once.
    """
    campaign = _Campaign(islice(parcels, count), plan, known, say, step)
    return campaign.run()


class _Campaign:
    def __init__(
        self,
        parcels: Iterator[Parcel],
        plan: Plan,
        known: Callable[[str], str],
        say: Callable[[str], None],
        step: Callable[[int], None],
    ) -> None:
        self.parcels, self.plan, self.known, self.say, self.step = parcels, plan, known, say, step
        self.report = Report()
        self.lock = threading.Lock()
        self.stop = threading.Event()
        self.begun = self.progress = time.monotonic()
        self.taken = 0
        self.waiting = False

    def run(self) -> Report:
        failures: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
        threads = [
            threading.Thread(target=self._worker, args=(failures,), daemon=True)
            for _ in range(self.plan.connections)
        ]
        for thread in threads:
            thread.start()
        try:
            for _ in threads:
                error = failures.get()
                if isinstance(error, _GivenUp):
                    self.report.failure = self.report.failure or str(error)
                elif error is not None:
                    raise error
        finally:
            self.stop.set()
        for thread in threads:
            thread.join()
        self.report.seconds = time.monotonic() - self.begun
        return self.report

    def _worker(self, failures: queue.SimpleQueue[BaseException | None]) -> None:
        try:
            with Sender(self.plan.url, self.plan.token) as sender:
                while batch := self._next():
                    self._deliver(sender, batch)
            failures.put(None)
        except BaseException as error:  # told to the main thread, which raises it
            self.stop.set()
            failures.put(error)

    def _next(self) -> list[Parcel]:
        """Return the next portion once its time has come; empty: there is no more."""
        with self.lock:
            if self.stop.is_set():
                return []
            batch = list(islice(self.parcels, self.plan.batch))
            due = self.begun + (self.taken / self.plan.rate if self.plan.rate else 0)
            self.taken += len(batch)
        if batch and (early := due - time.monotonic()) > 0:
            self.stop.wait(early)
            with self.lock:  # a wait that was asked for is not a lack of progress
                self.progress = time.monotonic()
        return [] if self.stop.is_set() else batch

    def _deliver(self, sender: Sender, batch: Sequence[Parcel]) -> None:
        """Send a portion until each event of it is answered for good."""
        wait = _FIRST_WAIT
        while batch and not self.stop.is_set():
            try:
                answer = sender.post([parcel.body for parcel in batch])
            except Unreachable as error:
                self._pause(f"no answer from {self.plan.url} ({error})", wait)
            else:
                left = batch if answer.busy else self._book(batch, answer)
                if left:
                    longer = min(answer.retry_after or 0.0, 2 * _LONGEST_WAIT)
                    self._pause(
                        f"{self.plan.url} is busy (HTTP {answer.status})", max(wait, longer)
                    )
                batch = left
            wait = min(wait * 2, _LONGEST_WAIT)

    def _pause(self, why: str, seconds: float) -> None:
        with self.lock:
            without = time.monotonic() - self.progress
            if without > self.plan.patience:
                raise _GivenUp(
                    f"{why} for {without:.0f} s; start the server (bin/run) or name it with --url"
                )
            self.report.resent += 1
            if not self.waiting:
                self.waiting = True
                self.say(f"{why}; the same events are sent again, their ids make that safe")
        self.stop.wait(min(seconds, self.plan.patience))

    def _book(self, batch: Sequence[Parcel], answer: Answer) -> list[Parcel]:
        """Count what was answered for good; return what may be sent again."""
        if not answer.judged:
            raise _GivenUp(_unexpected(answer, self.plan))
        status = dict.fromkeys(range(len(batch)), 400) if answer.status == 400 else {}
        status |= {index_of(item): int(item.get("status", 400)) for item in answer.refusals()}
        left: list[Parcel] = []
        with self.lock:
            for index, parcel in enumerate(batch):
                if status.get(index, 201) == 429 or status.get(index, 201) >= 500:
                    left.append(parcel)
                    continue
                tally = self.report.schemas.setdefault(self.known(parcel.schema), Tally())
                tally.sent += 1
                tally.refused += index in status
                tally.accepted += index not in status
                self.report.retries += parcel.intent is Intent.RETRY
            if isinstance(answer.body, dict):
                self.report.sampled_out += int(answer.body.get("sampled_out") or 0)
                self.report.suppressed += int(answer.body.get("suppressed") or 0)
            if len(left) < len(batch):
                self.progress = time.monotonic()
                self.waiting = False
                self.step(len(batch) - len(left))
        return left


def _unexpected(answer: Answer, plan: Plan) -> str:
    if answer.status == 413:
        return f"a portion of {plan.batch} events is too large for {plan.url}; lower --batch"
    if answer.status in (401, 403):
        return f"{plan.url} does not know the token (HTTP {answer.status}); give another by --token"
    if answer.status == 404:
        return f"{plan.url} is no EventLogging server (HTTP 404); name it with --url"
    return f"{plan.url} answered HTTP {answer.status}: {harmless(answer.text)}"
