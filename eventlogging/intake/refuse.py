"""The verdict of an event that is invalid, with the line that keeps it and its reasons."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from eventlogging import clock
from eventlogging.event import UNKNOWN, Outcome, Problem, Verdict, refusal_text
from eventlogging.intake import lines
from eventlogging.intake.capsules import Capsules
from eventlogging.intake.context import Context
from eventlogging.intake.envelope import Envelope, canonical_id
from eventlogging.intake.ready import ReadySchemas
from eventlogging.registry.model import RegisteredSchema, RegisteredVersion

_MOST_MINUTES = 60  # remembered


@dataclass(frozen=True, slots=True)
class Case:
    """An event that is refused, and what was found out about it before.

    `event` is shown to the sender; `unread` is the event itself where that is its text.
    """

    event: Any
    envelope: Envelope
    schema: RegisteredSchema | None
    version: RegisteredVersion | None
    context: Context
    index: int
    unread: Any = None


class Refusals:
    """Makes verdicts of refusal; beyond a cap per minute, schema and code they keep no content."""

    def __init__(self, schemas: ReadySchemas, capsules: Capsules, per_minute: int) -> None:
        self._schemas = schemas
        self._capsules = capsules
        self._per_minute = per_minute
        self._stored: dict[str, Counter[tuple[str, str]]] = {}  # by minute, the last used last

    def refuse(self, case: Case, code: str, problems: tuple[Problem, ...]) -> Verdict:
        """Return the verdict that books an event as invalid."""
        schema, envelope, context = case.schema, case.envelope, case.context
        name = schema.name if schema else UNKNOWN
        number = str(case.version.version) if case.version else ""
        if not (context.test_key or self._has_room(name, code, context.received)):
            line = lines.contentless(
                Outcome.INVALID, schema=name, version=number, received=context.received, code=code
            )
        else:
            sealed, raw = self._sealed(case)
            line = lines.invalid(
                schema=name,
                version=number,
                claimed=envelope.name,
                code=code,
                message=refusal_text(code, problems),
                problems=problems,
                id=_id(case, name),
                received=context.received,
                index=case.index,
                capsule=self._capsules.of(envelope, context, schema),
                sealed=sealed,
                raw=raw,
            )
        return Verdict(Outcome.INVALID, name, number, line, envelope.id, code, problems, case.event)

    def _sealed(self, case: Case) -> tuple[bool, str]:
        """The event's text as it may be kept, and whether its private fields could be found."""
        event = case.event if case.unread is None else case.unread
        if not isinstance(event, dict):
            return False, event if isinstance(event, str) else lines.text_of(event)
        raw = {key: value for key, value in event.items() if key != "sample_unit_id"}
        if case.schema is None or not isinstance(case.envelope.payload, dict):
            if self._schemas.watch is not None:
                self._schemas.watch.look_into(raw)
            return False, lines.text_of(raw)
        if seal := self._schemas.seal_of(case.schema):
            inside = case.envelope.field
            raw = seal(raw) if case.envelope.whole_body else {**raw, inside: seal(raw[inside])}
        return True, lines.text_of(raw)

    def _has_room(self, name: str, code: str, received: int) -> bool:
        """Whether this minute still has room for the content of such an invalid event."""
        minute = clock.minute(received)
        # Minutes come mixed: those of edge logs lie in the past, some routes cut them to tens.
        stored = self._stored.pop(minute, None) or Counter()
        self._stored[minute] = stored
        if len(self._stored) > _MOST_MINUTES:
            del self._stored[next(iter(self._stored))]
        stored[name, code] += 1
        return stored[name, code] <= self._per_minute


def _id(case: Case, name: str) -> str | None:
    """Return the event's id; None where it has none and is known by its place in the log alone."""
    if case.envelope.id:
        return canonical_id(case.envelope.id, name)
    seed = case.context.id_seed
    return canonical_id(f"{case.index} {seed}", name) if seed else None
