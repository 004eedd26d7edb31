"""Blank lines of the log in place: what is forgotten goes, all that is counted stays.

A blanked line is as long as it was, so that no offset moves. The checksum of its batch becomes
another one with as many digits: blanks and tabs at the end of the line are chosen so that it
comes out. What is to be written is first noted in a journal beside the segment, so that a crash
at any point leaves a log that can be read: `recover` finishes what was begun.
"""

from __future__ import annotations

import fcntl
import hashlib
import mmap
import os
import secrets
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import orjson

from eventlogging.log import segment
from eventlogging.log.segment import COMMIT_PREFIX, Batch

ERASED = "erased"  # the reason that a blanked line is booked with when it is loaded once more
Region = tuple[int, bytes]  # what to write where
Change = Callable[[bytes], bytes | None]
_TEST = "test"  # the outcome of lines that test keys caused, as intake writes them
_BITS = 32
_FLIP = 0x20 ^ 0x09  # makes a tab of a blank
_ALL_ONES = 0xFFFFFFFF
_JOURNAL_BYTES = 4_194_304  # of new bytes in one journal
_NEXT_COMMIT = b"\n" + COMMIT_PREFIX


def contentless(line: bytes) -> bytes:
    """Return the line of its outcome alone, as long as the line was.

    Loaded again, it books its outcome with the reason `erased` and makes no row. A line of a test
    key makes nothing.
    """
    content = orjson.loads(line)
    kept = {name: content[name] for name in ("outcome", "schema", "version", "received")}
    if kept["outcome"] == _TEST:
        kept["verdict"] = ERASED
    else:
        kept |= {"code": ERASED, "kept": False}
    return orjson.dumps(kept).ljust(len(line))


def is_blank(line: bytes) -> bool:
    """Whether a line holds nothing but its outcome."""
    content = orjson.loads(line)
    return not content.get("kept", True) or content.get("verdict") == ERASED


def blank(
    folder: Path,
    name: str,
    change: Change,
    *,
    upto: int,
    needles: Sequence[bytes] = (),
    spare: Sequence[tuple[int, int]] = (),
) -> int:
    """Replace lines of a segment in place; return how many were.

    `change` gets a line without its newline and returns what takes its place (such as
    `contentless` of it), or None to leave it. With `needles` it is asked only about lines that
    contain one of them, which is much faster. Only batches that end at or before `upto` are
    touched, and none that overlaps a stretch (start, end) of `spare`: the caller knows what is
    loaded, and what is parked. The writer may go on appending. Raises OSError; ValueError where
    a new line is longer, or too little shorter for a new checksum.
    """
    with _alone(folder):
        _recover_segment(folder, name)
        changed = 0
        waiting: list[Region] = []
        for batch, body in _batches(folder, name, upto, needles):
            if any(batch.start < end and start < batch.end for start, end in spare):
                continue
            regions = _changed(batch, body, change, needles)
            if regions:
                changed += len(regions) - 1
                waiting += regions
            if sum(len(new) for _, new in waiting) >= _JOURNAL_BYTES:
                _write(folder, name, waiting)
                waiting = []
        if waiting:
            _write(folder, name, waiting)
        return changed


def lines_with(
    folder: Path, name: str, needles: Sequence[bytes], *, upto: int | None = None
) -> Iterator[tuple[int, bytes]]:
    """Yield (offset, line) of the lines of complete batches that contain one of some bytes.

    Raises OSError.
    """
    for batch, _ in _batches(folder, name, upto, needles):
        for offset, line in batch.lines:
            if _contains(line, needles):
                yield offset, line


def recover(folder: Path) -> int:
    """Finish what a crash interrupted, in all segments; return in how many. Raises OSError."""
    with _alone(folder):
        names = [f"{path.parent.name}/{path.stem}" for path in folder.glob("????-??-??/*.blank")]
        finished = sum(_recover_segment(folder, name) for name in names)
        for draft in folder.glob("????-??-??/*.blank-new"):
            draft.unlink(missing_ok=True)
        return finished


def journal_path(folder: Path, name: str) -> Path:
    """Return the file that says what is being written into a segment."""
    return folder / f"{name}.blank"


def _batches(
    folder: Path, name: str, upto: int | None, needles: Sequence[bytes]
) -> Iterator[tuple[Batch, bytes]]:
    """Yield the complete batches that contain a needle (all, without needles), with their bytes."""
    with segment.data_path(folder, name).open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        end = size if upto is None else min(upto, size)
        if end <= 0:
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            for start, stretch in _stretches(data, end, needles):
                for batch in segment.split(stretch, start)[0]:
                    yield batch, stretch[batch.start - start : batch.end - start]


def _stretches(data: mmap.mmap, end: int, needles: Sequence[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield (offset, bytes) of stretches between commit lines, those that contain a needle."""
    position = 0
    hits = dict.fromkeys(needles, -1)
    while position < end:
        start = position
        if needles:
            for needle, hit in list(hits.items()):
                if hit < position:
                    found = data.find(needle, position, end)
                    hits[needle] = end if found < 0 else found
            first = min(hits.values())
            if first >= end:
                return
            before = data.rfind(_NEXT_COMMIT, max(position - 1, 0), first)
            if before >= position:
                start = data.find(b"\n", before + 1, end) + 1
        commit = start if data[start : start + len(COMMIT_PREFIX)] == COMMIT_PREFIX else -1
        if commit < 0:
            commit = data.find(_NEXT_COMMIT, start, end)
        last = data.find(b"\n", commit + 1, end) if commit >= 0 else -1
        if start <= 0 < position or last < 0:
            return  # a batch that is cut off does not count
        position = last + 1
        yield start, data[start:position]


def _contains(line: bytes, needles: Sequence[bytes]) -> bool:
    return not needles or any(needle in line for needle in needles)


def _changed(batch: Batch, body: bytes, change: Change, needles: Sequence[bytes]) -> list[Region]:
    """Return what to write where so that a batch's lines change: they, and its commit line."""
    regions: list[Region] = []
    for offset, line in batch.lines:
        if not _contains(line, needles):
            continue
        new = change(line)
        if new is None or new == line:
            continue
        if len(new) > len(line):
            raise ValueError("a line of the log cannot be replaced by a longer one")
        regions.append((offset, new.ljust(len(line))))
    if not regions:
        return []
    commit_at = body.rfind(b"\n", 0, -1) + 1
    lines = bytearray(body[:commit_at])
    for offset, new in regions:
        at = offset - batch.start
        lines[at : at + len(new)] = new
    crc = _crc_text(body[commit_at:])
    target = _another_of(len(crc))
    offset, new = regions[-1]
    ends = offset - batch.start + len(new)
    _steer(lines, ends, target)
    regions[-1] = (offset, bytes(lines[ends - len(new) : ends]))
    commit = body[commit_at:].replace(b'"crc":' + crc, b'"crc":%d' % target, 1)
    return [*regions, (batch.start + commit_at, commit)]


def _crc_text(commit: bytes) -> bytes:
    start = commit.index(b'"crc":') + len(b'"crc":')
    return commit[start : commit.index(b",", start)]


def _another_of(digits: int) -> int:
    """Return any number of so many digits that fits into 32 bits: it tells nothing."""
    least = 10 ** (digits - 1) if digits > 1 else 0
    return least + secrets.randbelow(min(10**digits, _ALL_ONES + 1) - least)


def _steer(lines: bytearray, ends: int, target: int) -> None:
    """Make tabs of some of the 32 blanks before `ends`, so that `target` is the CRC-32 of it all.

    The checksum is linear: each tab flips a fixed set of its bits, and those of 32 neighbouring
    places are independent of each other. So exactly one choice of tabs is right.
    """
    if bytes(lines[ends - _BITS : ends]) != b" " * _BITS:
        raise ValueError("a line of the log is too short to be blanked")
    wrong = zlib.crc32(lines) ^ target
    after = bytes(len(lines) - ends)
    reduced: list[tuple[int, int]] = []  # (bits flipped, the places that do it), for elimination
    for place in range(_BITS):
        flips = zlib.crc32(bytes([_FLIP]) + bytes(place) + after, _ALL_ONES) ^ _ALL_ONES
        places = 1 << place
        for other, others in reduced:
            if flips ^ other < flips:
                flips, places = flips ^ other, places ^ others
        reduced.append((flips, places))
        reduced.sort(reverse=True)
    chosen = 0
    for flips, places in reduced:
        if wrong ^ flips < wrong:
            wrong, chosen = wrong ^ flips, chosen ^ places
    for place in range(_BITS):
        if chosen >> place & 1:
            lines[ends - 1 - place] ^= _FLIP


def _write(folder: Path, name: str, regions: Sequence[Region]) -> None:
    """Note what is to be written, write it, forget the note; each step is on disk before the next.

    With the note lost before it was whole, nothing was written; afterwards it can be finished.
    """
    path = journal_path(folder, name)
    draft = path.with_suffix(".blank-new")
    body = b"".join(new for _, new in regions)
    places = [[offset, len(new)] for offset, new in regions]
    header = {"regions": places, "sha256": hashlib.sha256(body).hexdigest()}
    with draft.open("wb") as file:
        file.write(orjson.dumps(header) + b"\n" + body)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    _sync_directory(path.parent)
    _put(segment.data_path(folder, name), regions)
    path.unlink()
    _sync_directory(path.parent)


def _recover_segment(folder: Path, name: str) -> bool:
    """Write what a journal says once more, and remove it; return whether there was one."""
    path = journal_path(folder, name)
    try:
        header_line, _, body = path.read_bytes().partition(b"\n")
    except FileNotFoundError:
        return False
    regions = _noted(header_line, body)
    data = segment.data_path(folder, name)
    if regions is not None and data.exists():
        _put(data, regions)
    path.unlink()
    _sync_directory(path.parent)
    return True


def _noted(header_line: bytes, body: bytes) -> list[Region] | None:
    """Return what a journal says, None where it is not whole: nothing was written then."""
    try:
        header = orjson.loads(header_line)
        if hashlib.sha256(body).hexdigest() != header["sha256"]:
            return None
        regions, at = [], 0
        for offset, length in header["regions"]:
            regions.append((offset, body[at : at + length]))
            at += length
        return regions
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        return None


def _put(path: Path, regions: Sequence[Region]) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        for offset, new in regions:
            view = memoryview(new)
            while view:
                written = os.pwrite(descriptor, view, offset)
                view, offset = view[written:], offset + written
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the right to blank lines in this log: one process at a time, or one thread."""
    folder.mkdir(parents=True, exist_ok=True)
    # Not the segment itself: its lock says that its writer lives.
    descriptor = os.open(folder / ".blanking", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
