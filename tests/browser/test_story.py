"""The whole story in a browser: described, reviewed, published, sent, seen, and sampled less."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from email import message_from_bytes, policy
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.conftest import Visitor, sign_in_link
from tests.servers import Server, wait_until

PASSWORD = "four quiet herons walk"
NAME = "SearchStarted"
PM, ANN, BOB = "pat@example.org", "ann@example.org", "bob@example.org"
_LINK = re.compile(r"https?://\S+")


class Story:
    """Everybody in it, each with a browser of their own, and the mail that reaches them."""

    def __init__(self, browser: Browser, server: Server) -> None:
        self.server = server
        self._browser = browser
        self._people: dict[str, Visitor] = {}

    def visitor(self, name: str) -> Visitor:
        if name not in self._people:
            self._people[name] = Visitor(self._browser, self.server)
        return self._people[name]

    def page(self, name: str) -> Page:
        return self.visitor(name).page

    def mails(self, recipient: str) -> list[tuple[str, str]]:
        """Subject and text of each mail to somebody, the oldest first."""
        found = []
        for path in sorted((self.server.var / "outbox").glob("*.eml")):
            mail = message_from_bytes(path.read_bytes(), policy=policy.default)
            text = mail.get_body(("plain",))
            if recipient in str(mail["To"]) and text is not None:
                found.append((str(mail["Subject"]), str(text.get_content())))
        return found

    def link(self, recipient: str, words: str, path: str) -> str:
        """Return the link to a page in the newest mail that says something; waits for it."""

        def fitting() -> list[str]:
            return [text for subject, text in self.mails(recipient) if words in subject + text]

        wait_until(lambda: bool(fitting()), 30)
        return next(link for link in _LINK.findall(fitting()[-1]) if path in link).rstrip(".,")

    def complaints(self) -> dict[str, list[str]]:
        return {name: one.complaints for name, one in self._people.items() if one.complaints}


def post(server: Server, event: Any) -> tuple[int, Any]:
    body = json.dumps({"schema": NAME, "event": event}).encode()
    request = urllib.request.Request(
        f"{server.url}/v1/events", body, {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.load(answer) if answer.length else None
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def invite(story: Story, email: str, name: str) -> None:
    admin = story.page("admin")
    admin.goto("/people")
    admin.get_by_label("E-mail").fill(email)
    admin.get_by_role("button", name="Send the invitation").click()
    page = story.page(email)
    page.goto(story.link(email, "/sign-in/", "/sign-in/"))
    page.get_by_label("Your name").fill(name)
    page.get_by_label("A password").fill(PASSWORD)
    page.get_by_role("button", name="Make my account").click()
    expect(page.get_by_role("link", name=name)).to_be_visible()


def becomes_reviewer(story: Story, email: str) -> None:
    admin = story.page("admin")
    admin.goto(f"/people/{email}")
    admin.get_by_role("button", name="Ask them to review").click()
    page = story.page(email)
    page.goto(story.link(email, "/reviews/invitation/", "/invitation/"))
    page.get_by_role("button", name="Yes, put me on the roster").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("You are a reviewer")


def add_field(
    page: Page, name: str, kind: str, description: str, *, required: bool = False
) -> None:
    rows = page.locator("#fields li.row")
    if rows.last.get_by_label("Name").input_value():
        before = rows.count()
        page.get_by_role("button", name="Add a field", exact=True).click()
        expect(rows).to_have_count(before + 1)
    row = rows.last
    row.get_by_label("Name").fill(name)
    row.get_by_label("Type").select_option(label=kind)
    row.get_by_label("Description").fill(description)
    if required:
        row.get_by_label("Required").check()


def fit_for_all(page: Page) -> None:
    """Nothing that axe finds serious, and nothing wider than a phone."""
    found = Axe().run(page).response["violations"]
    serious = [one["id"] for one in found if one["impact"] in ("serious", "critical")]
    assert serious == [], page.url
    page.set_viewport_size({"width": 390, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390, page.url
    page.set_viewport_size({"width": 1280, "height": 900})


def tab_to(page: Page, wanted: Locator) -> None:
    """Come to a control as one does without a mouse."""
    for _ in range(150):
        if wanted.evaluate("one => one === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError("the keyboard does not get there")


def describe(page: Page) -> None:
    page.goto("/drafts/new")
    page.get_by_label("Name of the schema").fill(NAME)
    page.get_by_role("button", name="Describe it").click()
    page.get_by_label("Title").fill("Search started")
    page.get_by_label("Description").first.fill("A reader started a search.")
    page.get_by_label("Owners, one a line").fill(f"search-team@example.org\n{PM}")
    add_field(page, "query", "text", "What was searched for.", required=True)
    page.locator("#fields li.row").last.get_by_label("Longest").fill("100")
    add_field(page, "results", "whole number", "How many results there were.")
    page.get_by_role("button", name="Write one from the fields").click()
    for question in page.locator("#answers textarea").all():
        question.fill("Because we want to know what readers look for.")


@pytest.mark.timeout(300)
def test_the_whole_story(chromium: Browser, new_server: Callable[..., Server]) -> None:
    server = new_server()
    story = Story(chromium, server)
    admin = story.page("admin")
    admin.goto(sign_in_link(server))
    admin.get_by_role("button", name="Sign in as admin").click()
    for email, name in ((PM, "Pat"), (ANN, "Ann"), (BOB, "Bob")):
        invite(story, email, name)
    for email in (ANN, BOB):
        becomes_reviewer(story, email)

    # A product manager describes an event, without an engineer.
    pat = story.page(PM)
    describe(pat)
    findings = pat.locator("#findings")
    expect(findings).to_contain_text("1.0.0")
    expect(findings).to_contain_text("Nothing is missing")
    fit_for_all(pat)
    pat.get_by_role("button", name="Send to review").click()
    expect(pat.get_by_role("heading", level=1)).to_contain_text(f"{NAME} 1.0.0 waits for")
    proposal = pat.url

    # The reviewer whose turn it is hears of it by mail, and returns it.
    heading = str(pat.get_by_role("heading", level=1).text_content())
    reviewer = ANN if "Ann" in heading else BOB
    judge = story.page(reviewer)
    judge.goto(story.link(reviewer, f"{NAME} 1.0.0", "/reviews/"))
    expect(judge.locator("#answers")).to_contain_text("what readers look for")
    expect(judge.locator("#code")).to_contain_text("fetch(")
    judge.locator("#privacy").get_by_role("link").first.wait_for(state="detached", timeout=20_000)
    fit_for_all(judge)
    judge.get_by_label("Your reason").fill("Say the unit of `results`.")
    judge.get_by_role("button", name="Return").click()
    expect(judge.get_by_role("heading", level=1)).to_contain_text("returned")

    # The product manager mends it; the same reviewer approves, and it is published.
    pat.goto(story.link(PM, "Say the unit", "/reviews/"))
    expect(pat.locator("#thread")).to_contain_text("Say the unit of")
    pat.get_by_role("link", name="Edit it").click()
    pat.locator("#fields li.row").last.get_by_label("Description").fill(
        "Results shown, at most 10."
    )
    pat.get_by_role("button", name="Send to review").click()
    expect(pat.get_by_role("heading", level=1)).to_contain_text("waits for")
    judge.goto(proposal)
    tab_to(judge, judge.get_by_label("Your reason"))
    judge.keyboard.type("Every field serves the question.")
    tab_to(judge, judge.get_by_role("button", name="Approve"))
    judge.keyboard.press("Enter")
    expect(judge.get_by_role("heading", level=1)).to_contain_text("published")
    story.link(PM, "published", "/")

    # The instrumenter sees a wrong and a right event live, with the exact path.
    pat.goto(f"/schemas/{NAME}/live")

    def taken() -> bool:  # collectors follow within seconds
        return post(server, {"query": "herons", "results": 3})[0] == 201

    wait_until(taken, 20)
    judge.goto(proposal)
    code = judge.locator("#code pre").first.text_content()
    assert code is not None
    pasted = code.replace("\nlogEvent(", "\nreturn logEvent(")
    assert pat.evaluate(f"async () => {{{pasted}}}") is True, (
        "the pasted code sends an event, and it is valid"
    )
    status, answer = post(server, {"query": "herons", "results": "three"})
    assert status == 400
    assert answer["invalid"][0]["context"]["errors"][0]["pointer"] == "/results"
    live = pat.locator("ol.live")
    expect(live.locator("li.valid")).to_have_count(2, timeout=15_000)
    expect(live.locator("li.invalid")).to_contain_text("results", timeout=15_000)
    fit_for_all(pat)

    # The next version: what it would have said to past events is seen before it is proposed.
    pat.goto(f"/schemas/{NAME}")
    pat.get_by_role("link", name="Propose a change").click()
    pat.wait_for_load_state("networkidle")
    results = pat.locator("#fields li.row").last
    results.get_by_label("Largest").fill("2")
    expect(findings).to_contain_text("2.0.0")
    pat.get_by_role("button", name="Try it on past events").click()
    tried = pat.locator("#dry-run")
    expect(tried).to_contain_text("1 now valid would be refused", timeout=15_000)
    expect(tried).to_contain_text("results")

    # The owner lowers the sampling, and sees first what that does.
    pat.goto(f"/schemas/{NAME}/sampling")
    tab_to(pat, pat.get_by_label("Rate, in percent"))
    pat.keyboard.press("Control+A")
    pat.keyboard.type("10")
    expect(pat.get_by_role("button", name="Sample 10 % of")).to_be_visible()
    tab_to(pat, pat.get_by_role("button", name="Sample 10 % of"))
    pat.keyboard.press("Enter")
    expect(pat.get_by_role("status")).to_contain_text("Saved")

    def rate() -> float:
        with urllib.request.urlopen(f"{server.url}/v1/config", timeout=10) as answer:
            found: float = json.load(answer)["schemas"][NAME]["sampling"]["rate"]
        return found

    wait_until(lambda: rate() == 0.1, 10)
    assert story.complaints() == {}
    totals = json.loads(server.command("ledger", "--wait", "30", "--prove", "--json").stdout)
    assert totals["total"]["residual"] == 0
