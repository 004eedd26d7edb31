"""Rows named by their keys: these and no others, whatever their columns are called."""

from __future__ import annotations

import sqlalchemy as sa

from eventlogging.store.row_keys import MOST_ROWS, keys_where


def test_exactly_the_named_rows_are_meant() -> None:
    engine = sa.create_engine("sqlite://")
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE t (`offset` INTEGER, `index` TEXT)")
        every = [(n, text) for n in range(MOST_ROWS + 5) for text in ("a", "b' OR '1'='1")]
        connection.exec_driver_sql("INSERT INTO t VALUES (?, ?)", every)
        wanted = [every[at] for at in range(1, 2 * MOST_ROWS, 2)]
        where, values = keys_where(("offset", "index"), wanted)
        found = connection.execute(sa.text(f"SELECT * FROM t WHERE {where}"), values)
        assert [tuple(row) for row in found] == wanted
        where, values = keys_where(("offset", "index"), [(1, "c")])
        assert connection.execute(sa.text(f"SELECT * FROM t WHERE {where}"), values).first() is None
