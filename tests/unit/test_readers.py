"""The setting `readers` takes from the table of roles, and never adds to it."""

import pytest

from eventlogging.people import readers
from eventlogging.people.permissions import PERMISSIONS, ROLES

READING = {"read_events", "read_refused"}


@pytest.mark.parametrize("action", PERMISSIONS)
@pytest.mark.parametrize("role", ROLES)
def test_only_reading_is_narrowed_and_never_for_owners_and_admins(role: str, action: str) -> None:
    held = frozenset({role})
    assert not readers.keeps_out(held, action, "analysts")
    out = action in READING and role not in ("owner", "admin")
    assert readers.keeps_out(held, action, "owners") == out


def test_an_owner_who_is_an_analyst_besides_is_an_owner() -> None:
    assert not readers.keeps_out(frozenset({"analyst", "owner"}), "read_events", "owners")


def test_a_value_that_nobody_knows_shows_too_little() -> None:
    assert readers.keeps_out(frozenset({"analyst"}), "read_events", "Analysts")
    assert readers.in_words("") == "its owners and admins alone"


def test_who_is_kept_out_is_told_whom_to_ask() -> None:
    said = readers.why_narrow("Dialog", ("a@example.org", "b@example.org"))
    assert said.startswith('Dialog says readers = "owners"')
    assert said.endswith("Ask a@example.org or b@example.org.")
