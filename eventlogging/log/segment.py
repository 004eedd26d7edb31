"""One segment of the log: its name, its two files, the batches inside.

A segment is a file of JSON lines that one process writes, named
`<day>/<time>-<random>.jsonl`. Beside it `….synced` holds how many bytes are
surely on disk, and whether the writer is done with it. Lines come in batches;
each batch ends with a commit line that counts its lines, holds their checksum
and the tally of what was sent. A batch without its commit line was never
acknowledged and does not count.
"""

from __future__ import annotations

import errno
import os
import secrets
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from eventlogging import clock

COMMIT_PREFIX = b'{"commit":'
Sent = Mapping[tuple[str, str], int]  # (minute, schema name) → events


@dataclass(frozen=True, slots=True)
class Batch:
    """What one group commit wrote: `lines` as (offset, bytes), `sent` as (minute, name, count)."""

    start: int
    end: int
    lines: tuple[tuple[int, bytes], ...]
    sent: tuple[tuple[str, str, int], ...]


def new_name(now_ms: int) -> str:
    """Return a new segment's name; names sort by time."""
    moment = clock.from_ms(now_ms)
    return f"{moment:%Y-%m-%d}/{moment:%H%M%S}{now_ms % 1000:03d}-{secrets.token_hex(4)}"


def data_path(folder: Path, name: str) -> Path:
    """Return the file that holds the lines."""
    return folder / f"{name}.jsonl"


def synced_path(folder: Path, name: str) -> Path:
    """Return the file that holds the synced length."""
    return folder / f"{name}.synced"


def publish(descriptor: int, length: int, *, done: bool) -> None:
    """Write the synced length in place: fixed width, so that it needs no new disk space."""
    text = b"%020d %s\n" % (length, b"done" if done else b"open")
    if os.pwrite(descriptor, text, 0) != len(text):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def read_synced(folder: Path, name: str) -> tuple[int, bool]:
    """Return (bytes surely on disk, whether the writer said it is done)."""
    try:
        text = synced_path(folder, name).read_bytes()
        return int(text[:20]), text[21:25] == b"done"
    except (OSError, ValueError):
        return 0, False


def commit_line(lines: bytes, count: int, sent: Sent) -> bytes:
    """Return the line that ends a batch."""
    tally = [[minute, name, number] for (minute, name), number in sent.items()]
    content = {"lines": count, "crc": zlib.crc32(lines), "sent": tally}
    return orjson.dumps({"commit": content}) + b"\n"


def split(data: bytes, start: int) -> tuple[list[Batch], int]:
    """Return the complete batches in `data`, which was read at offset `start`, and where they end.

    Stops at the first batch that is cut off or whose checksum is wrong.
    """
    batches: list[Batch] = []
    lines: list[tuple[int, bytes]] = []
    position = batch_start = 0
    while (newline := data.find(b"\n", position)) >= 0:
        line = data[position:newline]
        if line.startswith(COMMIT_PREFIX):
            commit = _read_commit(line)
            body = data[batch_start:position]
            if commit is None or len(lines) != commit["lines"] or zlib.crc32(body) != commit["crc"]:
                break
            sent = tuple((minute, name, number) for minute, name, number in commit["sent"])
            batches.append(Batch(start + batch_start, start + newline + 1, tuple(lines), sent))
            lines = []
            batch_start = newline + 1
        else:
            lines.append((start + position, line))
        position = newline + 1
    return batches, start + batch_start


def _read_commit(line: bytes) -> dict[str, Any] | None:
    try:
        content = orjson.loads(line)["commit"]
        return content if {"lines", "crc", "sent"} <= content.keys() else None
    except (orjson.JSONDecodeError, KeyError, AttributeError, TypeError):
        return None
