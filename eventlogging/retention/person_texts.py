"""Texts that may quote an event: mails, calls of chat tools, episodes of alerts, reports.

None should hold anybody's hash; where one does, the hash alone is taken out of it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import sqlalchemy as sa

from eventlogging.store.database import Database
from eventlogging.store.fixed import alert_episode, mail, validity_report, webhook_call

INSTEAD = "(erased)"
_COLUMNS: tuple[sa.Column[str], ...] = (
    mail.c.subject, mail.c.text, mail.c.html, webhook_call.c.body, alert_episode.c.detail,
    validity_report.c.body,
)  # fmt: skip


def count(database: Database, outbox: Path, hashes: Sequence[str]) -> dict[str, int]:
    """Return place → how many texts of it hold a hash. Raises StoreUnavailable, OSError."""
    found: dict[str, int] = {}
    for column in _COLUMNS:
        holds = sa.or_(*(column.contains(one) for one in hashes))
        query = sa.select(sa.func.count()).select_from(column.table).where(holds)
        with database.read() as connection:
            number = int(connection.execute(query).scalar() or 0)
        if number:
            found[str(column.table)] = found.get(str(column.table), 0) + number
    if files := len(_files(outbox, hashes)):
        found["outbox"] = files
    return found


def take_out(database: Database, outbox: Path, hashes: Sequence[str]) -> int:
    """Take the hashes out of all texts; return how many changed.

    Raises StoreUnavailable, OSError.
    """
    changed = 0
    for column in _COLUMNS:
        for one in hashes:
            without = sa.func.replace(column, one, INSTEAD)
            statement = (
                sa.update(column.table).where(column.contains(one)).values({column: without})
            )
            with database.read() as connection:  # mostly there is none, and nobody has to wait
                query = sa.select(sa.func.count()).select_from(column.table)
                number = connection.execute(query.where(column.contains(one))).scalar()
            if number:
                with database.write() as connection:
                    changed += connection.execute(statement).rowcount
    for path in _files(outbox, hashes):
        text = path.read_bytes()
        for one in hashes:
            text = _written(one).sub(INSTEAD.encode(), text)
        draft = path.with_name(f".{path.name}.part")
        draft.write_bytes(text)
        draft.chmod(0o600)
        draft.replace(path)
        changed += 1
    return changed


def _files(outbox: Path, hashes: Sequence[str]) -> list[Path]:
    found = []
    for path in sorted(outbox.glob("[!.]*.eml")) if outbox.is_dir() else ():
        text = path.read_bytes()
        if any(_written(one).search(text) for one in hashes):
            found.append(path)
    return found


def _written(hash: str) -> re.Pattern[bytes]:
    """A hash as it stands in a mail: quoted-printable may break the line at any place of it."""
    return re.compile(rb"(?:=\r?\n)?".join(re.escape(one).encode() for one in hash))
