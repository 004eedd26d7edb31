"""Checks of the disk: the data folder, the room left, the secrets, the governance folders."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from eventlogging.config import SETTINGS, Config
from eventlogging.doctor.finding import Finding, error, ok, several, size, warning
from eventlogging.errors import GovernanceError
from eventlogging.governance import read_governance
from eventlogging.intake.seal import PrivacyKey

_FEW_BYTES, _FEW_SHARE, _HARDLY_ANY = 1_000_000_000, 0.05, 100_000_000
_SHOWN = 3  # problems of one kind that are shown; the rest is counted


def data_folder(config: Config) -> Iterator[Finding]:
    """The data folder is there and takes files."""
    var = config.var
    if not var.is_dir():
        yield error(
            "data folder",
            f"the data folder {var.resolve()} does not exist",
            "`eventlogging serve` makes it; or set EVENTLOGGING_VAR to the right one",
        )
        return
    try:
        with tempfile.TemporaryFile(dir=var, prefix=".doctor-") as file:
            file.write(b"x")
            file.flush()
    except OSError as wrong:
        yield error(
            "data folder",
            f"the data folder {var.resolve()} takes no files: {wrong.strerror}",
            f"make room, or give the server's user the right to write: chown -R … {var}",
        )
    else:
        yield ok("data folder", f"the data folder {var.resolve()} takes files")


def disk_space(config: Config) -> Iterator[Finding]:
    """There is room on the disk of the data folder."""
    usage = shutil.disk_usage(config.var)
    yield judge_space(usage.free, usage.total)


def judge_space(free: int, total: int) -> Finding:
    """Say whether so many free bytes of a disk are enough."""
    share = free / total if total else 0.0
    text = f"{size(free)} are free on the disk of the data folder ({share:.1%})"
    mend = "make room, lower log_keep_days, or move the data folder to a larger disk"
    if free < _HARDLY_ANY:
        return error("disk space", text, mend)
    if free < _FEW_BYTES or share < _FEW_SHARE:
        return warning("disk space", text, mend)
    return ok("disk space", text)


def governance(config: Config) -> Iterator[Finding]:
    """The governance folders can be read, and nothing in them is broken."""
    folder = config.governance.resolve()
    try:
        found = read_governance(config.governance)
    except GovernanceError as wrong:
        for problem in wrong.problems[:_SHOWN]:
            yield error("governance", f"{folder}: {problem}", "eventlogging check")
        if len(wrong.problems) > _SHOWN:
            more = f"{folder}: {several(len(wrong.problems) - _SHOWN, 'more problem')}"
            yield error("governance", more, "eventlogging check")
        return
    except OSError as wrong:
        yield error(
            "governance",
            f"{folder} cannot be read: {wrong.strerror}",
            "set EVENTLOGGING_GOVERNANCE to the folder that holds schemas/",
        )
        return
    if not found.schemas:
        yield warning(
            "governance",
            f"{folder} holds no schema",
            "`eventlogging init DIR` writes a starter set; EVENTLOGGING_GOVERNANCE names it",
        )
        return
    yield ok("governance", f"{folder} holds {several(len(found.schemas), 'schema')} in good order")


def secrets(config: Config, environ: Mapping[str, str] | None = None) -> Iterator[Finding]:
    """Nobody but the server's user can read the secrets."""
    found = False
    for path in _secret_files(config, os.environ if environ is None else environ):
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
        except FileNotFoundError:
            continue
        except OSError as wrong:
            yield error("secrets", f"{path} cannot be read: {wrong.strerror}", f"chmod 600 {path}")
            continue
        found = True
        if mode & 0o077:
            right = "700" if path.is_dir() else "600"
            yield error(
                "secrets",
                f"others may read {path}, which holds secrets (mode {mode:03o})",
                f"chmod {right} {path}",
            )
        else:
            yield ok("secrets", f"{path} is private")
    if not found:
        yield ok("secrets", "no secrets lie in files yet")


def _secret_files(config: Config, environ: Mapping[str, str]) -> Iterator[Path]:
    own = config.var / "secrets"
    yield own
    if own.is_dir():
        yield from sorted(own.glob("*.key"))
    names = [name for name, _, _, secret in SETTINGS if secret]
    for name in names:
        if path := environ.get(f"EVENTLOGGING_{name.upper()}_FILE"):
            yield Path(path)
    settings = Path(environ.get("EVENTLOGGING_CONFIG", "eventlogging.toml"))
    if any(_set_in(settings).get(name) for name in names):
        yield settings


def _set_in(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError):  # what is wrong with it is said where the settings are loaded
        return {}


def privacy_key(config: Config) -> Iterator[Finding]:
    """Which key hashes private fields; its id prefixes each hashed value."""
    secret = config.privacy_key
    path = config.var / "secrets" / "privacy.key"
    if not secret:
        try:
            secret = path.read_text("ascii").strip()
        except FileNotFoundError:
            yield ok("privacy key", "the key of private fields is made at the first start")
            return
        except (OSError, UnicodeDecodeError) as wrong:
            yield error(
                "privacy key",
                f"the key of private fields cannot be read: {wrong}",
                f"restore {path} from the backup; a new key breaks ids that KPIs need",
            )
            return
    if not secret:
        yield error("privacy key", f"{path} is empty", f"restore {path} from the backup")
        return
    yield ok("privacy key", f"private fields are hashed with the key {PrivacyKey(secret).id}")
