"""Put the modules into one classic file: dist/eventlogging.js, which the server serves as well.

Our modules import each other by names that are unique, so that they can stand one after the other
in one function; terser (by npx) makes that short. The file's first line says of which sources it
was made, so that a test can tell when it was not made anew.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
PLACES = (HERE / "dist", HERE.parents[1] / "eventlogging" / "console" / "static")
NAME = "eventlogging.js"
ORDER = (
    *("sampling", "ids", "backoff", "storage", "consent", "device", "life", "post", "record"),
    *("client", "navigation-timing", "classic"),
)
_TERSER = ("npx", "--yes", "terser@5", "--compress", "passes=2", "--mangle", "--toplevel")


def joined() -> str:
    """Return the modules as one script, as they were written."""
    texts = [(HERE / "src" / f"{name}.js").read_text("utf-8") for name in ORDER]
    whole = re.sub(
        r"^import .*;\n|^export (?=function|const|async)", "", "\n".join(texts), flags=re.M
    )
    return f"(function () {{\n'use strict';\n{whole}}})();\n"


def head() -> str:
    """Return the first line of what is made of the sources as they are now."""
    digest = hashlib.sha256(joined().encode()).hexdigest()[:16]
    return f"/* EventLogging's client, https://www.apache.org/licenses/LICENSE-2.0, {digest} */\n"


def main() -> None:
    """Write the file where the package and the server take it from."""
    if shutil.which("npx") is None:
        sys.exit("npx is needed, which comes with Node.js: apt-get install nodejs npm")
    made = subprocess.run(
        _TERSER, input=joined(), capture_output=True, text=True, check=True
    ).stdout
    for place in PLACES:
        place.mkdir(exist_ok=True)
        (place / NAME).write_text(head() + made.strip() + "\n", "utf-8")


if __name__ == "__main__":
    main()
