"""Bodies as they come: what a JSON parser would hide is seen, and only the bad event suffers."""

from __future__ import annotations

import json
import time

import pytest

from eventlogging.intake.decode import decode, flaw


def code_of(body: bytes, max_depth: int = 64) -> str:
    decoded = decode(body, max_batch=100)
    return decoded.code or flaw(decoded.events[0], max_depth=max_depth)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "malformed_json"),
        (b"{", "malformed_json"),
        (b'{"a":1} x', "malformed_json"),
        (b"NaN", "malformed_json"),
        (b'{"a":Infinity}', "malformed_json"),
        (b'{"a":1e400}', "number_out_of_range"),
        (b'{"a":18446744073709551616}', "number_out_of_range"),
        (b'{"a":9223372036854775808}', "number_out_of_range"),
        (b'{"a":-9223372036854775809}', "number_out_of_range"),
        (b'{"a":' + b"9" * 4300 + b"}", "number_out_of_range"),
        (b'{"a":[{"b":' + b"9" * 30 + b"}]}", "number_out_of_range"),
        (b'{"a":1,"a":2}', "duplicate_key"),
        (b'{"a":{"b":1,"b":1}}', "duplicate_key"),
        (b'{"a":[[{"b":1, "b":1}]]}', "duplicate_key"),
        (b'{"a":"\xff"}', "bad_encoding"),
        (b'{"a":"\\ud800"}', "bad_encoding"),
        (b'{"a":"\\u0000"}', "nul_character"),
        (b'{"a":[["\\u0000"]]}', "nul_character"),
        (b'{"\\u0000":1}', "nul_character"),
        (b"[" * 100_000 + b"]" * 100_000, "too_deep"),
        (b'{"a":' + b"[" * 70 + b"]" * 70 + b"}", "too_deep"),
        (b"[]", "empty_batch"),
        (b"[" + b"{}," * 100 + b"{}]", "batch_too_large"),
        (b"1", "not_an_event"),
        (b"null", "not_an_event"),
        (b'"text"', "not_an_event"),
        (b"[[]]", "not_an_event"),
    ],
)
def test_a_flawed_body_has_its_own_code(body: bytes, code: str) -> None:
    start = time.monotonic()
    assert code_of(body) == code
    assert time.monotonic() - start < 1


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":1}',
        b'{ "a" : 1 ,\n "b" : [ 1.0, 1e5, "\\u00e9" ] }',
        '{"a":"💙 é"}'.encode(),
        b'{"a":9223372036854775807,"b":-9223372036854775808}',
        b'{"a":{"b":{"c":[]}}}',
        b'{"a b":1,"ab":2}',
    ],
)
def test_a_sound_body_gives_what_json_says(body: bytes) -> None:
    decoded = decode(body, max_batch=100)
    assert decoded.code == ""
    assert flaw(decoded.events[0], max_depth=64) == ""
    assert decoded.events[0] == json.loads(body)


def test_one_flawed_event_leaves_its_batch_alone() -> None:
    decoded = decode(b'[{"a":1},{"a":1,"a":2},{"a":99999999999999999999},5]', max_batch=100)
    codes = [flaw(event, max_depth=64) for event in decoded.events]
    assert codes == ["", "duplicate_key", "number_out_of_range", "not_an_event"]
