"""Put the modules into one classic file: dist/eventlogging.js, which the server serves as well.

Needs rjsmin, and nothing else: our modules import each other by names that are unique, so that
they can stand one after the other in one function.
"""

from __future__ import annotations

import re
from pathlib import Path

import rjsmin

HERE = Path(__file__).parent
ORDER = (
    *("sampling", "ids", "backoff", "consent", "storage", "client"),
    *("navigation-timing", "classic"),
)
HEAD = "/* EventLogging's client, https://www.apache.org/licenses/LICENSE-2.0 */\n"


def built() -> str:
    """Return the classic file."""
    texts = [(HERE / "src" / f"{name}.js").read_text("utf-8") for name in ORDER]
    whole = re.sub(r"^import .*;\n|^export (?=function|const)", "", "\n".join(texts), flags=re.M)
    return f"{HEAD}{rjsmin.jsmin(f'(function(){{{whole}}})();')}\n"


def main() -> None:
    """Write the file where the package and the server take it from."""
    for place in (HERE / "dist", HERE.parents[1] / "eventlogging" / "console" / "static"):
        place.mkdir(exist_ok=True)
        (place / "eventlogging.js").write_text(built(), "utf-8")


if __name__ == "__main__":
    main()
