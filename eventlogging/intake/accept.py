"""Accept one event: opt-out, schema, sender, sample, validity, seal; the answer is a value.

refused by opt-out        → suppressed    counted, no content
not in the sample         → sampled out   counted, no content
anything wrong            → invalid       kept with its reasons
else                      → valid         kept, sealed
"""

from __future__ import annotations

import uuid
from collections import Counter
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from eventlogging import clock
from eventlogging.config import Config
from eventlogging.event import UNKNOWN, Outcome, Problem, Verdict, refusal_text
from eventlogging.intake import decode, explain, lines
from eventlogging.intake.context import Context
from eventlogging.intake.envelope import Envelope, canonical_id, claimed_name, open_envelope
from eventlogging.intake.gate import Gate
from eventlogging.intake.seal import PrivacyKey, Seal, compile_seal
from eventlogging.intake.useragent import coarse
from eventlogging.registry.model import RegisteredSchema, RegisteredVersion, Snapshot
from eventlogging.sampling import in_sample

UNKNOWN_CODES = frozenset({"unknown_schema", "unknown_version"})
_RAW_BODY_LIMIT = 8192


@dataclass(frozen=True, slots=True)
class _Case:
    """One event on its way through the rules; `unread` is the event where `event` is its text."""

    event: Any
    envelope: Envelope
    schema: RegisteredSchema | None
    version: RegisteredVersion | None
    context: Context
    index: int
    unread: Any = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """All verdicts of one body, the tally of what was sent, and whether it was an array."""

    verdicts: tuple[Verdict, ...]
    sent: dict[tuple[str, str], int]
    is_batch: bool


class Intake:
    """Judges events against a snapshot of the registry. Not for use from several threads.

    What can be known per schema is compiled once per published version or setting.
    """

    def __init__(self, config: Config, key: PrivacyKey) -> None:
        self._config = config
        self._key = key
        self._snapshot = Snapshot(counter=-1)
        self._gates: dict[tuple[str, str], Gate] = {}
        self._seals: dict[str, Seal | None] = {}
        self._user_agent = lru_cache(maxsize=20_000)(coarse)
        self._stored_minute = ""
        self._stored: Counter[tuple[str, str]] = Counter()

    def use(self, snapshot: Snapshot) -> None:
        """Judge by this snapshot from now on. Published versions never change, settings may."""
        if snapshot.counter != self._snapshot.counter:
            self._snapshot = snapshot
            self._seals = {}

    def accept_body(self, body: bytes, context: Context) -> Accepted:
        """Judge every event of a body; each has its own verdict."""
        decoded = decode.decode(body, max_batch=self._config.max_batch)
        if decoded.code:
            return self.refuse_body(decoded.code, body, context, is_batch=decoded.is_batch)
        sent = self._tally(decoded.events, context)
        large = self._config.max_event_bytes
        if len(body) > large and decoded.is_batch:
            sizes = [len(lines.text_of(event)) for event in decoded.events]
        else:
            sizes = [0 if decoded.is_batch else len(body)] * len(decoded.events)
        verdicts = tuple(
            self.accept(event, context, index)
            if size <= large
            else self._refuse_unread(event, "event_too_large", context, index)
            for index, (event, size) in enumerate(zip(decoded.events, sizes, strict=True))
        )
        return Accepted(verdicts, sent, decoded.is_batch)

    def refuse_body(
        self, code: str, body: bytes, context: Context, *, is_batch: bool = False
    ) -> Accepted:
        """Book a body that cannot be read as one invalid event."""
        verdict = self._refuse_unread(
            body[:_RAW_BODY_LIMIT].decode("utf-8", "replace").replace("\0", "�"), code, context, 0
        )
        sent = {(clock.minute(context.received), UNKNOWN): 1}
        return Accepted((verdict,), sent, is_batch)

    def _tally(self, events: tuple[Any, ...], context: Context) -> dict[tuple[str, str], int]:
        """Count what was sent, before any rule, under the name each event claims."""
        minute = clock.minute(context.received)
        sent: dict[tuple[str, str], int] = {}
        for event in events:
            name = claimed_name(event)
            key = (minute, name if name in self._snapshot.schemas else UNKNOWN)
            sent[key] = sent.get(key, 0) + 1
        return sent

    def accept(self, event: Any, context: Context, index: int = 0) -> Verdict:
        """Judge one event that a body held."""
        if code := decode.flaw(event, max_depth=self._config.max_depth):
            return self._refuse_unread(event, code, context, index)
        envelope = open_envelope(event)
        schema = self._snapshot.schemas.get(envelope.name)
        if context.opted_out or not envelope.consent:
            return _suppressed(schema, context)
        version, code, problems = _find(envelope, schema)
        case = _Case(event, envelope, schema, version, context, index)
        if schema is None or version is None or code:
            return self._refuse(case, code, problems)
        if problems := _forbidden(schema, context):
            return self._refuse(case, "not_allowed", problems)
        name = schema.name
        own_id = canonical_id(envelope.id, name) if envelope.id else None
        id = own_id or str(uuid.uuid4())
        if not _sampled(schema, envelope, id):
            line = lines.contentless(
                Outcome.SAMPLED_OUT,
                schema=name,
                version=str(version.version),
                received=context.received,
            )
            return Verdict(Outcome.SAMPLED_OUT, name, str(version.version), line, id)
        payload = self._payload(envelope, version)
        gate = self._gate(version)
        if not gate.is_valid(payload):
            problems = gate.problems(payload, schema.privacy)
            return self._refuse(case, explain.code(problems), problems)
        dt = _trusted_time(envelope.dt, context.received, schema.keep_days)
        seal = self._seal(schema)
        line = lines.valid(
            schema=name,
            version=str(version.version),
            id=id,
            dt=dt,
            received=context.received,
            index=index,
            remember=own_id is not None and dt != envelope.dt,
            capsule=self._capsule(envelope, context, schema),
            event=seal(payload) if seal else payload,
        )
        return Verdict(Outcome.VALID, name, str(version.version), line, id)

    def _gate(self, version: RegisteredVersion) -> Gate:
        key = (version.name, str(version.version))
        gate = self._gates.get(key)
        if gate is None:
            gate = self._gates[key] = Gate(version.document)
        return gate

    def _seal(self, schema: RegisteredSchema) -> Seal | None:
        if schema.name not in self._seals:
            self._seals[schema.name] = compile_seal(schema.privacy, self._key)
        return self._seals[schema.name]

    def _payload(self, envelope: Envelope, version: RegisteredVersion) -> Any:
        """The payload; in a whole body `$schema` and `meta` belong to it where it declares them."""
        if not envelope.whole_body:
            return envelope.payload
        declared = version.document.get("properties", {})
        return {
            key: value
            for key, value in envelope.payload.items()
            if key not in ("$schema", "meta") or key in declared
        }

    def _capsule(
        self, envelope: Envelope, context: Context, schema: RegisteredSchema | None
    ) -> dict[str, Any]:
        rate = envelope.sample_rate
        return lines.capsule(
            envelope.host or context.origin_host,
            envelope.wiki,
            self._user_agent(context.user_agent),
            min(rate, schema.sampling_rate) if schema else rate,
            envelope.client or context.client,
        )

    def _refuse(self, case: _Case, code: str, problems: tuple[Problem, ...]) -> Verdict:
        """Return the verdict of an event that is invalid, with the line that keeps its reasons."""
        schema, version, envelope, context = case.schema, case.version, case.envelope, case.context
        name = schema.name if schema else UNKNOWN
        number = str(version.version) if version else ""
        shown = case.event
        if not self._may_store(name, code, context.received):
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
                id=canonical_id(envelope.id, name) if envelope.id else None,
                received=context.received,
                index=case.index,
                capsule=self._capsule(envelope, context, schema),
                sealed=sealed,
                raw=raw,
            )
        return Verdict(Outcome.INVALID, name, number, line, envelope.id, code, problems, shown)

    def _refuse_unread(self, event: Any, code: str, context: Context, index: int) -> Verdict:
        """Return the verdict of an event whose content is flawed as a whole."""
        name = claimed_name(event)
        schema = self._snapshot.schemas.get(name)
        if context.opted_out:
            return _suppressed(schema, context)
        envelope = replace(open_envelope(event), id=None) if isinstance(event, dict) else Envelope()
        shown = event if isinstance(event, str) else lines.text_of(event)
        case = _Case(shown, envelope, schema, None, context, index, unread=event)
        return self._refuse(case, code, ())

    def _sealed(self, case: _Case) -> tuple[bool, str]:
        """The event's text as it may be kept, and whether its private fields could be found."""
        event = case.event if case.unread is None else case.unread
        if not isinstance(event, dict):
            return False, event if isinstance(event, str) else lines.text_of(event)
        raw = {key: value for key, value in event.items() if key != "sample_unit_id"}
        if case.schema is None or not isinstance(case.envelope.payload, dict):
            return False, lines.text_of(raw)
        if seal := self._seal(case.schema):
            raw = seal(raw) if case.envelope.whole_body else {**raw, "event": seal(raw["event"])}
        return True, lines.text_of(raw)

    def _may_store(self, name: str, code: str, received: int) -> bool:
        """Whether this minute still has room for the content of such an invalid event."""
        minute = clock.minute(received)
        if minute != self._stored_minute:
            self._stored_minute = minute
            self._stored.clear()
        self._stored[name, code] += 1
        return self._stored[name, code] <= self._config.invalid_stored_per_minute


def _find(
    envelope: Envelope, schema: RegisteredSchema | None
) -> tuple[RegisteredVersion | None, str, tuple[Problem, ...]]:
    """Return the version that an envelope names, or the code of what is wrong with it."""
    if envelope.problems:
        return None, "bad_capsule", envelope.problems
    if not envelope.name:
        wanted = Problem(
            "/schema", "required", "nothing", 'the schema\'s name, such as "NavigationTiming"'
        )
        return None, "missing_schema", (wanted,)
    if schema is None:
        found = f'"{envelope.name[:80]}"'
        wanted = Problem("/schema", "registered", found, "the name of a registered schema")
        return None, "unknown_schema", (wanted,)
    text = envelope.version
    if envelope.revision is not None:
        text = schema.revisions.get(envelope.revision, f"revision {envelope.revision}")
    version = schema.versions.get(text or schema.latest)
    if version is None:
        known = ", ".join(schema.versions)
        wanted = Problem("/version", "registered", f'"{text[:80]}"', f"one of {known}")
        return None, "unknown_version", (wanted,)
    if schema.state == "retired":
        wanted = Problem("/schema", "state", "a retired schema", "a schema that takes events")
        return version, "schema_retired", (wanted,)
    return version, "", ()


def _forbidden(schema: RegisteredSchema, context: Context) -> tuple[Problem, ...]:
    """Return why this sender may not send events of a schema; empty: it may."""
    if schema.producers == "token" and not context.scopes & {"produce", "admin"}:
        wanted = "a bearer token with the scope produce (eventlogging token create)"
        return (Problem("", "producers", "no such token", wanted),)
    # Servers send no Origin; a browser can neither leave it out nor change it.
    if schema.origins and context.origin and context.origin not in schema.origins:
        found = f"the origin {context.origin[:80]}"
        return (Problem("", "origins", found, f"one of {', '.join(schema.origins)}"),)
    return ()


def _sampled(schema: RegisteredSchema, envelope: Envelope, id: str) -> bool:
    """Apply what remains to be sampled: the sender may have applied a higher rate already."""
    if schema.sampling_rate >= envelope.sample_rate:
        return True
    if envelope.unit_id is not None:
        return in_sample(envelope.unit_id, schema.sampling_rate)
    return in_sample(id, schema.sampling_rate / envelope.sample_rate)


def _trusted_time(dt: int | None, received: int, keep_days: int) -> int:
    """Return the client's time where it is plausible, else the time of receipt."""
    if dt is None:
        return received
    earliest = received - min(30, max(keep_days - 1, 0)) * clock.DAY_MS
    return dt if earliest <= dt <= received + clock.DAY_MS else received


def _suppressed(schema: RegisteredSchema | None, context: Context) -> Verdict:
    name = schema.name if schema else UNKNOWN
    line = lines.contentless(Outcome.SUPPRESSED, schema=name, version="", received=context.received)
    return Verdict(Outcome.SUPPRESSED, name, "", line)
