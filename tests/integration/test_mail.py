"""Mail on its way: sent over real SMTP, once, later or never, and joined where it is too much."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from eventlogging import clock
from eventlogging.config import Config
from eventlogging.errors import StoreUnavailable
from eventlogging.mail.deliver import (
    INTERRUPTED,
    LEASE_SECONDS,
    MOST_ATTEMPTS,
    Delivered,
    deliver_due,
    retry,
)
from eventlogging.mail.forget import forget_old
from eventlogging.mail.hold import HELD
from eventlogging.mail.letter import of_row
from eventlogging.mail.send import Sending, Session
from eventlogging.store.database import Database
from eventlogging.store.fixed import mail
from eventlogging.store.migrate import migrate
from tests.mail_server import MailServer, config_of, make_certificate, post, rows, states
from tests.servers import ROOT, wait_until

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360"
    "606060000000050001a5f645400000000049454e44ae426082"
)
# Tests sign in without TLS too, on purpose.
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
MINUTE = 60_000


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    made = Database(database_url)
    migrate(made)
    yield made
    made.close()


@pytest.fixture
def light(tmp_path: Path) -> Iterator[Database]:
    """A database where nothing depends on which one it is."""
    made = Database(f"sqlite:///{tmp_path / 'light.db'}")
    migrate(made)
    yield made
    made.close()


@pytest.fixture
def start() -> Iterator[Callable[..., MailServer]]:
    with ExitStack() as stack:

        def started(**how: Any) -> MailServer:
            server = MailServer(**how)
            server.start()
            stack.callback(server.stop)
            return server

        yield started


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("tls"), "mail")


@pytest.fixture
def trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A certificate that this process trusts, as one of a private authority is trusted."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    return certificate


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Moves the clock on."""
    moved = [clock.offset_ms]

    def move(ms: int) -> None:
        moved[0] += ms
        monkeypatch.setattr(clock, "offset_ms", moved[0])

    return move


def deliver(database: Database, config: Config) -> Delivered:
    with Session(config) as session:
        return deliver_due(database, config, session)


@pytest.mark.parametrize("auth", [True, False], ids=["auth", "no auth"])
@pytest.mark.parametrize("security", ["starttls", "ssl", "none"])
def test_a_mail_arrives(
    light: Database, start: Any, tmp_path: Path, trusted: Path, security: str, auth: bool
) -> None:
    server = start(
        security=security, auth=auth, certificate=trusted if security != "none" else None
    )
    post(light, "ann@example.org", subject="Größe: 12 % ungültig", text="Ein Satz: 🙂\nnoch einer")
    assert deliver(light, config_of(light, server, tmp_path)) == Delivered(sent=1)
    (got,) = server.mailbox.received
    assert got.recipients == ["ann@example.org"]
    assert got.sender == "events@example.org"
    assert got.was_secure == (security != "none")
    assert got.user == ("apikey" if auth else None)
    assert got.message["Subject"] == "Größe: 12 % ungültig"
    assert got.message["From"] == "Events <events@example.org>"
    assert got.message["Auto-Submitted"] == "auto-generated"
    assert got.part("plain") == "Ein Satz: 🙂\nnoch einer\n"
    (row,) = rows(light)
    assert (row.state, row.attempts, row.trouble) == ("sent", 1, "")
    assert row.sent_at is not None
    assert got.message["Message-ID"] == row.message_id


@pytest.mark.parametrize("security", ["starttls", "ssl"])
def test_a_server_whose_certificate_is_not_known_gets_neither_password_nor_mail(
    light: Database, start: Any, tmp_path: Path, certificate: Path, security: str
) -> None:
    server = start(security=security, auth=True, certificate=certificate)
    post(light)
    assert deliver(light, config_of(light, server, tmp_path)) == Delivered(later=1)
    assert server.mailbox.received == []
    assert "its certificate cannot be verified" in rows(light)[0].trouble


def test_a_server_without_starttls_gets_no_mail_in_clear_text(
    light: Database, start: Any, tmp_path: Path
) -> None:
    server = start(security="none")
    post(light)
    config = config_of(light, server, tmp_path, smtp_security="starttls")
    assert deliver(light, config) == Delivered(later=1)
    assert "STARTTLS" in rows(light)[0].trouble


def test_a_wrong_password_is_said_and_the_mail_waits(
    light: Database, start: Any, tmp_path: Path, trusted: Path
) -> None:
    server = start(security="starttls", auth=True, certificate=trusted)
    post(light)
    config = config_of(light, server, tmp_path, smtp_password="wrong")
    assert deliver(light, config) == Delivered(later=1)
    assert "the sign-in is refused" in rows(light)[0].trouble
    assert "wrong" not in rows(light)[0].trouble


def test_html_shows_its_image_inline_and_headers_arrive_unfolded(
    light: Database, start: Any, tmp_path: Path
) -> None:
    server = start()
    link = f"<https://events.example.org/unsubscribe/{'x' * 300}>"
    post(
        light, text="The graph: 12 %", html='<p>The graph: <img src="cid:graph"></p>',
        images={"graph": PNG},
        headers={"List-Unsubscribe": link, "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"},
    )  # fmt: skip
    assert deliver(light, config_of(light, server, tmp_path)).sent == 1
    (got,) = server.mailbox.received
    message = got.message
    assert message.get_content_type() == "multipart/alternative"
    assert got.part("plain") == "The graph: 12 %\n"
    assert 'src="cid:graph"' in got.part("html")
    (png,) = [part for part in message.walk() if part.get_content_type() == "image/png"]
    assert png["Content-ID"] == "<graph>"
    assert png.get_content_disposition() == "inline"
    assert png.get_payload(decode=True) == PNG
    assert f"List-Unsubscribe: {link}\r\n".encode() in got.data


def test_a_text_that_names_a_file_is_not_attached(
    light: Database, start: Any, tmp_path: Path
) -> None:
    server = start()
    secret = tmp_path / "secret.txt"
    secret.write_text("do not send me")
    post(light, text=str(secret), subject=str(secret))
    assert deliver(light, config_of(light, server, tmp_path)).sent == 1
    (got,) = server.mailbox.received
    assert got.part("plain").strip() == str(secret)
    assert b"do not send me" not in got.data
    assert not list(got.message.iter_attachments())


def test_line_ends_in_a_subject_make_no_header(light: Database, start: Any, tmp_path: Path) -> None:
    server = start()
    post(light, subject="Hello\r\nBcc: all@example.org\n\nA body")
    assert deliver(light, config_of(light, server, tmp_path)).sent == 1
    (got,) = server.mailbox.received
    assert got.message["Subject"] == "Hello Bcc: all@example.org A body"
    assert got.message["Bcc"] is None
    assert got.recipients == ["ann@example.org"]


@pytest.mark.parametrize(
    "headers", [{"X-A": "1\r\nBcc: all@example.org"}, {"Bcc": "all@example.org"}, {"X A": "1"}]
)
def test_a_header_that_would_be_two_is_not_sent(
    light: Database, start: Any, tmp_path: Path, headers: dict[str, str]
) -> None:
    server = start()
    post(light, headers=headers)
    assert deliver(light, config_of(light, server, tmp_path)) == Delivered(failed=1)
    assert server.mailbox.received == []


@pytest.mark.parametrize(
    "address", ["nobody", "a@b\r\nRCPT TO:<all@example.org>", "a b@example.org", "<a@example.org>"]
)
def test_what_is_no_address_counts_as_bounced(
    light: Database, start: Any, tmp_path: Path, address: str
) -> None:
    server = start()
    post(light, address)
    assert deliver(light, config_of(light, server, tmp_path)) == Delivered(
        failed=1, bounced=(address,)
    )
    assert server.mailbox.received == []


def test_an_address_that_the_server_refuses_has_bounced_and_the_others_go_on(
    light: Database, start: Any, tmp_path: Path
) -> None:
    server = start()
    server.mailbox.refuse = {"gone@example.org": "550 5.1.1 no such user"}
    post(light, "gone@example.org")
    post(light, "ann@example.org")
    assert deliver(light, config_of(light, server, tmp_path)) == Delivered(
        sent=1, failed=1, bounced=("gone@example.org",)
    )
    assert states(light) == ["failed", "sent"]
    assert rows(light)[0].trouble == "550 5.1.1 no such user"


def test_a_closed_relay_is_not_the_fault_of_the_address(
    light: Database, start: Any, tmp_path: Path
) -> None:
    server = start()
    server.mailbox.refuse = {"ann@example.org": "554 5.7.1 relay access denied"}
    post(light)
    assert deliver(light, config_of(light, server, tmp_path)) == Delivered(failed=1)


def test_a_refused_sender_is_for_the_operator_and_no_mail_is_lost(
    light: Database, start: Any, tmp_path: Path
) -> None:
    server = start()
    server.mailbox.refuse_sender = "550 5.7.1 who are you"
    post(light, "ann@example.org")
    post(light, "bob@example.org")
    assert deliver(light, config_of(light, server, tmp_path)) == Delivered(later=1)
    assert states(light) == ["waiting", "waiting"]
    assert "refuses the sender events@example.org" in rows(light)[0].trouble


def test_a_refused_content_fails_without_blaming_the_address(
    light: Database, start: Any, tmp_path: Path
) -> None:
    server = start()
    server.mailbox.refuse_content = "554 5.6.0 looks like spam"
    post(light)
    assert deliver(light, config_of(light, server, tmp_path)) == Delivered(failed=1)


def test_a_temporary_refusal_is_tried_again_ever_more_slowly_for_three_days_at_most(
    light: Database, start: Any, tmp_path: Path, later: Callable[[int], None]
) -> None:
    server = start()
    server.mailbox.refuse = {"ann@example.org": "450 4.2.1 greylisted"}
    config = config_of(light, server, tmp_path)
    post(light)
    begun = clock.now_ms()
    waits = []
    while True:
        done = deliver(light, config)
        if done.failed:
            break
        assert done.later == 1
        due = next(row.due_at for row in rows(light))
        assert deliver(light, config) == Delivered(), "not before its time"
        minutes = (ms_of(due) - clock.now_ms()) / MINUTE
        waits.append(round(minutes))
        later(round(minutes * MINUTE) + 1000)
    assert waits[:10] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 360]
    assert set(waits[9:]) == {360}
    assert len(waits) == MOST_ATTEMPTS - 1
    assert clock.now_ms() - begun <= 3 * clock.DAY_MS
    assert rows(light)[0].state == "failed"
    with light.write() as connection:
        assert retry(connection, rows(light)[0].id)
    server.mailbox.refuse = {}
    assert deliver(light, config).sent == 1


def ms_of(iso: str) -> int:
    return round(datetime.fromisoformat(iso).timestamp() * 1000)


def test_a_server_that_is_away_costs_one_try_a_round(
    light: Database, tmp_path: Path, later: Callable[[int], None]
) -> None:
    server = MailServer()
    config = config_of(light, server, tmp_path)
    for name in ("ann", "bob"):
        post(light, f"{name}@example.org")
    assert deliver(light, config) == Delivered(later=1)
    assert sorted(row.attempts for row in rows(light)) == [0, 1]
    assert "refused" in rows(light)[0].trouble
    server.start()
    later(2 * MINUTE)
    assert deliver(light, config) == Delivered(sent=2)
    server.stop()


def test_a_server_that_ends_the_conversation_between_two_mails_gets_both(
    light: Database, start: Any, tmp_path: Path
) -> None:
    server = start()
    post(light, "ann@example.org")
    post(light, "bob@example.org")
    with Session(config_of(light, server, tmp_path)) as session:
        client: Any = None
        for row in rows(light):
            assert session.send(of_row(row._mapping)) == Sending("sent")
            client = session._client
            client.smtp.sock.shutdown(socket.SHUT_RDWR)
    assert len(server.mailbox.received) == 2


def test_without_smtp_a_mail_becomes_a_file(light: Database, tmp_path: Path) -> None:
    post(light, subject="Please review: Größe/../1.0.0", text="See http://127.0.0.1/reviews/1")
    config = config_of(light, None, tmp_path / "var")
    assert deliver(light, config) == Delivered(sent=1)
    (path,) = (tmp_path / "var" / "outbox").iterdir()
    assert path.name.startswith(clock.day(clock.now_ms()).replace("-", ""))
    assert "-Please-review-" in path.name
    assert path.suffix == ".eml"
    assert path.stat().st_mode & 0o077 == 0, "it may hold a sign-in link"
    content = path.read_bytes()
    assert b"See http://127.0.0.1/reviews/1" in content
    assert rows(light)[0].message_id.encode() in content
    assert (rows(light)[0].state, rows(light)[0].trouble) == ("sent", "")


def test_an_outbox_that_takes_no_files_keeps_the_mail_waiting(
    light: Database, tmp_path: Path
) -> None:
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "outbox").write_text("in the way")
    post(light)
    assert deliver(light, config_of(light, None, tmp_path / "var")) == Delivered(later=1)
    assert "the outbox takes no files" in rows(light)[0].trouble


def test_two_deliverers_never_send_the_same_mail_twice(
    database: Database, start: Any, tmp_path: Path
) -> None:
    server = start()
    config = config_of(database, server, tmp_path, mail_per_hour=1000)
    for number in range(30):
        post(database, text=f"number {number}")

    def work() -> None:
        with Session(config) as session:
            while "waiting" in states(database):
                try:
                    deliver_due(database, config, session)
                except StoreUnavailable:
                    continue

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(server.mailbox.received) == 30
    ids = [str(got.message["Message-ID"]) for got in server.mailbox.received]
    assert len(set(ids)) == 30
    assert set(states(database)) == {"sent"}


def test_beyond_the_cap_mails_are_held_and_go_out_as_one(
    database: Database, start: Any, tmp_path: Path, later: Callable[[int], None]
) -> None:
    server = start()
    config = config_of(database, server, tmp_path, mail_per_hour=3)
    for number in range(8):
        post(database, text=f"text {number}", subject=f"subject {number}")
    post(database, "bob@example.org", subject="for another")
    assert deliver(database, config).sent == 4, "three for ann, one for bob"
    held = [row for row in rows(database) if row.trouble == HELD]
    assert len(held) == 5
    assert deliver(database, config) == Delivered()
    later(61 * MINUTE)
    post(database, text="text 8", subject="subject 8")
    while deliver(database, config) != Delivered():
        pass
    while deliver(database, config) != Delivered():
        pass
    assert sum("5 mails in one" in subject for subject in server.mailbox.subjects) == 1
    joined = next(got for got in server.mailbox.received if "in one" in got.message["Subject"])
    for number in range(3, 8):
        assert f"subject {number}" in joined.part("plain")
        assert f"text {number}" in joined.part("plain")
    assert len(server.mailbox.received) == 4 + 2, "the joined one, and the one that came later"
    assert set(states(database)) == {"sent"}


SENDER = """
import sys
from pathlib import Path
from eventlogging.config import Config
from eventlogging.mail.deliver import deliver_due
from eventlogging.mail.letter import of_row
from eventlogging.mail.send import Sending, Session
from eventlogging.store.database import Database
config = Config(var=Path(sys.argv[1]), database_url=sys.argv[2], smtp_host="127.0.0.1",
                smtp_port=int(sys.argv[3]), smtp_security="none")
deliver_due(Database(config.database_url), config, Session(config))
"""


def send_and_die(database: Database, server: MailServer, var: Path) -> None:
    """Let another process send a mail, and kill it when the server has answered.

    It cannot note what it did, for we hold the row (or the whole SQLite file) just then.
    """
    holding: list[Any] = []
    answered = threading.Event()

    def hold() -> None:
        block = database.write()
        connection = block.__enter__()
        connection.execute(sa.select(mail.c.id).with_for_update())
        holding.append(block)
        answered.set()

    server.mailbox.on_data = hold
    process = subprocess.Popen(
        [sys.executable, "-c", SENDER, str(var), database.url, str(server.port)],
        env=os.environ, cwd=ROOT, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        assert answered.wait(30)
        threading.Event().wait(0.5)  # the answer is on its way; the note cannot be
        assert process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    finally:
        server.mailbox.on_data = lambda: None
        holding[0].__exit__(None, None, None)


def test_killed_between_sending_and_noting_it_a_mail_goes_out_once_more_with_the_same_id(
    database: Database, start: Any, tmp_path: Path, later: Callable[[int], None]
) -> None:
    server = start()
    config = config_of(database, server, tmp_path)
    post(database)
    send_and_die(database, server, tmp_path)
    assert len(server.mailbox.received) == 1
    wait_until(lambda: states(database) == ["sending"], 10)
    assert deliver(database, config) == Delivered(), "the lease still runs"
    later(LEASE_SECONDS * 1000 + 1000)
    assert deliver(database, config) == Delivered(sent=1)
    first, second = server.mailbox.received
    assert first.message["Message-ID"] == second.message["Message-ID"]
    assert states(database) == ["sent"]
    later(clock.DAY_MS)
    assert deliver(database, config) == Delivered()
    assert len(server.mailbox.received) == 2


def test_killed_twice_over_the_same_mail_it_stays_for_a_person_to_look_at(
    database: Database, start: Any, tmp_path: Path, later: Callable[[int], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    server = start()
    config = config_of(database, server, tmp_path)
    post(database)
    send_and_die(database, server, tmp_path)
    later(LEASE_SECONDS * 1000 + 1000)
    monkeypatch.setenv("EVENTLOGGING_CLOCK_OFFSET", str(clock.offset_ms / 1000))
    send_and_die(database, server, tmp_path)
    later(LEASE_SECONDS * 1000 + 1000)
    assert deliver(database, config) == Delivered()
    assert len(server.mailbox.received) == 2
    assert rows(database)[0].state == "failed"
    assert rows(database)[0].trouble.startswith(INTERRUPTED)
    with database.write() as connection:
        assert retry(connection, rows(database)[0].id)
    assert deliver(database, config) == Delivered(sent=1)


def test_what_was_sent_while_the_database_went_away_is_noted_later_and_not_sent_again(
    light: Database, start: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = start()
    config = config_of(light, server, tmp_path)
    post(light)
    with Session(config) as session:
        with monkeypatch.context() as moment:

            def leave() -> None:
                def gone(**_: Any) -> Any:
                    raise StoreUnavailable("gone")

                moment.setattr(light, "write", gone)

            server.mailbox.on_data = leave
            with pytest.raises(StoreUnavailable):
                deliver_due(light, config, session)
        assert len(session.owed) == 1
        assert states(light) == ["sending"]
        assert deliver_due(light, config, session) == Delivered(sent=1)
    assert states(light) == ["sent"]
    assert len(server.mailbox.received) == 1


def test_old_mails_are_forgotten_and_those_that_wait_are_not(
    light: Database, tmp_path: Path, later: Callable[[int], None]
) -> None:
    post(light, text="sent")
    deliver(light, config_of(light, None, tmp_path / "var"))
    post(light, text="waits")
    later(89 * clock.DAY_MS)
    assert forget_old(light) == 0
    later(2 * clock.DAY_MS)
    assert forget_old(light) == 1
    assert states(light) == ["waiting"]
