"""Edge logs: formats and their lines, percent-encoding, times, borders of chunks."""

from __future__ import annotations

import gzip
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventlogging.collector.edge.chunks import CHUNK_BYTES, LONGEST_LINE, next_chunk
from eventlogging.collector.edge.formats import CLASSIC, Format, FormatError
from eventlogging.collector.edge.percent import event_text, event_texts, unquoted
from eventlogging.collector.edge.source import fingerprint, open_source
from eventlogging.collector.edge.times import Times

AT = 1_358_637_398_000  # 2013-01-19T23:16:38


def fields(format: str, line: str) -> dict[str, str] | None:
    compiled = Format(format)
    [row] = compiled.rows([line.encode() + b"\n"])
    return row and {name: row[place].decode() for name, place in compiled.at.items()}


def test_a_line_of_classic_eventlogging_is_understood() -> None:
    line = "?%7B%22a%22%3A1%7D; cp1.example.org 132073 2013-01-19T23:16:38 - Mozilla/5.0 (X11; rv)"
    assert fields(CLASSIC, line) == {
        "query": "?%7B%22a%22%3A1%7D;",
        "edge": "cp1.example.org",
        "number": "132073",
        "time": "2013-01-19T23:16:38",
        "agent": "Mozilla/5.0 (X11; rv)",
    }


@pytest.mark.parametrize(
    ("format", "line"),
    [
        ("%q\t%t\t%u", "q\t2013-01-19T23:16:38+00:00\tMozilla 5"),
        ('%h - [%t] "%q" "%u"', '10.0.0.1 - [19/Jan/2013:23:16:38 +0000] "q" "Mozilla 5"'),
        ("%q %t %u", "q [19/Jan/2013:23:16:38 +0000] Mozilla 5"),
        ("%t %h %q %u", "19/Jan/2013:23:16:38 +0000 ::1 q Mozilla 5"),
        ("%q %u %t", "q Mozilla 5 1358637398.000"),
        ("%%%q|%t|%u", "%q|1358637398|Mozilla 5"),
        ("%q %D %{User-Agent}i", "q 2013-01-20T00:16:38+01:00 Mozilla 5"),
    ],
)
def test_fields_are_found_whatever_parts_them(format: str, line: str) -> None:
    found = fields(format, line)
    assert found is not None
    assert found["query"] == "q"
    assert found["agent"] == "Mozilla 5"
    assert Times().ms(found["time"].encode()) == AT


def test_json_may_stand_in_a_line_as_it_is() -> None:
    found = fields("%{seqId}d EventLogging %j", '7 EventLogging {"schema": "A", "event": {}}')
    assert found == {"number": "7", "json": '{"schema": "A", "event": {}}'}


@pytest.mark.parametrize(
    "line",
    ["", "q", "q host x 2013-01-19T23:16:38 - Agent", "q host 7", "\0\0\0", "a b c d e"],
)
def test_a_line_of_another_format_is_none(line: str) -> None:
    assert fields(CLASSIC, line) is None


@pytest.mark.parametrize(
    ("format", "says"),
    [
        ("%q %z", "'%z' at character 4 is no field"),
        ("%q %s", "needs a name"),
        ("%q %{a}q", "no field"),
        ("%q %{}s", "no field"),
        ("%q %", "no field"),
        ("%q%u", "nothing parts"),
        ("%q %t %D", "time twice"),
        ("%t %u", "by %q"),
        ("%q %j", "by %q"),
        ("%q\n%u", "line break"),
        ("", "by %q"),
    ],
)
def test_a_wrong_format_is_told_with_its_place(format: str, says: str) -> None:
    with pytest.raises(FormatError, match=says):
        Format(format)


@given(st.binary(max_size=60) | st.text("%2aA=?;\\x\r\n\x1e7B", max_size=40).map(str.encode))
@settings(max_examples=400, deadline=None)
def test_quick_unquoting_is_what_the_slow_one_does(text: bytes) -> None:
    assert unquoted(text) == unquote_to_bytes(text)


@given(st.lists(st.text("%20aA1eE={}?;\\x\r\x1e7B", max_size=12).map(str.encode), max_size=6))
@settings(max_examples=400, deadline=None)
def test_queries_unquoted_together_are_what_each_is_alone(queries: list[bytes]) -> None:
    assert event_texts(queries) == [event_text(query) for query in queries]


@given(st.text(max_size=60))
@settings(max_examples=100, deadline=None)
def test_what_a_browser_encodes_comes_back(text: str) -> None:
    assert event_text(f"?{quote('{' + text + '}', safe='')};".encode()) == f"{{{text}}}".encode()


def test_a_quote_that_nginx_escaped_is_a_quote_again() -> None:
    assert event_text(rb"{\x22a\x22:%22\x5C%22%22}") == rb'{"a":"\""}'


@pytest.mark.parametrize(
    "text",
    ["", "-", "yesterday", "32/Jan/2013:00:00:00 +0000", "1/Foo/2013:00:00:00", "9" * 400, "[",
     "2013-13-01T00:00:00", "99999999999999999999", "1/Jan/2013:00:00:00 +9999"],
)  # fmt: skip
def test_what_is_no_time_is_none(text: str) -> None:
    assert Times().ms(text.encode()) is None


def cut(path: Path, *, to_the_end: bool = True) -> list[tuple[int, int]]:
    source = open_source(path)
    found, at = [], 0
    while (chunk := next_chunk(source, at, to_the_end=to_the_end)).data:
        found.append((at, chunk.border))
        at = chunk.border
    source.close()
    return found


def test_chunks_end_with_lines_at_the_same_places_packed_or_not(tmp_path: Path) -> None:
    data = b"".join(b"%d %s\n" % (n, b"x" * (n % 700)) for n in range(12_000))
    plain, packed = tmp_path / "log", tmp_path / "log.1.gz"
    plain.write_bytes(data)
    packed.write_bytes(gzip.compress(data, 1))
    borders = cut(plain)
    assert borders == cut(packed)
    assert len(borders) == len(data) // CHUNK_BYTES + 1
    assert all(data[end - 1 : end] == b"\n" for _, end in borders)
    assert fingerprint(open_source(plain)) == fingerprint(open_source(packed)) != ""
    # From a border in between, which a follower chose, the later ones are the same.
    start = data.index(b"\n", 300_000) + 1
    assert next_chunk(open_source(plain), start, to_the_end=True).border == borders[0][1]


def test_half_a_line_waits_and_a_line_without_end_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"whole\nhal")
    chunk = next_chunk(open_source(path), 0, to_the_end=False)
    assert (chunk.data, chunk.is_whole) == (b"whole\n", False)
    assert next_chunk(open_source(path), 6, to_the_end=False).data == b""
    assert next_chunk(open_source(path), 6, to_the_end=True).data == b"hal"
    path.write_bytes(b"x" * (CHUNK_BYTES + 2 * LONGEST_LINE))
    assert max(end - start for start, end in cut(path)) <= CHUNK_BYTES + LONGEST_LINE


def test_a_file_without_a_whole_line_is_not_known_yet(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"hal")
    source = open_source(path)
    assert fingerprint(source) == ""
    assert fingerprint(source, is_final=True) != ""
