"""Bodies of proposals: JSON and YAML 1.2 within bounds."""

import time

import pytest

from eventlogging.console.schema_body import Unreadable, read_json, read_yaml, reader_of

BOMB = b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(
    b"%c: &%c [%s]\n" % (98 + n, 98 + n, b",".join([b"*%c" % (97 + n)] * 9)) for n in range(8)
)


def test_yaml_is_read_by_the_rules_of_its_version_1_2() -> None:
    text = b"""
    schema:
      type: object
      properties:
        answer: {enum: [yes, no, on, 'true', "1"]}
      maxProperties: 0x10
      default: 2026-11-22
    sampling: {rate: .5}
    owners: [a@b.org]
    nothing: ~
    flag: true
    """
    assert read_yaml(text) == {
        "schema": {
            "type": "object",
            "properties": {"answer": {"enum": ["yes", "no", "on", "true", "1"]}},
            "maxProperties": 16,
            "default": "2026-11-22",
        },
        "sampling": {"rate": 0.5},
        "owners": ["a@b.org"],
        "nothing": None,
        "flag": True,
    }


def test_an_alias_stands_for_what_its_anchor_holds() -> None:
    assert read_yaml(b"a: &x {type: string}\nb: *x\n")["b"] == {"type": "string"}


@pytest.mark.parametrize(
    "body",
    [
        BOMB,
        b"&a [*a]",
        b"a: !!python/object/apply:os.system ['true']",
        b"<<: {a: 1}",
        b"--- 1\n--- 2",
        b"",
        b"a: [b",
        b"a: 1\na: 2",
        b"1: 2",
        b"a: .nan",
        b"a: " + b"9" * 5000,
        b"a: \xff",
        b"[" * 100_000,
        b"- " * 100_000,
        b"[[]," * 800 + b"]" * 800,
        b"[" + b"a," * 130_000 + b"]",
        b"x" * (256 * 1024 + 1),
    ],
    ids=lambda body: repr(body[:20]),
)
def test_yaml_beyond_the_bounds_is_refused_within_a_second(body: bytes) -> None:
    began = time.process_time()
    with pytest.raises(Unreadable):
        read_yaml(body)
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"NaN", b"1e400", b'{"a":1,"a":2}', b"[" * 100_000, b"\xff", b"9" * 5000,
     b"[" * 200 + b"]" * 200],
    ids=lambda body: repr(body[:20]),
)  # fmt: skip
def test_json_beyond_the_bounds_is_refused(body: bytes) -> None:
    with pytest.raises(Unreadable):
        read_json(body)


def test_the_media_type_chooses_the_reader() -> None:
    assert reader_of("application/json; charset=utf-8") is read_json
    assert reader_of("application/schema+json") is read_json
    assert reader_of("Application/YAML") is read_yaml
    assert reader_of("text/plain") is None
    assert reader_of("") is None
