"""The outbox as an admin sees it: what waits, what failed, one mail, and sending it again."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from eventlogging.console.outbox_page import _STRICT
from eventlogging.jobs import mail_loop
from eventlogging.mail.deliver import deliver_due
from eventlogging.mail.send import Session
from eventlogging.store.database import Database
from tests.console import BROWSER, House, csrf
from tests.mail_server import MailServer, post, rows, states
from tests.servers import Server, wait_until

ATTACK = "<script>alert(1)</script>\"'&"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(f"sqlite:///{tmp_path / 'eventlogging.db'}", tmp_path / "var")
    made.sign_in()
    yield made
    made.close()


@pytest.fixture
def server() -> Iterator[MailServer]:
    started = MailServer()
    started.start()
    yield started
    started.stop()


def deliver(house: House, server: MailServer | None = None) -> None:
    settings = server.settings() if server is not None else {}
    config = type(house.config)(**{**vars(house.config), **settings})
    with Session(config) as session:
        deliver_due(house.platform.database, config, session)


def page_of(house: House, id: int) -> str:
    return house.page(f"/outbox/{id}")


def test_strangers_see_no_outbox(house: House) -> None:
    post(house.platform.database)
    stranger = house.app.test_client()
    for path in ("/outbox", "/outbox/1", "/outbox/1/html", "/outbox/files/x.eml"):
        assert stranger.get(path, headers=BROWSER).status_code == 404


def test_an_empty_outbox_says_how_to_send_mail(house: House) -> None:
    page = house.page("/outbox")
    assert "No mail was written yet" in page
    assert "EVENTLOGGING_SMTP_HOST" in page
    assert "eventlogging mail test" in page


def test_without_a_server_the_files_can_be_read(house: House) -> None:
    post(house.platform.database, subject="Please review Click")
    deliver(house)
    page = house.page("/outbox")
    path = re.search(r'href="(/outbox/files/[^"]+)"', page)
    assert path is not None
    answer = house.client.get(path[1])
    assert answer.mimetype == "message/rfc822"
    assert b"Subject: Please review Click" in answer.data
    assert "attachment" in answer.headers["Content-Disposition"]


@pytest.mark.parametrize(
    "name", ["no.eml", ".hidden.eml", "..%2fsecrets%2fsession.key", "a%00.eml"]
)
def test_no_other_file_can_be_read(house: House, name: str) -> None:
    assert house.client.get(f"/outbox/files/{name}").status_code == 404


def test_a_failed_mail_says_why_and_goes_out_when_tried_again(
    house: House, server: MailServer
) -> None:
    database = house.platform.database
    server.mailbox.refuse = {"ann@example.org": "550 5.1.1 no such user"}
    post(database)
    deliver(house, server)
    page = house.page("/outbox")
    assert "1 failed" in page
    assert "550 5.1.1 no such user" in page
    server.mailbox.refuse = {}
    answer = house.client.post("/outbox/1/retry", data={"csrf": csrf(page)}, headers=BROWSER)
    assert answer.status_code == 303
    deliver(house, server)
    assert states(database) == ["sent"]
    assert "none waits, 1 went out" in house.page("/outbox")
    again = house.client.post("/outbox/1/retry", data={"csrf": csrf(page)}, headers=BROWSER)
    assert again.status_code == 400


def test_a_retry_needs_the_form(house: House) -> None:
    post(house.platform.database)
    assert house.client.post("/outbox/1/retry", headers=BROWSER).status_code == 400


def test_one_mail_is_shown_as_text_and_its_html_in_a_frame_that_can_do_nothing(
    house: House,
) -> None:
    post(
        house.platform.database, subject=ATTACK, text=ATTACK, images={"graph": b"\x89PNG"},
        html=f'<p>{ATTACK}</p><img src="cid:graph"><img src="cid:other">',
    )  # fmt: skip
    page = page_of(house, 1)
    assert "<script>alert" not in page
    assert 'sandbox src="/outbox/1/html"' in page
    part = house.client.get("/outbox/1/html")
    assert part.headers["Content-Security-Policy"] == _STRICT
    assert part.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert 'src="data:image/png;base64,iVBORw=="' in part.text
    assert 'src="cid:other"' in part.text


def test_a_mail_of_text_alone_has_no_frame(house: House) -> None:
    post(house.platform.database)
    assert "<iframe" not in page_of(house, 1)
    assert house.client.get("/outbox/1/html").status_code == 404
    assert house.client.get("/outbox/99").status_code == 404


def test_the_list_can_be_narrowed_to_a_person(house: House) -> None:
    post(house.platform.database, "ann@example.org", subject="for Ann")
    post(house.platform.database, "bob@example.org", subject="for Bob")
    page = house.page("/outbox?to=ann@example.org")
    assert "for Ann" in page
    assert "for Bob" not in page


def test_the_jobs_process_sends_what_is_queued_and_tells_of_bounces(
    house: House, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = house.platform.database
    server.mailbox.refuse = {"gone@example.org": "550 5.1.1 no such user"}
    config = type(house.config)(**{**vars(house.config), **server.settings()})
    platform = type(house.platform)(**{**vars(house.platform), "config": config})
    monkeypatch.setattr(mail_loop, "SECONDS", 0.05)
    told: list[tuple[str, str]] = []

    def note(_connection: Any, email: str, reason: str) -> None:
        told.append((email, reason))

    with mail_loop.delivering(platform, note):
        post(database, "gone@example.org")
        post(database, "ann@example.org")
        wait_until(lambda: states(database) == ["failed", "sent"], 10)
        wait_until(lambda: told == [("gone@example.org", "bounced")], 10)
    assert not [one for one in threading.enumerate() if one.name == "mail"]


def test_mail_goes_on_after_the_database_was_away(
    house: House, server: MailServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = type(house.config)(**{**vars(house.config), **server.settings()})
    platform = type(house.platform)(**{**vars(house.platform), "config": config})
    monkeypatch.setattr(mail_loop, "SECONDS", 0.05)
    path, away = tmp_path / "eventlogging.db", tmp_path / "away"
    post(house.platform.database)
    house.platform.database.close()
    for suffix in ("", "-wal", "-shm"):
        file = path.with_name(path.name + suffix)
        if file.exists():
            file.rename(away.with_name(away.name + suffix))
    path.mkdir()
    with mail_loop.delivering(platform, lambda *_: None):
        threading.Event().wait(0.3)
        path.rmdir()
        for suffix in ("", "-wal", "-shm"):
            file = away.with_name(away.name + suffix)
            if file.exists():
                file.rename(path.with_name(path.name + suffix))
        wait_until(lambda: bool(server.mailbox.received), 10)
    assert [row.state for row in rows(house.platform.database)] == ["sent"]


def test_the_platform_as_it_is_started_writes_mails_to_the_outbox(
    new_server: Callable[..., Server],
) -> None:
    server = new_server()
    database = Database(f"sqlite:///{server.var / 'eventlogging.db'}")
    post(database, subject="From the jobs process")
    outbox = server.var / "outbox"
    wait_until(lambda: outbox.is_dir() and any(outbox.glob("*From-the-jobs-process*")), 20)
    wait_until(lambda: states(database) == ["sent"], 10)
    database.close()
    assert server.stop() == 0
