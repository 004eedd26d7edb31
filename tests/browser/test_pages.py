"""Every page as people meet it: nothing axe finds serious, nothing wider than the screen, no help
from other hosts, and nothing said in the browser's console."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from tests.browser.conftest import Visitor, sign_in_link
from tests.servers import Server

OPEN = (
    "/",
    "/schemas",
    "/schemas/NavigationTiming",
    "/retention",
    "/opt-out",
    "/my-data",
    "/sign-in",
    "/transparency",
    "/transparency/NavigationTiming",
)
SIGNED_IN = (
    *("/schemas?mine=1", "/schemas/NavigationTiming/live", "/schemas/NavigationTiming/sampling"),
    *("/schemas/NavigationTiming/alerts", "/schemas/NavigationTiming/state"),
    *("/schemas/NavigationTiming/retention", "/schemas/NavigationTiming/extension"),
    *("/retention", "/extensions"),
    *("/explore", "/explore/NavigationTiming"),
    *("/reviews", "/drafts/new", "/drafts/new?schema=NewOne", "/drafts/new?schema=RecipeUptake"),
    *("/people", "/people/operator@localhost", "/account", "/tokens", "/audit"),
    *("/jobs", "/outbox", "/reports", "/alerts", "/subscriptions"),
    *("/balance", "/balance?schema=NavigationTiming"),
)
SHAPES = [(1280, "light"), (390, "dark")]


@pytest.fixture(scope="session")
def people(chromium: Browser, shown: Server) -> Iterator[dict[str, Visitor]]:
    """A stranger and an admin; the link works once, so the admin is one for all tests."""
    stranger, admin = Visitor(chromium, shown), Visitor(chromium, shown)
    admin.page.goto(sign_in_link(shown))
    admin.page.get_by_role("button", name="Sign in as admin").click()
    admin.page.wait_for_url("**/")
    yield {"stranger": stranger, "admin": admin}
    stranger.close()
    admin.close()


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("width", "scheme"), SHAPES)
@pytest.mark.parametrize(
    ("who", "path"), [*(("stranger", path) for path in OPEN), *(("admin", p) for p in SIGNED_IN)]
)
def test_a_page_is_for_everybody(
    people: dict[str, Visitor], shown: Server, who: str, path: str, width: int, scheme: str
) -> None:
    visitor = people[who]
    visitor.page.set_viewport_size({"width": width, "height": 900})
    visitor.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    visitor.complaints.clear()
    asked: list[str] = []
    visitor.page.on("request", lambda request: asked.append(request.url))
    answer = visitor.page.goto(path)
    assert answer is not None
    assert answer.status == 200
    visitor.page.wait_for_load_state("networkidle" if "live" not in path else "load")
    violations = Axe().run(visitor.page).response["violations"]
    serious = [
        (one["id"], [node["html"][:200] for node in one["nodes"][:3]])
        for one in violations
        if one["impact"] in ("serious", "critical")
    ]
    assert serious == []
    assert visitor.page.evaluate("document.documentElement.scrollWidth") <= width
    assert [url for url in asked if not url.startswith(shown.url)] == []
    assert visitor.complaints == []


@pytest.mark.parametrize("path", [path for path in OPEN if path != "/sign-in"])
def test_a_page_is_light(shown: Server, path: str) -> None:
    page = Weight(shown.url)
    assert page.of(path) < 150_000, page.parts


class Weight:
    """What a page and all that it loads weighs, as it comes over the wire without compression."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.parts: dict[str, int] = {}

    def of(self, path: str) -> int:
        text = self._get(path).decode()
        for part in set(re.findall(r'(?:src|href)="(/static/[^"]+)"', text)):
            self._get(part)
        return sum(self.parts.values())

    def _get(self, path: str) -> bytes:
        with urllib.request.urlopen(f"{self._url}{path}", timeout=10) as answer:
            body: bytes = answer.read()
        self.parts[path] = len(body)
        return body


def test_the_keyboard_alone_finds_its_way(people: dict[str, Visitor]) -> None:
    page = people["admin"].page
    page.set_viewport_size({"width": 1280, "height": 900})
    page.goto("/schemas")
    page.keyboard.press("Tab")
    assert "Skip to the content" in str(page.evaluate("document.activeElement.textContent"))
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    seen = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        seen.add(page.evaluate("document.activeElement.getAttribute('href') || ''"))
    assert "/schemas/NavigationTiming" in seen
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none", json.dumps(outline)
