"""Make small governance folders for tests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SETTINGS = 'title = "A"\ndescription = "B"\nowners = ["a@example.org"]\n'
DOCUMENT: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "additionalProperties": False,
    "required": ["action"],
    "properties": {
        "action": {"description": "What was done.", "type": "string", "maxLength": 20},
        "duration": {"description": "How long.", "type": "integer", "minimum": 0},
        "userId": {"description": "Who.", "type": "integer", "minimum": 0},
        "page": {
            "description": "Where.",
            "type": "object",
            "additionalProperties": False,
            "properties": {"id": {"description": "Its number.", "type": "integer"}},
        },
    },
}


def folder(root: Path, files: Mapping[str, Any]) -> Path:
    """Write texts as they are, and other values as JSON; return `root`."""
    for path, value in files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(value, bytes):
            target.write_bytes(value)
        else:
            text = value if isinstance(value, str) else json.dumps(value, indent=2)
            target.write_text(text, "utf-8")
    return root


def one_schema(more: Mapping[str, Any] | None = None, settings: str = SETTINGS) -> dict[str, Any]:
    """Return the files of a schema `Clicks` without problems, and more files."""
    return {
        "schemas/Clicks/schema.toml": settings,
        "schemas/Clicks/1.0.0.json": DOCUMENT,
        "schemas/Clicks/examples/usual.pass.json": {"action": "open"},
        "schemas/Clicks/examples/empty.fail.json": {},
        **(more or {}),
    }


def everything(root: Path) -> dict[str, bytes]:
    """Return all files below `root` with their bytes."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }
