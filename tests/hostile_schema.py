"""A schema in which every text is an attack on whatever shows it or writes code from it."""

from __future__ import annotations

from typing import Any

ATTACKS = (
    "*/ process.exit(66); /*",
    '"""\nimport os; os._exit(66)\n"""',
    "'; raise SystemExit(66) #",
    '"; process.exit(66); //',
    "</script><script>process.exit(66)</script>",
    "${process.exit(66)}",
    "`; process.exit(66); `",
    "x\u2028process.exit(66)\u2029",
    "\r\nraise SystemExit(66)\r\n",
    "\\",
    "\\'",
    '\\"',
    "# type: ignore",
    "type: ignore",
    "mypy: ignore-errors",
    "@ts-nocheck",
    "/// <reference path='/etc/passwd' />",
    "//# sourceMappingURL=http://example.org/x",
    "-*- coding: utf-7 -*-",
    "\u202edesrever",
    "{event}",
    "%s{0}",
    "__proto__",
    "__import__",
    "__class__",
    "constructor",
    "class",
    "None",
    "int",
    "List",
    "HostileEvent",
    "Answer",
    "URL_OF_EVENTS",
    "a b",
    "a-b",
    "a_b",
    "1st",
    "",
    "ключ",
    "😀",
    "\x00\x07\x1b[31m",
    "'; DROP TABLE event; --",
)


def hostile_document() -> dict[str, Any]:
    """A document that passes registration apart from its manners."""
    fields: dict[str, Any] = {}
    for number, attack in enumerate(ATTACKS):
        kinds: list[dict[str, Any]] = [
            {"type": "string", "pattern": "^[^*]*/?$", "maxLength": 90},
            {"enum": list(ATTACKS)},
            {"const": attack},
            {"type": "array", "items": {"enum": [attack, 1, True, None, 1.5]}},
            {"type": "object", "properties": {attack: {"type": "integer"}}, "required": [attack]},
            {"type": "object", "additionalProperties": {"const": attack}},
        ]
        fields[attack] = {**kinds[number % len(kinds)], "description": attack, "title": attack}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": ATTACKS[1],
        "description": " ".join(ATTACKS),
        "type": "object",
        "required": list(ATTACKS[::2]),
        "properties": fields,
    }
