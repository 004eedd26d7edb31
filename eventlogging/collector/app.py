"""The intake's ASGI application: from a route to its answer."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

from eventlogging import clock
from eventlogging.collector import answers, forwarding, routes, wsapi
from eventlogging.collector.answers import Answer
from eventlogging.collector.body import Receive, Unreadable, read_body
from eventlogging.collector.deadlines import Deadlines
from eventlogging.collector.disk import Disk
from eventlogging.collector.edge import receive as edges
from eventlogging.collector.hasty import HastyQueue
from eventlogging.collector.probe import Probe
from eventlogging.collector.request import (
    context_of,
    headers_of,
    is_binary,
    is_hasty,
    is_json,
    names_test_key,
)
from eventlogging.collector.respond import Send, not_allowed, preflight, respond
from eventlogging.errors import StoreError
from eventlogging.intake import cloudevents, decode
from eventlogging.intake.accept import UNKNOWN_CODES, Accepted, Intake
from eventlogging.intake.context import Context
from eventlogging.intake.useragent import coarse
from eventlogging.platform import Platform
from eventlogging.registry.model import Snapshot

App = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]
_logger = logging.getLogger(__name__)
_POLL_SECONDS = 1.0
_STALE_SECONDS = 10.0  # beyond this, "unknown" may only mean "not heard of yet"
_MISS_SECONDS = 1.0
_DRAIN_SECONDS = 8.0  # how long a stop waits for what was answered hastily


class Collector:
    """Answers the intake's routes itself and hands every other request to `other`."""

    def __init__(self, platform: Platform, other: App) -> None:
        self._platform = platform
        self._config = platform.config
        self._registry = platform.registry
        self._other = other
        self._intake = Intake(platform.config, platform.privacy_key)
        self.routes: Mapping[str, Callable[..., Awaitable[Answer | None]]] = {
            routes.EVENTS: self._events,
            routes.TEST_EVENTS: self._readyz,
            routes.BEACON: self._beacon,
            routes.FORWARD: self._forward,
            routes.FORWARD_REGISTRY: self._forward_registry,
            routes.EDGE: self._edge,
            routes.WSAPI_CONTEXT: self._wsapi_context,
            routes.WSAPI_DATA: self._wsapi_data,
            routes.HEALTHZ: self._healthz,
            routes.READYZ: self._readyz,
        }
        self._edges = edges.Receiver(platform.config, platform.privacy_key)
        self._probe = Probe(platform.config, platform.privacy_key)
        self._misses: dict[str, float] = {}
        self._looking: asyncio.Future[None] | None = None
        self._stop = threading.Event()
        self._reading = Deadlines(platform.config.body_seconds)
        self._sweeps: list[asyncio.Task[None]] = []
        self._probed: tuple[float, str | None] = (-1e9, None)

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            route = self.routes.get(scope["path"])
            if route is None:
                await self._other(scope, receive, send)
            else:
                headers = headers_of(scope["headers"])
                path, method = scope["path"], scope["method"]
                if routes.takes(path, method):
                    answer = await route(scope, headers, receive)
                else:
                    answer = preflight(path) if method == "OPTIONS" else not_allowed(path)
                if answer is not None:
                    await respond(send, answer, headers, method)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self._start()
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                self._stop.set()
                await self._hasty.drain(_DRAIN_SECONDS)
                for sweep in self._sweeps:
                    sweep.cancel()
                await asyncio.to_thread(self._disk.close)
                await send({"type": "lifespan.shutdown.complete"})
                return

    def _start(self) -> None:
        coarse("warm")  # reading its rules takes a while, which no sender should wait for
        self._disk = Disk(self._platform.log_folder, self._config)
        threading.Thread(target=self._poll, name="registry-poll", daemon=True).start()
        self._hasty = HastyQueue(self._config.log_queue_bytes, self._judge, self._disk.kept)
        forever = (self._reading.sweep(), self._disk.sweep(), self._hasty.run())
        self._sweeps = [asyncio.create_task(one) for one in forever]

    def _poll(self) -> None:
        silent = False
        while not self._stop.is_set():
            try:
                self._registry.refresh()
                silent = False
            except StoreError as error:
                if not silent:
                    _logger.warning("the registry cannot be read, serving what is known: %s", error)
                silent = True
            self._stop.wait(_POLL_SECONDS)

    async def _events(
        self, scope: dict[str, Any], headers: dict[str, str], receive: Receive
    ) -> Answer | None:
        context = await self._context(headers)
        if isinstance(context, Answer):
            return context
        body = await self._read(headers, receive)
        if is_binary(headers) and isinstance(body, bytes):
            body = cloudevents.from_headers(headers, body)
        if isinstance(body, Unreadable):
            if not body.code:
                return _left(body)
            accepted = self._intake.refuse_body(body.code, body.start, context)
        elif not is_json(headers):
            accepted = self._intake.refuse_body("unsupported_type", body, context)
        elif scope["query_string"] and is_hasty(scope["query_string"]):
            if self._hasty.put(body, context):
                return answers.received()
            return answers.unavailable("too many hasty events wait to be judged")
        else:
            judged = await self._judge(body, context)
            if isinstance(judged, Answer):
                return judged
            accepted = judged
        # Made before: what could not be answered would be booked each time it is sent again.
        answer = answers.of_events(accepted)
        return await self._disk.keep(accepted.lines, accepted.sent) or answer

    async def _beacon(
        self, scope: dict[str, Any], headers: dict[str, str], receive: Receive
    ) -> Answer | None:
        context = await self._context(headers)
        if isinstance(context, Answer):
            return context
        query = scope["query_string"]
        if query:
            body: bytes | Unreadable = unquote_to_bytes(query.removesuffix(b";"))
        else:
            body = await self._read(headers, receive)
        if isinstance(body, Unreadable):
            if not body.code:
                return _left(body)
            accepted = self._intake.refuse_body(body.code, body.start, context)
        else:
            judged = await self._judge(body, context)
            if isinstance(judged, Answer):
                return judged
            accepted = judged
        answer = answers.of_beacon(accepted)
        return await self._disk.keep(accepted.lines, accepted.sent) or answer

    async def _wsapi_context(self, _scope: Any, headers: dict[str, str], _receive: Any) -> Answer:
        is_secure = self._config.url.startswith("https:")
        return wsapi.session_context(headers, self._platform.session_key, is_secure=is_secure)

    async def _wsapi_data(
        self, _scope: Any, headers: dict[str, str], receive: Receive
    ) -> Answer | None:
        context = wsapi.coarsened(self._context_now(headers))
        body = await self._read(headers, receive)
        if isinstance(body, Unreadable):
            if not body.code:
                return _left(body)
            found: decode.Body | Answer = decode.Body(code=body.code)
        else:
            found = wsapi.documents(
                body, headers, self._platform.session_key, most=self._config.max_batch
            )
        if isinstance(found, Answer):
            return found
        schema, key = self._config.kpi_schema, self._platform.privacy_key
        capsules = wsapi.as_capsules(found, schema, context, key)
        text = b"" if found.code or isinstance(body, Unreadable) else body
        judged = await self._judge(text, context, capsules)
        if isinstance(judged, Answer):
            return wsapi.later(judged)
        answer = wsapi.answer(judged)
        unkept = await self._disk.keep(judged.lines, judged.sent)
        return wsapi.later(unkept) if unkept else answer

    async def _forward(
        self, scope: dict[str, Any], headers: dict[str, str], receive: Receive
    ) -> Answer | None:
        body = await self._handed_over(headers, receive)
        if not isinstance(body, bytes):
            return body
        taken = forwarding.take(scope["query_string"], body)
        if isinstance(taken, Answer):
            return taken
        return await self._disk.keep(taken.lines, {}) or taken.answer

    async def _edge(
        self, scope: dict[str, Any], headers: dict[str, str], receive: Receive
    ) -> Answer | None:
        body = await self._handed_over(headers, receive)
        if not isinstance(body, bytes):
            return body
        shipped = edges.shipped(scope["query_string"], body)
        if isinstance(shipped, Answer):
            return shipped
        judged_by = self._registry.snapshot
        judged = await self._edges.judge(shipped, judged_by)
        if judged.unknown:
            again = await self._moved_on(judged.unknown, judged_by)
            if isinstance(again, Answer):
                return again
            if again:
                judged = await self._edges.judge(shipped, self._registry.snapshot)
        lines = judged.as_batch(shipped.name, shipped.chunk.start)
        unkept = await self._disk.keep(lines, {}) if judged.lines else None
        return unkept or edges.answer(shipped, judged)

    async def _handed_over(
        self, headers: dict[str, str], receive: Receive
    ) -> bytes | Answer | None:
        """Return what a host of our own hands over; else the answer to it."""
        if no := self._not_of_ours(headers):
            return no
        body = await self._read(headers, receive, self._config.log_queue_bytes)
        if isinstance(body, Unreadable):
            text = "the body cannot be unpacked, or is larger than log_queue_bytes"
            return answers.plain_error(body.status, body.code, text) if body.code else _left(body)
        return body

    def _not_of_ours(self, headers: dict[str, str]) -> Answer | None:
        """Return why a request may not come as one of our own hosts; None where it may."""
        no = forwarding.refused(self._context_now(headers))
        if no and self._registry.snapshot.counter < 0:
            return answers.unavailable("the registry has not been read yet, nor who may forward")
        return no

    async def _forward_registry(
        self, scope: dict[str, Any], headers: dict[str, str], _receive: Any
    ) -> Answer:
        if no := self._not_of_ours(headers):
            return no
        if self._registry.snapshot.counter < 0 or self._registry.age_seconds() > _STALE_SECONDS:
            return answers.unavailable("the registry cannot be read")
        key_id = self._platform.privacy_key.id
        return forwarding.registry(scope["query_string"], self._registry.snapshot, key_id)

    async def _healthz(self, _scope: Any, _headers: Any, _receive: Any) -> Answer:
        return Answer(200, b'{"status":"ok"}\n')

    async def _readyz(self, _scope: Any, _headers: Any, _receive: Any) -> Answer:
        """A probe judged, and its line through the log, at most once a second."""
        now = time.monotonic()
        if now - self._probed[0] > 1.0:
            trouble = self._probe.trouble() or await self._disk.trouble()
            self._probed = (time.monotonic(), trouble)
        if self._probed[1]:
            return answers.unavailable(self._probed[1])
        if self._registry.snapshot.counter < 0:
            return answers.unavailable("the registry has not been read yet")
        return Answer(200, b'{"status":"ready"}\n')

    async def _context(self, headers: dict[str, str]) -> Context | Answer:
        """What is known of a request; an answer where it comes with a test key that is none.

        Such events must not be taken for those of production. A new key is looked up once.
        """
        context = self._context_now(headers)
        if context.test_key or not names_test_key(headers):
            return context
        await self._look_up({headers["authorization"]})
        context = self._context_now(headers)
        if context.test_key:
            return context
        if self._registry.age_seconds() > _STALE_SECONDS:
            return answers.unavailable("the registry cannot be read, and the test key not checked")
        return answers.no_test_key()

    def _context_now(self, headers: dict[str, str]) -> Context:
        return context_of(
            headers, clock.now_ms(), self._registry.snapshot, self._config.admin_token
        )

    async def _read(
        self, headers: dict[str, str], receive: Receive, most: int | None = None
    ) -> bytes | Unreadable:
        return await read_body(
            receive,
            encoding=headers.get("content-encoding", "").lower(),
            length=headers.get("content-length", ""),
            max_bytes=most or self._config.max_body_bytes,
            deadlines=self._reading,
        )

    async def _judge(
        self, body: bytes, context: Context, read: decode.Body | None = None
    ) -> Accepted | Answer:
        """Judge a body; what is unknown is looked up once before it is called so."""
        read = read or decode.decode(body, max_batch=self._config.max_batch)
        judged_by = self._registry.snapshot
        self._intake.use(judged_by)
        accepted = self._intake.accept_decoded(read, body, context)
        unknown = {v.schema + v.text for v in accepted.verdicts if v.code in UNKNOWN_CODES}
        if not unknown:
            return accepted
        again = await self._moved_on(unknown, judged_by)
        if again is True:
            self._intake.use(self._registry.snapshot)
            return self._intake.accept_decoded(read, body, context)
        return again or accepted

    async def _moved_on(self, unknown: set[str], judged_by: Snapshot) -> bool | Answer:
        """Look up what is unknown; return whether the registry moved, or that nobody can say."""
        await self._look_up(unknown)
        if self._registry.snapshot is not judged_by:
            return True
        if self._registry.age_seconds() > _STALE_SECONDS:
            return answers.unavailable("the registry cannot be read, and the schema is not known")
        return False

    async def _look_up(self, unknown: set[str]) -> None:
        """Read the registry now, unless the same was missed a moment ago."""
        now = time.monotonic()
        if all(now - self._misses.get(name, -1e9) < _MISS_SECONDS for name in unknown):
            return
        if self._looking is None:
            self._looking = asyncio.ensure_future(asyncio.to_thread(self._refresh))
            self._looking.add_done_callback(lambda _: setattr(self, "_looking", None))
        await asyncio.shield(self._looking)
        if len(self._misses) > 10_000:
            self._misses.clear()
        self._misses.update(dict.fromkeys(unknown, time.monotonic()))

    def _refresh(self) -> None:
        with contextlib.suppress(StoreError):  # the poll says it; age decides what is answered
            self._registry.refresh()


def _left(body: Unreadable) -> Answer | None:
    if body.status == 408:
        text = "the body did not arrive in time; send it again"
        return answers.plain_error(408, "too_slow", text, (b"connection", b"close"))
    return None  # the client has gone; there is nobody to answer
