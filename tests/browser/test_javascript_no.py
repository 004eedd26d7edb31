"""A no that is said elsewhere, while something waits: the client keeps and sends nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser.test_javascript_client import NAME, World, leave, log
from tests.servers import Server

SECRET = "nobody-may-know-2764"
TOLD = {"source": "normandy/action/x", "status": "ACTION_SUCCESS", "note": SECRET}
GPC = "Object.defineProperty(navigator, 'globalPrivacyControl', {get: () => true})"
CONFIG_IS_HERE = "localStorage.getItem('eventLogging.config')"
KEPT = "JSON.stringify(Object.entries(localStorage))"
WAITING = "eventLog.state().events.length + eventLog.state().undecided.length"


@pytest.fixture
def world(new_server: Callable[..., Server], chromium: Browser) -> Iterator[World]:
    made = World(new_server(), chromium)
    yield made
    made.close()


# What a page sends as it is left, the browser's own routes do not hold up.
AWAY = (
    "{ const real = fetch; window.fetch = (to, more) =>"
    " document.cookie.includes('away=1') && to.endsWith('/v1/events')"
    " ? Promise.reject(new TypeError('away')) : real(to, more); }"
)


def say_no(world: World, context: BrowserContext) -> None:
    """As the page of a collector under the same name does."""
    set_cookie(world, context, "eventlogging_opt_out")


def set_cookie(world: World, context: BrowserContext, name: str) -> None:
    context.add_cookies([{"name": name, "value": "1", "url": world.site.url}])


def go_away(world: World, context: BrowserContext) -> None:
    """Let the collector answer nobody, until the cookies are cleared."""
    context.add_init_script(AWAY)
    set_cookie(world, context, "away")


def wait_in_vain(world: World, context: BrowserContext, number: int = 3) -> Page:
    """A page whose events wait, on the disk, for a collector that is away."""
    go_away(world, context)
    page = world.visit(context)
    page.wait_for_function(CONFIG_IS_HERE)
    log(page, number, TOLD)
    page.wait_for_timeout(500)
    assert SECRET in page.evaluate(KEPT)
    return page


def plain(world: World, context: BrowserContext) -> Page:
    """A page of the site without the client, to look at what is kept."""
    page = context.new_page()
    page.goto(world.site.url + "/plain")
    return page


def nothing_was_sent_after_all(world: World, context: BrowserContext) -> None:
    """Take the no back, let the collector answer, and look what the next page sends."""
    context.clear_cookies()
    page = world.visit(context)
    page.evaluate("eventLog.optIn()")
    page.evaluate("eventLog.flush()")
    page.wait_for_timeout(1500)
    assert world.line().sent == 0
    assert world.said == []


def test_an_open_page_forgets_what_waits_at_its_next_try(world: World) -> None:
    context = world.person()
    page = wait_in_vain(world, context)
    say_no(world, context)
    page.wait_for_function(f"{KEPT} === '[]'", timeout=8000)
    assert page.evaluate(WAITING) == 0
    nothing_was_sent_after_all(world, context)


@pytest.mark.parametrize("config", ["known", "not known yet"])
def test_a_page_that_is_left_after_a_no_keeps_nothing(world: World, config: str) -> None:
    context = world.person()
    if config == "known":
        page = wait_in_vain(world, context)
    else:
        go_away(world, context)
        context.route("**/v1/config", lambda _: None)
        page = world.visit(context)
        log(page, 3, TOLD)
    say_no(world, context)
    leave(page)
    assert plain(world, context).evaluate(KEPT) == "[]"
    nothing_was_sent_after_all(world, context)


def test_what_closed_pages_left_goes_with_the_next_page_that_hears_the_no(world: World) -> None:
    context = world.person()
    for _ in range(2):
        wait_in_vain(world, context).close()
    say_no(world, context)
    page = world.visit(context)
    assert page.evaluate(KEPT) == "[]"
    page.wait_for_function("(eventLog.state().counts." + NAME + " || {}).suppressed === 6")
    # It is told only where the no is taken back; what was suppressed stays so.
    context.clear_cookies()
    page.evaluate("eventLog.optIn()")
    world.accounts_for(6)
    assert world.balance().suppressed == 6 and world.line().sent == 0


def test_global_privacy_control_removes_what_waits(world: World) -> None:
    context = world.person()
    wait_in_vain(world, context).close()
    context.add_init_script(GPC)
    page = world.visit(context)
    assert page.evaluate(KEPT) == "[]"


def test_a_no_in_another_tab_holds_even_when_it_is_taken_back_soon(world: World) -> None:
    context = world.person()
    page = wait_in_vain(world, context)
    other = world.visit(context)
    other.evaluate("eventLog.optOut()")
    assert [key for key, _ in json.loads(other.evaluate(KEPT))] == ["eventLogging.optOut"]
    page.wait_for_function(f"{WAITING} === 0", timeout=400)
    assert other.evaluate("eventLog.optIn()") is True
    nothing_was_sent_after_all(world, context)


def test_a_page_loses_its_answer_to_a_no_and_keeps_nothing(world: World) -> None:
    context = world.person()
    held = []
    context.route("**/v1/events", lambda route: held.append(route))
    page = world.visit(context)
    page.wait_for_function(CONFIG_IS_HERE)
    log(page, 3, TOLD)
    page.wait_for_timeout(600)
    say_no(world, context)
    held[0].abort()
    page.wait_for_function(f"{KEPT} === '[]'")
    assert page.evaluate(WAITING) == 0


def test_who_says_no_for_good_gathers_no_list_of_page_loads(world: World) -> None:
    context = world.person()
    context.add_init_script(GPC)
    for _ in range(3):
        page = world.visit(context)
        log(page, 2, TOLD)
        page.wait_for_timeout(500)
        leave(page)
    assert plain(world, context).evaluate(KEPT) == "[]"


def test_a_no_for_a_whole_domain_is_taken_back_where_it_was_said_and_the_page_is_told(
    world: World,
) -> None:
    context = world.person()
    site = world.site.url.replace("127.0.0.1", "shop.example.localhost")
    context.add_cookies(
        [
            {
                "name": "eventlogging_opt_out", "value": "1",
                "domain": ".example.localhost", "path": "/",
            }
        ]
    )  # fmt: skip
    page = context.new_page()
    page.goto(site)
    assert page.evaluate("[eventLog.isOptedOut(), eventLog.optIn()]") == [True, False]
    context.clear_cookies()
    assert page.evaluate("[eventLog.optIn(), eventLog.isOptedOut()]") == [True, False]


def test_a_no_to_one_kind_more_forgets_none_of_those_before(world: World) -> None:
    context = world.person()
    page = context.new_page()
    page.goto(world.site.url.replace("127.0.0.1", "shop.example.localhost"))
    page.evaluate(
        "document.cookie = 'eventlogging_opt_out_for=a; domain=example.localhost; path=/';"
        "document.cookie = 'eventlogging_opt_out_for=b; path=/'; eventLog.optOut('c')"
    )
    context.clear_cookies(domain=".example.localhost")
    assert page.evaluate("['a', 'b', 'c'].every((name) => eventLog.isOptedOut(name))")
