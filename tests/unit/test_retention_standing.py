"""When events go, by rule and extensions; and how mails about it are put together."""

from __future__ import annotations

import pytest

from eventlogging.clock import moved
from eventlogging.retention import letter, words
from eventlogging.retention.letter import Letter, Part
from eventlogging.retention.policy import FIRST_DAY, LAST_DAY, Extension, Policy
from eventlogging.retention.standing import Standing, goes_on, going_until

DAY = "2026-06-01"


def extended(keep_days: int, until: str, first: str = FIRST_DAY, last: str = LAST_DAY) -> Extension:
    return Extension(first, last, keep_days, until, "x", "ann@example.org")


@pytest.mark.parametrize(
    ("extensions", "on"),
    [
        ((), "2026-08-31"),
        ((extended(180, "2026-12-31"),), "2026-11-29"),  # as old as asked, before its end
        ((extended(180, "2026-10-31"),), "2026-11-01"),  # the end, before that age
        ((extended(180, "2026-08-01"),), "2026-08-31"),  # over before it matters
        ((extended(180, "2026-12-31", "2026-06-02"),), "2026-08-31"),  # other days
        ((extended(100, "2026-12-31"), extended(120, "2026-09-20")), "2026-09-21"),
    ],
)
def test_events_go_on_the_first_day_on_which_the_policy_says_so(
    extensions: tuple[Extension, ...], on: str
) -> None:
    policy = Policy("Click", extensions=extensions)
    assert goes_on(policy, DAY) == on
    first = next(
        day for day in (moved(DAY, n) for n in range(400)) if policy.is_due(DAY, day)
    )  # fmt: skip
    assert first == on


def test_all_that_is_overdue_goes_at_once() -> None:
    one = Standing("Click", Policy("Click"), {"2026-01-01": 3, "2026-01-02": 4, "2026-06-01": 5})
    due = one.next("2026-06-20")
    assert due is not None
    assert (due.rows, due.days) == (7, ("2026-01-01", "2026-01-02"))
    assert words.ahead(due.on, "2026-06-20") == "at the next pass"
    (coming,) = going_until({"Click": one}, "2026-08-31")
    assert (coming.rows, coming.on) == (12, due.on)


def test_nothing_of_a_held_schema_goes() -> None:
    one = Standing("Click", Policy("Click", held=True), {"2026-01-01": 3})
    assert one.next("2026-06-20") is None
    assert going_until({"Click": one}, LAST_DAY) == []


def test_a_mail_shows_foreign_words_and_runs_none_of_them() -> None:
    hostile = "<script>alert(1)</script>\nBcc: eve@example.org"
    made = Letter(
        f"Click: {hostile}", f"`Click` {hostile}", (Part("Why", (hostile,), quoted=True),),
        (("Decide", 'https://e.example/"><b>'),),
    )  # fmt: skip
    html, text = letter.as_html(made, "https://e.example/unsubscribe"), letter.as_text(made)
    assert "<script>" not in html
    assert '"><b>' not in html
    assert "> <script>alert(1)</script>\n> Bcc: eve@example.org" in text
    assert text.startswith("Click <script>alert(1)</script> Bcc: eve@example.org\n")
    assert "Unsubscribe" in html


def test_lists_of_names_are_cut() -> None:
    assert words.named([]) == ""
    assert words.named(["a"]) == "a"
    assert words.named(["a", "b", "c"]) == "a, b and c"
    assert words.named([*"abcdefghij"]) == "a, b, c, d, e, f, g and 3 more"
