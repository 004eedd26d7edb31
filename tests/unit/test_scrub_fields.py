"""What remains of a payload: what the rule lists, as it lists it, and nothing else."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventlogging.governance.model import pointer_of
from eventlogging.retention.buckets import browser_of, cut_time, floor_to
from eventlogging.retention.epochs import EpochKey
from eventlogging.retention.policy import Kept, Scrub, policy_of
from eventlogging.retention.scrub_fields import ScrubRefused, Stripping, stripping
from eventlogging.retention.scrub_rows import compile_rows
from eventlogging.schema.codec import compile_decoder, compile_encoder
from eventlogging.schema.columns import Column, ColumnPlan, Kind
from eventlogging.schema.plan import plan_columns
from tests.strategies import payloads_for, same, schemas

NOVEMBER = EpochKey("2026-11", b"n" * 32)
DECEMBER = EpochKey("2026-12", b"d" * 32)
DOCUMENT: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "uid": {"type": "string"},
        "took": {"type": "integer"},
        "ratio": {"type": "number"},
        "when": {"type": "string", "format": "date-time"},
        "agent": {"type": "string"},
        "page": {
            "type": "object",
            "properties": {
                "id": {"type": "integer"},
                "space": {"type": "string", "maxLength": 20},
                "owner": {"type": "object", "properties": {"name": {"type": "string"}}},
            },
        },
        "tags": {"type": "array", "items": {"type": "string"}},
        "people": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"uid": {"type": "string"}, "age": {"type": "integer"}},
            },
        },
        "free": {"type": "object"},
    },
}
PLAN = plan_columns(DOCUMENT)


def rule(privacy: dict[str, str] | None = None, **scrub: Any) -> Stripping:
    """A rule as purge/<Name>.toml states it, for DOCUMENT."""
    stated = policy_of("S", {"scrub": scrub}, {}).scrub
    assert stated is not None
    return stripping(stated, privacy or {}, PLAN)


def through(made: Stripping, payload: dict[str, Any], key: EpochKey = NOVEMBER) -> dict[str, Any]:
    """What is read back from the stripped table's row."""
    values, more = compile_encoder(PLAN)(payload)
    index = {column: number for number, column in enumerate(PLAN.columns)}
    own = [values[index[column]] for column in made.sources]
    return compile_decoder(made.plan)(*compile_rows(made, made.sources)(own, more, key))


def names(made: Stripping) -> list[str]:
    return [column.name for column in made.plan.columns]


def test_a_kept_field_remains_as_it_was_and_in_the_column_it_had() -> None:
    made = rule(keep=["took", "when", "tags"])
    payload = {"took": 3, "when": "2026-11-22T03:04:05.678Z", "tags": ["a", "é"], "uid": "u"}
    assert through(made, payload) == {key: payload[key] for key in ("took", "when", "tags")}
    assert [column for column in PLAN.columns if column in made.plan.columns] == list(
        made.plan.columns
    )


def test_what_is_not_listed_goes_wherever_it_stands() -> None:
    made = rule(keep=["took", "/page/space"])
    payload = {
        "took": 3,
        "page": {"id": 7, "space": "x", "owner": {"name": "n"}, "undeclared": "secret"},
        "undeclared": {"deep": "secret"},
        "free": {"secret": 1},
        "uid": None,
    }
    assert through(made, payload) == {"took": 3, "page": {"space": "x"}}


def test_a_kept_object_remains_with_all_that_is_in_it() -> None:
    made = rule(keep=["page"])
    page: dict[str, Any] = {"id": 7, "space": None, "owner": {}, "undeclared": [1.0, {"a": None}]}
    assert same(through(made, {"page": page, "took": 1}), {"page": page})
    assert names(made) == ["event_page_id", "event_page_space", "event_page_owner_name"]


def test_a_field_inside_a_value_that_is_kept_whole_gets_a_column_of_its_own() -> None:
    made = rule(keep=["/free/a"])
    assert same(through(made, {"free": {"a": {"x": 1.0}, "b": 2}}), {"free": {"a": {"x": 1.0}}})
    assert names(made)[0].startswith("event_free_a_")
    assert made.plan.columns[0].kind is Kind.JSON


@pytest.mark.parametrize("value", [1, 1.0, 2**53 + 1, -0.0, 0.1, 5e-324, None, "x" * 300, [], {}])
def test_a_kept_value_is_exact(value: Any) -> None:
    payload = {"took": value, "ratio": value, "agent": value, "tags": value}
    assert same(through(rule(keep=list(payload)), payload), payload)


def test_a_hash_is_equal_within_a_month_and_another_in_the_next() -> None:
    made = rule(hash=["uid"])
    first, again = (through(made, {"uid": "u"})["uid"] for _ in range(2))
    assert first == again
    assert first.startswith("2026-11:") and len(first) == 64
    assert through(made, {"uid": "v"})["uid"] != first
    later = through(made, {"uid": "u"}, DECEMBER)["uid"]
    assert later.startswith("2026-12:") and later[8:] != first[8:]
    assert made.plan.columns == (made.plan.columns[0],)
    assert (made.plan.columns[0].name, made.plan.columns[0].length) == ("hash_uid", 64)


def test_the_hash_of_a_number_is_not_that_of_the_text_that_spells_it() -> None:
    assert NOVEMBER.hashed(7) != NOVEMBER.hashed("7")
    assert NOVEMBER.hashed({"a": 1, "b": 2}) == NOVEMBER.hashed({"b": 2, "a": 1})


def test_an_id_becomes_a_uuid_that_is_the_same_each_time() -> None:
    id = "e0608b4a-cbc1-4c12-b434-f06ed4f9f132"
    made = NOVEMBER.id(id)
    assert made == NOVEMBER.id(id) != id
    assert DECEMBER.id(id) != made
    assert len(made) == 36 and made[14] == "8" and made[19] in "89ab"


@pytest.mark.parametrize(
    ("value", "width", "expected"),
    [
        (1234, 100, 1200), (-1, 100, -100), (0, 5, 0), (1234.9, 100.0, 1200),
        (2**60 + 1, 2, 2**60), (0.3, 0.1, 0.3), (0.39, 0.1, 0.3), (7, 2.5, 5.0), (-0.05, 0.1, -0.1),
        (True, 10, None), ("12", 10, None), (None, 10, None), ([1], 10, None), (1e300, 0.1, 1e300),
        (1e20, 100, 1e20), (-1e20, 7, -1e20), (1.7e308, 1e308, 1e308), (-1.7e308, 1e308, None),
        (-(2**63), 1000, -(2.0**63)),
    ],
)  # fmt: skip
def test_a_number_is_cut_to_its_width(value: Any, width: float, expected: Any) -> None:
    found = floor_to(value, width)
    assert found == expected
    if found is not None:
        assert floor_to(found, width) == found


@given(st.integers(-(2**63) + 10**6, 2**63), st.integers(1, 10**6))
def test_a_cut_number_lies_less_than_a_width_below(value: int, width: int) -> None:
    found = floor_to(value, width)
    assert found is not None and found % width == 0 and 0 <= value - found < width


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(1, 10**12))
def test_any_number_that_is_cut_can_be_written_and_stays_when_it_is_cut_again(
    value: float, width: int
) -> None:
    found = floor_to(value, width)
    assert found is not None and found <= value
    assert orjson.loads(orjson.dumps(found)) == found
    assert floor_to(found, width) == found


@pytest.mark.parametrize("kind", [Kind.DOUBLE, Kind.BIGINT])
def test_a_number_beyond_64_bits_is_cut_and_stored(kind: Kind) -> None:
    plan = ColumnPlan((Column("/n", "event_n", kind),))
    rule = stripping(Scrub((Kept("/n", "bucket", 100),)), {}, plan)
    strip = compile_rows(rule, rule.sources)
    values, more = strip([None], '{"n":1e20}', NOVEMBER)
    assert compile_decoder(rule.plan)(values, more) == {"n": 1e20}


@pytest.mark.parametrize(
    ("value", "part", "expected"),
    [
        ("2026-11-22T03:04:05.678Z", "hour", "2026-11-22T03"),
        ("2026-11-22T03:04:05.678Z", "day", "2026-11-22"),
        ("2026-11-22T03:04:05Z", "month", "2026-11"),
        ("2026-11-22T03:04:05Z", "year", "2026"),
        ("2026-11-22T23:30:00-05:00", "day", "2026-11-23"),
        ("2026-12-31T23:59:60Z", "hour", "2026-12-31T23"),
        ("2026-11-22", "hour", "2026-11-22"),
        ("2026-11-22T03", "day", "2026-11-22"),
        ("2026-11", "day", "2026-11"),
        ("yesterday at Ann's", "day", None),
        ("0001-01-01T00:00:00+14:00", "day", None),
        (1795320096533, "day", None),
    ],
)
def test_a_time_is_cut_to_its_part(value: Any, part: str, expected: str | None) -> None:
    assert cut_time(value, part) == expected
    if expected is not None:
        assert cut_time(expected, part) == expected


def test_of_a_user_agent_its_family_remains() -> None:
    header = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    assert browser_of(header) == "Firefox"
    assert browser_of("my name is Ann") is None
    made = rule(bucket={"agent": "browser"})
    assert through(made, {"agent": header}) == {"agent": "Firefox"}
    assert names(made) == ["browser_agent"]


def test_buckets_of_numbers_stay_numbers_and_what_cannot_be_cut_goes() -> None:
    made = rule(bucket={"took": 100, "ratio": 0.5, "when": "day"})
    payload = {"took": 1234, "ratio": 0.9, "when": "2026-11-22T03:04:05.678Z"}
    assert same(through(made, payload), {"took": 1200, "ratio": 0.5, "when": "2026-11-22"})
    kinds = {column.name: column.kind for column in made.plan.columns}
    assert kinds == {
        "bucket_took": Kind.DOUBLE, "bucket_ratio": Kind.DOUBLE, "time_when": Kind.VARCHAR
    }  # fmt: skip
    assert through(made, {"took": "secret", "when": "secret", "ratio": True}) == {}
    assert through(made, {"took": None}) == {"took": None}


def test_a_field_of_each_item_of_an_array_is_picked_out() -> None:
    made = rule(hash=["/people/*/uid"], bucket={"/people/*/age": 10})
    people = [{"uid": "u", "age": 34, "name": "Ann"}, {"age": "secret"}, 7]
    found = through(made, {"people": people})["people"]
    assert found == [{"uid": NOVEMBER.hashed("u"), "age": 30}]
    assert names(made) == ["event_people"]


def test_a_private_field_is_never_left_unhashed() -> None:
    for scrub in ({"keep": ["uid"]}, {"bucket": {"uid": "browser"}}):
        with pytest.raises(ScrubRefused, match="/uid is private"):
            rule({"/uid": "hmac"}, **scrub)
    with pytest.raises(ScrubRefused, match="/page would remain"):
        rule({"/page/owner/name": "hmac"}, keep=["page"])
    with pytest.raises(ScrubRefused, match="/page/id would remain"):
        rule({"/page": "drop"}, keep=["/page/id"])
    with pytest.raises(ScrubRefused):
        rule({"/people/*/uid": "hmac"}, keep=["people"])
    assert names(rule({"/uid": "hmac"}, hash=["uid"])) == ["hash_uid"]


def test_fields_that_hold_each_other_are_refused() -> None:
    for pair in (["page", "/page/id"], ["/page/id", "page"]):
        with pytest.raises(ScrubRefused, match="beside a field"):
            rule(keep=pair)
    with pytest.raises(ScrubRefused):
        rule(keep=["/people/*/age"], hash=["people"])


def test_a_wide_schema_overflows_and_nothing_is_lost() -> None:
    document = {
        "type": "object",
        "properties": {f"f{n}": {"type": "string"} for n in range(1000)},
    }
    plan = plan_columns(document)
    scrub = Scrub(tuple(Kept(pointer_of(f"f{n}"), "keep") for n in range(1000)))
    made = stripping(scrub, {}, plan)
    assert plan.overflow and made.plan.overflow
    payload = {f"f{n}": f"v{n}" for n in range(1000)} | {"undeclared": "secret"}
    values, more = compile_encoder(plan)(payload)
    row = compile_rows(made, made.sources)(values, more, NOVEMBER)
    del payload["undeclared"]
    assert compile_decoder(made.plan)(*row) == payload
    few = stripping(Scrub(scrub.fields[-5:]), {}, plan)
    assert not few.plan.overflow and len(few.plan.columns) == 5
    _, more = compile_rows(few, few.sources)([], more, NOVEMBER)
    assert more is None


def test_every_column_that_it_may_have_had_is_known_by_its_rule() -> None:
    made = rule(keep=["took", "/free/a"], hash=["uid"])
    assert set(names(made)) <= made.names
    later = plan_columns(
        {"type": "object", "properties": {"free": {"type": "object", "properties": {"a": {}}}}}
    )
    scrub = Scrub((Kept("/free/a", "keep"),))
    assert names(rule(keep=["/free/a"]))[0] in stripping(scrub, {}, later).names


@st.composite
def _ruled(draw: st.DrawFn) -> tuple[ColumnPlan, list[str], list[dict[str, Any]]]:
    document = draw(schemas())
    fields = sorted(document.get("properties", {}))
    kept = draw(st.lists(st.sampled_from(fields), unique=True)) if fields else []
    payloads = draw(st.lists(payloads_for(document), min_size=1, max_size=4))
    return plan_columns(document), kept, payloads


@settings(max_examples=80, deadline=None)
@given(_ruled())
def test_of_any_payload_of_any_schema_just_the_kept_fields_remain(
    case: tuple[ColumnPlan, list[str], list[dict[str, Any]]],
) -> None:
    plan, kept, payloads = case
    made = stripping(Scrub(tuple(Kept(pointer_of(name), "keep") for name in kept)), {}, plan)
    convert, decode = compile_rows(made, made.sources), compile_decoder(made.plan)
    index = {column: number for number, column in enumerate(plan.columns)}
    for payload in payloads:
        values, more = compile_encoder(plan)(payload)
        own = [values[index[column]] for column in made.sources]
        found = decode(*convert(own, more, NOVEMBER))
        expected = {key: value for key, value in payload.items() if key in kept}
        assert same(found, expected), json.dumps([found, expected])
