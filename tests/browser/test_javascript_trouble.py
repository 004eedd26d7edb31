"""The JavaScript client where it is set down badly, called badly, or answered badly."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route

from tests.browser.test_javascript_client import GOOD, NAME, World, log
from tests.servers import Server, free_port, wait_until

CONFIG_IS_HERE = "localStorage.getItem('eventLogging.config')"
HIDE = (
    "Object.defineProperty(document, 'visibilityState', {value: 'hidden', configurable: true});"
    "document.dispatchEvent(new Event('visibilitychange'))"
)
# So that nobody waits half a minute.
IMPATIENT = (
    "{ const real = setTimeout;"
    " window.setTimeout = (work, ms) => real(work, ms === 30000 ? 600 : ms); }"
)


@pytest.fixture
def world(new_server: Callable[..., Server], chromium: Browser) -> Iterator[World]:
    made = World(new_server(), chromium)
    yield made
    made.close()


class Posts:
    """Counts what is posted to a collector, and answers in its place."""

    def __init__(self, world: World, context: BrowserContext, **answer: Any) -> None:
        self.bodies: list[str] = []
        self._answer = answer
        self._cors = {
            "Access-Control-Allow-Origin": world.site.url,
            "Access-Control-Allow-Credentials": "true",
            "Access-Control-Expose-Headers": "Retry-After",
        }
        context.route("**/v1/events", self._take)

    def _take(self, route: Route) -> None:
        self.bodies.append(route.request.post_data or "")
        self.answer(route)

    def answer(self, route: Route) -> None:
        said = {**self._answer, "headers": {**self._cors, **self._answer.get("headers", {})}}
        route.fulfill(body="{}", **said)


def ready(world: World, context: BrowserContext) -> Page:
    page = world.visit(context)
    page.wait_for_function(CONFIG_IS_HERE)
    return page


def test_in_a_sandboxed_frame_the_client_is_there_and_throws_nothing(world: World) -> None:
    page = world.visit(world.person(), "/plain")
    page.evaluate(
        """url => new Promise((done) => {
            const frame = document.createElement('iframe');
            frame.sandbox = 'allow-scripts';
            frame.srcdoc = `<script src="${url}/eventlogging.js" data-age="300"></` + 'script>';
            frame.onload = done;
            document.body.append(frame);
        })""",
        world.server.url,
    )
    frame = page.frames[1]
    assert frame.evaluate("self.origin") == "null", "it is a sandbox"
    assert frame.evaluate("([s, e]) => eventLog.log(s, e)", [NAME, GOOD])
    wait_until(lambda: world.line().valid == 1, 20)
    assert frame.evaluate("[eventLog.optOut(), eventLog.isOptedOut()]") == [None, True]
    assert frame.evaluate("([s, e]) => eventLog.log(s, e)", [NAME, GOOD]) is None
    assert frame.evaluate("[eventLog.optIn(), eventLog.isOptedOut()]") == [True, False]
    assert world.said == []


def test_a_report_that_is_too_large_for_somebody_is_tried_again_in_peace(world: World) -> None:
    context = world.person()
    posts = Posts(world, context, status=413)
    page = ready(world, context)
    log(page)
    page.wait_for_timeout(3000)
    # The event and its report, the report alone, and that again after half a second or more.
    assert 2 <= len(posts.bodies) <= 5
    context.unroute("**/v1/events")
    world.accounts_for(1)
    assert world.balance().dropped == 1


def test_nothing_is_sent_before_the_collector_said_so(world: World) -> None:
    context = world.person()
    posts = Posts(world, context, status=429, headers={"Retry-After": "300"})
    page = ready(world, context)
    log(page)
    page.wait_for_timeout(800)
    assert len(posts.bodies) == 1
    for _ in range(3):
        page.evaluate(HIDE)
        page.evaluate("eventLog.flush()")
    log(page, 30)
    page.wait_for_timeout(800)
    assert len(posts.bodies) == 1
    assert len(page.evaluate("eventLog.state().events")) == 31
    page.goto(world.site.url + "/plain")
    assert page.evaluate("JSON.stringify(localStorage)").count("normandy/runner") == 31


def test_nor_where_more_was_logged_while_the_answer_was_on_its_way(world: World) -> None:
    context = world.person()
    posts = Posts(world, context, status=429, headers={"Retry-After": "300"})
    held: list[Route] = []
    context.unroute("**/v1/events")
    context.route("**/v1/events", lambda route: held.append(route))
    page = ready(world, context)
    log(page)
    page.wait_for_timeout(500)
    log(page)
    posts.answer(held[0])
    page.wait_for_timeout(1000)
    assert len(held) == 1


def test_a_page_that_was_hidden_while_nobody_answered_sends_later(world: World) -> None:
    context = world.person()
    context.add_init_script(IMPATIENT)
    held: list[Route] = []
    context.route("**/v1/events", lambda route: held.append(route))
    page = ready(world, context)
    log(page)
    page.evaluate(HIDE)
    page.wait_for_timeout(300)
    assert len(held) == 1
    context.unroute("**/v1/events")
    world.accounts_for(1)


class _Stalls(http.server.BaseHTTPRequestHandler):
    """Says how it went, and never to the end."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(503)
        self.send_header("Access-Control-Allow-Origin", self.headers["Origin"])
        self.send_header("Access-Control-Allow-Credentials", "true")
        self.send_header("Content-Length", "100")
        self.end_headers()
        self.wfile.write(b"{")
        self.wfile.flush()
        threading.Event().wait(60)

    def log_message(self, *_: Any) -> None:
        pass


def test_an_answer_that_never_ends_does_not_end_the_sending(world: World) -> None:
    stalls = http.server.ThreadingHTTPServer(("127.0.0.1", free_port()), _Stalls)
    threading.Thread(target=stalls.serve_forever, daemon=True).start()
    context = world.person()
    context.add_init_script(IMPATIENT)
    elsewhere = f"http://127.0.0.1:{stalls.server_address[1]}/v1/events"
    asked: list[str] = []

    def divert(route: Route) -> None:
        asked.append(route.request.url)
        route.continue_(url=elsewhere)

    context.route("**/v1/events", divert)
    page = ready(world, context)
    log(page)
    page.wait_for_timeout(500)
    assert asked
    context.unroute("**/v1/events")
    world.accounts_for(1)
    stalls.shutdown()


@pytest.mark.parametrize(
    "wrong", ["[S, E, {version: 10n}]", "[S, E, {get version() { throw 1; }}]", "[10n, E]"]
)
def test_what_cannot_be_told_is_dropped_and_costs_no_other(world: World, wrong: str) -> None:
    context = world.person()
    held: list[Route] = []
    context.route("**/v1/config", lambda route: held.append(route))
    page = world.visit(context)
    page.evaluate(
        f"([S, E]) => {{ eventLog.log(S, E); eventLog.log(...{wrong});"
        " eventLog.log(S, E, null); }",
        [NAME, GOOD],
    )
    held[0].continue_()
    name = NAME if "S, E" in wrong else "(unknown)"
    wait_until(lambda: world.line().valid == 2, 20)
    wait_until(lambda: world.balance(name).dropped == 1, 20)
    world.accounts_for(3 if name == NAME else 2)
    assert world.said == []
