"""The JSON Schemas of what the routes take and answer, for the OpenAPI description."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_OBJECT: Mapping[str, Any] = {"type": "object"}
_TEXTS: Mapping[str, Any] = {"type": "array", "items": {"type": "string"}}
_ITEM = {
    "type": "object",
    "required": ["index", "status", "code", "event", "context"],
    "properties": {
        "index": {"type": "integer"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "event": {},
        "context": {
            "type": "object",
            "required": ["errors", "errorsText"],
            "properties": {
                "errors": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["pointer", "rule", "found", "expected"],
                        "properties": {
                            name: {"type": "string"}
                            for name in ("pointer", "rule", "found", "expected")
                        },
                    },
                },
                "errorsText": {"type": "string"},
            },
        },
    },
}
SCHEMAS: Mapping[str, Any] = {
    "Object": _OBJECT,
    "Status": {
        "type": "object",
        "required": ["status"],
        "properties": {"status": {"type": "string"}},
    },
    "Event": {
        "description": "a capsule, whose schema describes `event`, or an EventGate body, whose "
        "schema describes all of it",
        "anyOf": [
            {
                "type": "object",
                "required": ["schema", "event"],
                "properties": {
                    "schema": {"type": "string"},
                    "version": {"type": "string"},
                    "event": _OBJECT,
                    "id": {"type": "string"},
                    "dt": {"type": "string", "format": "date-time"},
                },
            },
            {
                "type": "object",
                "required": ["$schema"],
                "properties": {"$schema": {"type": "string"}, "meta": _OBJECT},
            },
        ],
    },
    "Accepted": {
        "type": "object",
        "required": ["accepted", "sampled_out", "suppressed", "ids"],
        "properties": {
            "accepted": {"type": "integer"},
            "sampled_out": {"type": "integer"},
            "suppressed": {"type": "integer"},
            "ids": _TEXTS,
        },
    },
    "Refusals": {
        "type": "object",
        "required": ["invalid", "error"],
        "properties": {
            "invalid": {"type": "array", "items": _ITEM},
            "error": {"type": "array", "items": _ITEM},
        },
    },
    "Errors": {
        "type": "object",
        "required": ["error"],
        "properties": {
            "error": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["status", "code", "text"],
                    "properties": {
                        "status": {"type": "integer"},
                        "code": {"type": "string"},
                        "text": {"type": "string"},
                    },
                },
            }
        },
    },
    "Problem": {
        "type": "object",
        "properties": {
            "status": {"type": "integer"},
            "code": {"type": "string"},
            "problems": _TEXTS,
            "warnings": _TEXTS,
        },
    },
    "Proposal": {
        "type": "object",
        "required": ["schema"],
        "properties": {
            "schema": _OBJECT,
            "version": {"type": "string"},
            "revision": {"type": "integer"},
            "title": {"type": "string"},
            "description": {"type": "string"},
            "owners": _TEXTS,
            "sampling": _OBJECT,
            "privacy": _OBJECT,
            "producers": {"enum": ["public", "token"]},
            "origins": _TEXTS,
            "fill_defaults": {"enum": ["eventgate", "always", "never"]},
            "readers": {"enum": ["analysts", "owners"]},
            "override": {"type": "string"},
        },
    },
}
