"""The privacy cost: what fields look like, who stands alone, what will be stored; measured."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eventlogging import clock
from eventlogging.review import privacy_cost as module
from eventlogging.review.field_table import FieldTable
from eventlogging.review.privacy_cost import FieldCost, PrivacyCost, privacy_cost
from tests.console import House

VISIT: dict[str, Any] = {
    "type": "object",
    "properties": {
        "page": {"type": "string", "maxLength": 200},
        "contact": {"type": "string", "maxLength": 200},
        "note": {"type": "string"},
        "userId": {"type": "integer"},
        "device": {"type": "string", "maxLength": 64},
        "tags": {"type": "array", "items": {"type": "string"}},
        "city": {"enum": ["Bern", "Genf", "Basel"]},
        "age": {"type": "integer"},
        "at": {"type": "object", "properties": {"address": {"type": "string"}}},
    },
}
PRIVACY = {"/userId": "hmac"}


@pytest.fixture
def house(database_url: str, tmp_path: Path) -> Iterator[House]:
    house = House(database_url, tmp_path / "var")
    yield house
    house.close()


def cost(house: House, name: str = "Visit", document: Any = VISIT, **more: Any) -> PrivacyCost:
    house.platform.registry.refresh()
    settings: dict[str, Any] = {
        "privacy": PRIVACY, "examples": (), "sampling_rate": 1.0, "now_ms": clock.now_ms()
    } | more  # fmt: skip
    snapshot = house.platform.registry.snapshot
    return privacy_cost(house.platform.database, snapshot, name, document, **settings)


def field(found: PrivacyCost, pointer: str) -> FieldCost:
    return next(one for one in found.fields if one.pointer == pointer)


def send(house: House, *events: dict[str, Any]) -> None:
    house.send(*({"schema": "Visit", "event": event} for event in events))


def test_what_values_look_like_is_said_of_each_field(house: House) -> None:
    house.publish("Visit", VISIT, privacy=PRIVACY)
    send(
        house,
        {"page": "/search?q=cough+syrup", "contact": "ann@example.org", "userId": 12345},
        {"page": "/", "contact": "+41 31 300 00 00", "note": "I cannot find the page I printed"},
        {"contact": "10.20.30.40", "device": "9f8b3c1e-7a64-4c58-9f7e-0a1b2c3d4e5f"},
        {"contact": "2001:db8::1", "tags": ["blue", "bob@example.org"]},
        {"at": {"address": "someone@example.org"}},
    )
    found = cost(house)
    assert found.looked_at == 5
    assert field(found, "/page").findings[-1] == (
        "is an address with a query, which may carry anything: 1 of 2 distinct values that came"
    )
    assert [text.split(":")[0] for text in field(found, "/contact").findings[1:]] == [
        "looks like an e-mail address", "looks like an IP address", "looks like a phone number",
    ]  # fmt: skip
    assert "takes any text" in field(found, "/note").findings
    assert any("free text" in text for text in field(found, "/note").findings)
    assert any("looks like an id" in text for text in field(found, "/device").findings)
    assert any("e-mail" in text for text in field(found, "/tags/*").findings)
    assert any("e-mail" in text for text in field(found, "/at/address").findings)
    assert field(found, "/city").findings == ()
    assert field(found, "/contact").distinct == 4
    assert field(found, "/age").distinct == 0


def test_a_treated_field_is_named_as_treated_and_its_hashes_are_no_finding(house: House) -> None:
    house.publish("Visit", VISIT, privacy=PRIVACY)
    send(house, *({"userId": number} for number in range(50)))
    treated = field(cost(house), "/userId")
    assert treated.treatment == "hmac"
    assert treated.findings == ("is named like an id of a person or a device",)
    assert treated.distinct == 50
    # Without the treatment, hashes of earlier days are no finding either.
    assert field(cost(house, privacy={}), "/userId").findings == treated.findings


def test_fields_that_together_single_out_people_are_found(house: House) -> None:
    house.publish("Visit", VISIT, privacy=PRIVACY)
    dice = random.Random(7)
    send(
        house,
        *(
            {
                "city": dice.choice(["Bern", "Genf", "Basel"]),
                "age": dice.randrange(20),
                "device": f"model {dice.randrange(10)}",
                "userId": number,
            }
            for number in range(400)
        ),
    )
    found = cost(house)
    groups = dict(found.singled_out)
    everything, share = found.singled_out[0]
    assert set(everything) == {"/age", "/device", "/city"}
    assert share > 0.4 > groups["/age", "/device"] > 0.05
    # One field alone singles out next to nobody, and what privacy treats is not tried.
    assert not any(len(group) == 1 or "/userId" in group for group in groups)


def test_few_events_single_out_nobody(house: House) -> None:
    house.publish("Visit", VISIT, privacy=PRIVACY)
    send(house, *({"age": number} for number in range(20)))
    assert cost(house).singled_out == ()


def test_a_new_schema_is_judged_by_its_examples_and_words_alone(house: House) -> None:
    examples = [
        {"name": "a", "passes": True, "payload": {"contact": "ann@example.org"}},
        {
            "name": "b",
            "passes": False,
            "payload": {"note": "call 031 300 00 00 to hear more"},
        },
    ]
    found = cost(house, "Brandnew", examples=examples)
    assert (found.looked_at, found.rows_per_day, found.mb_per_day) == (0, None, None)
    assert found.singled_out == ()
    assert field(found, "/contact").distinct is None
    assert "looks like an e-mail address: 1 of 1 values in the examples" in (
        field(found, "/contact").findings
    )
    assert field(found, "/note").findings == ("takes any text",)
    assert field(cost(house, "Brandnew", examples=[{"age": 3}]), "/age").findings == ()


@pytest.mark.parametrize("examples", [None, {}, 7, "text", [1, None, []], {"pass": [3]}])
def test_examples_of_any_form_are_taken(house: House, examples: Any) -> None:
    assert cost(house, "Brandnew", examples=examples).looked_at == 0


@pytest.mark.parametrize("document", [None, 3, [], {"type": 5}, {"$ref": "/Nobody/1.0.0"}])
def test_a_document_that_is_none_costs_nothing(house: House, document: Any) -> None:
    assert cost(house, "Brandnew", document).fields == ()


def test_the_rate_decides_what_is_expected_to_be_stored(house: House) -> None:
    house.publish("Visit", VISIT, privacy=PRIVACY, sampling={"rate": 1.0, "unit": "session"})
    now = clock.now_ms()
    events = [{"schema": "Visit", "event": {"page": "x" * 100}} for _ in range(30)]
    for day in (3, 2, 1):
        house.send(*events, received=now - day * clock.DAY_MS)
    whole, tenth = cost(house, now_ms=now), cost(house, sampling_rate=0.1, now_ms=now)
    assert whole.rows_per_day == pytest.approx(30, rel=0.01)
    assert tenth.rows_per_day == pytest.approx(3, rel=0.01)
    assert whole.mb_per_day is not None and 0.003 < whole.mb_per_day < 0.03
    assert tenth.mb_per_day == pytest.approx(whole.mb_per_day / 10)


def test_what_a_sample_stands_for_is_weighted_back(house: House) -> None:
    house.publish("Visit", VISIT, privacy=PRIVACY)
    house.send(*({"schema": "Visit", "event": {"age": 3}, "sample_rate": 0.01} for _ in range(10)))
    assert cost(house).rows_per_day == pytest.approx(1000)


def test_no_more_rows_are_read_than_allowed_and_no_longer(house: House) -> None:
    house.publish("Visit", VISIT, privacy=PRIVACY)
    send(house, *({"age": number % 7} for number in range(300)))
    assert cost(house, most=120).looked_at == 120
    hurried = cost(house, seconds=0.0)
    assert not hurried.complete
    assert 0 < hurried.looked_at <= 300


def test_twenty_thousand_rows_of_25_fields_take_seconds_at_most() -> None:
    dice = random.Random(3)
    table = FieldTable()
    names = [f"field{number}" for number in range(25)]
    rows = [
        {
            name: dice.randrange(10**place) if place % 2 else f"{name} {dice.random()}"
            for place, name in enumerate(names, 1)
        }
        for _ in range(20_000)
    ]
    began = time.process_time()
    for row in rows:
        table.add(row)
    for pointer in table.columns:
        module._field_cost(pointer, None, table, FieldTable(), {})
    assert module._singled_out(table, {}, time.monotonic() + 60)
    assert time.process_time() - began < 3
