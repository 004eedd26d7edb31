"""The gate: whether a payload matches its schema version, and everything that is wrong if not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eventlogging.event import Problem
from eventlogging.intake import explain
from eventlogging.schema.faults import first_faults
from eventlogging.schema.gate import compile_gate

_MOST_PROBLEMS = 50


class Gate:
    """One published version, compiled once."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._validator = compile_gate(document, mask=True)
        self.is_valid = self._validator.is_valid

    def problems(self, payload: Any, privacy: Mapping[str, str]) -> tuple[Problem, ...]:
        """Return the problems of an invalid payload, the first fifty of them, at least one."""
        private = _Private(privacy)
        faults, unread = first_faults(self._validator, payload, _MOST_PROBLEMS)
        if faults:
            return tuple(explain.problem(fault, payload, private) for fault in faults)
        return tuple(
            Problem(pointer, "too_many", "more than can be told here", "what the schema says")
            for pointer in unread
        )


class _Private:
    """Whether a pointer lies at or below a private field; `*` stands for any array index."""

    def __init__(self, privacy: Mapping[str, str]) -> None:
        self._patterns = [pattern.split("/") for pattern in privacy]

    def __call__(self, pointer: str) -> bool:
        parts = pointer.split("/")
        return any(
            len(parts) >= len(pattern)
            and all(want in ("*", have) for want, have in zip(pattern, parts, strict=False))
            for pattern in self._patterns
        )
