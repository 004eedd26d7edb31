"""What a policy says, in the words of people who are no programmers."""

from __future__ import annotations

from collections.abc import Sequence

from eventlogging.clock import age
from eventlogging.ledger.sentence import grouped
from eventlogging.registry.model import RegisteredSchema
from eventlogging.retention.policy import Extension, Policy
from eventlogging.retention.remains import aggregate_words, days, leaves, stripped_words

__all__ = ["ahead", "days", "extension_words", "named", "remains", "rows", "span"]
_MOST_NAMES = 8


def remains(policy: Policy, schema: RegisteredSchema) -> list[str]:
    """Return what remains of events once they are gone, a sentence each; empty: nothing does."""
    found = []
    if policy.scrub is not None:
        what = stripped_words(policy.scrub, leaves(schema)).rstrip(".")
        last = policy.scrub.keep_days
        until = f"until they are {days(last)} old" if last is not None else "for good"
        found.append(f"Stripped events: {what}; {until}.")
    found += [f"Counts, for good: {aggregate_words(one)}." for one in policy.aggregates]
    return found


def extension_words(one: Extension) -> str:
    """Return what an extension says, without why."""
    which = "all events"
    if one.first_day > "0001" and one.last_day < "9999":
        which = f"events of {span((one.first_day, one.last_day))}"
    return f"{which} for {days(one.keep_days)}, up to and with {one.until}"


def rows(number: int) -> str:
    """Return `1 event` or `48 211 events`."""
    return "1 event" if number == 1 else f"{grouped(number)} events"


def span(which: Sequence[str]) -> str:
    """Return `2026-11-22`, or `2026-11-22 to 2026-11-29`, of days in order."""
    return which[0] if which[0] == which[-1] else f"{which[0]} to {which[-1]}"


def ahead(day: str, today: str) -> str:
    """Return when a day is: `at the next pass` once it is here, `tomorrow`, `in 12 days`."""
    left = age(today, day)
    if left <= 0:
        return "at the next pass"
    return "tomorrow" if left == 1 else f"in {left} days"


def named(names: Sequence[str]) -> str:
    """Return names as a list to read, cut where they are many."""
    if len(names) > _MOST_NAMES:
        return f"{', '.join(names[: _MOST_NAMES - 1])} and {len(names) - _MOST_NAMES + 1} more"
    return " and ".join(part for part in (", ".join(names[:-1]), "".join(names[-1:])) if part)
