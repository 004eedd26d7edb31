"""Blanked lines: gone, while offsets, batches and tallies stay what they were."""

from __future__ import annotations

import contextlib
import fcntl
import os
import zlib
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventlogging.log import blank, reader, segment

NAME = "2026-11-22/040136533-0badcafe"
SECRET = b"c0ffee:0123456789abcdef"


def _line(number: int, text: str = "", outcome: str = "valid") -> bytes:
    content = {
        "outcome": outcome, "schema": "Button", "version": "1.0.0",
        "id": f"e0608b4a-cbc1-4c12-b434-{number:012d}", "dt": 1795320096533,
        "received": 1795320096533, "index": number, "remember": False,
        "capsule": {"host": None}, "event": {"text": text},
    }  # fmt: skip
    if outcome == "test":
        content |= {"test_key": "mine", "verdict": "valid", "code": "", "errors": []}
    return orjson.dumps(content)


def _write(folder: Path, batches: list[list[bytes]], tail: bytes = b"") -> bytes:
    data = b""
    for number, lines in enumerate(batches):
        body = b"".join(line + b"\n" for line in lines)
        sent = {("2026-11-22 04:01", "Button"): number + 1}
        data += body + segment.commit_line(body, len(lines), sent)
    path = segment.data_path(folder, NAME)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data + tail)
    return data


def _erase(folder: Path, upto: int = 1 << 40, needles: tuple[bytes, ...] = (SECRET,)) -> int:
    return blank.blank(folder, NAME, blank.contentless, upto=upto, needles=needles)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_lines_blanked_leave_batches_offsets_and_tallies(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("log")
    number = iter(range(10_000))
    text = st.text(max_size=60)
    batches = data.draw(
        st.lists(st.lists(text.map(lambda t: _line(next(number), t)), max_size=6), max_size=5)
    )
    before = _write(folder, batches, tail=b'{"outcome":"valid"')
    every = [line for lines in batches for line in lines]
    chosen = set(data.draw(st.lists(st.sampled_from(every), unique=True))) if every else set()

    changed = blank.blank(
        folder, NAME, lambda line: blank.contentless(line) if line in chosen else None,
        upto=len(before),
    )  # fmt: skip

    after = segment.data_path(folder, NAME).read_bytes()
    assert changed == len(chosen) and len(after) == len(before) + len(b'{"outcome":"valid"')
    old, end = segment.split(before, 0)
    new, new_end = segment.split(after, 0)
    assert end == new_end == len(before)
    assert [(b.start, b.end, b.sent) for b in new] == [(b.start, b.end, b.sent) for b in old]
    for one, other in zip(old, new, strict=True):
        for (offset, line), (new_offset, new_line) in zip(one.lines, other.lines, strict=True):
            assert offset == new_offset
            if line in chosen:
                assert blank.is_blank(new_line) and len(new_line) == len(line)
                assert orjson.loads(new_line) == {
                    "outcome": "valid", "schema": "Button", "version": "1.0.0",
                    "received": 1795320096533, "code": "erased", "kept": False,
                }  # fmt: skip
            else:
                assert new_line == line


@pytest.mark.parametrize("digits", range(1, 11))
def test_the_new_checksum_has_as_many_digits_as_the_old(tmp_path: Path, digits: int) -> None:
    # A body whose CRC-32 is made to have few digits, as happens by chance once in a long while.
    body = bytearray(_line(1, SECRET.decode()).ljust(700) + b"\n" + _line(2) + b"\n")
    end = body.index(b"\n")
    blank._steer(body, end, 10 ** (digits - 1))
    assert zlib.crc32(body) == 10 ** (digits - 1)
    path = segment.data_path(tmp_path, NAME)
    path.parent.mkdir()
    path.write_bytes(bytes(body) + segment.commit_line(bytes(body), 2, {}))
    size = path.stat().st_size

    assert _erase(tmp_path) == 1

    assert path.stat().st_size == size
    batches, reached = segment.split(path.read_bytes(), 0)
    assert reached == size and [len(batch.lines) for batch in batches] == [2]
    assert SECRET not in path.read_bytes()


def test_what_is_blank_is_left_as_it_is(tmp_path: Path) -> None:
    _write(tmp_path, [[_line(1, SECRET.decode())], [_line(2)]])
    assert _erase(tmp_path, needles=()) == 2
    once = segment.data_path(tmp_path, NAME).read_bytes()

    def again(line: bytes) -> bytes | None:
        return None if blank.is_blank(line) else blank.contentless(line)

    assert blank.blank(tmp_path, NAME, again, upto=1 << 40) == 0
    assert segment.data_path(tmp_path, NAME).read_bytes() == once


def test_what_is_not_loaded_yet_is_not_touched(tmp_path: Path) -> None:
    lines = [[_line(1, SECRET.decode())], [_line(2, SECRET.decode())]]
    data = _write(tmp_path, lines)
    first = segment.split(data, 0)[0][0]

    assert _erase(tmp_path, upto=first.end + 5) == 1

    after = segment.data_path(tmp_path, NAME).read_bytes()
    assert after[first.end :] == data[first.end :] and SECRET not in after[: first.end]


def test_parked_stretches_are_spared(tmp_path: Path) -> None:
    data = _write(tmp_path, [[_line(n, SECRET.decode())] for n in range(3)])
    middle = segment.split(data, 0)[0][1]
    changed = blank.blank(
        tmp_path, NAME, blank.contentless, upto=len(data), spare=[(middle.start, middle.end)]
    )
    after = segment.data_path(tmp_path, NAME).read_bytes()
    assert changed == 2 and after.count(SECRET) == 1
    assert after[middle.start : middle.end] == data[middle.start : middle.end]


def test_a_line_of_a_test_key_is_blanked_and_stands_in_no_book(tmp_path: Path) -> None:
    _write(tmp_path, [[_line(1, SECRET.decode(), "test")]])
    _erase(tmp_path)
    (batch,) = reader.read_after(tmp_path, NAME, 0).batches
    content = orjson.loads(batch.lines[0][1])
    assert content["outcome"] == "test" and "kept" not in content
    assert SECRET not in batch.lines[0][1] and blank.is_blank(batch.lines[0][1])


def test_needles_are_found_wherever_they_stand(tmp_path: Path) -> None:
    other = b"0badcafe:77"
    data = _write(
        tmp_path,
        [
            [],
            [_line(1), _line(2, SECRET.decode())],
            [_line(3)],
            [_line(4, other.decode()), _line(5, (SECRET + other).decode())],
            [],
            [_line(6, SECRET.decode())],
        ],
        tail=_line(7, SECRET.decode()) + b"\n",
    )
    found = list(blank.lines_with(tmp_path, NAME, [SECRET, other]))
    assert [orjson.loads(line)["index"] for _, line in found] == [2, 4, 5, 6]
    assert all(data[offset : offset + len(line)] == line for offset, line in found)
    assert list(blank.lines_with(tmp_path, NAME, [b"nowhere"])) == []
    assert len(list(blank.lines_with(tmp_path, NAME, []))) == 6


def test_a_segment_may_be_blanked_while_its_writer_lives(tmp_path: Path) -> None:
    data = _write(tmp_path, [[_line(1, SECRET.decode())]])
    path = segment.data_path(tmp_path, NAME)
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert _erase(tmp_path, upto=len(data)) == 1
        body = _line(2) + b"\n"
        file.write(body + segment.commit_line(body, 1, {}))
    assert [len(batch.lines) for batch in segment.split(path.read_bytes(), 0)[0]] == [1, 1]
    assert SECRET not in path.read_bytes()


class _Killed(Exception):
    pass


STEPS = ("fsync", "replace", "pwrite", "unlink")


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("after", range(4))
def test_a_crash_at_any_step_is_made_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, after: int
) -> None:
    lines = [[_line(n, SECRET.decode()), _line(n + 10)] for n in range(3)]
    data = _write(tmp_path, lines)
    seen = 0

    def dying(real: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **kwargs: object) -> object:
            nonlocal seen
            if seen == after:
                if step == "pwrite":  # a part of it reaches the disk
                    real(args[0], bytes(args[1])[:7], *args[2:])  # type: ignore[call-overload]
                raise _Killed
            seen += 1
            return real(*args, **kwargs)

        return call

    with monkeypatch.context() as patch:
        holder = Path if step in ("replace", "unlink") else os
        patch.setattr(holder, step, dying(getattr(holder, step)))
        with contextlib.suppress(_Killed):
            _erase(tmp_path)

    blank.recover(tmp_path)

    path = segment.data_path(tmp_path, NAME)
    batches, end = segment.split(path.read_bytes(), 0)
    assert end == len(data) and [len(batch.lines) for batch in batches] == [2, 2, 2]
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    _erase(tmp_path)  # finishes what was not begun, and finds nothing where it was
    assert SECRET not in path.read_bytes()
    assert segment.split(path.read_bytes(), 0)[1] == len(data)


def test_a_journal_that_was_not_written_whole_changes_nothing(tmp_path: Path) -> None:
    data = _write(tmp_path, [[_line(1, SECRET.decode())]])
    blank.journal_path(tmp_path, NAME).write_bytes(
        b'{"regions":[[0,9]],"sha256":"' + b"0" * 64 + b'"}\nnot whole'
    )
    assert blank.recover(tmp_path) == 1
    assert segment.data_path(tmp_path, NAME).read_bytes() == data
    assert blank.recover(tmp_path) == 0


def test_a_longer_line_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    data = _write(tmp_path, [[_line(1)]])
    with pytest.raises(ValueError, match="longer"):
        blank.blank(tmp_path, NAME, lambda line: line + b" ", upto=len(data))
    with pytest.raises(ValueError, match="too short"):
        blank.blank(tmp_path, NAME, lambda line: b"x" * len(line), upto=len(data))
    assert segment.data_path(tmp_path, NAME).read_bytes() == data
