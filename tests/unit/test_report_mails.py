"""The words of reports and their mails: subjects, texts, what is left out, what is escaped."""

from __future__ import annotations

from dataclasses import replace

import pytest

from eventlogging.event import UNKNOWN
from eventlogging.reports import masked, render
from eventlogging.reports.model import Cause, Report, line_of
from eventlogging.reports.render import Reader, Rendered
from eventlogging.reports.table import csv_rows
from eventlogging.reports.weekly import digest
from eventlogging.reports.words import change, share
from tests.reports import DAY, HOSTILE, LONGEST_NAME, hostile_report, report, schema_day

READER = Reader("", "You get this because you subscribed.", "https://e.example/unsubscribe/x")
URL = "https://events.example.org"


def mail(of: Report, reader: Reader = READER) -> Rendered:
    return render.daily(of, {}, reader, URL, b"PNG")


def spaced(text: str) -> str:
    """A text with plain spaces where it has thin or hard ones."""
    return text.replace("\N{NO-BREAK SPACE}", " ").replace("\N{THIN SPACE}", " ")


@pytest.mark.parametrize(
    ("now", "before", "said"),
    [(112, 100, "+12 %"), (88, 100, "−12 %"), (100, 100, "±0 %"), (5, 0, "–"), (0, 5, "−100 %"),
     (1400, 100, "× 14"), (123_400, 1, "× 123 400")],
)  # fmt: skip
def test_changes_in_words(now: int, before: int, said: str) -> None:
    assert spaced(change(now, before)) == said


@pytest.mark.parametrize(
    ("part", "whole", "said"),
    [(0, 0, "–"), (0, 9, "0.0 %"), (9, 9, "100.0 %"), (1, 99_999, "0.1 %"), (99_998, 99_999,
     "99.9 %"), (1, 8, "12.5 %")],
)  # fmt: skip
def test_a_share_says_none_or_all_only_where_that_is_exact(
    part: int, whole: int, said: str
) -> None:
    assert spaced(share(part, whole)) == said


def test_the_subject_is_the_fact() -> None:
    assert spaced(mail(report(schema_day("Click", 48_211, 193))).subject) == (
        f"{DAY}: 48 211 events, 0.4 % invalid, 0 unexplained"
    )
    assert mail(report()).subject == f"{DAY}: no event, 0 unexplained"
    assert mail(report(complete=False, note="x")).subject.endswith(", incomplete")


def test_what_is_unexplained_is_said_first_and_in_red() -> None:
    line = line_of("Click", {"sent": 100, "valid": 87})
    made = mail(report(schema_day("Click", line=line)))
    assert made.subject.endswith("13 unexplained")
    assert made.text.startswith("13 events are unexplained")
    assert "#d8001d" in made.html
    assert "#d8001d" not in mail(report(schema_day("Click"))).html


def test_a_long_table_is_cut_and_says_so() -> None:
    made = mail(report(*(schema_day(f"S{at}") for at in range(60))))
    assert "and 35 more schemas" in made.text
    assert "35 more schemas on the page" in made.html


def test_the_text_says_what_the_html_says() -> None:
    made = mail(report(schema_day("Click"), new=("Click",)))
    for part in (made.text, made.html):
        for said in ("Click", "type_mismatch", "/count", "a whole number", "is new", READER.why):
            assert said in part
        for link in (f"{URL}/reports/{DAY}", f"{URL}/schemas/Click", READER.unsubscribe or "?"):
            assert link in part
    assert "+100" in made.text  # against the day before


def test_columns_of_the_text_stand_below_each_other() -> None:
    made = mail(report(schema_day("Click"), schema_day(LONGEST_NAME)))
    lines = made.text.splitlines()
    head = next(line for line in lines if line.startswith("schema "))
    after = lines[lines.index(LONGEST_NAME) + 1]
    assert len(after) == len(head)
    assert max(len(line) for line in lines[lines.index(head) :][:5]) <= 78


def test_what_comes_from_outside_breaks_neither_part() -> None:
    made, samples = hostile_report()
    rendered = render.daily(made, samples, Reader(HOSTILE, "why"), URL, b"PNG")
    assert "<script" not in rendered.html
    assert "&lt;script&gt;" in rendered.html
    assert "\nFree money" not in rendered.text
    assert "\u202e" not in rendered.text + rendered.html + rendered.subject
    assert "\n" not in rendered.subject


def test_no_mail_asks_another_host_for_anything() -> None:
    made, samples = hostile_report()
    rendered = render.daily(made, samples, READER, URL, b"PNG")
    assert 'src="cid:chart"' in rendered.html
    assert rendered.html.count("src=") == 1
    assert "url(" not in rendered.html and "<link" not in rendered.html


def test_the_table_for_spreadsheets_has_no_formulas() -> None:
    made = report(schema_day("Click", owners=("=cmd@example.org",)))
    head, row = csv_rows(made)
    assert dict(zip(head, row, strict=True))["owners"] == "'=cmd@example.org"
    assert dict(zip(head, row, strict=True))["share_invalid"] == "0.040000"


def test_a_digest_sums_days_and_their_causes() -> None:
    other = Cause("bad_format", "/when", "a date", 9, ("", "", 0, 0))
    days = [report(schema_day("Click")), report(schema_day("Click", causes=(other,)), new=("A",))]
    week = digest(days)
    assert week.total.sent == 200 and week.sent_before == 200
    assert [(one.code, one.count) for one in week.causes] == [
        ("bad_format", 9), ("type_mismatch", 4),
    ]  # fmt: skip
    assert week.new == ("A",) and week.complete
    assert not digest([*days, replace(days[0], complete=False)]).complete
    text = render.weekly(week, READER, URL, b"PNG").text
    assert spaced(text).startswith("96.0 % valid")


def test_a_part_holds_only_its_schemas() -> None:
    made = report(schema_day("Click"), schema_day(UNKNOWN, owners=()), new=("Click", "Other"))
    part = made.part_of({"Click"})
    assert part.total.sent == 100 and part.new == ("Click",)
    assert made.part_of(set()).is_empty
    assert made.owners == {"owner@example.org": frozenset({"Click"})}


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ('{"schema": "A", "event": {"a": 1, "mail": "x"}}', '{"a": 1, "mail": "(private)"}'),
        ('{"$schema": "/A/1", "mail": "x"}', '{"$schema": "/A/1", "mail": "(private)"}'),
        (
            '{"schema": "A", "event": {"list": [{"mail": "x"}]}}',
            '{"list": [{"mail": "(private)"}]}',
        ),
        ('{"schema": "A", "event": {"mail": null}}', '{"mail": null}'),
        ('{"schema": "A", "event": {"ma', ""),
        ("[1]", ""),
    ],
    ids=["capsule", "whole body", "in a list", "null", "cut", "no object"],
)
def test_private_fields_are_masked_wherever_the_payload_stands(raw: str, said: str) -> None:
    assert masked.shown(raw, ["/mail", "/list/*/mail"]) == said


def test_what_lies_below_a_private_field_is_private() -> None:
    assert masked.is_private("/user/name", ["/user"])
    assert masked.is_private("/list/3/mail", ["/list/*/mail"])
    assert not masked.is_private("/list/3/name", ["/list/*/mail"])
    assert not masked.is_private("/user", ["/user/name"])
