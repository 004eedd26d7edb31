"""Backups in tests: made, looked at, put back, and the database lost meanwhile."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from eventlogging.backup import model
from eventlogging.backup.check import check
from eventlogging.backup.copies import copies_of
from eventlogging.backup.make import make
from eventlogging.backup.model import Backup
from eventlogging.backup.restore import look, restore
from eventlogging.ledger.proof import prove
from eventlogging.platform import Platform
from eventlogging.store.fixed import epoch_key
from tests.console import House

SECRET = "5ec2e7" * 10 + "abcd"


def click(target: Any = "a", **more: Any) -> dict[str, Any]:
    return {"schema": "Click", "event": {"target": target}, **more}


def backups(house: House) -> Path:
    return model.folder_of(house.config.var)


def made(house: House) -> Backup:
    return make(house.platform, backups(house))


def problems(house: House, backup: Backup) -> list[str]:
    return check(backup, copies_of(house.platform.database))


def nothing(_platform: Platform, _receipts: Any = ()) -> int:
    return 0


def put_back(house: House, backup: Backup, **more: Any) -> Any:
    """Restore as the command does, the house itself being stopped."""
    stop(house)
    checksum = more.pop("checksum", None) or look(house.platform, backup).checksum
    functions = {"replay": nothing, "purge": lambda _platform: "", **more}
    return restore(house.platform, backup, checksum, **functions)


def stop(house: House) -> None:
    house._writer.close()
    house.platform.database.close()


def start(house: House) -> House:
    """The same house, opened anew."""
    settings = {"log_keep_days": house.config.log_keep_days}
    return House(house.config.database_url, house.config.var, **settings)


def lose_database(house: House) -> None:
    """Make the database one that nobody can read."""
    stop(house)
    database = house.platform.database
    if database.dialect.name == "sqlite":
        path = Path(house.config.database_url.removeprefix("sqlite:///"))
        path.write_bytes(b"this is no database" * 500)
        return
    with database.ddl() as connection:
        name = house.config.database_url.rpartition("/")[2]
        connection.exec_driver_sql(f"DROP DATABASE {name}")
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    database.close()  # a connection of before has no database any more


def rows(house: House, table: str = "Click_1") -> int:
    with house.platform.database.read() as connection:
        return int(connection.exec_driver_sql(f"SELECT COUNT(*) FROM {table}").scalar() or 0)


def assert_proven(house: House) -> None:
    assert prove(house.platform.database).discrepancies == ()


def put_key(house: House, epoch: str = "2026-11", secret: str | None = SECRET) -> None:
    with house.platform.database.write() as connection:
        connection.execute(sa.insert(epoch_key).values(
            epoch=epoch, secret=secret, made_at="2026-11-01T00:00:00.000Z",
            destroyed_at=None if secret else "2026-11-02T00:00:00.000Z",
        ))  # fmt: skip


def keys(house: House) -> dict[str, str | None]:
    with house.platform.database.read() as connection:
        rows = connection.execute(sa.select(epoch_key.c.epoch, epoch_key.c.secret))
        return {row.epoch: row.secret for row in rows}


def content(backup: Backup) -> bytes:
    """All bytes of a backup, unpacked where they are packed."""
    found = b""
    for path in backup.folder.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            found += data + (gzip.decompress(data) if path.suffix == ".gz" else b"")
    return found
