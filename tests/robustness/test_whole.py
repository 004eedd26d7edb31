"""After all cases: every good event between them is stored once, and the process is as it was."""

from __future__ import annotations

import pytest

from eventlogging.ledger.proof import prove
from tests.robustness.web import MIB, Books


def test_the_process_took_all_of_it_and_is_as_it_was(
    books: Books, request: pytest.FixtureRequest
) -> None:
    asked = sum("case" in getattr(item, "fixturenames", ()) for item in request.session.items)
    print(f"{books.cases.total()} cases; {books.told()}; {books.jumps}")
    assert books.cases.total() == asked
    server = books.server
    assert server.pid == books.pid
    server.loader.drain()
    stored = [row["id"] for row in server.query("SELECT id FROM NavigationTiming_1")]
    assert len(stored) == len(set(stored))
    assert set(books.sent) <= set(stored)
    assert prove(server.database).discrepancies == ()
    assert books.peak - books.before < 64 * MIB, books.jumps
    assert books.slowest < 1
    output = server.output()
    assert "Traceback" not in output
    assert len(output) < 20_000, "clients cannot fill the process log"
