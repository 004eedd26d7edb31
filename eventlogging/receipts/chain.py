"""The chain of receipts: what was forgotten, and when, in a file that only grows.

It lies outside of the database, so that a restored backup cannot bring back what was forgotten
after it was made. Each line is JSON and holds the digest of the one before it: a line that is
changed or missing shows. No receipt holds anything that was forgotten; persons stand in it as
keyed hashes.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eventlogging import clock

FILE = "receipts.jsonl"
_NOTHING = "0" * 64


@dataclass(frozen=True, slots=True)
class Receipt:
    """One entry. `kind`: begin, purge, scrub, erasure, restore …; `at` is an ISO time."""

    number: int
    at: str
    kind: str
    body: Mapping[str, Any]
    previous: str
    digest: str

    def as_dict(self) -> dict[str, Any]:
        """Return all of it as one flat object."""
        return {
            "number": self.number, "at": self.at, "kind": self.kind, **self.body,
            "previous": self.previous, "digest": self.digest,
        }  # fmt: skip


class BrokenChain(Exception):
    """Raised where a receipt cannot be read or does not follow from the one before it."""


def folder_of(var: Path) -> Path:
    """Return the folder of an installation's receipts."""
    return var / "receipts"


def append(folder: Path, kind: str, body: Mapping[str, Any]) -> Receipt:
    """Write a receipt and return it once it is on disk; many processes may do so at once.

    Raises OSError, BrokenChain where the last receipt cannot be read.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _locked(folder) as descriptor:
        size, last = _last(descriptor)
        at = clock.iso(clock.now_ms())
        number = last.number + 1 if last else 1
        receipt = _sealed(number, at, kind, body, last.digest if last else _NOTHING)
        line = json.dumps(receipt.as_dict(), ensure_ascii=False, separators=(",", ":")) + "\n"
        # What an interrupted writer left of a line was never a receipt.
        os.ftruncate(descriptor, size)
        os.lseek(descriptor, size, os.SEEK_SET)
        view = memoryview(line.encode())
        while view:
            view = view[os.write(descriptor, view) :]
        os.fsync(descriptor)
    return receipt


def read(folder: Path) -> list[Receipt]:
    """Return all receipts, the oldest first; none where there is no file.

    Raises BrokenChain at the first that is not what its digest says.
    """
    try:
        data = (folder / FILE).read_bytes()
    except FileNotFoundError:
        return []
    return list(_checked(data))


def newest(folder: Path, kind: str | None = None) -> Receipt | None:
    """Return the last receipt, or the last of a kind; None where there is none.

    Raises BrokenChain.
    """
    found = (one for one in reversed(read(folder)) if kind is None or one.kind == kind)
    return next(found, None)


def _checked(data: bytes) -> Iterator[Receipt]:
    previous = _NOTHING
    for number, line in enumerate(data[: data.rfind(b"\n") + 1].splitlines(), 1):
        receipt = _parsed(line, number)
        if receipt.number != number or receipt.previous != previous:
            raise BrokenChain(f"receipt {number} does not follow from the one before it")
        if receipt != _sealed(number, receipt.at, receipt.kind, receipt.body, previous):
            raise BrokenChain(f"receipt {number} is not what its digest says")
        previous = receipt.digest
        yield receipt


def _parsed(line: bytes, number: int) -> Receipt:
    try:
        content = json.loads(line)
        ours = [content.pop(key) for key in ("number", "at", "kind", "previous", "digest")]
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise BrokenChain(f"receipt {number} cannot be read") from error
    return Receipt(ours[0], ours[1], ours[2], content, ours[3], ours[4])


def _sealed(number: int, at: str, kind: str, body: Mapping[str, Any], previous: str) -> Receipt:
    text = json.dumps([number, at, kind, dict(body), previous], sort_keys=True)
    body = json.loads(json.dumps(body))
    return Receipt(number, at, kind, body, previous, hashlib.sha256(text.encode()).hexdigest())


@contextmanager
def _locked(folder: Path) -> Iterator[int]:
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
    descriptor = os.open(folder / FILE, flags, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def _last(descriptor: int) -> tuple[int, Receipt | None]:
    """Return where the whole lines end, and the last of them."""
    size = os.fstat(descriptor).st_size
    data, start = b"", size
    while start and data.count(b"\n") < 2:
        step = min(start, 65_536)
        start -= step
        data = os.pread(descriptor, step, start) + data
    end = data.rfind(b"\n")
    if end < 0:
        return 0, None
    line = data[data.rfind(b"\n", 0, end) + 1 : end]
    number = json.loads(line).get("number", 0) if line.startswith(b"{") else 0
    return start + end + 1, _parsed(line, number)
