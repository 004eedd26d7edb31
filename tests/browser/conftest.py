"""A real Chromium, and a server that has something to show."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.servers import Server

_SIGN_IN = re.compile(r"http://\S+/sign-in/\S+")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium. Absent: skipped at home, a failure in CI."""
    path = shutil.which("chromium")
    if path is None:
        if os.environ.get("CI"):
            pytest.fail("Chromium is not installed; bin/test installs it")
        pytest.skip("Chromium is not installed; bin/test installs it")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield browser
        browser.close()


class Visitor:
    """Somebody with a browser of their own."""

    def __init__(self, browser: Browser, server: Server, *, width: int = 1280) -> None:
        self.context: BrowserContext = browser.new_context(
            viewport={"width": width, "height": 900}, base_url=server.url
        )
        self.page: Page = self.context.new_page()
        self.complaints: list[str] = []
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on(
            "console",
            lambda said: self.complaints.append(said.text) if said.type == "error" else None,
        )

    def close(self) -> None:
        self.context.close()


def sign_in_link(server: Server) -> str:
    """Return the one-time link that the server printed when it started."""
    found = _SIGN_IN.findall(server.output())
    assert found, server.output()
    return str(found[-1])


@pytest.fixture(scope="session")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with the starter schemas and some traffic, for tests that only look."""
    server = Server(Path(tmp_path_factory.mktemp("shown")) / "var")
    server.start()
    server.command("demo", "--events", "400", "--url", server.url)
    server.command("ledger", "--wait", "60")
    yield server
    if server.is_alive():
        server.kill()
