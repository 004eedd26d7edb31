"""The roster of reviewers: who agreed to take turns, since when, for which schemas.

The truth is the governance document `reviewers/roster.toml`, so that folders and pages change
the same list.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.registry import audit, counter, write
from eventlogging.store.database import Database
from eventlogging.store.fixed import governance as documents

_FOLDER, _NAME = "reviewers", "roster.toml"
_EMAIL = re.compile(r"[^@\s,;<>]+@[^@\s,;<>]+\Z")
_AREA = re.compile(r"(\*|[A-Za-z][A-Za-z0-9_./-]*)\Z")  # as the check of the folders has it
_MOST_EMAIL, _MOST_NAME, _MOST_AREAS = 191, 255, 100


@dataclass(frozen=True)
class Reviewer:
    """Somebody who agreed; `email` is case-folded, `consented` the day they agreed.

    An area is a schema's name, the beginning of a path such as `analytics/`, or `*`.
    """

    name: str
    email: str
    areas: tuple[str, ...]
    consented: str


def roster(connection: sa.Connection) -> list[Reviewer]:
    """Return all reviewers in the order of the list."""
    found = []
    for item in _items(connection):
        areas = item.get("areas")
        found.append(
            Reviewer(
                name=str(item.get("name", "")),
                email=str(item.get("email", "")).casefold(),
                areas=tuple(str(area) for area in areas) if isinstance(areas, list) else (),
                consented=str(item.get("consented", ""))[:10],
            )
        )
    return [reviewer for reviewer in found if reviewer.email and reviewer.consented]


def find(connection: sa.Connection, email: str) -> Reviewer | None:
    """Return one reviewer, None where the address is not on the roster."""
    folded = email.casefold()
    return next((one for one in roster(connection) if one.email == folded), None)


def is_reviewer(connection: sa.Connection, email: str) -> bool:
    """Whether the address stands in the roster, with the day they agreed."""
    return find(connection, email) is not None


def add(
    database: Database, name: str, email: str, areas: Sequence[str], who: str
) -> tuple[str, ...]:
    """Put somebody who agreed today on the roster; return what is wrong, nothing is written then.

    Only they themselves may say that they agree: call this on their word alone.
    """
    with database.write() as connection:
        counter.lock(connection)
        return add_in(connection, name, email, areas, who)


def add_in(
    connection: sa.Connection, name: str, email: str, areas: Sequence[str], who: str
) -> tuple[str, ...]:
    """Add within the caller's transaction, which holds the counter's lock."""
    today = clock.day(clock.now_ms())
    reviewer = Reviewer(name.strip(), email.casefold(), _tidy(areas), today)
    problems = _problems(reviewer)
    if is_reviewer(connection, email):
        problems.append(f"{reviewer.email} is on the roster already")
    if not problems:
        _write(connection, [*_items(connection), _item(reviewer)], who)
    return tuple(problems)


def remove(database: Database, email: str, who: str) -> tuple[str, ...]:
    """Take somebody off the roster; return what is wrong, nothing is written then.

    Call `reminders.hand_over_all` then, so that their turns go to others at once.
    """
    with database.write() as connection:
        counter.lock(connection)
        items = _items(connection)
        left = [item for item in items if not _is(item, email)]
        if len(left) == len(items):
            return (f"{email.casefold()} is not on the roster",)
        _write(connection, left, who)
        return ()


def set_areas(
    database: Database, email: str, areas: Sequence[str], who: str
) -> tuple[str, ...]:  # fmt: skip
    """Change what somebody looks after; return what is wrong, nothing is written then."""
    with database.write() as connection:
        counter.lock(connection)
        present = find(connection, email)
        if present is None:
            return (f"{email.casefold()} is not on the roster",)
        changed = replace(present, areas=_tidy(areas))
        problems = _problems(changed)
        if not problems:
            items = [
                {**item, "areas": list(changed.areas)} if _is(item, email) else item
                for item in _items(connection)
            ]
            _write(connection, items, who)
        return tuple(problems)


def _items(connection: sa.Connection) -> list[dict[str, Any]]:
    document = _document(connection)
    listed = document.get("reviewers") if isinstance(document, dict) else None
    return [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []


def _document(connection: sa.Connection) -> Any:
    # This one alone: pages ask for it at each request.
    c = documents.c
    query = sa.select(c.document).where(c.folder == _FOLDER, c.name == _NAME)
    text = connection.execute(query).scalar()
    return None if text is None else json.loads(text)


def _item(reviewer: Reviewer) -> dict[str, Any]:
    return {
        "name": reviewer.name,
        "email": reviewer.email,
        "areas": list(reviewer.areas),
        "consented": reviewer.consented,
    }


def _is(item: dict[str, Any], email: str) -> bool:
    return str(item.get("email", "")).casefold() == email.casefold()


def _tidy(areas: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(area.strip() for area in areas if area.strip()))


def _problems(reviewer: Reviewer) -> list[str]:
    problems = []
    if not 0 < len(reviewer.name) <= _MOST_NAME:
        problems.append(f"a reviewer has a name of 1 to {_MOST_NAME} characters")
    if not _EMAIL.match(reviewer.email) or len(reviewer.email) > _MOST_EMAIL:
        problems.append(f"{reviewer.email!r} is not an e-mail address")
    if not 0 < len(reviewer.areas) <= _MOST_AREAS:
        problems.append(f"a reviewer looks after 1 to {_MOST_AREAS} areas; '*' stands for all")
    problems += [
        f"{area!r} is not an area: a schema's name, a beginning such as 'analytics/', or '*'"
        for area in reviewer.areas
        if not _AREA.match(area)
    ]
    return problems


def _write(connection: sa.Connection, items: list[dict[str, Any]], who: str) -> None:
    old = _document(connection)
    # What else the document may say stays as it is.
    new = {**(old if isinstance(old, dict) else {}), "reviewers": items}
    c = documents.c
    values = {"document": write.as_json(new), "updated_at": clock.iso(clock.now_ms())}
    if old is None:
        connection.execute(sa.insert(documents).values(folder=_FOLDER, name=_NAME, **values))
    else:
        connection.execute(
            sa.update(documents).where(c.folder == _FOLDER, c.name == _NAME).values(**values)
        )
    audit.record(connection, who, "governance", f"{_FOLDER}/{_NAME}", {"old": old, "new": new})
