"""Reports by mail as a mail program shows them: on a phone, and in a column of 600 pixels."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace

import pytest
from playwright.sync_api import Browser

from eventlogging.reports import render
from eventlogging.reports.render import Reader, Rendered
from eventlogging.reports.weekly import digest
from tests.reports import hostile_report

READER = Reader("", "You get this because you subscribed.", f"https://e.example/{'x' * 90}")
URL = "https://events.example.org"


def mails() -> dict[str, Rendered]:
    made, samples = hostile_report()
    picture = render.picture(made)
    week = digest([replace(made, complete=True), made])
    return {
        "daily": render.daily(made, samples, READER, URL, picture),
        "weekly": render.weekly(week, READER, URL, render.week_picture(week)),
    }


@pytest.mark.parametrize("kind", ["daily", "weekly"])
@pytest.mark.parametrize("width", [360, 600])
def test_a_mail_fits_its_window(chromium: Browser, kind: str, width: int) -> None:
    mail = mails()[kind]
    html = mail.html
    for name, png in mail.images.items():
        html = html.replace(f"cid:{name}", f"data:image/png;base64,{b64encode(png).decode()}")
    page = chromium.new_page(viewport={"width": width, "height": 800})
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.set_content(html)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("document.images[0].naturalWidth") == 840
    assert page.evaluate("document.images[0].getBoundingClientRect().width") <= min(568, width)
    assert page.locator("script").count() == 0
    assert [url for url in asked if not url.startswith("data:")] == []
    page.close()
