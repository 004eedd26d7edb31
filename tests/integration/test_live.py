"""The live tail: what was sent a moment ago, with its verdict and the exact path of each error."""

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from eventlogging import clock
from eventlogging.store.fixed import test_event as tests_of_keys
from tests.console import BROWSER, House
from tests.integration.test_console_pages import ATTACK, check_clean, words_of
from tests.people import browser_of

PATH = "/schemas/Click/live"


@pytest.fixture
def house(database_url: str, tmp_path: Path) -> Iterator[House]:
    house = House(database_url, tmp_path / "var")
    house.publish(examples=[{"name": "a", "passes": True, "payload": {"target": "x"}}])
    yield house
    house.close()


@pytest.fixture
def analyst(house: House) -> FlaskClient:
    return browser_of(house, "an@example.org", "analyst")


def look(client: FlaskClient, query: str = "") -> str:
    answer = client.get(f"{PATH}{query}", headers=BROWSER)
    assert answer.status_code == 200, answer.text
    check_clean(answer.text)
    return answer.text


def polling(page: str) -> str:
    return unescape(re.findall(r'hx-get="([^"]+)"', page)[0])


def add_test(house: House, event: str = "{}", errors: str = "[]", code: str = "") -> None:
    with house.platform.database.write() as connection:
        connection.execute(
            sa.insert(tests_of_keys).values(
                segment="s", offset=0, index=0, received=clock.iso(clock.now_ms()),
                key_name="my laptop", schema="Click", version="1.0.0",
                outcome="invalid" if code else "valid", code=code, errors=errors, event=event,
            )
        )  # fmt: skip


def test_an_empty_tail_teaches_with_a_line(analyst: FlaskClient) -> None:
    page = look(analyst)
    assert "No event yet" in page
    assert "curl -sS" in page


def test_valid_and_refused_are_told_apart_by_word_and_place(
    house: House, analyst: FlaskClient
) -> None:
    house.send(
        {"schema": "Click", "event": {"target": "good-one", "count": 3}},
        {"schema": "Click", "event": {"target": 17, "at": {"x": "left"}}},
    )
    text = words_of(page := look(analyst))
    assert "2 newest: 1 valid, 1 refused" in text
    assert "✓ valid" in text
    assert "✗ refused" in text
    assert "/target a text; found the number 17" in text
    assert '/at/x a number; found the text "left"' in text
    assert "good-one" in text
    assert '<li class="valid">' in page
    assert '<li class="invalid">' in page


def test_the_page_asks_again_and_only_what_is_new_is_sent(
    house: House, analyst: FlaskClient
) -> None:
    page = look(analyst)
    assert 'hx-trigger="every 2s"' in page
    assert analyst.get(polling(page)).status_code == 204
    house.send({"schema": "Click", "event": {"target": "fresh"}})
    part = analyst.get(polling(page))
    assert part.status_code == 200
    assert "fresh" in part.text
    assert "<html" not in part.text
    assert part.text.lstrip().startswith('<div id="tail"')
    assert analyst.get(polling(part.text)).status_code == 204
    paused = look(analyst, "?pause=1")
    assert "hx-get" not in paused
    assert "fresh" in paused


def test_a_clock_that_is_wrong_hides_nobody(house: House, analyst: FlaskClient) -> None:
    ahead = clock.iso(clock.now_ms() + 3_600_000)
    events = [
        {"schema": "Click", "event": {"target": f"ahead-{n}"}, "dt": ahead} for n in range(60)
    ]
    house.send(*events, received=clock.now_ms() - 5000)
    house.send({"schema": "Click", "event": {"target": "right-now"}})
    text = words_of(look(analyst))
    assert "right-now" in text
    assert "ahead-" in text


def test_what_test_keys_send_is_marked(house: House, analyst: FlaskClient) -> None:
    problem = '[{"pointer":"/target","rule":"type","found":"the number 1","expected":"a text"}]'
    add_test(house, '{"target":1}', problem, "type_mismatch")
    house.send({"schema": "Click", "event": {"target": "real"}})
    text = words_of(look(analyst))
    assert "✗ refused test" in text
    assert "key my laptop" in text
    alone = words_of(look(analyst, "?only=test"))
    assert "/target a text; found the number 1" in alone
    assert "real" not in alone
    assert "test" not in words_of(analyst.get("/schemas/Click", headers=BROWSER).text).split()


def test_refused_ones_can_be_seen_alone(house: House, analyst: FlaskClient) -> None:
    house.send({"schema": "Click", "event": {"target": "fine"}}, {"schema": "Click", "event": {}})
    text = words_of(look(analyst, "?only=refused"))
    assert "missing_field" in text
    assert "fine" not in text
    assert analyst.get(f"{PATH}?only=blue", headers=BROWSER).status_code == 400


def test_viewers_see_paths_and_no_values(house: House) -> None:
    house.send(
        {"schema": "Click", "event": {"target": "of-a-person"}},
        {"schema": "Click", "event": {"target": 4711, "note": "of-a-person"}},
    )
    add_test(house, '{"target":"of-a-person"}')
    viewer = browser_of(house, "vi@example.org")
    text = words_of(look(viewer))
    assert "/target a text" in text
    assert "of-a-person" not in text
    assert "4711" not in text
    page = viewer.get("/schemas/Click", headers=BROWSER).text
    assert "/target" in page
    assert "of-a-person" not in page
    assert "4711" not in page


def test_strangers_see_nothing_live(house: House, analyst: FlaskClient) -> None:
    assert house.client.get(PATH, headers=BROWSER).status_code == 404
    assert analyst.get("/schemas/Nope/live", headers=BROWSER).status_code == 404


def test_a_schema_may_be_named_like_an_address_below_another(house: House) -> None:
    for last in ("live", "sampling", "state"):
        house.publish(f"Click/{last}")
        assert f"<h1>Click/{last} has no events" in house.page(f"/schemas/Click/{last}")


def test_attacks_are_shown_as_text(house: House, analyst: FlaskClient) -> None:
    house.send(
        {"schema": "Click", "event": {"target": ATTACK}, "client": ATTACK},
        {"schema": "Click", "event": {ATTACK: ATTACK}},
    )
    page = look(analyst)
    assert "<script>alert" not in page
    assert "49{" not in page
    assert "&lt;script&gt;alert" in page
