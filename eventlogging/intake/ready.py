"""What is known of a schema version before its events come, made once and kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eventlogging import clock
from eventlogging.event import Problem
from eventlogging.intake.context import Context
from eventlogging.intake.defaults import Fill, compile_defaults
from eventlogging.intake.envelope import Envelope
from eventlogging.intake.gate import Gate
from eventlogging.intake.in_place import declared, parts_of
from eventlogging.intake.meta import fields_declared
from eventlogging.intake.seal import PrivacyKey, Seal, compile_seal
from eventlogging.intake.watch import Watch
from eventlogging.registry.model import RegisteredSchema, RegisteredVersion, Snapshot
from eventlogging.schema.walk import OLD_DRAFTS

_OF_EVENTGATE = ("$schema", "meta")
_LONGEST_KNOWN = 200  # characters; a wrong name can be as long as an event
_MOST_KNOWN = 10_000  # names of versions remembered, right and wrong ones


@dataclass(frozen=True, slots=True)
class Compiled:
    """What a version's document demands; it never changes.

    `laid_off` are the fields of an EventGate body that are not payload here, `meta` those
    that are made in its `meta`, `fill` puts the defaults in (None: the schema has none).
    """

    gate: Gate
    laid_off: tuple[str, ...]
    meta: tuple[str, ...]
    fill: Fill | None


@dataclass(frozen=True, slots=True)
class Ready:
    """A published version with the settings in force, and its document compiled.

    `fill_body` puts the defaults into an EventGate body, `fill_event` into what a capsule holds
    (None: nothing is filled in). `back` is how many milliseconds before its receipt an event may
    be dated.
    """

    schema: RegisteredSchema
    version: RegisteredVersion
    name: str
    number: str
    gate: Gate
    seal: Seal | None
    laid_off: tuple[str, ...]
    meta: tuple[str, ...]
    fill_body: Fill | None
    fill_event: Fill | None
    back: int
    sampling_rate: float
    open_to_all: bool


@dataclass(frozen=True, slots=True)
class Unready:
    """Why an envelope leads to no version that takes events; `version` where there is one."""

    version: RegisteredVersion | None
    code: str
    problems: tuple[Problem, ...]


class ReadySchemas:
    """Finds versions by what envelopes say; keeps them compiled, for versions never change."""

    def __init__(
        self, key: PrivacyKey, max_event_bytes: int, former: Sequence[PrivacyKey] = ()
    ) -> None:
        self._key = key
        self._former = former
        self._max_event_bytes = max_event_bytes
        self._compiled: dict[tuple[str, str], Compiled] = {}
        self._seals: dict[str, Seal | None] = {}
        self._known: dict[tuple[str, str, int | None], Ready | Unready] = {}
        self.snapshot = Snapshot(counter=-1)
        self.watch: Watch | None = None  # for accounts that opted out; None: there are none

    def use(self, snapshot: Snapshot) -> None:
        """Find by this snapshot from now on; settings may have changed with it."""
        hashes = snapshot.opt_outs.hashes
        if snapshot.opt_outs is not self.snapshot.opt_outs:
            self.watch = Watch(self._key, self._former, hashes) if hashes else None
        self.snapshot = snapshot
        self._seals = {}
        self._known = {}

    def find(self, envelope: Envelope) -> Ready | Unready:
        """Return the version that an envelope names, or why there is none."""
        if envelope.problems:
            return Unready(None, "bad_capsule", envelope.problems)
        key = (envelope.name, envelope.version, envelope.revision)
        found = self._known.get(key)
        if found is None:
            if len(self._known) > _MOST_KNOWN:
                self._known.clear()
            found = self._find(envelope)
            if len(envelope.name) + len(envelope.version) <= _LONGEST_KNOWN:
                self._known[key] = found
        return found

    def seal_of(self, schema: RegisteredSchema) -> Seal | None:
        """Return what seals a payload of this schema; None where nothing is private."""
        if schema.name not in self._seals:
            self._seals[schema.name] = compile_seal(schema.privacy, self.watch or self._key)
        return self._seals[schema.name]

    def _find(self, envelope: Envelope) -> Ready | Unready:
        name = envelope.name
        if not name:
            return _none("missing_schema", "/schema", "required", "nothing",
                         'the schema\'s name, such as "NavigationTiming"')  # fmt: skip
        schema = self.snapshot.schemas.get(name)
        if schema is None:
            return _none("unknown_schema", "/schema", "registered", f'"{name[:80]}"',
                         "the name of a registered schema")  # fmt: skip
        text = envelope.version
        if envelope.revision is not None:
            text = schema.revisions.get(envelope.revision, f"revision {envelope.revision}")
        version = schema.versions.get(text or schema.latest)
        if version is None:
            return _none("unknown_version", "/version", "registered", f'"{text[:80]}"',
                         f"one of {', '.join(schema.versions)}")  # fmt: skip
        if schema.state == "retired":
            problem = Problem("/schema", "state", "a retired schema", "a schema that takes events")
            return Unready(version, "schema_retired", (problem,))
        return self._ready(schema, version)

    def _ready(self, schema: RegisteredSchema, version: RegisteredVersion) -> Ready:
        number = str(version.version)
        compiled = self._compiled.get((schema.name, number))
        if compiled is None:
            compiled = _compile(version, self._max_event_bytes)
            self._compiled[schema.name, number] = compiled
        return Ready(
            schema=schema,
            version=version,
            name=schema.name,
            number=number,
            gate=compiled.gate,
            seal=self.seal_of(schema),
            laid_off=compiled.laid_off,
            meta=compiled.meta,
            fill_body=None if schema.fill_defaults == "never" else compiled.fill,
            fill_event=compiled.fill if schema.fill_defaults == "always" else None,
            back=min(30, max(schema.keep_days - 1, 0)) * clock.DAY_MS,
            sampling_rate=schema.sampling_rate,
            open_to_all=schema.producers == "public" and not schema.origins,
        )


def _compile(version: RegisteredVersion, max_event_bytes: int) -> Compiled:
    document, ref_is_alone = version.document, version.draft in OLD_DRAFTS
    parts = parts_of(document, document, ref_is_alone=ref_is_alone)
    return Compiled(
        gate=Gate(document),
        laid_off=tuple(field for field in _OF_EVENTGATE if not declared(parts, field)),
        meta=fields_declared(document, ref_is_alone=ref_is_alone),
        fill=compile_defaults(document, ref_is_alone=ref_is_alone, max_bytes=max_event_bytes),
    )


def forbidden(schema: RegisteredSchema, context: Context) -> tuple[Problem, ...]:
    """Return why this sender may not send events of a schema; empty: it may."""
    if schema.producers == "token" and not context.scopes & {"produce", "admin", "test"}:
        wanted = "a bearer token with the scope produce (eventlogging token create)"
        return (Problem("", "producers", "no such token", wanted),)
    # Servers send no Origin; a browser can neither leave it out nor change it.
    if schema.origins and context.origin and context.origin not in schema.origins:
        found = f"the origin {context.origin[:80]}"
        return (Problem("", "origins", found, f"one of {', '.join(schema.origins)}"),)
    return ()


def _none(code: str, pointer: str, rule: str, found: str, expected: str) -> Unready:
    return Unready(None, code, (Problem(pointer, rule, found, expected),))
