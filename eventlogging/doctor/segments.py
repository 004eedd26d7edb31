"""Checks of the log: its folder, its segments, tails that were torn off."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from eventlogging import clock
from eventlogging.config import Config
from eventlogging.doctor.finding import Finding, error, ok, several, size, warning
from eventlogging.ledger.lag import opened_at
from eventlogging.log import reader, segment

_SLACK_MS = 60_000  # clocks of two machines may differ a little


def log_folder(config: Config) -> Iterator[Finding]:
    """The log's folder and all its segments can be read."""
    folder = config.var / "log"
    if not folder.is_dir():
        yield error(
            "log",
            f"the log folder {folder.resolve()} does not exist",
            "`eventlogging serve` makes it; or set EVENTLOGGING_VAR to the right folder",
        )
        return
    names = reader.segments(folder)
    total = broken = 0
    for name in names:
        try:
            total += _readable(folder, name)
        except OSError as wrong:
            broken += 1
            yield error(
                "log",
                f"the segment {name} cannot be read: {wrong.strerror}",
                f"give the server's user the right to read {segment.data_path(folder, name)}",
            )
    if not broken:
        yield ok(
            "log", f"{several(len(names), 'segment')} of the log can be read, {size(total)} in all"
        )


def _readable(folder: Path, name: str) -> int:
    with segment.data_path(folder, name).open("rb") as file:
        file.read(1)
        file.seek(0, 2)
        return file.tell()


def torn_tails(config: Config) -> Iterator[Finding]:
    """Segments whose writer died may end in a batch that nobody was told is kept."""
    folder = config.var / "log"
    abandoned = torn = 0
    for name in reader.segments(folder):
        try:
            if segment.read_synced(folder, name)[1]:
                continue  # closed in order
            end, finished = _end(folder, name)
            if not finished:
                if not segment.synced_path(folder, name).exists():
                    yield warning(
                        "torn tails",
                        f"{name} is being written and its .synced file is missing, so nothing "
                        "of it is loaded",
                        "restart the web process; the segment is then read to its end",
                    )
                continue
            abandoned += 1
            torn += segment.data_path(folder, name).stat().st_size > end
        except OSError:
            continue  # `log_folder` says so
    text = f"writers that died left {several(abandoned, 'segment')} behind"
    if torn:
        text += f", {torn} with a torn batch at the end, never acknowledged, which does not count"
    yield ok("torn tails", text)


def _end(folder: Path, name: str) -> tuple[int, bool]:
    """Return where the last complete batch ends, and whether nobody writes any more."""
    position = 0
    while True:
        piece = reader.read_after(folder, name, position)
        if piece.finished or not piece.batches:
            return piece.end, piece.finished
        position = piece.end


def newest_segment(config: Config) -> Iterator[Finding]:
    """The newest segment was not opened in the future."""
    for name in reversed(reader.segments(config.var / "log")):
        try:
            ahead = opened_at(name) - clock.now_ms()
        except ValueError:
            continue
        if ahead > _SLACK_MS:
            yield warning(
                "clock",
                f"the clock jumps: the newest segment {name} was opened in the future",
                "set the clock by NTP on every machine that collects events",
            )
        return
