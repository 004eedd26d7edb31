"""Choose whose turn it is to review: by area, then load, then the longest rest."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Candidate:
    """Somebody who might review; `areas` as in the roster, empty for an admin beside it."""

    email: str
    name: str
    areas: tuple[str, ...] = ()
    load: int = 0  # proposals that wait for them now
    last_turn: str = ""  # ISO time; "" for never
    away_until: str | None = None  # their last day away
    disabled: bool = False


@dataclass(frozen=True)
class Choice:
    """Who was chosen, and why: their `area` fits, `any` reviewer, an `admin`, or `again`."""

    candidate: Candidate
    why: str


def choose(
    reviewers: Iterable[Candidate], admins: Iterable[Candidate], schema: str,
    excluded: Collection[str], today: str,
) -> Choice | None:  # fmt: skip
    """Return who gets the turn, None where nobody can.

    Those whose area fits come first, then any reviewer, then the admins; among equals the one
    with the least open load, then the longest since their last turn, then by name. `excluded`
    are case-folded addresses; `today` is the day, such as 2026-11-22.
    """
    there = [one for one in reviewers if able(one, excluded, today)]
    fitting = [one for one in there if fits(one.areas, schema)]
    if fitting:
        return Choice(_first(fitting), "area")
    if there:
        return Choice(_first(there), "any")
    others = [one for one in admins if able(one, excluded, today)]
    if others:
        return Choice(_first(others), "admin")
    return None


def able(candidate: Candidate, excluded: Collection[str], today: str) -> bool:
    """Whether somebody can take a turn: not excluded, not disabled, not away."""
    away = candidate.away_until is not None and candidate.away_until >= today
    return candidate.email not in excluded and not candidate.disabled and not away


def fits(areas: Iterable[str], schema: str) -> bool:
    """Whether an area is the schema's name, the beginning of its path (`analytics/`), or `*`."""
    name = schema.casefold()
    return any(
        area == "*"
        or area.casefold() == name
        or (area.endswith("/") and name.startswith(area.casefold()))
        for area in areas
    )


def _first(candidates: Iterable[Candidate]) -> Candidate:
    return min(
        candidates, key=lambda one: (one.load, one.last_turn, one.name.casefold(), one.email)
    )
