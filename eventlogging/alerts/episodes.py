"""Episodes in the database: open, go on, close, acknowledge, snooze, look up."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.alerts.decide import Open
from eventlogging.alerts.episode import Episode
from eventlogging.alerts.judge import Fact
from eventlogging.registry import audit
from eventlogging.store.fixed import alert_episode

SNOOZES: Mapping[str, int] = {"1h": 3_600_000, "1d": clock.DAY_MS, "7d": 7 * clock.DAY_MS}
_LATELY_MS = 14 * clock.DAY_MS
_KEEP_MS = 400 * clock.DAY_MS
_MOST = 50


def standing(connection: sa.Connection, now_ms: int) -> list[Episode]:
    """Return all open episodes, and closed ones whose snooze lasts."""
    c = alert_episode.c
    lasts = c.snoozed_until > clock.iso(now_ms)
    query = sa.select(alert_episode).where(sa.or_(c.open_key.is_not(None), lasts))
    return [_of_row(row) for row in connection.execute(query).mappings()]


def opened(connection: sa.Connection) -> list[Episode]:
    """Return the open ones, the newest first."""
    c = alert_episode.c
    query = sa.select(alert_episode).where(c.open_key.is_not(None)).order_by(c.opened_at.desc())
    return [_of_row(row) for row in connection.execute(query).mappings()]


def lately_closed(
    connection: sa.Connection, *, schema: str | None = None, most: int = _MOST
) -> list[Episode]:
    """Return those that closed within two weeks, the newest first."""
    c = alert_episode.c
    since = clock.iso(clock.now_ms() - _LATELY_MS)
    query = (
        sa.select(alert_episode)
        .where(c.closed_at > since)
        .order_by(c.closed_at.desc(), c.id.desc())
        .limit(most)
    )
    if schema is not None:
        query = query.where(c.schema == schema)
    return [_of_row(row) for row in connection.execute(query).mappings()]


def of_schema(connection: sa.Connection, schema: str) -> tuple[list[Episode], list[Episode]]:
    """Return a schema's open episodes and the lately closed ones: a part of its page."""
    now_open = [one for one in opened(connection) if one.schema == schema]
    return now_open, lately_closed(connection, schema=schema, most=5)


def find(connection: sa.Connection, rule: str, opened_at: str, subject: str) -> Episode | None:
    """Return the episode that a link in a mail is about."""
    c = alert_episode.c
    query = sa.select(alert_episode).where(c.rule == rule, c.opened_at == opened_at)
    found = [_of_row(row) for row in connection.execute(query).mappings()]
    return next((one for one in found if one.subject == subject), None)


def by_id(connection: sa.Connection, id: int) -> Episode | None:
    """Return one episode."""
    query = sa.select(alert_episode).where(alert_episode.c.id == id)
    row = connection.execute(query).mappings().first()
    return _of_row(row) if row is not None else None


def of_opening(change: Open, opened_at: str, detail: Mapping[str, Any]) -> Episode:
    """Return the episode that an opening makes; it has no number yet."""
    fact = change.fact
    return Episode(
        id=0,
        rule=fact.rule.kind,
        schema=fact.rule.schema,
        opened_at=opened_at,
        value=fact.value,
        detail={**_measured(fact, opened_at), **detail},
        snoozed_until=change.snoozed_until,
    )


def insert(connection: sa.Connection, episode: Episode) -> None:
    """Store a new episode; raises sqlalchemy's IntegrityError where one of its key is open."""
    connection.execute(
        sa.insert(alert_episode).values(
            rule=episode.rule,
            schema=episode.schema,
            open_key=episode.key,
            opened_at=episode.opened_at,
            snoozed_until=episode.snoozed_until,
            value=episode.value,
            detail=json.dumps(episode.detail, ensure_ascii=False),
        )
    )


def go_on(connection: sa.Connection, episode: Episode, fact: Fact, now_ms: int) -> None:
    """Note a new value."""
    detail = {**episode.detail, **_measured(fact, clock.iso(now_ms))}
    _set(connection, episode, value=fact.value, detail=json.dumps(detail, ensure_ascii=False))


def close(connection: sa.Connection, episode: Episode, now_ms: int) -> bool:
    """Close an episode; False where somebody else has."""
    return _set(connection, episode, open_key=None, closed_at=clock.iso(now_ms))


def wake(
    connection: sa.Connection, episode: Episode, now_ms: int, told: Iterable[str] = ()
) -> bool:
    """End a snooze, and note who is told; False where somebody else has, or it was prolonged."""
    c = alert_episode.c
    return _set(
        connection, episode, c.snoozed_until == episode.snoozed_until, snoozed_until=None,
        told_again_at=clock.iso(now_ms), detail=_also_told(episode, told),
    )  # fmt: skip


def tell_again(
    connection: sa.Connection, episode: Episode, now_ms: int, told: Iterable[str] = ()
) -> bool:
    """Note that the other owners are told now; False where they were, or somebody acted."""
    c = alert_episode.c
    return _set(
        connection, episode, c.told_again_at.is_(None), c.acknowledged_at.is_(None),
        told_again_at=clock.iso(now_ms), detail=_also_told(episode, told),
    )  # fmt: skip


def acknowledge(connection: sa.Connection, episode: Episode, who: str) -> bool:
    """Note that somebody looks into it; False where it is over, or somebody does already."""
    c = alert_episode.c
    done = _set(
        connection, episode, c.acknowledged_at.is_(None),
        acknowledged_at=clock.iso(clock.now_ms()), acknowledged_by=who[:191],
    )  # fmt: skip
    if done:
        audit.record(connection, who, "alert.acknowledge", episode.key, {"at": episode.opened_at})
    return done


def snooze(connection: sa.Connection, episode: Episode, who: str, how_long: str) -> str | None:
    """Have nobody told of it for a while, one of `SNOOZES`; return until when, None: it is over.

    Raises KeyError for another time.
    """
    until = clock.iso(clock.now_ms() + SNOOZES[how_long])
    if not _set(connection, episode, snoozed_until=until):
        return None
    detail = {"at": episode.opened_at, "until": until}
    audit.record(connection, who, "alert.snooze", episode.key, detail)
    return until


def forget_old(connection: sa.Connection, now_ms: int) -> None:
    """Delete episodes that closed more than a year ago."""
    before = clock.iso(now_ms - _KEEP_MS)
    connection.execute(sa.delete(alert_episode).where(alert_episode.c.closed_at < before))


def open_minutes(episode: Episode, now_ms: int) -> int:
    """Return for how long it has been going on, or went on."""
    end = _ms(episode.closed_at) if episode.closed_at else now_ms
    return max(0, (end - _ms(episode.opened_at)) // 60_000)


def _set(
    connection: sa.Connection, episode: Episode, *same: sa.ColumnElement[bool], **values: object
) -> bool:
    c = alert_episode.c
    result = connection.execute(
        sa.update(alert_episode)
        .where(c.id == episode.id, c.closed_at.is_(None), *same)
        .values(**values)
    )
    return bool(result.rowcount == 1)


def _also_told(episode: Episode, emails: Iterable[str]) -> str:
    """Return the detail with more people who are to hear of the end."""
    told = list(dict.fromkeys([*episode.told, *emails]))
    return json.dumps({**episode.detail, "recipients": told}, ensure_ascii=False)


def _measured(fact: Fact, at: str) -> dict[str, Any]:
    return {
        "subject": fact.subject,
        "told": dict(fact.told),
        "values": dict(fact.rule.values),
        "measured_at": at,
    }


def _of_row(row: Mapping[Any, Any]) -> Episode:
    values = {str(name): value for name, value in row.items() if name != "open_key"}
    return Episode(**{**values, "detail": json.loads(row["detail"])})


def _ms(iso: str) -> int:
    return round(datetime.fromisoformat(iso).timestamp() * 1000)
