"""A wish to keep events longer, as its asker writes it, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date

from eventlogging.clock import age, moved
from eventlogging.retention.policy import Policies
from eventlogging.retention.words import days, named

LONGEST_TEXT = 4_000
_MOST_DAYS = 366  # that an extension may lie ahead: a year
_MOST_SCHEMAS = 50


@dataclass(frozen=True)
class Wish:
    """Events of the days from `first_day` to `last_day`, of these schemas, kept for `keep_days`.

    It holds up to and with the day `until`. `why_not_less` says why neither stripped events nor
    counts would do.
    """

    schemas: tuple[str, ...]
    first_day: str
    last_day: str
    keep_days: int
    until: str
    reason: str
    why_not_less: str


@dataclass(frozen=True)
class Problem:
    """What is wrong, in the words of the person; `field` is that of `Wish`, or empty: all of it."""

    field: str
    text: str


def problems_of(
    wish: Wish, policies: Policies, today: str, known: Collection[str]
) -> list[Problem]:  # fmt: skip
    """Return everything that is wrong with a wish, as things stand today."""
    found = [*_schemas(wish, known), *_dates(wish, today), *_texts(wish)]
    if not any(one.field == "schemas" for one in found):
        found += _keep(wish, policies)
    if not found:
        found += _use(wish, policies, today)
    return found


def _schemas(wish: Wish, known: Collection[str]) -> Iterator[Problem]:
    if not wish.schemas:
        yield Problem("schemas", "Choose at least one schema.")
    if len(wish.schemas) > _MOST_SCHEMAS:
        yield Problem("schemas", f"At most {_MOST_SCHEMAS} schemas go into one request.")
    for name in wish.schemas:
        if name not in known:
            yield Problem("schemas", f"No schema is named {name!r}.")


def _dates(wish: Wish, today: str) -> Iterator[Problem]:
    wrong = False
    for field in ("first_day", "last_day", "until"):
        if not is_day(getattr(wish, field)):
            wrong = True
            yield Problem(field, "This is a day such as 2026-11-22.")
    if wrong:
        return
    if wish.first_day > wish.last_day:
        yield Problem("last_day", f"The last day lies before the first, {wish.first_day}.")
    if wish.until <= today:
        yield Problem("until", f"The end lies after today, {today}.")
    elif age(today, wish.until) > _MOST_DAYS:
        yield Problem("until", f"It ends within a year, by {moved(today, _MOST_DAYS)} at the last.")
    if wish.first_day > wish.until:
        yield Problem("first_day", f"It would end on {wish.until}, before the first of the events.")


def _texts(wish: Wish) -> Iterator[Problem]:
    if not wish.reason.strip():
        yield Problem("reason", "Say what the events are needed for; the public page shows it.")
    if not wish.why_not_less.strip():
        yield Problem(
            "why_not_less", "Say why neither stripped events nor counts would do: reviewers ask."
        )
    for field in ("reason", "why_not_less"):
        if len(getattr(wish, field)) > LONGEST_TEXT:
            yield Problem(field, f"This has more than {LONGEST_TEXT} characters.")


def _keep(wish: Wish, policies: Policies) -> Iterator[Problem]:
    if wish.keep_days > policies.cap_days:
        yield Problem(
            "keep_days", f"No events are kept longer than {days(policies.cap_days)} here."
        )
    longer = {name: policies.of(name).keep_days for name in wish.schemas}
    same = [name for name, keep in longer.items() if wish.keep_days <= keep]
    if same:
        most = max(longer[name] for name in same)
        yield Problem(
            "keep_days", f"{named(same)} {'is' if len(same) == 1 else 'are'} kept for "
            f"{days(most)} anyway; ask for more than that.",
        )  # fmt: skip


def _use(wish: Wish, policies: Policies, today: str) -> Iterator[Problem]:
    """Yield why it would change nothing: all are gone, or none would go before its end."""
    least = min(policies.of(name).keep_days for name in wish.schemas)
    most = max(policies.of(name).keep_of(wish.last_day, today) for name in wish.schemas)
    if age(wish.last_day, today) > most:
        yield Problem(
            "last_day",
            f"Events of {wish.last_day} and before are gone: they are kept for {days(most)}.",
        )
    if moved(wish.first_day, least) >= wish.until:
        yield Problem(
            "until",
            f"It would change nothing: the first of these events are kept until "
            f"{moved(wish.first_day, least)} anyway.",
        )


def is_day(text: str) -> bool:
    """Whether a text is a day such as 2026-11-22."""
    try:
        return date.fromisoformat(text).isoformat() == text and text > "1970-01-01"
    except ValueError:
        return False
