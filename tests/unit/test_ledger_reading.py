"""The ledger, read: lines of truth, reasons, course over time, the sentence."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from eventlogging.ledger.reading import (
    LineOfTruth,
    Step,
    by_reason,
    lines_of_truth,
    series,
    total,
)
from eventlogging.ledger.sentence import sentence
from eventlogging.store.database import Database
from eventlogging.store.fixed import ledger
from eventlogging.store.migrate import migrate

ROWS = [
    # minute, schema, version, outcome, reason, count, kept
    ("2026-11-22 03:04", "Edit", "", "sent", "", 20, 0),
    ("2026-11-22 03:04", "Edit", "1.0.0", "valid", "", 10, 10),
    ("2026-11-22 03:04", "Edit", "1.0.0", "invalid", "type_mismatch", 3, 2),
    ("2026-11-22 03:05", "Edit", "1.1.0", "invalid", "missing_field", 4, 4),
    ("2026-11-22 03:05", "Edit", "1.1.0", "duplicate", "", 1, 0),
    ("2026-11-22 03:05", "Edit", "1.1.0", "sampled_out", "", 1, 0),
    ("2026-11-22 04:00", "Edit", "1.1.0", "pending", "", 1, 0),
    ("2026-11-23 00:00", "(unknown)", "", "sent", "", 2, 0),
    ("2026-11-23 00:00", "(unknown)", "", "invalid", "unknown_schema", 2, 2),
]


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sa.Connection]:
    database = Database(f"sqlite:///{tmp_path / 'books.db'}")
    migrate(database)
    names = [column.name for column in ledger.columns]
    with database.write() as connection:
        connection.execute(sa.insert(ledger), [dict(zip(names, row, strict=True)) for row in ROWS])
    with database.read() as connection:
        yield connection
    database.close()


def test_each_schema_has_its_line_of_truth(connection: sa.Connection) -> None:
    assert lines_of_truth(connection) == [
        LineOfTruth("(unknown)", sent=2, invalid=2, kept=2),
        LineOfTruth(
            "Edit", sent=20, valid=10, invalid=7, duplicate=1, sampled_out=1, pending=1, kept=16
        ),
    ]


def test_what_no_outcome_explains_is_the_residual() -> None:
    line = LineOfTruth("Edit", sent=10, valid=4, invalid=1, duplicate=1, sampled_out=1, pending=1)
    assert line.explained == 7
    assert line.residual == 2
    assert LineOfTruth("Edit", sent=1, valid=2).residual == -1


def test_the_total_is_the_sum_of_all_lines(connection: sa.Connection) -> None:
    whole = total(lines_of_truth(connection))
    assert (whole.schema, whole.sent, whole.invalid, whole.kept) == ("all", 22, 9, 18)
    assert whole.residual == 0
    assert total([]) == LineOfTruth("all")


def test_start_is_included_and_end_is_not(connection: sa.Connection) -> None:
    found = lines_of_truth(connection, start="2026-11-22 03:05", end="2026-11-22 04:00")
    assert found == [LineOfTruth("Edit", invalid=4, duplicate=1, sampled_out=1, kept=4)]
    assert [line.schema for line in lines_of_truth(connection, start="2026-11-23")] == ["(unknown)"]


def test_one_schema_can_be_asked_for(connection: sa.Connection) -> None:
    assert [line.schema for line in lines_of_truth(connection, schema="Edit")] == ["Edit"]
    assert lines_of_truth(connection, schema="edit") == []


def test_reasons_come_most_frequent_first(connection: sa.Connection) -> None:
    found = by_reason(connection)
    assert list(found["Edit"].items()) == [("missing_field", 4), ("type_mismatch", 3)]
    assert found["(unknown)"] == {"unknown_schema": 2}


def test_the_course_over_time_is_summed_by_step(connection: sa.Connection) -> None:
    hours = series(connection, "hour", schema="Edit", end="2026-11-22 04:00")
    assert hours[0] == Step("2026-11-22 03", "Edit", "", "sent", "", 20)
    assert sum(step.count for step in hours if step.outcome == "invalid") == 7
    assert {step.time for step in series(connection, "day")} == {"2026-11-22", "2026-11-23"}
    assert len(series(connection, "minute")) == len(ROWS)


def test_an_unknown_step_is_refused(connection: sa.Connection) -> None:
    with pytest.raises(ValueError, match="minute, hour, day"):
        series(connection, "week")


def test_the_sentence_groups_thousands_by_thin_spaces() -> None:
    line = LineOfTruth("all", sent=48_211, valid=47_902, invalid=188, duplicate=121)
    assert sentence(line) == (
        "48\u2009211 sent = 47\u2009902 valid + 188 invalid + 121 duplicates · 0 unexplained"
    )


def test_the_sentence_names_every_part_that_is_not_zero() -> None:
    line = LineOfTruth(
        "all", sent=9, valid=1, invalid=1, duplicate=1, sampled_out=2, suppressed=1, pending=1
    )
    assert sentence(line) == (
        "9 sent = 1 valid + 1 invalid + 1 duplicate + 2 sampled out + 1 suppressed + 1 pending "
        "· 2 unexplained"
    )
    assert sentence(LineOfTruth("all")) == "0 sent = 0 valid · 0 unexplained"
    assert sentence(LineOfTruth("all", valid=1200)).endswith("· −1\u2009200 unexplained")
