"""Tokens of forms without a session: they belong to one value, one purpose and one key."""

from __future__ import annotations

import pytest

from eventlogging.people import form_token


def test_a_token_is_right_for_its_value_purpose_and_key_alone() -> None:
    value = form_token.new_value()
    token = form_token.token("key", "form", value)
    assert form_token.is_value(value)
    assert form_token.is_right(token, "key", "form", value)
    assert not form_token.is_right(token, "another key", "form", value)
    assert not form_token.is_right(token, "key", "wsapi", value)
    assert not form_token.is_right(token, "key", "form", form_token.new_value())


@pytest.mark.parametrize("said", ["", "x", "\ud800", "ä"])
def test_anything_else_is_wrong_and_does_no_harm(said: str) -> None:
    assert not form_token.is_right(said, "key", "form", "value")


def test_without_a_value_there_is_no_token() -> None:
    assert not form_token.is_right(form_token.token("key", "form", ""), "key", "form", "")
    assert not any(form_token.is_value(text) for text in ("", 65 * "a", "ä"))
