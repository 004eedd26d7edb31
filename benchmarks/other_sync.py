"""Run `eventlogging web` on a disk of another speed: SYNC_MS milliseconds a sync, or -1 for none.

Every sync of the process is meant, those of a new segment as well. SQLite's are its own.
"""

from __future__ import annotations

import os
import time

MILLISECONDS = "SYNC_MS"


def main() -> None:
    """The same process as `eventlogging web`; only the two system calls differ."""
    seconds = float(os.environ[MILLISECONDS]) / 1000
    really = os.fdatasync

    def sync(descriptor: int) -> None:
        if seconds >= 0:
            begin = time.perf_counter()
            really(descriptor)
            time.sleep(max(0.0, seconds - (time.perf_counter() - begin)))

    os.fdatasync = os.fsync = sync  # type: ignore[assignment]
    from eventlogging.cli.main import cli  # not sooner: defaults are bound when it is imported

    cli(["web"])


if __name__ == "__main__":
    main()
