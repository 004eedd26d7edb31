"""The page of erasures: for admins alone, and nothing goes before the numbers were shown."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from eventlogging.jobs import erasure_duties
from eventlogging.retention import erasure
from eventlogging.store.fixed import audit
from tests.console import BROWSER, House, csrf
from tests.integration.test_erasure import ANN, BOB, CLICK, PRIVACY, count, send_both


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(f"sqlite:///{tmp_path / 'var' / 'eventlogging.db'}", tmp_path / "var")
    made.publish("Click", CLICK, privacy=PRIVACY)
    yield made
    made.close()


def post(house: House, path: str, ids: str) -> tuple[int, str]:
    token = csrf(house.page("/erasures"))
    answer = house.client.post(path, data={"csrf": token, "ids": ids}, headers=BROWSER)
    return answer.status_code, answer.text


def test_strangers_find_no_such_page(house: House) -> None:
    assert house.client.get("/erasures", headers=BROWSER).status_code == 404
    for path in ("/erasures", "/erasures/find", "/erasures/export"):
        assert house.client.post(path, data={"ids": ANN}).status_code in (400, 403, 404)


def test_a_person_is_looked_for_first_then_erased_by_the_job(house: House) -> None:
    send_both(house)
    house.sign_in()
    assert "Nobody has asked to be forgotten yet" in house.page("/erasures")

    status, page = post(house, "/erasures/find", ANN)
    assert status == 200 and "6 rows of this person" in page and "blanked where they stand" in page
    assert count(house, "Click_1") == 9

    status, _ = post(house, "/erasures", ANN)
    assert status == 303 and count(house, "Click_1") == 9
    assert "has not looked through its log yet" in house.page("/erasures")

    result = erasure_duties.carry_out_erasures(house.platform, "2026-11-22 03:00")
    assert result.outcome == "done" and "6 rows went" in result.detail
    assert count(house, "Click_1") == 6
    page = house.page("/erasures")
    assert "done" in page and ANN not in page
    assert "the database forgets it 14 days after it is done" in page
    nobody = erasure_duties.carry_out_erasures(house.platform, "2026-11-22 03:10")
    assert nobody.detail == "nobody waits to be forgotten"


def test_the_export_is_downloaded_and_the_audit_names_nobody(house: House) -> None:
    send_both(house)
    house.sign_in()
    status, text = post(house, "/erasures/export", f"{ANN}\n{BOB}")
    assert status == 200 and len(json.loads(text)["events"]) == 6
    post(house, "/erasures/find", ANN)
    with house.platform.database.read() as connection:
        entries = connection.execute(sa.select(audit)).all()
    assert {"erasure.export", "erasure.find"} <= {entry.action for entry in entries}
    assert ANN not in str(entries)


def test_without_an_id_nothing_is_asked(house: House) -> None:
    house.sign_in()
    for path in ("/erasures", "/erasures/find"):
        status, page = post(house, path, " \n")
        assert status == 400 and "say whom" in page
    assert erasure.unfinished(house.platform.database) == []


def test_a_person_that_is_nowhere_is_said_to_be(house: House) -> None:
    house.sign_in()
    status, page = post(house, "/erasures/find", "nobody-0")
    assert status == 200 and "There is nothing of this person" in page
