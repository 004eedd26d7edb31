"""What was received before an erasure and comes after it goes too; what is newer stays."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from eventlogging import clock
from eventlogging.jobs.erasure_duties import carry_out_erasures
from eventlogging.ledger.proof import prove
from eventlogging.loader.loader import Loader
from eventlogging.log.writer import LogWriter
from eventlogging.platform import Platform
from eventlogging.receipts import chain
from eventlogging.retention import device, erasure, erasure_late, person
from eventlogging.retention.erasure_book import DONE, Erasure
from eventlogging.retention.hosts import this_host
from eventlogging.store.fixed import erasure as erasure_table
from eventlogging.store.fixed import job_run, legal_hold
from eventlogging.verify.examine import examine
from tests.console import House
from tests.integration.test_erasure import (
    ANN,
    BOB,
    _house,
    bytes_with,
    cells_with,
    click,
    count,
    erase,
    hashed,
    residual,
    send_both,
)  # fmt: skip

AWAY = "away"


@pytest.fixture
def house(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.setattr(clock, "offset_ms", 0)
    made = _house(database_url, tmp_path / "var")
    yield made
    made.close()


def job(house: House) -> str:
    return carry_out_erasures(house.platform, clock.minute(clock.now_ms())).detail


def later(monkeypatch: pytest.MonkeyPatch, days: float) -> None:
    monkeypatch.setattr(clock, "offset_ms", clock.offset_ms + round(days * clock.DAY_MS))


def state(house: House, wish: Erasure) -> Erasure:
    found = erasure.find(house.platform.database, wish.id)
    assert found is not None
    return found


@contextmanager
def on_host(name: str) -> Iterator[None]:
    """Do what another host would do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(erasure, "this_host", lambda: name)
        patch.setattr(erasure_late, "this_host", lambda: name)
        yield


def elsewhere(house: House) -> Platform:
    """The platform of another host: the same database, a log and receipts of its own."""
    config = replace(house.config, var=house.config.var.parent / AWAY)
    return replace(house.platform, config=config)


def write_elsewhere(house: House, body: Any, received: int) -> None:
    """Put events into the log of the other host; nobody has loaded it."""
    writer = LogWriter(elsewhere(house).log_folder, segment_bytes=10**7, queue_bytes=10**8)
    here, house._writer = house._writer, writer
    house.accept(json.dumps(body).encode(), received)
    house._writer = here
    writer.close()


def load_elsewhere(house: House) -> None:
    Loader(house.platform.database, house.platform.registry, elsewhere(house).log_folder).drain()


def seen_lately(house: House, host: str) -> None:
    now = clock.iso(clock.now_ms())
    with house.platform.database.write() as connection:
        connection.execute(
            sa.insert(job_run).values(
                job="erasures",
                slot=f"{now[:16]}@{host}",
                started_at=now,
                lease_until=now,
                detail="",
            )
        )


def hold(house: House, lifted: bool = False) -> None:
    with house.platform.database.write() as connection:
        if lifted:
            connection.execute(sa.update(legal_hold).values(lifted_at=clock.iso(clock.now_ms())))
        else:
            values = {"reason": "a case", "placed_by": "a", "placed_at": clock.iso(0)}
            connection.execute(sa.insert(legal_hold).values(schema="Click", **values))


def back(house: House) -> set[str]:
    """What the certificate says is to be done about persons who are back."""
    return {one.mend for one in examine(house.platform).findings if one.kind == "erasure"}


def test_what_a_forwarder_held_back_goes_when_it_comes(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    send_both(house)
    before = clock.now_ms() - clock.DAY_MS
    done = erase(house.platform, ANN)
    assert done.state == DONE and done.rows == 6
    later(monkeypatch, 3)
    house.send(click(uid=ANN), click(uid=BOB), received=before)
    house.send(click(uid=ANN, target="new"), received=clock.now_ms())
    assert count(house, "Click_1") == 9
    assert "job run erasures" in next(iter(back(house)))

    assert "came late; 7 rows went" in job(house)

    assert back(house) == set(), "the mend that the certificate names has mended it"
    again = state(house, done)
    assert again.state == DONE and again.rows == 7 and again.detail["log_lines"] == 7
    assert again.detail["leavings"]
    assert count(house, "Click_1") == 8, "what came after the wish stays"
    assert prove(house.platform.database).holds and residual(house) == 0
    found = person.find(house.platform, [hashed(house, ANN)])
    assert found.tables == {"Click_1": 1} and found.log_lines == 1
    receipts = chain.read(chain.folder_of(house.config.var))
    assert [one.body["state"] for one in receipts] == ["asked", "done", "done"]
    assert job(house) == "nobody waits to be forgotten"


def test_a_host_that_was_away_looks_through_its_log_when_it_is_back(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = clock.now_ms() - clock.DAY_MS
    write_elsewhere(house, [click(uid=ANN), click(uid=BOB)], before)
    done = erase(house.platform, ANN)
    assert done.state == DONE and done.rows == 0
    later(monkeypatch, 3)
    with on_host(AWAY):
        waits = carry_out_erasures(elsewhere(house), "").detail
        load_elsewhere(house)
        gone = carry_out_erasures(elsewhere(house), "").detail
    assert "came late" in waits and "done, 1 rows went" in gone
    assert state(house, done).state == DONE and count(house, "Click_1") == 1
    assert bytes_with(house, hashed(house, ANN)) == {}
    assert set(state(house, done).detail["hosts"]) == {this_host(), AWAY}
    kept = chain.read(chain.folder_of(elsewhere(house).config.var))
    assert kept[0].body["hashes"] == [hashed(house, ANN)], "a restore may happen there"
    assert job(house) == "nobody waits to be forgotten"


def test_a_host_that_was_away_and_has_nothing_notes_that_it_looked(house: House) -> None:
    send_both(house)
    done = erase(house.platform, ANN)
    elsewhere(house).log_folder.mkdir(parents=True)
    with on_host(AWAY):
        assert carry_out_erasures(elsewhere(house), "").detail == "nobody waits to be forgotten"
    assert set(state(house, done).detail["hosts"]) == {this_host(), AWAY}
    assert len(chain.read(chain.folder_of(elsewhere(house).config.var))) == 1


def test_a_device_is_looked_for_again_too(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    token, tag = "5c" * 16, "9d" * 8
    before = clock.now_ms() - clock.DAY_MS
    own = [{**click(), "id": device.event_id(token, tag, n)} for n in range(3)]
    house.send(own[0], click(), received=before)
    found = device.device_of(token, [[clock.day(before), tag, 3]])
    assert not isinstance(found, str)
    claim = found.portion(0)
    hits = device.look(house.platform, claim).hits
    wish, _ = device.ask(house.platform, claim, hits, is_first=True)
    assert "done, 1 rows went" in job(house)
    later(monkeypatch, 1)
    house.send(own[1], own[2], received=before)
    house.send(click(), received=before)
    assert "came late; 3 rows went" in job(house)
    assert count(house, "Click_1") == 2 and state(house, wish).state == DONE
    ids = [one["id"] for one in own]
    assert bytes_with(house, *ids) == {} and cells_with(house, *ids) == set()


def test_who_it_was_is_forgotten_when_the_log_of_that_time_is_gone(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    send_both(house)
    done = erase(house.platform, ANN)
    assert done.hashes == (hashed(house, ANN),)
    later(monkeypatch, house.config.log_keep_days - 0.1)
    job(house)
    assert state(house, done).hashes == done.hashes
    later(monkeypatch, 0.2)
    job(house)
    assert state(house, done).hashes == () and state(house, done).state == DONE
    with house.platform.database.read() as connection:
        assert connection.execute(sa.select(erasure_table.c.hashes)).scalar_one() == "[]"


def test_nothing_is_looked_through_where_nothing_came(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    send_both(house)
    for one in (ANN, BOB):
        assert erase(house.platform, one).state == DONE
    later(monkeypatch, 1)
    house.send(click(uid=ANN), received=clock.now_ms())
    looks = _counted(monkeypatch)
    assert job(house) == "nobody waits to be forgotten" and looks == []
    house.send(click(uid="carl"), received=clock.now_ms() - 2 * clock.DAY_MS)
    assert job(house) == "nobody waits to be forgotten" and len(looks) == 1, "one look for both"
    assert job(house) == "nobody waits to be forgotten" and len(looks) == 1


def test_a_wish_that_waits_for_a_hold_is_looked_for_when_the_holds_change(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    send_both(house)
    hold(house)
    wish = erase(house.platform, ANN)
    later(monkeypatch, 0.1)
    job(house)
    looks = _counted(monkeypatch)
    assert "a legal hold keeps 3 of its rows" in job(house) and looks == []
    hold(house, lifted=True)
    assert "done, 6 rows went" in job(house) and len(looks) == 1
    assert state(house, wish).state == DONE


def _counted(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What is looked for in the log from now on."""
    looks: list[object] = []
    look = erasure.person_log.look

    def counted(*args: Any) -> Any:
        looks.append(args)
        return look(*args)

    monkeypatch.setattr(erasure.person_log, "look", counted)
    return looks


def test_a_line_of_a_held_schema_that_waits_in_one_hosts_log_keeps_the_wish_open(
    house: House,
) -> None:
    seen_lately(house, AWAY)
    hold(house)
    write_elsewhere(house, [click(uid=ANN)], clock.now_ms() - 60_000)
    wish = erase(house.platform, ANN)
    with on_host(AWAY):
        waits = erasure.carry_out(elsewhere(house), state(house, wish))
    assert waits.waits == [f"{AWAY}: 1 lines of its log are in no table yet"]
    job(house)
    assert state(house, wish).state == "asked"
    load_elsewhere(house)
    with on_host(AWAY):
        waits = erasure.carry_out(elsewhere(house), state(house, wish))
    assert waits.waits == ["Click_1: a legal hold keeps 1 of its rows"]
    job(house)
    assert state(house, wish).detail["held"] == {"Click_1": 1}

    hold(house, lifted=True)
    job(house)
    assert state(house, wish).state == "asked", "the line stands in the other host's log still"
    with on_host(AWAY):
        done = erasure.carry_out(elsewhere(house), state(house, wish))
    assert done.state == DONE and done.detail["held"] == {}
    assert bytes_with(house, hashed(house, ANN)) == {} and count(house, "Click_1") == 0


def test_what_only_a_host_that_is_gone_held_keeps_no_wish_open(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen_lately(house, AWAY)
    send_both(house)
    hold(house)
    wish = erase(house.platform, ANN)
    elsewhere(house).log_folder.mkdir(parents=True)
    with on_host(AWAY):
        erasure.carry_out(elsewhere(house), state(house, wish))
    hold(house, lifted=True)
    job(house)
    assert state(house, wish).state == "asked"
    later(monkeypatch, 3)
    assert "done" in job(house) and state(house, wish).detail["held"] == {}
