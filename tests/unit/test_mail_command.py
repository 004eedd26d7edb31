"""The command `mail test`, and what the doctor says of mail."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from eventlogging import clock
from eventlogging.cli.main import cli
from eventlogging.config import Config, load
from eventlogging.doctor.mails import mail_server, waiting_mails
from eventlogging.errors import ConfigError
from eventlogging.mail.letter import Letter, message_bytes
from eventlogging.mail.outbox import files, name_of, read
from eventlogging.store.database import Database
from eventlogging.store.migrate import migrate
from tests.mail_server import MailServer, config_of, post


@pytest.fixture
def server() -> Iterator[MailServer]:
    started = MailServer()
    started.start()
    yield started
    started.stop()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(f"sqlite:///{tmp_path / 'mail.db'}")
    migrate(made)
    yield made
    made.close()


def run(tmp_path: Path, address: str, server: MailServer | None = None, **more: str) -> Result:
    settings: dict[str, Any] = {"var": tmp_path / "var", **(server.settings() if server else {})}
    settings |= more
    env = {f"EVENTLOGGING_{name.upper()}": str(value) for name, value in settings.items()}
    return CliRunner().invoke(cli, ["mail", "test", address], env=env)


def test_a_test_mail_is_sent_and_the_command_says_so(tmp_path: Path, server: MailServer) -> None:
    done = run(tmp_path, "ann@example.org", server)
    assert done.exit_code == 0
    assert "took the mail to ann@example.org" in done.output
    assert server.mailbox.subjects == ["EventLogging can send mail"]


def test_without_a_server_the_test_mail_is_a_file(tmp_path: Path) -> None:
    done = run(tmp_path, "ann@example.org")
    assert done.exit_code == 0
    (file,) = files(tmp_path / "var" / "outbox", 10)
    assert file.name in done.output
    assert "EVENTLOGGING_SMTP_HOST" in done.output


def test_a_refused_test_mail_says_why(tmp_path: Path, server: MailServer) -> None:
    server.mailbox.refuse = {"ann@example.org": "550 5.1.1 no such user"}
    done = run(tmp_path, "ann@example.org", server)
    assert done.exit_code == 1
    assert "550 5.1.1 no such user" in done.output


def test_a_server_that_is_away_is_said(tmp_path: Path, server: MailServer) -> None:
    server.stop()
    done = run(tmp_path, "ann@example.org", server)
    assert done.exit_code == 1
    assert f"127.0.0.1:{server.port}" in done.output
    assert "refused" in done.output


def test_the_doctor_says_whether_the_server_takes_our_mail(
    database: Database, tmp_path: Path, server: MailServer
) -> None:
    assert next(mail_server(config_of(database, None, tmp_path))).level == "ok"
    assert next(mail_server(config_of(database, server, tmp_path))).level == "ok"
    server.stop()
    found = next(mail_server(config_of(database, server, tmp_path)))
    assert found.level == "error"
    assert "refused" in found.sentence


def test_the_doctor_sees_mails_that_nobody_sends(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config_of(database, None, tmp_path)
    post(database)
    assert next(waiting_mails(config, database)).level == "ok"
    monkeypatch.setattr(clock, "offset_ms", clock.offset_ms + 3_600_000)
    found = next(waiting_mails(config, database))
    assert found.level == "warning"
    assert "1 mail should have gone out" in found.sentence


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SMTP_SECURITY", "tls"),
        ("SMTP_PORT", "70000"),
        ("MAIL_PER_HOUR", "0"),
        ("MAIL_FROM", "nobody"),
    ],
)
def test_a_wrong_setting_of_mail_is_named(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=f"EVENTLOGGING_{name}"):
        load({f"EVENTLOGGING_{name}": value})


def test_the_port_follows_the_security() -> None:
    found = [Config(smtp_security=how).smtp_address[1] for how in ("starttls", "ssl", "none")]
    assert found == [587, 465, 25]


def letter(**more: Any) -> Letter:
    values: dict[str, Any] = {
        "id": 1, "key": "k", "message_id": "<abcdef0123456789@eventlogging>",
        "recipient": "ann@example.org", "subject": "A", "text": "A.",
        "created_at": "2026-11-22T03:04:05.678Z",
    }  # fmt: skip
    return Letter(**{**values, **more})


@pytest.mark.parametrize("subject", ["", "../../etc/passwd", "a/b\\c", "日本", "x" * 500, "-.-"])
def test_a_files_name_is_one_that_can_be_read_again(tmp_path: Path, subject: str) -> None:
    name = name_of(letter(subject=subject))
    assert name.startswith("20261122T030405Z-")
    assert len(name) < 120
    assert read(tmp_path, name) is None
    (tmp_path / name).write_bytes(b"x")
    assert read(tmp_path, name) == b"x"


def test_no_line_of_a_message_is_too_long_and_none_is_bare() -> None:
    message = message_bytes(
        letter(subject="ä" * 400, text="x" * 5000 + "\n.\nFrom here", html="<p>" + "y" * 5000),
        'Events "the" loggers <events@example.org>',
    )
    lines = message.split(b"\r\n")
    assert max(map(len, lines)) <= 998
    assert b"\n" not in b"".join(lines)
    assert message.isascii()
