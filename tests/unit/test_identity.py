"""Who is meant: hashes of ids, and ids found in texts that nobody sealed."""

from __future__ import annotations

import pytest

from eventlogging.errors import EventLoggingError
from eventlogging.intake.seal import PrivacyKey
from eventlogging.retention.identity import Identity, hashes, ids_of

KEYS = (PrivacyKey("new"), PrivacyKey("old"))
ODD = 'an "odd"/id=1'


def test_an_id_is_hashed_under_each_key_as_text_and_as_number() -> None:
    found = hashes(KEYS, ["4711", "ann"])
    assert set(found) == {key.hash(value) for key in KEYS for value in ("4711", 4711, "ann")}
    assert hashes(KEYS, ["007"]) == tuple(key.hash("007") for key in KEYS)
    assert len(hashes(KEYS, ["9" * 40])) == 2  # a number that no event can hold


@pytest.mark.parametrize("wrong", [[], [" "], ["x" * 501]])
def test_what_is_no_id_is_refused(wrong: list[str]) -> None:
    with pytest.raises(EventLoggingError):
        ids_of(wrong)


@pytest.mark.parametrize(
    "text",
    [
        '{"uid": "ann-1"}', '{"uid":"ann-1', "?uid=ann-1&x=2", "{'uid': ann-1}", "seen ann-1.",
        "%7B%22uid%22%3A%22ann-1%22", r'{"uid":"\u0061nn-1"}', '["ann-1"]', "/people/ann-1/edit",
    ],
)  # fmt: skip
def test_an_id_is_found_wherever_it_is_a_word_of_its_own(text: str) -> None:
    for plain in (frozenset({"ann-1"}), frozenset[str]()):
        assert Identity(hashes(KEYS, ["ann-1"]), KEYS, plain).in_unsealed(text)


@pytest.mark.parametrize("text", ['{"uid": "ann-12"}', "joann-1", "ann", "", "100 % \\ ann"])
def test_a_part_of_a_word_is_nobody(text: str) -> None:
    for plain in (frozenset({"ann-1"}), frozenset[str]()):
        assert not Identity(hashes(KEYS, ["ann-1"]), KEYS, plain).in_unsealed(text)


def test_an_odd_id_is_found_where_json_quotes_it() -> None:
    who = Identity(hashes(KEYS, [ODD]), KEYS)
    assert who.in_unsealed('{"uid": "an \\"odd\\"/id=1"}')
    assert "odd" not in repr(Identity(who.hashes, KEYS, frozenset({ODD})))
