"""What the KPI back end's address makes of a request, before it is judged."""

from __future__ import annotations

import json
from typing import Any

import pytest

from eventlogging.collector import answers, wsapi
from eventlogging.collector.answers import Answer
from eventlogging.intake.context import Context
from eventlogging.intake.decode import Body, Flaw, flaw
from eventlogging.intake.seal import PrivacyKey

KEY = PrivacyKey("of all heads")
EXACT = 1_795_320_096_533


def token_and_cookie(key: str = "secret") -> dict[str, str]:
    answer = wsapi.session_context({}, key, is_secure=True)
    cookie = answer.headers[0][1].decode()
    assert cookie.endswith("; Path=/wsapi; HttpOnly; SameSite=Lax; Secure")
    return {"x-csrf-token": json.loads(answer.body)["csrf_token"], "cookie": cookie.split(";")[0]}


def read(body: bytes, headers: dict[str, str], most: int = 10) -> Body | Answer:
    return wsapi.documents(body, headers, "secret", most=most)


def test_a_cookie_keeps_its_token() -> None:
    first = token_and_cookie()
    again = wsapi.session_context({"cookie": first["cookie"]}, "secret", is_secure=True)
    assert json.loads(again.body)["csrf_token"] == first["x-csrf-token"]


def test_a_token_of_another_key_opens_nothing() -> None:
    refused = read(b"{}", token_and_cookie("another"))
    assert isinstance(refused, Answer)
    assert refused.status == 403


def test_what_cannot_be_kept_is_no_server_error_and_is_tried_again() -> None:
    later = wsapi.later(answers.unavailable("the disk is full"))
    assert later.status == 429
    assert (b"retry-after", b"5") in later.headers


def test_documents_are_those_of_data_or_the_body_without_its_token() -> None:
    right = token_and_cookie()
    alone = read(b'{"a": 1}', right)
    assert isinstance(alone, Body)
    assert alone.events == ({"a": 1},)
    inside = json.dumps({"csrf": right["x-csrf-token"], "data": [{"a": 1}, {"a": 2}]}).encode()
    both = read(inside, {"cookie": right["cookie"]})
    assert isinstance(both, Body)
    assert both.events == ({"a": 1}, {"a": 2})
    assert both.is_batch, "each document is as large as it is, not as all of them"
    many = read(inside, {"cookie": right["cookie"]}, most=1)
    assert isinstance(many, Body)
    assert many.code == "batch_too_large"


def test_what_is_exact_is_made_coarse_and_the_stream_stays() -> None:
    stream = [["picker", 732.5]]
    document = {"timestamp": 1_795_320_096_533, "event_stream": stream, "sample_rate": 0.25}
    context = wsapi.coarsened(Context(received=1_795_320_096_533, user_agent="curl/8.1"))
    made = wsapi.as_capsules(Body((document, dict(document), 7)), "Dialog", context, KEY)
    one, other, none = made.events
    assert context.received % wsapi.STEP_MS == 0
    assert one["dt"] == one["event"]["timestamp"] == context.received
    assert one["event"]["event_stream"] == stream
    assert one["event"]["user_agent"] == {"browser": "curl", "version": "8"}
    assert one["sample_rate"] == 0.25
    assert one["id"] == other["id"]
    assert none == {"schema": "Dialog", "event": 7}
    assert document["timestamp"] == 1_795_320_096_533, "what was sent is not changed"


def capsule(document: Any, key: PrivacyKey = KEY) -> Any:
    context = wsapi.coarsened(Context(received=EXACT))
    (made,) = wsapi.as_capsules(Body((document,)), "Dialog", context, key).events
    return made


def test_nobody_without_the_key_can_try_out_what_time_an_id_was_made_from() -> None:
    document = {"timestamp": EXACT, "event_stream": []}
    assert capsule(document)["id"] == capsule(dict(document), PrivacyKey("of all heads"))["id"]
    assert capsule(document)["id"] != capsule(document, PrivacyKey("another"))["id"]


def test_a_key_given_twice_is_still_seen() -> None:
    right = token_and_cookie()
    body = read(b'{"timestamp": 1, "csrf": "x", "timestamp": 2}', right)
    assert isinstance(body, Body)
    (made,) = wsapi.as_capsules(body, "Dialog", Context(0), KEY).events
    assert flaw(made, max_depth=9) == "duplicate_key"
    hiding = read(b'{"data": [{"a": 1}], "data": [{"a": 2}]}', right)
    assert isinstance(hiding, Body)
    assert hiding.code == "duplicate_key"


@pytest.mark.parametrize(
    "stamp", [EXACT, float(EXACT), EXACT * 1000, EXACT * 1_000_000, "2026-11-22T03:41:36.533Z"]
)
def test_no_timestamp_stays_exact_whatever_it_is_written_as(stamp: Any) -> None:
    text = json.dumps(capsule({"timestamp": stamp})["event"])
    assert "96533" not in text
    assert "36.5" not in text


def test_a_document_that_cannot_be_taken_is_coarse_as_well() -> None:
    flawed = {"timestamp": EXACT, "user_agent": "curl/8.1", "n": Flaw("number_out_of_range")}
    assert capsule(flawed)["event"]["timestamp"] % wsapi.STEP_MS == 0
    assert capsule(flawed)["event"]["user_agent"] == {"browser": "curl", "version": "8"}
    assert capsule([{"timestamp": EXACT}])["event"] == []


@pytest.mark.parametrize("stamp", [1e300, -1e300, -5, None, True, {}, 2.0**63])
def test_what_is_no_time_is_left_to_the_schema(stamp: Any) -> None:
    made = capsule({"timestamp": stamp})
    assert made["event"]["timestamp"] is stamp
    json.dumps(made)


def test_who_says_no_in_a_document_is_believed() -> None:
    assert capsule({"consent": False})["consent"] is False
    right = token_and_cookie()
    for body in (b'{"consent": false, "data": [{}]}', b'{"consent": false, "events": [{}]}'):
        found = read(body, right)
        assert isinstance(found, Body)
        assert found.parcel == {"consent": False}
