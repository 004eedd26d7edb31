"""The web process with few file descriptors, so that its connections are soon too many."""

from __future__ import annotations

import resource
import sys

from eventlogging.cli.main import main

CONNECTIONS = 40
_OTHER_FILES = 256

if __name__ == "__main__":
    files = CONNECTIONS + _OTHER_FILES
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    sys.argv = ["eventlogging", "web"]
    main()
