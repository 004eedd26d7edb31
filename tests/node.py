"""A Node that runs JavaScript and TypeScript: the one that Playwright brings along."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from playwright._impl._driver import compute_driver_executable


def run_node(code: str, folder: Path, *, types: bool = False) -> str:
    """Run a module and return what it prints; with `types`, it is TypeScript, types stripped."""
    file = folder / ("module.mts" if types else "module.mjs")
    file.write_text(code, "utf-8")
    node = str(compute_driver_executable()[0])
    done = subprocess.run([node, str(file)], capture_output=True, text=True, timeout=60, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


def stripped(code: str, folder: Path) -> str:
    """Return TypeScript without its types, each taken out in place; fails where it is none."""
    (folder / "typed.ts").write_text(code, "utf-8")
    script = (
        "import { stripTypeScriptTypes } from 'node:module';\n"
        "import { readFileSync } from 'node:fs';\n"
        "const text = readFileSync('typed.ts', 'utf8');\n"
        "console.log(JSON.stringify(stripTypeScriptTypes(text)));\n"
    )
    found: Any = json.loads(run_node(script, folder))
    return str(found)
