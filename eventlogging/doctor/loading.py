"""Checks of the loader: how far behind it is, which tables hold it up, whether two run."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from eventlogging import config as settings
from eventlogging.config import Config
from eventlogging.doctor.finding import Finding, error, ok, several, size, span, warning
from eventlogging.errors import ConfigError
from eventlogging.ledger.lag import read_lag
from eventlogging.store.database import Database

_SLOW, _STUCK = 60, 3600  # seconds


def loader_lag(config: Config, database: Database) -> Iterator[Finding]:
    """What was accepted is in its table soon after."""
    with database.read() as connection:
        lag = read_lag(connection, config.var / "log")
    for table in lag.parked:
        yield warning(
            "parked events",
            f"{several(table.lines, 'event')} for {table.table} parked since {table.since}: "
            f"{table.reason}",
            "mend the table; the loader tries again by itself"
            if not table.table.startswith("(")
            else "publish that schema version; the loader then stores its events by itself",
        )
    age = lag.age_seconds or 0.0
    text = f"{size(lag.bytes)} of the log wait to be loaded"
    if age:
        text += f", the oldest for {span(age)}"
    mend = "see that `eventlogging loader` runs, and what it writes to its log"
    if age > _STUCK:
        yield error("loader lag", text, mend)
    elif age > _SLOW:
        yield warning("loader lag", text, mend)
    else:
        yield ok("loader lag", text)


def loaders(config: Config) -> Iterator[Finding]:
    """One loader works on this data folder; a second one only costs time."""
    found = _loaders_on(config.var.resolve(), Path("/proc"))
    if found is None:
        return  # this system does not show its processes that way
    if len(found) > 1:
        numbers = ", ".join(map(str, found))
        yield warning(
            "loaders",
            f"{len(found)} loaders work on this data folder (processes {numbers}); nothing is "
            "stored twice, yet each waits for the other",
            "stop all but one",
        )
    elif found:
        yield ok("loaders", f"one loader runs here (process {found[0]})")
    else:
        yield warning(
            "loaders", "no loader of this data folder was seen on this machine",
            "start it: `eventlogging serve`, or `eventlogging loader` by itself",
        )  # fmt: skip


def _loaders_on(var: Path, processes: Path) -> list[int] | None:
    """Return the numbers of loader processes whose data folder this is; None: cannot be known."""
    if not (processes / "self" / "cmdline").exists():
        return None
    found = []
    for folder in processes.iterdir():
        if not folder.name.isdigit():
            continue
        try:
            words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
            if _is_loader(words) and _var_of(folder) == var:
                found.append(int(folder.name))
        except OSError:
            continue  # it ended, or is not ours to look at
    return sorted(found)


def _is_loader(words: list[str]) -> bool:
    """Whether a command line is `… eventlogging loader`, however it was started."""
    for program, command in pairwise(words):
        name = Path(program).name
        ours = name in ("eventlogging", "eventlogging.cli.main") or program.endswith(
            "eventlogging/cli/main.py"
        )
        if ours and command == "loader":
            return True
    return False


def _var_of(process: Path) -> Path | None:
    """Return the data folder that a process works on, as its own settings say."""
    start = (process / "cwd").readlink()
    environ = (process / "environ").read_bytes().split(b"\0")
    var = _value(environ, "EVENTLOGGING_VAR")
    file = start / (_value(environ, "EVENTLOGGING_CONFIG") or "eventlogging.toml")
    if var is None and file.exists():
        try:
            var = str(settings.load({}, file).var)
        except ConfigError:
            return None
    return (start / (var or "var")).resolve()


def _value(environ: list[bytes], name: str) -> str | None:
    """Return one variable of a process; the others are not ours to read."""
    start = f"{name}=".encode()
    for pair in environ:
        if pair.startswith(start):
            return pair[len(start) :].decode(errors="replace")
    return None
