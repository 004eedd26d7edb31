"""One person is found, handed out and erased everywhere, and a restore does not bring them back."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from email import message_from_bytes
from email.policy import SMTP
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from eventlogging import clock
from eventlogging.cli.person import person as person_command
from eventlogging.doctor import leavings
from eventlogging.intake.seal import PrivacyKey
from eventlogging.jobs.table import JOBS
from eventlogging.ledger.proof import prove
from eventlogging.ledger.reading import lines_of_truth
from eventlogging.log import reader
from eventlogging.mail.letter import Letter, message_bytes
from eventlogging.mail.queue import Message, queue
from eventlogging.platform import Platform
from eventlogging.receipts import chain
from eventlogging.retention import erasure, person
from eventlogging.retention.erasure_book import DONE
from eventlogging.retention.hosts import this_host
from eventlogging.retention.policy import policy_of
from eventlogging.retention.scrub import strip_day
from eventlogging.store.fixed import epoch_key, job_run, legal_hold, mail, parked, test_event
from tests.console import House

ANN, BOB = "ann-41d9a7e0", "bob-77"
CLICK: dict[str, Any] = {
    "type": "object",
    "required": ["target"],
    "properties": {
        "target": {"type": "string", "maxLength": 40},
        "uid": {"type": ["string", "integer"]},
        "user": {"type": "object", "properties": {"id": {"type": "string", "maxLength": 80}}},
        "friends": {"type": "array", "items": {"type": "string"}},
        "note": {"type": "string"},
    },
}
PRIVACY = {"uid": "hmac", "/user/id": "hmac", "/friends/*": "hmac"}


def _house(url: str, var: Path, **settings: Any) -> House:
    made = House(url, var, **settings)
    made.publish("Click", CLICK, privacy=PRIVACY)
    return made


@pytest.fixture
def house(database_url: str, tmp_path: Path) -> Iterator[House]:
    made = _house(database_url, tmp_path / "var")
    yield made
    made.close()


def click(**event: Any) -> dict[str, Any]:
    return {"schema": "Click", "event": {"target": "menu", **event}}


def send_both(house: House) -> None:
    """Ann and Bob: valid in each way, refused and sealed, refused and not sealed."""
    for one in (ANN, BOB):
        house.send(
            click(uid=one), click(user={"id": one}), click(friends=["carl", one]),
            click(target=7, uid=one),  # refused, sealed
            {"schema": "Nobody", "event": {"uid": one, "page": f"/u?id={one}&x=1"}},  # not sealed
        )  # fmt: skip
    house.accept(f'{{"schema": "Click", "event": {{"uid": "{ANN}"'.encode())  # broken
    house.send(click(uid=4711), click(uid="4711"), click(uid=1234))


def hashed(house: House, value: Any) -> str:
    return house.platform.privacy_key.hash(value)


def bytes_with(house: House, *texts: str) -> dict[str, int]:
    """Where any of these texts stands in a file of the data folder, receipts aside."""
    found: dict[str, int] = {}
    for path in house.config.var.parent.rglob("*"):
        if path.is_file() and path.name != chain.FILE:
            content = path.read_bytes()
            number = sum(content.count(text.encode()) for text in texts)
            if number:
                found[path.name] = number
    return found


def cells_with(house: House, *texts: str) -> set[str]:
    """The columns of the database that hold any of these texts."""
    found = set()
    with house.platform.database.read() as connection:
        for table in sa.inspect(connection).get_table_names():
            for row in connection.execute(sa.text(f"SELECT * FROM `{table}`")).mappings():
                for name, value in row.items():
                    if any(text in str(value) for text in texts):
                        found.add(f"{table}.{name}")
    return found


def count(house: House, table: str) -> int:
    with house.platform.database.read() as connection:
        return int(connection.execute(sa.text(f"SELECT COUNT(*) FROM `{table}`")).scalar_one())


def residual(house: House) -> int:
    with house.platform.database.read() as connection:
        return sum(abs(line.residual) for line in lines_of_truth(connection))


def erase(platform: Platform, *ids: str) -> erasure.Erasure:
    return erasure.carry_out(platform, erasure.ask(platform, ids, "admin@example.org"))


def test_an_erased_person_is_found_nowhere_and_strangers_stay(house: House) -> None:
    send_both(house)
    ours = (ANN, hashed(house, ANN))
    before = {one: bytes_with(house, one, hashed(house, one)) for one in (ANN, BOB)}
    assert len(before[ANN]) >= 1 and cells_with(house, *ours)

    done = erase(house.platform, ANN)

    assert done.state == DONE and done.waits == []
    assert done.detail["tables"] == {"Click_1": 3, "Click_invalid": 1, "unknown_invalid": 2}
    assert done.detail["log_lines"] == 6
    assert bytes_with(house, *ours) == {} and cells_with(house, *ours) == set()
    assert count(house, "Click_1") == 6 and count(house, "unknown_invalid") == 1
    assert cells_with(house, BOB, hashed(house, BOB)) == {
        "Click_1.event_uid", "Click_1.event_user_id", "Click_1.event_friends",
        "Click_invalid.raw", "unknown_invalid.raw",
    }  # fmt: skip
    assert prove(house.platform.database).holds and residual(house) == 0
    for name in reader.segments(house.platform.log_folder):
        assert sum(len(b.lines) for b in reader.read_after(
            house.platform.log_folder, name, 0).batches)  # fmt: skip


def test_the_receipt_says_what_went_and_names_hashes_alone(house: House) -> None:
    send_both(house)
    done = erase(house.platform, ANN)
    receipts = chain.read(chain.folder_of(house.config.var))
    assert [r.body["state"] for r in receipts] == ["asked", "done"]
    body = receipts[-1].body
    assert receipts[-1].number == done.detail["receipt"] and receipts[-1].kind == "erasure"
    assert body["hashes"] == [hashed(house, ANN)] and body["tables"]["Click_1"] == 3
    assert ANN not in json.dumps([r.as_dict() for r in receipts])


def test_a_number_is_found_however_it_was_sent(house: House) -> None:
    send_both(house)
    found = person.find(house.platform, person.identity(house.platform, ["4711"]).hashes)
    assert found.tables == {"Click_1": 2} and found.log_lines == 2
    erase(house.platform, "4711")
    assert count(house, "Click_1") == 7


def test_finding_with_and_without_the_plain_id_is_the_same(house: House) -> None:
    send_both(house)
    meant = person.identity(house.platform, [ANN])
    by_hash = person.find(house.platform, meant.hashes)
    assert by_hash == person.find(house.platform, meant.hashes, [ANN])
    assert by_hash.rows == 6 and by_hash.log_lines == 6 and by_hash.log_waiting == 0
    # A part of an id is nobody.
    assert person.find(house.platform, person.identity(house.platform, ["ann"]).hashes).is_empty


def test_the_export_holds_all_and_only_the_person(house: House) -> None:
    send_both(house)
    house.accept(json.dumps(click(uid=ANN, note="not loaded")).encode())
    document = person.export(house.platform, [ANN])
    events = [one["event"] for one in document["events"]]
    mine = hashed(house, ANN)
    assert sorted(map(json.dumps, events)) == sorted(
        map(
            json.dumps,
            [
                {"target": "menu", "uid": mine},
                {"target": "menu", "user": {"id": mine}},
                {"target": "menu", "friends": [hashed(house, "carl"), mine]},
            ],
        )
    )
    assert {one["schema"] for one in document["events"]} == {"Click"}
    assert len(document["refused"]) == 3
    assert [one["event"]["note"] for one in document["waiting"]] == ["not loaded"]
    assert BOB not in json.dumps(document) and hashed(house, BOB) not in json.dumps(document)


def test_a_person_of_a_former_key_is_erased_too(database_url: str, tmp_path: Path) -> None:
    old = _house(database_url, tmp_path / "var", privacy_key="old key")
    old.send(click(uid=ANN), click(uid=BOB))
    old.close()
    house = House(
        database_url, tmp_path / "var", privacy_key="new key", privacy_keys_former="older, old key"
    )
    house.send(click(uid=ANN))
    done = erase(house.platform, ANN)
    assert done.detail["tables"] == {"Click_1": 2} and done.detail["log_lines"] == 2
    assert cells_with(house, PrivacyKey("old key").hash(ANN), hashed(house, ANN)) == set()
    assert count(house, "Click_1") == 1
    house.close()


def test_what_is_not_loaded_yet_makes_the_erasure_wait(house: House) -> None:
    send_both(house)
    house.accept(json.dumps(click(uid=ANN)).encode())
    waits = erase(house.platform, ANN)
    assert waits.state == "asked" and waits.waits == [
        f"{this_host()}: 1 lines of its log are in no table yet"
    ]
    assert waits.rows == 6
    house.load()
    (open_one,) = erasure.unfinished(house.platform.database)
    done = erasure.carry_out(house.platform, open_one)
    assert done.state == DONE and done.rows == 7 and done.detail["log_lines"] == 7
    assert bytes_with(house, ANN, hashed(house, ANN)) == {}
    assert erasure.unfinished(house.platform.database) == []
    assert prove(house.platform.database).holds


def test_what_comes_after_the_wish_stays(house: House) -> None:
    house.send(click(uid=ANN), received=clock.now_ms() - 1000)
    wish = erasure.ask(house.platform, [ANN], "admin@example.org")
    house.send(click(uid=ANN), received=clock.now_ms() + 60_000)
    done = erasure.carry_out(house.platform, wish)
    assert done.state == DONE and done.rows == 1 and count(house, "Click_1") == 1


def test_a_held_schema_waits_and_the_receipt_says_so(house: House) -> None:
    send_both(house)
    with house.platform.database.write() as connection:
        connection.execute(
            sa.insert(legal_hold).values(
                schema="Click", reason="a case", placed_by="a", placed_at="2026-11-22T00:00:00.000Z"
            )
        )
    waits = erase(house.platform, ANN)
    assert waits.state == "asked"
    assert waits.detail["held"] == {"Click_1": 3, "Click_invalid": 1}
    assert waits.detail["tables"] == {"unknown_invalid": 2}
    last = chain.newest(chain.folder_of(house.config.var))
    assert last is not None and last.body["held"] == {"Click_1": 3, "Click_invalid": 1}
    again = erasure.carry_out(house.platform, waits)
    assert again.state == "asked"
    assert len(chain.read(chain.folder_of(house.config.var))) == 2  # and not one at each look

    with house.platform.database.write() as connection:
        connection.execute(sa.update(legal_hold).values(lifted_at="2026-11-23T00:00:00.000Z"))
    done = erasure.carry_out(house.platform, again)
    assert done.state == DONE and done.rows == 6
    assert bytes_with(house, ANN, hashed(house, ANN)) == {}


def test_other_hosts_look_through_their_own_logs_first(house: House) -> None:
    send_both(house)
    now = clock.iso(clock.now_ms())
    with house.platform.database.write() as connection:
        connection.execute(
            sa.insert(job_run).values(
                job="erasures", slot="2026-11-22 03:00@elsewhere", started_at=now,
                lease_until=now, detail="",
            )
        )  # fmt: skip
    waits = erase(house.platform, ANN)
    assert waits.state == "asked" and waits.waits == ["a host has not looked through its log yet"]

    def elsewhere(monkeypatch: pytest.MonkeyPatch) -> erasure.Erasure:
        monkeypatch.setattr(erasure, "this_host", lambda: "elsewhere")
        monkeypatch.setattr(erasure, "hosts", lambda *_: (this_host(), "elsewhere"))
        return erasure.carry_out(
            replace(house.platform, config=replace(house.config, var=house.config.var / "b")), waits
        )

    with pytest.MonkeyPatch.context() as patch:
        done = elsewhere(patch)
    assert done.state == DONE and set(done.detail["hosts"]) == {this_host(), "elsewhere"}
    # A restore may happen there: its receipts name the person, too.
    assert chain.read(chain.folder_of(house.config.var / "b"))[-1].body["state"] == "done"


def test_carrying_out_twice_changes_nothing_more(house: House) -> None:
    send_both(house)
    wish = erasure.ask(house.platform, [ANN], "admin@example.org")
    first = erasure.carry_out(house.platform, wish)
    again = erasure.carry_out(house.platform, wish)  # as a second machine would
    assert first.state == again.state == DONE and again.detail["tables"] == first.detail["tables"]
    assert len(chain.read(chain.folder_of(house.config.var))) == 2
    assert prove(house.platform.database).holds


class _Killed(BaseException):
    pass


@pytest.mark.parametrize(
    "where",
    [
        "eventlogging.retention.erasure_book.note",
        "eventlogging.retention.person_log.erase",
        "eventlogging.log.blank._put",
        "eventlogging.retention.person_texts.take_out",
        "eventlogging.retention.erasure._finish",
        "eventlogging.receipts.chain.append",
        "eventlogging.retention.erasure.scour",
    ],
)
def test_an_erasure_that_dies_anywhere_is_finished_later(
    house: House, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    send_both(house)
    wish = erasure.ask(house.platform, [ANN], "admin@example.org")

    def dies(*_: Any, **__: Any) -> Any:
        raise _Killed

    with monkeypatch.context() as patch:
        patch.setattr(where, dies)
        with pytest.raises(_Killed):
            erasure.carry_out(house.platform, wish)
    house.load()
    for one in erasure.unfinished(house.platform.database):
        erasure.carry_out(house.platform, one)
    done = erasure.find(house.platform.database, wish.id)
    assert done is not None and done.state == DONE and done.detail["leavings"]
    assert done.rows == 6
    assert bytes_with(house, ANN, hashed(house, ANN)) == {}
    assert prove(house.platform.database).holds and residual(house) == 0


def strip_today(house: House) -> str:
    """Strip the events of today by a rule that keeps uid as a hash of the month; the raw goes."""
    schema = house.platform.registry.snapshot.schemas["Click"]
    rule = policy_of("Click", {"scrub": {"keep": ["/target"], "hash": ["/uid"]}}, {})
    today = clock.day(clock.now_ms())
    strip_day(house.platform.database, schema, "Click_1", rule, today)
    with house.platform.database.write() as connection:
        connection.execute(sa.text("DELETE FROM Click_1"))
        connection.execute(
            sa.text("UPDATE table_day SET rows_out = rows_in WHERE table_name = 'Click_1'")
        )
    return today


def test_stripped_events_are_found_while_their_months_key_lives(house: House) -> None:
    house.send(click(uid=ANN), click(uid=ANN, target="x"), click(uid=BOB))
    strip_today(house)
    assert len(person.export(house.platform, [ANN])["stripped"]) == 2
    done = erase(house.platform, ANN)
    assert done.detail["tables"] == {"Click_1_scrubbed": 2} and done.detail["out_of_reach"] == []
    assert count(house, "Click_1_scrubbed") == 1 and prove(house.platform.database).holds


def test_under_a_destroyed_key_they_are_out_of_reach_and_the_receipt_says_so(house: House) -> None:
    house.send(click(uid=ANN), click(uid=BOB))
    day = strip_today(house)
    with house.platform.database.write() as connection:
        connection.execute(sa.update(epoch_key).values(secret=None, destroyed_at="2026-12-24"))
    done = erase(house.platform, ANN)
    assert done.state == DONE and done.rows == 0
    sentence = f"Click_1_scrubbed of {day[:7]}: hashed under a key that is destroyed"
    assert done.detail["out_of_reach"] == [sentence]
    last = chain.newest(chain.folder_of(house.config.var))
    assert last is not None and last.body["out_of_reach"] == [sentence]
    assert count(house, "Click_1_scrubbed") == 2


def test_a_host_has_the_name_that_its_runs_have() -> None:
    slot = next(job for job in JOBS if job.name == "erasures").slot("2026-11-22 03:00")
    assert slot.partition("@")[2] == this_host()
    assert {job.name for job in JOBS if job.on_each_host} >= set(erasure.HOST_JOBS)


def test_the_days_that_lost_rows_are_computed_anew(house: House) -> None:
    send_both(house)
    wish = erasure.ask(house.platform, [ANN], "admin@example.org")
    asked: list[tuple[str, list[str]]] = []
    erasure.carry_out(house.platform, wish, recompute=lambda s, d: asked.append((s, list(d))))
    assert asked == [("Click", [clock.day(clock.now_ms())])]


def test_lines_whose_table_waits_are_not_touched(house: House) -> None:
    send_both(house)
    house.platform.registry.refresh()
    with house.platform.database.write() as connection:
        segment = reader.segments(house.platform.log_folder)[0]
        connection.execute(
            sa.insert(parked).values(
                segment=segment, start=0, end=10**9, table_name="Click_1", lines=1, reason="",
                since="2026-11-22T00:00:00.000Z",
            )
        )  # fmt: skip
    waits = erase(house.platform, ANN)
    assert waits.state == "asked" and waits.detail.get("log_lines", 0) == 0 and waits.rows == 6
    with house.platform.database.write() as connection:
        connection.execute(sa.delete(parked))
    assert erasure.carry_out(house.platform, waits).detail["log_lines"] == 6


def test_a_test_keys_events_are_erased_too(house: House) -> None:
    with house.platform.database.write() as connection:
        connection.execute(
            sa.insert(test_event).values(
                segment="s", offset=0, index=0, received=clock.iso(clock.now_ms() - 1000),
                key_name="mine", schema="Click", version="1.0.0", outcome="valid", code="",
                errors="[]", event=json.dumps({"uid": hashed(house, ANN)}),
            )
        )  # fmt: skip
    assert erase(house.platform, ANN).detail["tables"] == {"test_event": 1}
    assert count(house, "test_event") == 0 and prove(house.platform.database).holds


def test_a_mail_that_quotes_a_hash_loses_it(house: House) -> None:
    with house.platform.database.write() as connection:
        text = f"seen: {hashed(house, ANN)} and {hashed(house, BOB)}"
        queue(connection, Message(key="k", recipient="a@example.org", subject="s", text=text))
    outbox = house.config.var / "outbox"
    outbox.mkdir()
    # Quoted-printable breaks the line within the hash, at another place of it in each.
    lines = [f"{'x' * n} {hashed(house, ANN)} and {hashed(house, BOB)}" for n in range(50, 76)]
    letter = Letter(
        1, "k", "<1@example.org>", "a@example.org", "s", "\n".join(lines), "",
        html="<p>" + "</p>\n<p>".join(lines) + "</p>", images={"chart": b"\x89PNG" * 50},
    )  # fmt: skip
    file = outbox / "20261122T000000Z-s.eml"
    file.write_bytes(message_bytes(letter, "events@example.org"))
    assert person.find(house.platform, [hashed(house, ANN)]).texts == {"mail": 1, "outbox": 1}
    done = erase(house.platform, ANN)
    assert done.detail["texts"] == 2
    with house.platform.database.read() as connection:
        kept = connection.execute(sa.select(mail.c.text)).scalar_one()
    assert kept == f"seen: (erased) and {hashed(house, BOB)}"
    mended = message_from_bytes(file.read_bytes(), policy=SMTP)
    texts = [part.get_content() for part in mended.walk() if part.get_content_maintype() == "text"]
    for text in texts:
        assert text.count("(erased)") == text.count(hashed(house, BOB)) == len(lines)
        assert hashed(house, ANN) not in text
    assert [part.get_content() for part in mended.walk() if part.get_filename()] == [
        letter.images["chart"]
    ]


def test_a_restored_database_does_not_bring_the_person_back(tmp_path: Path) -> None:
    path = tmp_path / "var" / "eventlogging.db"
    house = _house(f"sqlite:///{path}", tmp_path / "var")
    house.send(click(uid=ANN), click(uid=BOB))
    backup = tmp_path.parent / f"{tmp_path.name}-backup.db"
    with sqlite3.connect(path) as source, sqlite3.connect(backup) as target:
        source.backup(target)
    send_both(house)
    rows = count(house, "Click_1")
    done = erase(house.platform, ANN)
    assert done.state == DONE
    house.close()

    for file in path.parent.glob("eventlogging.db*"):
        file.unlink()
    shutil.copy(backup, path)
    house = House(f"sqlite:///{path}", tmp_path / "var")
    assert cells_with(house, hashed(house, ANN))
    assert erasure.replay(house.platform, chain.read(chain.folder_of(house.config.var))) == 1
    house.load()

    assert bytes_with(house, ANN, hashed(house, ANN)) == {}
    assert count(house, "Click_1") == rows - done.detail["tables"]["Click_1"]
    assert prove(house.platform.database).holds and residual(house) == 0
    with house.platform.database.read() as connection:
        booked = connection.execute(
            sa.text("SELECT outcome, SUM(count), SUM(kept) FROM ledger WHERE reason = 'erased' "
                    "GROUP BY outcome")
        ).all()  # fmt: skip
    assert sorted(map(tuple, booked)) == [("invalid", 3, 0), ("valid", 3, 0)]
    assert erasure.unfinished(house.platform.database) == []
    assert erasure.replay(house.platform, chain.read(chain.folder_of(house.config.var))) == 0
    house.close()
    backup.unlink()


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[House, Callable[..., Any]]]:
    url = f"sqlite:///{tmp_path / 'var' / 'eventlogging.db'}"
    house = _house(url, tmp_path / "var")
    settings: Mapping[str, str] = {
        "EVENTLOGGING_VAR": str(tmp_path / "var"),
        "EVENTLOGGING_DATABASE_URL": url,
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)

    def call(*words: str) -> Any:
        return CliRunner().invoke(person_command, words)

    yield house, call
    house.close()


def test_by_hand_the_plan_comes_first_and_is_quoted(run: tuple[House, Callable[..., Any]]) -> None:
    house, call = run
    send_both(house)
    plan = json.loads(call("erase", ANN, "--json").output)
    assert plan["tables"]["Click_1"] == 3 and count(house, "Click_1") == 9
    wrong = call("erase", ANN, "--execute", "0" * 12)
    assert wrong.exit_code == 1 and plan["checksum"] in wrong.output
    assert count(house, "Click_1") == 9
    # Of another person it is another plan.
    assert call("erase", BOB, "--execute", plan["checksum"]).exit_code == 1
    done = call("erase", ANN, "--execute", plan["checksum"])
    assert done.exit_code == 0, done.output
    assert "done; receipt 2" in done.output and count(house, "Click_1") == 6
    assert "There is nothing of this person." in call("find", ANN).output
    assert bytes_with(house, ANN) == {}


def test_by_hand_the_export_is_one_document(run: tuple[House, Callable[..., Any]]) -> None:
    house, call = run
    send_both(house)
    document = json.loads(call("export", ANN).output)
    assert len(document["events"]) == 3
    assert json.loads(call("find", ANN, "--json").output)["rows"] == 6
    assert call("find", " ").exit_code == 1


@pytest.mark.parametrize(
    ("values", "level", "says"),
    [
        ({"log_bin": "OFF"}, "ok", "no binary log"),
        ({"log_bin": "ON", "binlog_expire_logs_seconds": "0", "expire_logs_days": "0.000000"},
         "warning", "for ever"),
        ({"log_bin": "ON", "binlog_expire_logs_seconds": "864000"}, "warning", "10 days"),
        ({"log_bin": "ON", "expire_logs_days": "3"}, "ok", "3 days"),
    ],
)  # fmt: skip
def test_the_doctor_names_a_binary_log_that_outlives_the_events(
    values: dict[str, str], level: str, says: str
) -> None:
    found = leavings.judged(values, 7)
    assert found.level == level and says in found.sentence
    assert bool(found.mend) == (level == "warning")


def test_the_doctor_asks_the_server_itself(house: House) -> None:
    found = list(leavings.binary_log(house.config, house.platform.database))
    assert [one.level for one in found] == (
        ["ok"] if house.platform.database.dialect.remote else []
    )
