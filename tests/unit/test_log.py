"""The log: what is acknowledged is on disk, what is torn does not count."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from eventlogging.errors import LogUnavailable
from eventlogging.log import reader, segment
from eventlogging.log.writer import LogWriter


def writer(folder: Path, **options: object) -> LogWriter:
    settings = {"segment_bytes": 1_000_000, "queue_bytes": 1_000_000, **options}
    return LogWriter(folder, **settings)  # type: ignore[arg-type]


def append(log: LogWriter, *lines: bytes, sent: int | None = None) -> LogUnavailable | None:
    """Append and wait for the outcome."""
    done = threading.Event()
    outcome: list[LogUnavailable | None] = []

    def finish(error: LogUnavailable | None) -> None:
        outcome.append(error)
        done.set()

    tally = {("2026-11-22 03:04", "A"): len(lines) if sent is None else sent}
    log.append(lines, tally, finish)
    assert done.wait(10)
    return outcome[0]


def all_lines(folder: Path) -> list[bytes]:
    return [
        line
        for name in reader.segments(folder)
        for batch in reader.read_after(folder, name, 0).batches
        for _, line in batch.lines
    ]


def test_what_was_acknowledged_can_be_read_while_the_writer_goes_on(tmp_path: Path) -> None:
    log = writer(tmp_path)
    assert append(log, b'{"n":1}\n', b'{"n":2}\n') is None
    assert all_lines(tmp_path) == [b'{"n":1}', b'{"n":2}']
    piece = reader.read_after(tmp_path, reader.segments(tmp_path)[0], 0)
    assert not piece.finished
    assert piece.batches[0].sent == (("2026-11-22 03:04", "A", 2),)
    log.close()
    assert reader.read_after(tmp_path, reader.segments(tmp_path)[0], piece.end).finished


def test_reading_goes_on_where_the_last_piece_ended(tmp_path: Path) -> None:
    log = writer(tmp_path)
    append(log, b'{"n":1}\n')
    name = reader.segments(tmp_path)[0]
    end = reader.read_after(tmp_path, name, 0).end
    append(log, b'{"n":2}\n')
    piece = reader.read_after(tmp_path, name, end)
    assert [line for batch in piece.batches for _, line in batch.lines] == [b'{"n":2}']
    log.close()


def test_readers_go_no_further_than_the_published_length(tmp_path: Path) -> None:
    log = writer(tmp_path)
    append(log, b'{"n":1}\n')
    name = reader.segments(tmp_path)[0]
    with segment.data_path(tmp_path, name).open("ab") as file:
        body = b'{"n":2}\n'
        file.write(body + segment.commit_line(body, 1, {}))
    assert all_lines(tmp_path) == [b'{"n":1}']
    log.close()
    assert all_lines(tmp_path) == [b'{"n":1}'], "and the writer's last word is final"


def test_a_torn_batch_of_a_killed_writer_does_not_count(tmp_path: Path) -> None:
    code = textwrap.dedent(
        f"""
        import os, threading
        from pathlib import Path
        from eventlogging.log import reader, segment
        from eventlogging.log.writer import LogWriter
        log = LogWriter(Path({str(tmp_path)!r}), segment_bytes=10**6, queue_bytes=10**6)
        done = threading.Event()
        log.append([b'{{"n":1}}\\n'], {{}}, lambda error: done.set())
        done.wait()
        name = reader.segments(Path({str(tmp_path)!r}))[0]
        with segment.data_path(Path({str(tmp_path)!r}), name).open("ab") as file:
            file.write(b'{{"n":2}}\\n{{"n":')
        os.kill(os.getpid(), 9)
        """
    )
    subprocess.run([sys.executable, "-c", code], check=False, stdin=subprocess.DEVNULL)
    name = reader.segments(tmp_path)[0]
    piece = reader.read_after(tmp_path, name, 0)
    assert piece.finished, "nobody holds the segment any more"
    assert all_lines(tmp_path) == [b'{"n":1}']


def test_a_batch_whose_bytes_changed_on_disk_does_not_count(tmp_path: Path) -> None:
    log = writer(tmp_path)
    append(log, b'{"n":1}\n')
    append(log, b'{"n":2}\n')
    log.close()
    path = segment.data_path(tmp_path, reader.segments(tmp_path)[0])
    path.write_bytes(path.read_bytes().replace(b'{"n":2}', b'{"n":3}'))
    assert all_lines(tmp_path) == [b'{"n":1}']


def test_a_failed_sync_refuses_the_batch_and_opens_a_new_segment(tmp_path: Path) -> None:
    failing = threading.Event()

    def sync(descriptor: int) -> None:
        if failing.is_set():
            raise OSError(errno.EIO, "Input/output error")
        os.fdatasync(descriptor)

    log = writer(tmp_path, sync=sync)
    assert append(log, b'{"n":1}\n') is None
    failing.set()
    assert isinstance(append(log, b'{"n":2}\n'), LogUnavailable)
    assert log.trouble is not None
    failing.clear()
    assert append(log, b'{"n":3}\n') is None
    assert log.trouble is None
    log.close()
    assert sorted(all_lines(tmp_path)) == [b'{"n":1}', b'{"n":3}'], "what was refused stays out"
    assert len(reader.segments(tmp_path)) == 2


def test_what_was_refused_stays_out_though_its_length_could_not_be_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = writer(tmp_path)
    assert append(log, b'{"n":1}\n') is None
    publish = segment.publish

    def full(descriptor: int, length: int, *, done: bool) -> None:
        raise OSError(errno.EFBIG, "File too large")

    monkeypatch.setattr(segment, "publish", full)
    assert isinstance(append(log, b'{"n":2}\n'), LogUnavailable)
    monkeypatch.setattr(segment, "publish", publish)
    assert append(log, b'{"n":3}\n') is None
    log.close()
    assert sorted(all_lines(tmp_path)) == [b'{"n":1}', b'{"n":3}']


def test_a_full_queue_is_refused_at_once(tmp_path: Path) -> None:
    held = threading.Event()
    log = writer(tmp_path, queue_bytes=100, sync=lambda _: held.wait(10) and None)
    waiting = []
    log.append([b"x" * 60 + b"\n"], {}, waiting.append)
    with pytest.raises(LogUnavailable):
        for _ in range(4):
            log.append([b"y" * 60 + b"\n"], {}, waiting.append)
    held.set()
    log.close()


def test_a_segment_grows_no_further_than_its_size(tmp_path: Path) -> None:
    log = writer(tmp_path, segment_bytes=200)
    for number in range(10):
        append(log, b'{"number":%d}\n' % number)
    log.close()
    assert len(reader.segments(tmp_path)) > 2
    assert len(all_lines(tmp_path)) == 10


def test_each_start_opens_a_new_segment(tmp_path: Path) -> None:
    for number in range(2):
        log = writer(tmp_path)
        append(log, b'{"n":%d}\n' % number)
        log.close()
    assert len(reader.segments(tmp_path)) == 2


def test_a_closed_log_takes_nothing(tmp_path: Path) -> None:
    log = writer(tmp_path)
    log.close()
    with pytest.raises(LogUnavailable):
        log.append([b"{}\n"], {}, lambda error: None)
