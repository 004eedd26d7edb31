"""The web process on a disk whose sync does not return for as long as a file says so."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from eventlogging.cli.main import main
from eventlogging.log import writer


def hang_while(flag: Path) -> None:
    """Make every sync of the log wait until the file is gone."""

    def sync(descriptor: int) -> None:
        while flag.exists():
            time.sleep(0.01)
        os.fdatasync(descriptor)

    defaults = dict(writer.LogWriter.__init__.__kwdefaults__)
    writer.LogWriter.__init__.__kwdefaults__ = {**defaults, "sync": sync}


if __name__ == "__main__":
    hang_while(Path(os.environ["EVENTLOGGING_VAR"]) / "hang")
    sys.argv = ["eventlogging", "web"]
    main()
