"""People say no, see what they sent and have it erased, as browsers let them."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from eventlogging.receipts import chain
from tests.browser.test_javascript_client import GOOD, NAME, World, leave, log
from tests.servers import Server, wait_until

SECRET = "nobody-may-know-5521"
TOLD = {"source": "normandy/action/x", "status": "ACTION_SUCCESS", "note": SECRET}


@pytest.fixture
def world(new_server: Callable[..., Server], chromium: Browser) -> Iterator[World]:
    made = World(new_server(), chromium)
    yield made
    made.close()


def open_page(world: World, context: BrowserContext, path: str) -> Page:
    page = context.new_page()
    page.on("pageerror", lambda error: world.said.append(str(error)))
    page.on("console", lambda said: world.said.append(said.text) if said.type == "error" else None)
    page.goto(world.server.url + path)
    return page


def heading(page: Page) -> str:
    return page.get_by_role("heading", level=1).inner_text()


def traces(world: World, text: str) -> list[str]:
    """The files of the data folder that hold a text; tables, log and outbox lie there."""
    time.sleep(1)
    return [
        str(path)
        for path in world.server.var.rglob("*")
        if path.is_file() and text.encode() in path.read_bytes()
    ]


def test_without_javascript_a_no_is_one_press_away(world: World) -> None:
    page = open_page(world, world.person(java_script_enabled=False), "/opt-out")
    assert "until you say no" in heading(page)
    page.get_by_role("button", name="Measure nothing from this browser").click()
    assert heading(page) == "Nothing is recorded from this browser"
    page.get_by_role("button", name="Allow measuring again").click()
    assert "until you say no" in heading(page)
    page.get_by_role("checkbox", name=re.compile(NAME)).uncheck()
    page.get_by_role("button", name="Save this choice").click()
    assert "but not for 1 kind" in heading(page)
    assert not page.get_by_role("checkbox", name=re.compile(NAME)).is_checked()
    for one in page.get_by_role("checkbox").all():
        one.uncheck()
    page.get_by_role("button", name="Save this choice").click()
    assert heading(page) == "Nothing is recorded from this browser"
    my_data = open_page(world, page.context, "/my-data")
    assert "curl" in my_data.inner_text("noscript")
    assert not my_data.get_by_role("button", name="Show my events").is_visible()


def test_with_the_keyboard_from_a_link_of_another_site(world: World) -> None:
    context = world.person()
    page = world.visit(context)
    page.evaluate(
        "url => { document.body.innerHTML = `<a href='${url}/opt-out'>Opt out</a>`; }",
        world.server.url,
    )
    page.get_by_role("link", name="Opt out").focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Measure nothing from this browser").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(
        "Nothing is recorded from this browser"
    )


def test_the_no_of_the_page_is_obeyed_on_every_route_and_leaves_no_trace(world: World) -> None:
    context = world.person()
    measured = world.visit(context)
    page = open_page(world, context, "/opt-out")
    page.get_by_role("button", name="Measure nothing from this browser").click()
    log(measured, 3, TOLD)
    assert measured.evaluate("eventLog.isOptedOut()")
    measured.wait_for_timeout(2500)
    leave(measured)
    sent = send_everywhere(world, context)
    counted = "SELECT SUM(count) FROM ledger WHERE outcome = 'suppressed'"
    wait_until(lambda: world.rows(counted)[0][0] == sent, 20)
    assert traces(world, SECRET) == []
    assert world.line().valid == world.line().invalid == world.line("(unknown)").invalid == 0
    assert world.said == []


def send_everywhere(world: World, context: BrowserContext) -> int:
    """Send by each route with what this browser's cookies say; return how many events."""
    url, request = world.server.url, context.request
    capsule = {"schema": NAME, "event": TOLD, "host": f"{SECRET}.example.org"}
    gate = {"$schema": f"/{NAME}/1.0.0", "meta": {"id": "b1"}, **TOLD}
    cloud = {"specversion": "1.0", "id": "1", "source": "/x", "type": NAME, "data": TOLD}
    parcel = {"events": [capsule, capsule], "consent": True}
    broken = json.dumps(capsule)[:-1]
    bodies = [capsule, gate, parcel, [capsule, {**capsule, "event": {"note": SECRET}}], broken]
    for body in bodies:
        data = body if isinstance(body, str) else json.dumps(body)
        for query in ("", "?hasty=true"):
            answer = request.post(f"{url}/v1/events{query}", data=data,
                                  headers={"Content-Type": "text/plain"})  # fmt: skip
            assert answer.status in (201, 202), answer.text()
    answer = request.post(f"{url}/v1/events", data=json.dumps(cloud),
                          headers={"Content-Type": "application/cloudevents+json"})  # fmt: skip
    assert answer.status == 201, answer.text()
    assert request.get(f"{url}/beacon/event?{json.dumps(capsule)};").status == 204
    assert request.post(f"{url}/beacon/event", data=json.dumps(capsule)).status == 204
    token = request.get(f"{url}/wsapi/session_context").json()["csrf_token"]
    data = {"csrf": token, "data": [{"timestamp": 0, "note": SECRET}]}
    assert request.post(f"{url}/wsapi/interaction_data", data=data).status == 200
    return 2 * 7 + 4


def test_a_no_to_one_kind_is_obeyed_and_the_others_arrive(world: World) -> None:
    context = world.person()
    page = open_page(world, context, "/opt-out")
    page.get_by_role("checkbox", name=re.compile(NAME)).uncheck()
    page.get_by_role("button", name="Save this choice").click()
    measured = world.visit(context)
    assert measured.evaluate(f"[eventLog.isOptedOut(), eventLog.isOptedOut('{NAME}')]") == [
        False, True,
    ]  # fmt: skip
    log(measured, 4, TOLD)
    measured.evaluate(
        "eventLog.navigationTiming({action: 'view', isAnon: true, mediaWikiVersion: '1.27.0'})"
    )
    wait_until(lambda: world.line("NavigationTiming").valid == 1, 20)
    # And where the client is none of ours, by the collector.
    body = {"schema": NAME, "event": TOLD}
    assert context.request.post(f"{world.server.url}/v1/events", data=body).json()["suppressed"]
    world.accounts_for(1, "NavigationTiming")
    wait_until(lambda: world.balance().suppressed == 4 and world.line().suppressed == 1, 20)
    assert traces(world, SECRET) == []
    measured.evaluate(f"eventLog.optIn('{NAME}')")
    log(measured, 1)
    wait_until(lambda: world.line().valid == 1, 20)
    page.reload()
    assert "but not for" not in heading(page)


def test_the_client_says_no_to_one_kind_and_what_waits_of_it_stays_here(world: World) -> None:
    page = world.visit(world.person())
    log(page, 3, TOLD)
    page.evaluate(f"eventLog.optOut('{NAME}'); eventLog.optOut('Other/one')")
    assert page.evaluate("document.cookie").endswith(f"opt_out_for={NAME}:Other/one")
    log(page, 2, TOLD)
    assert page.evaluate("eventLog.mine().token"), "other kinds are logged on"
    page.evaluate(f"eventLog.optIn('{NAME}')")
    log(page, 1)
    world.accounts_for(6)
    assert world.balance().suppressed == 5 and world.line().valid == 1
    assert traces(world, SECRET) == []
    # What a button hands over is no name: it is a no to everything.
    page.evaluate("eventLog.optOut(new Event('click'))")
    assert page.evaluate("eventLog.isOptedOut()")


def test_a_person_sees_takes_along_and_erases_what_the_browser_sent(
    world: World, tmp_path: Path
) -> None:
    stranger = world.visit(world.person())
    log(stranger, 2)
    page = world.visit(world.person())
    log(page, 3, {**GOOD, "source": "normandy/runner"})
    log(page, 1, {"source": "elsewhere"})
    world.accounts_for(6)
    mine = page.evaluate("JSON.stringify(eventLog.mine())")

    data = open_page(world, page.context, "/my-data")
    data.get_by_label("What your browser knows").fill(mine)
    data.get_by_role("button", name="Show my events").click()
    expect(data.get_by_role("heading", level=2).first).to_have_text(
        "4 events of this browser are stored"
    )
    with data.expect_download() as caught:
        data.get_by_role("link", name="Download as JSON").click()
    caught.value.save_as(tmp_path / "my-data.json")
    saved = json.loads((tmp_path / "my-data.json").read_text())
    assert [len(saved[kind]) for kind in ("events", "refused", "stripped")] == [3, 1, 0]
    assert {one["id"] for one in saved["events"]} < {
        row[0] for row in world.rows("SELECT id FROM RecipeUptake_1")
    }

    data.get_by_role("button", name="Erase them").click()
    data.get_by_role("button", name="Keep them").click()
    data.get_by_role("button", name="Erase them").click()
    data.get_by_role("button", name="Erase 4 events").click()
    receipt = data.get_by_role("status").filter(has_text="Receipt")
    expect(receipt).to_contain_text("carried out within ten minutes")
    world.server.command("job", "run", "erasures")
    expect(receipt).to_contain_text("4 events erased", timeout=40_000)
    newest = chain.newest(chain.folder_of(world.server.var))
    assert newest is not None and newest.digest in receipt.inner_text()
    assert len(world.rows("SELECT id FROM RecipeUptake_1")) == 2
    assert world.rows("SELECT id FROM RecipeUptake_invalid") == []
    assert traces(world, "elsewhere") == []

    data.reload()
    data.get_by_label("What your browser knows").fill(mine)
    data.get_by_role("button", name="Show my events").click()
    expect(data.get_by_role("heading", name="Nothing of this browser is stored")).to_be_visible()
    assert world.said == []


def test_on_the_same_site_the_page_knows_what_is_this_browsers_own(world: World) -> None:
    context = world.person()
    page = context.new_page()
    page.goto(f"{world.server.url}/healthz")
    page.add_script_tag(url=f"{world.server.url}/eventlogging.js")
    log(page, 2)
    world.accounts_for(2)
    data = open_page(world, context, "/my-data")
    expect(data.locator("#found")).to_have_text("This browser remembers 2 events of this site.")
    data.get_by_role("button", name="Show my events").click()
    expect(data.get_by_role("heading", name="2 events of this browser")).to_be_visible()
    assert world.said == []


def test_a_strangers_token_shows_nothing_and_wrong_texts_are_explained(world: World) -> None:
    log(world.visit(world.person()), 1)
    data = open_page(world, world.person(), "/my-data")
    text, show = data.get_by_label("What your browser knows"), data.get_by_role("button").first
    for wrong in ("", "{", "7", '{"token": "x"}', '{"token": 7, "pages": []}'):
        text.fill(wrong)
        show.click()
        expect(data.get_by_role("alert")).to_contain_text("eventLog.mine()")
    text.fill('{"token": "x", "pages": []}')
    show.click()
    expect(data.get_by_role("alert")).to_contain_text("32 hexadecimal digits")
    day = time.strftime("%Y-%m-%d", time.gmtime())
    # More events of one page than the server looks for at once.
    text.fill(json.dumps({"token": "ab" * 16, "pages": [[day, "0" * 16, 12_000]]}))
    with data.expect_response(lambda answer: "/v1/my-data" in answer.url) as first:
        show.click()
    assert first.value.json()["next"]
    expect(data.get_by_role("heading", name="Nothing of this browser is stored")).to_be_visible()
    expect(data.get_by_role("alert")).to_be_hidden()
    world.said.clear()  # a browser says of 400 what it says of any


def test_a_no_that_was_said_on_the_page_makes_the_client_forget_the_device(world: World) -> None:
    context = world.person()
    measured = world.visit(context)
    log(measured, 1)
    world.accounts_for(1)
    assert measured.evaluate("eventLog.mine().token")
    page = open_page(world, context, "/opt-out")
    page.get_by_role("button", name="Measure nothing from this browser").click()
    measured.reload()
    assert measured.evaluate("eventLog.mine().token") is None
    assert measured.evaluate("Object.keys(localStorage).join()") == ""


def test_what_waits_while_a_no_is_said_on_the_page_is_gone_and_stays_here(world: World) -> None:
    context = world.person()
    context.route("**/v1/events", lambda route: route.abort())
    measured = world.visit(context)
    measured.wait_for_function("localStorage.getItem('eventLogging.config')")
    log(measured, 3, TOLD)
    measured.wait_for_timeout(500)
    assert SECRET in measured.evaluate("JSON.stringify(localStorage)")
    page = open_page(world, context, "/opt-out")
    page.get_by_role("button", name="Measure nothing from this browser").click()
    measured.wait_for_function("Object.keys(localStorage).length === 0", timeout=8000)
    page.get_by_role("button", name="Allow measuring again").click()
    context.unroute("**/v1/events")
    assert measured.evaluate("eventLog.optIn()")
    world.accounts_for(3)
    assert world.balance().suppressed == 3 and world.line().sent == 0
    assert traces(world, SECRET) == []
