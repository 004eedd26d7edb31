"""The JavaScript client in a real browser: whatever happens to page, network or server, what was
attempted is accounted for, and the page never notices."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import json
import re
import shutil
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, BrowserContext, Page, Route

from eventlogging.ledger.clients import Balance, balances
from eventlogging.ledger.reading import LineOfTruth, lines_of_truth
from eventlogging.registry.change import change_settings
from eventlogging.store.database import Database
from tests.browser.conftest import sign_in_link
from tests.servers import ROOT, Server, free_port, wait_until

CLIENT = ROOT / "clients" / "javascript"
NAME = "RecipeUptake"
GOOD = {"source": "normandy/runner", "status": "RUNNER_SUCCESS"}
PAGE = """<!doctype html><meta charset=utf-8><title>A page</title><p>Here.
<script src="{url}/eventlogging.js"{more}></script>"""


class Site(http.server.ThreadingHTTPServer):
    """A site of its own, whose pages hold the script element."""

    def __init__(self, collector: str) -> None:
        self.collector = collector
        super().__init__(("127.0.0.1", free_port()), _Pages)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Pages(http.server.BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        more = ' data-age="300"' + (" data-debug" if "debug" in self.path else "")
        text = PAGE.format(url=self.server.collector, more=more) if "plain" not in self.path else ""
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: Any) -> None:
        pass


class World:
    """A server, a site that uses it, and people with browsers."""

    def __init__(self, server: Server, browser: Browser) -> None:
        self.server = server
        self.site = Site(server.url)
        self.browser = browser
        self.said: list[str] = []
        self._database = Database(f"sqlite:///{server.var / 'eventlogging.db'}")
        self._contexts: list[BrowserContext] = []

    def person(self, **settings: Any) -> BrowserContext:
        context = self.browser.new_context(**settings)
        self._contexts.append(context)
        return context

    def visit(self, context: BrowserContext, path: str = "/") -> Page:
        page = context.new_page()
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("console", self._hear)
        page.goto(self.site.url + path)
        return page

    def _hear(self, message: Any) -> None:
        # What the browser itself says of a request that failed, no script can keep from it.
        if not re.match(r"Failed to load resource|Access to fetch at", message.text):
            self.said.append(message.text)

    def balance(self, schema: str = NAME) -> Balance:
        with self._database.read() as connection:
            found = balances(connection, schema=schema)
        return found[0] if found else Balance(schema)

    def line(self, schema: str = NAME) -> LineOfTruth:
        with self._database.read() as connection:
            found = lines_of_truth(connection, schema=schema)
        return found[0] if found else LineOfTruth(schema)

    def rows(self, query: str) -> list[Any]:
        with self._database.read() as connection:
            return list(connection.execute(sa.text(query)))

    def accounts_for(self, attempted: int, schema: str = NAME, seconds: float = 60) -> None:
        """Wait until the books say that so many were attempted, and where each of them is."""
        deadline = time.monotonic() + seconds
        while not self._is_settled(attempted, schema):
            if time.monotonic() > deadline:
                pytest.fail(f"{self.balance(schema)} {self.line(schema)}")
            # Not a plain sleep: what the pages ask of this test is answered in the meantime.
            self._contexts[0].pages[0].wait_for_timeout(100)

    def _is_settled(self, attempted: int, schema: str) -> bool:
        said, line = self.balance(schema), self.line(schema)
        return (
            (said.attempted, said.waiting) == (attempted, 0)
            and line.sent - line.duplicate == said.sent
            and line.residual == 0
        )

    def set_sampling(self, rate: float, unit: str = "pageview") -> None:
        change_settings(self._database, NAME, "test", sampling={"rate": rate, "unit": unit})
        time.sleep(1.5)

    def close(self) -> None:
        for context in self._contexts:
            context.close()
        self.site.shutdown()
        self._database.close()


@pytest.fixture
def world(new_server: Callable[..., Server], chromium: Browser) -> Iterator[World]:
    made = World(new_server(), chromium)
    yield made
    made.close()


def log(page: Page, number: int = 1, event: Any = GOOD, schema: str = NAME) -> None:
    page.evaluate(
        "([n, s, e]) => { for (let i = 0; i < n; i++) eventLog.log(s, e); }",
        [number, schema, event],
    )


def leave(page: Page) -> None:
    """Go elsewhere, as people do."""
    page.goto("about:blank")


def test_the_classic_file_is_made_of_the_modules_and_is_small() -> None:
    first_line = subprocess.run(
        [sys.executable, "-c", "import build; print(build.head(), end='')"],
        cwd=CLIENT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    served, packed = (
        (place / "eventlogging.js").read_text("utf-8")
        for place in (CLIENT / "dist", ROOT / "eventlogging" / "console" / "static")
    )
    assert served == packed
    assert served.startswith(first_line), "run clients/javascript/build.py"
    assert len(gzip.compress(served.encode(), 9)) <= 6000


def test_two_lines_put_an_event_on_its_way(world: World) -> None:
    page = world.visit(world.person())
    log(page)
    wait_until(lambda: world.line().valid == 1, 20)
    (row,) = world.rows("SELECT host, client FROM RecipeUptake_1")
    assert row.host == world.site.url.removeprefix("http://")
    assert row.client.startswith("eventlogging-js/")
    leave(page)
    world.accounts_for(1)
    assert world.said == []


def test_many_events_travel_in_few_requests(world: World) -> None:
    page = world.visit(world.person())
    requests: list[int] = []
    page.on(
        "request",
        lambda one: requests.append(len(one.post_data or "")) if one.method == "POST" else None,
    )
    log(page, 1000, {**GOOD, "source": "normandy/runner"})
    world.accounts_for(1000)
    balance = world.balance()
    assert balance.dropped == 1000 - balance.sent, "beyond what may wait, the oldest is dropped"
    assert balance.sent >= 400
    assert max(requests) < 60_000
    assert len(requests) < 20


def test_a_refused_event_is_shown_with_its_path_in_debug_mode_alone(world: World) -> None:
    quiet = world.visit(world.person())
    log(quiet, 1, {"source": "elsewhere"})
    loud = world.visit(world.person(), "/?debug")
    log(loud, 1, {"source": "normandy/runner", "status": 7})
    wait_until(lambda: world.line().invalid == 2, 20)
    loud.wait_for_timeout(500)
    told = "\n".join(world.said)
    assert "/status" in told and "refused" in told
    assert "elsewhere" not in told
    for page in (quiet, loud):
        leave(page)
    world.accounts_for(2)


def test_sampling_happens_in_the_page_and_is_counted(world: World) -> None:
    world.set_sampling(0.3, "pageview")
    visits = 12
    context = world.person()
    for _ in range(visits):
        page = world.visit(context)
        page.wait_for_function("localStorage.getItem('eventLogging.config')")
        log(page, 2)
        leave(page)
        page.close()
    last = world.visit(context)
    world.accounts_for(2 * visits)
    balance = world.balance()
    assert balance.sampled_out + balance.sent == 2 * visits
    assert balance.sampled_out % 2 == 0, "a pageview is in the sample or it is not"
    assert world.line().sampled_out == 0, "nothing is left for the collector to leave out"
    if balance.sent:
        assert {row[0] for row in world.rows("SELECT sample_rate FROM RecipeUptake_1")} == {0.3}
    last.close()


def test_a_server_killed_in_mid_session_costs_nothing(world: World) -> None:
    context = world.person()
    page = world.visit(context)
    attempted = 0
    for turn in range(3):
        log(page, 15)
        attempted += 15
        page.wait_for_timeout(300)
        world.server.kill()
        log(page, 10)
        attempted += 10
        page.wait_for_timeout(700)
        if turn == 1:  # and the page is left while nobody answers
            leave(page)
            page.goto("about:blank")
        world.server.start()
        if turn == 1:
            page = world.visit(context)
    log(page, 5)
    attempted += 5
    world.accounts_for(attempted)
    assert world.balance().dropped == 0
    assert world.line().valid == attempted
    assert world.said == []
    admin = world.person(base_url=world.server.url).new_page()
    admin.goto(sign_in_link(world.server))
    admin.get_by_role("button", name="Sign in as admin").click()
    admin.goto("/balance")
    heading = admin.get_by_role("heading", level=1).inner_text()
    assert heading == f"All {attempted} attempted events are accounted for"


def test_who_has_opted_out_leaves_no_trace(world: World) -> None:
    secret = "nobody-may-know-7391"
    event = {"source": "normandy/action/x", "status": "ACTION_SUCCESS", "note": secret}
    by_header = world.person(extra_http_headers={"Sec-GPC": "1"})
    by_header.add_init_script(
        "Object.defineProperty(navigator, 'globalPrivacyControl', {get: () => true})"
    )
    pages = [world.visit(by_header)]
    by_hand = world.visit(world.person())
    log(by_hand, 3, {**event, "note": secret})
    by_hand.evaluate("eventLog.optOut()")
    pages.append(by_hand)
    sent: list[str] = []
    for page in pages:
        page.on("request", lambda one: sent.append(one.url))
        log(page, 25, event)
        assert page.evaluate("eventLog.isOptedOut()")
        page.wait_for_timeout(2500)
        keys = page.evaluate("Object.keys(localStorage)")
        assert set(keys) <= {"eventLogging.optOut"}
        assert page.evaluate("eventLog.mine().token") is None
        page.reload()
        log(page, 1, event)
        page.wait_for_timeout(300)
        leave(page)
    assert [url for url in sent if "/v1/" in url] == []
    time.sleep(1)
    for path in world.server.var.rglob("*"):
        if path.is_file():
            assert secret.encode() not in path.read_bytes(), path
    assert world.line().sent == 0
    assert world.said == []


def test_counts_of_a_no_are_told_once_it_is_taken_back(world: World) -> None:
    page = world.visit(world.person())
    page.evaluate("eventLog.optOut()")
    log(page, 4)
    page.evaluate("eventLog.optIn()")
    log(page, 2)
    world.accounts_for(6)
    assert world.balance().suppressed == 4
    assert world.line().valid == 2


def test_two_tabs_share_a_device_and_count_once(world: World) -> None:
    context = world.person()
    one, other = world.visit(context), world.visit(context)
    for page in (one, other, one):
        log(page, 7)
    assert one.evaluate("eventLog.mine().token") == other.evaluate("eventLog.mine().token")
    world.accounts_for(21)
    assert world.line().duplicate == 0
    one.close()
    log(other, 3)
    world.accounts_for(24)


@pytest.fixture
def caching(new_server: Callable[..., Server], chromium: Browser) -> Iterator[World]:
    """A world with a browser that keeps pages for going back, which Playwright's does not."""
    browser = chromium.browser_type.launch(
        executable_path=shutil.which("chromium"),
        args=["--no-sandbox", "--disable-dev-shm-usage"],
        ignore_default_args=["--disable-back-forward-cache"],
    )
    made = World(new_server(), browser)
    yield made
    made.close()
    browser.close()


def test_a_page_that_comes_back_from_the_cache_goes_on(caching: World) -> None:
    page = caching.visit(caching.person())
    page.evaluate("window.stillHere = true")
    log(page, 2)
    page.goto(caching.site.url + "/plain")
    page.go_back(wait_until="commit")  # it does not load again
    page.wait_for_function("window.eventLog")
    assert page.evaluate("window.stillHere"), "the page comes from the cache"
    log(page, 2)
    caching.accounts_for(4)
    assert caching.said == []


def test_what_was_on_its_way_when_the_page_went_is_not_lost(world: World) -> None:
    context = world.person()
    page = world.visit(context)
    held: list[Route] = []
    page.route("**/v1/events", lambda route: held.append(route))
    log(page, 20)
    page.wait_for_timeout(300)
    assert held, "it is in flight"
    log(page, 5)
    again = world.visit(context)
    page.close()
    again.reload()
    world.accounts_for(25)


def test_offline_for_a_week(world: World) -> None:
    context = world.person()
    page = world.visit(context)
    page.wait_for_function("localStorage.getItem('eventLogging.config')")
    context.set_offline(True)
    log(page, 8)
    page.wait_for_timeout(2500)
    leave(page)
    page.close()
    week = 7 * 86_400_000
    context.add_init_script(f"{{ const now = Date.now; Date.now = () => now() + {week}; }}")
    context.set_offline(False)
    page = world.visit(context)
    world.accounts_for(8)
    assert world.line().valid == 8


@pytest.mark.parametrize("clock", ["1971-01-01T00:00:00Z", "2099-01-01T00:00:00Z"])
def test_a_wrong_clock_loses_no_event(world: World, clock: str) -> None:
    context = world.person()
    context.add_init_script(
        f"{{ const at = Date.parse('{clock}') - Date.now(), now = Date.now; "
        "Date.now = () => now() + at; const iso = Date.prototype.toISOString; "
        f"Date.prototype.toISOString = function () {{ return '{clock}'; }}; }}"
    )
    page = world.visit(context)
    log(page, 3)
    world.accounts_for(3)
    assert world.line().valid == 3


@pytest.mark.parametrize(
    "spoiled",
    [
        "Object.defineProperty(window, 'localStorage', {get() { throw new Error('no'); }})",
        "Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceeded'); }",
        "Storage.prototype.getItem = () => '{broken'",
        "delete Navigator.prototype.locks",
        "Object.prototype.toJSON = undefined; Array.prototype.extra = 1",
        "navigator.sendBeacon = () => { throw new Error('no'); }",
    ],
)
def test_a_hostile_page_or_a_forbidden_storage_loses_nothing(world: World, spoiled: str) -> None:
    context = world.person()
    context.add_init_script(spoiled)
    page = world.visit(context)
    log(page, 6)
    world.accounts_for(6)
    assert world.said == []


@pytest.mark.parametrize("answer", ["nothing", "broken", "wrong"])
def test_a_config_that_cannot_be_had_stops_nothing(world: World, answer: str) -> None:
    context = world.person()

    def spoil(route: Route) -> None:
        if answer == "nothing":
            route.abort()
        else:
            body = "{" if answer == "broken" else json.dumps({"schemas": [7]})
            route.fulfill(status=200, body=body, headers={"Access-Control-Allow-Origin": "*"})

    context.route("**/v1/config", spoil)
    page = world.visit(context)
    log(page, 3)
    world.accounts_for(3)
    assert world.line().valid == 3


def test_an_ad_blocker_costs_the_page_nothing_and_every_loss_is_counted(world: World) -> None:
    context = world.person()
    context.route("**/v1/events", lambda route: route.abort("blockedbyclient"))
    page = world.visit(context)
    log(page, 700)
    page.wait_for_timeout(1500)
    counts = page.evaluate("eventLog.state()")
    assert len(counts["events"]) <= 500
    assert world.said == []
    context.unroute("**/v1/events")
    page.evaluate("eventLog.flush()")
    world.accounts_for(700)
    assert world.balance().dropped >= 200


@pytest.mark.parametrize(
    "event",
    [
        "(() => { const a = {}; a.a = a; return a; })()", "7", "null", "undefined", "'text'",
        "({ big: 'x'.repeat(100000) })", "({ n: 10n })",
        "({ toJSON() { throw new Error('no'); } })", "new Proxy({}, { ownKeys() { throw 1; } })",
    ],
)  # fmt: skip
def test_what_is_no_event_is_dropped_and_counted(world: World, event: str) -> None:
    page = world.visit(world.person())
    page.evaluate(f"eventLog.log('{NAME}', {event})")
    log(page)
    world.accounts_for(2)
    assert world.balance().dropped == 1
    assert world.said == []


def test_an_event_that_spoils_its_parcel_costs_no_other(world: World) -> None:
    page = world.visit(world.person())
    log(page, 5)
    page.evaluate(
        "n => { let deep = {}; for (let i = 0; i < n; i++) deep = {deep}; "
        f"eventLog.log('{NAME}', deep); }}",
        2000,
    )
    log(page, 5)
    wait_until(lambda: world.line().valid == 10, 30)
    # The one is booked under no name, as the collector could not read it.
    wait_until(lambda: world.balance().attempted == world.balance().sent == 11, 20)
    assert world.balance().waiting == 0


@pytest.mark.parametrize("name", ["__proto__", "constructor", "no such name", "x" * 500])
def test_a_name_that_is_none_is_counted_and_changes_nothing_in_the_page(
    world: World, name: str
) -> None:
    page = world.visit(world.person())
    log(page, 2, GOOD, name)
    log(page)
    world.accounts_for(1)
    assert page.evaluate("({}).attempted === undefined && Object.attempted === undefined")
    assert world.balance("(unknown)").attempted == 2
    assert world.said == []


def test_navigation_timing_is_ready_made(world: World) -> None:
    page = world.visit(world.person())
    page.evaluate(
        "eventLog.navigationTiming({action: 'view', isAnon: true, mediaWikiVersion: '1.27.0'})"
    )
    wait_until(lambda: world.line("NavigationTiming").sent == 1, 20)
    assert world.line("NavigationTiming").valid == 1
    (row,) = world.rows("SELECT event_loadEventEnd, event_isHttps FROM NavigationTiming_1")
    assert row[0] > 0
    assert not row[1]


def test_ids_can_be_derived_from_what_the_device_knows(world: World) -> None:
    page = world.visit(world.person())
    log(page, 3)
    world.accounts_for(3)
    mine = page.evaluate("eventLog.mine()")
    ((_, tag, count),) = mine["pages"]
    derived = {
        hashlib.sha256(f"{mine['token']}:{tag}:{n}".encode()).hexdigest()[:32] for n in range(count)
    }
    stored = {row[0].replace("-", "") for row in world.rows("SELECT id FROM RecipeUptake_1")}
    assert stored == derived


def test_the_path_of_the_file_is_open_to_any_site(world: World, tmp_path: Path) -> None:
    with urllib.request.urlopen(f"{world.server.url}/eventlogging.js", timeout=10) as answer:
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert answer.headers["Content-Type"].startswith(
            ("text/javascript", "application/javascript")
        )
        assert "max-age=3600" in answer.headers["Cache-Control"]
