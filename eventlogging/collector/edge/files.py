"""Find a log again after it was rotated: which files hold what has not been read yet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from eventlogging.collector.edge.source import fingerprint, open_source
from eventlogging.collector.edge.state import State


@dataclass(frozen=True, slots=True)
class Part:
    """A file to read from `state` on, or from its beginning; `is_final`: it does not grow."""

    path: Path
    state: State | None = None
    is_final: bool = False


@dataclass(frozen=True, slots=True)
class Parts:
    """The files to read in order; `remark` says what is odd, or is empty."""

    parts: tuple[Part, ...]
    remark: str = ""


def parts_of(path: Path, state: State | None) -> Parts:
    """Return what is to be read of a log, beginning with the file that was read last.

    Renamed or packed, that file is looked for beside the log, under names that begin like it.
    Raises OSError.
    """
    if state is None or not state.fingerprint:
        return Parts((Part(path),))
    beside = list(_beside(path))
    everywhere = [path, *beside] if path.exists() else beside
    found = next((one for one in everywhere if _is(one, state, same_file=True)), None)
    found = found or next((o for o in [*beside, path] if _is(o, state, same_file=False)), None)
    if found == path:
        return Parts((Part(path, state),))
    if found is not None:
        newer = [Part(one, None, True) for one in beside[beside.index(found) + 1 :]]
        return Parts((Part(found, state, True), *newer, Part(path)))
    if _is_same_inode(path, state):
        return Parts((Part(path),), f"{path} was emptied meanwhile, and is read from its beginning")
    remark = (
        f"the file that was read last, up to byte {state.offset}, is neither {path} nor beside it; "
        "if it went on, read it too: eventlogging collect --from FILE"
    )
    return Parts((Part(path),), remark)


def _beside(path: Path) -> Iterator[Path]:
    """Yield the files whose names begin like the log's, the oldest first."""
    others = []
    for one in path.parent.iterdir():
        if one.name.startswith(path.name) and one != path and one.is_file():
            with suppress(FileNotFoundError):
                others.append((one.stat().st_mtime_ns, one))
    yield from (one for _, one in sorted(others))


def _is(path: Path, state: State, *, same_file: bool) -> bool:
    """Whether a file is the one that was read last, and has not been cut since."""
    try:
        with closing(open_source(path)) as source:
            if same_file and source.identity() != (state.device, state.inode):
                return False
            same = fingerprint(source) == state.fingerprint
            return same and (source.is_final or source.size() >= state.offset)
    except OSError:
        return False


def _is_same_inode(path: Path, state: State) -> bool:
    try:
        status = path.stat()
    except OSError:
        return False
    return (status.st_dev, status.st_ino) == (state.device, state.inode)
