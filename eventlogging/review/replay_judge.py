"""Judge one stored invalid event by what is published now, and make the row that it would be."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, TypeAlias

import orjson

from eventlogging import clock
from eventlogging.intake.accept import trusted_time
from eventlogging.intake.context import Context
from eventlogging.intake.envelope import Envelope, canonical_id, open_envelope
from eventlogging.intake.meta import MetaFields
from eventlogging.intake.ready import Ready, ReadySchemas
from eventlogging.intake.seal import PrivacyKey, compile_seal
from eventlogging.loader.prepare import EventRow
from eventlogging.platform import Platform
from eventlogging.registry.model import RegisteredSchema
from eventlogging.review.replay_rows import Refused
from eventlogging.review.stored_judge import StoredJudge
from eventlogging.schema.codec import compile_encoder

# What the schema itself said of the content.
BY_SCHEMA = frozenset(
    ("type_mismatch", "missing_field", "undeclared_field", "value_not_allowed", "out_of_bounds",
     "bad_format", "schema_mismatch")
)  # fmt: skip
# No schema was asked. Whether their sender may send such events was not looked at either.
UNSEEN = frozenset({"unknown_schema", "unknown_version"})
_HASH = re.compile(r"[0-9a-f]{6}:[0-9a-f]{32}", re.ASCII)
Stays: TypeAlias = str  # why an event stays where it is


@dataclass(frozen=True, slots=True)
class Passed:
    """An event that passes now: its row, and the table for it."""

    row: EventRow
    table: str
    major: int


class ReplayJudge:
    """Judges by the versions of one schema as they are published now."""

    def __init__(self, platform: Platform, schema: RegisteredSchema) -> None:
        self._schema = schema
        self._ready = ReadySchemas(platform.privacy_key, platform.config.max_event_bytes)
        self._ready.use(platform.registry.snapshot)
        self._seal_again = compile_seal(schema.privacy, _OnceOnly(platform.privacy_key))
        self._meta = MetaFields()
        self._judges: dict[str, StoredJudge] = {}
        self._encoders = {major: compile_encoder(plan) for major, plan in schema.plans.items()}
        self._today = clock.day(clock.now_ms())

    def judge(self, refused: Refused) -> Passed | Stays:
        """Return the row that an event would be, or why it stays refused."""
        try:
            event = orjson.loads(refused.raw)
        except orjson.JSONDecodeError:
            return "only a part of its text is kept"
        if not isinstance(event, dict):
            return "it is no object"
        envelope = open_envelope(event)
        if envelope.name != self._schema.name or envelope.problems:
            return "its envelope is wrong"
        if not isinstance(envelope.payload, dict):
            return "it has no payload"
        stays = "it does not match its schema"
        for ready in self._versions(envelope):
            if refused.code in UNSEEN and not ready.open_to_all:
                return "whether its sender was allowed to send it cannot be told any more"
            found = self._by(ready, envelope, refused)
            if isinstance(found, Passed):
                return found
            stays = found
        return stays

    def _versions(self, envelope: Envelope) -> Iterator[Ready]:
        """Yield what to judge by: the version claimed and the newest of its major, or the latest.

        A newer minor version accepts what its major's older ones did.
        """
        claimed = self._ready.find(envelope)
        if not isinstance(claimed, Ready):
            newest = self._ready.find(replace(envelope, version="", revision=None))
            if isinstance(newest, Ready):
                yield newest
            return
        yield claimed
        major = claimed.version.version.major
        minors = [v for v in self._schema.versions.values() if v.version.major == major]
        newest_minor = max(minors, key=lambda v: v.version)
        newest = self._ready.find(
            replace(envelope, version=str(newest_minor.version), revision=None)
        )
        if isinstance(newest, Ready) and newest.number != claimed.number:
            yield newest

    def _by(self, ready: Ready, envelope: Envelope, refused: Refused) -> Passed | Stays:
        received = _ms(refused.received)
        own_id = envelope.id and canonical_id(envelope.id, ready.name)
        # Made of its place, so that a second replay, after a restore, makes the same one.
        id = own_id or str(uuid.uuid5(uuid.NAMESPACE_URL, ":".join(map(str, refused.key))))
        payload: dict[str, Any] = envelope.payload
        made: tuple[str, ...] = ()
        fill = ready.fill_event
        if envelope.whole_body:
            payload = {key: payload[key] for key in payload if key not in ready.laid_off}
            if ready.meta:
                context = Context(received=received)
                payload, made = self._meta.fill(payload, ready.meta, id, context)
            fill = ready.fill_body
        if fill:
            filled = fill(payload)
            if filled is None:
                return "its defaults would make it too large"
            payload = filled
        if not self._is_valid(ready, payload, refused):
            return "it does not match its schema"
        dt = trusted_time(envelope.dt, received, ready.back)
        if clock.age(clock.day(dt), self._today) > self._schema.keep_days:
            return "it is older than events of its schema are kept"
        seal = self._seal_again if refused.sealed else ready.seal
        event = seal(payload) if seal else payload
        major = ready.version.version.major
        try:
            values, more = self._encoders[major](event)
        except Exception as error:
            return f"it cannot be laid into columns: {error}"
        rate = envelope.sample_rate
        if refused.code not in UNSEEN:  # those were refused before anything was sampled
            rate = min(rate, ready.sampling_rate)
        row = EventRow(
            dt=clock.sql_time(dt),
            id=id,
            received=refused.received,
            version=ready.number,
            schema=ready.name,
            capsule=(
                *(refused.host, refused.wiki, refused.browser, None, None, None, None),
                *(rate, refused.client),
            ),
            values=values,
            more=more,
            event=event,
            remember=bool(own_id) and dt != envelope.dt,
            offset=0,
            index=0,
            made=made if own_id else (),
        )
        return Passed(row, ready.version.table, major)

    def _is_valid(self, ready: Ready, payload: dict[str, Any], refused: Refused) -> bool:
        """Whether a payload matches; of a sealed one, as far as hashes can be judged."""
        if not refused.sealed or not self._schema.privacy:
            return bool(ready.gate.is_valid(payload))
        judge = self._judges.get(ready.number)
        if judge is None:
            judge = self._judges[ready.number] = StoredJudge(
                ready.version.document,
                self._schema.privacy,
                standing=[ready.version.document],
                fill_defaults="never",  # what is to be filled in is already
                now_ms=clock.now_ms(),
            )
        return judge.valid(payload).passes


class _OnceOnly(PrivacyKey):
    """Hashes what is no hash yet: privacy may name more fields than when an event was sealed."""

    def __init__(self, key: PrivacyKey) -> None:
        self._key = key
        self.id = key.id

    def hash(self, value: Any) -> str:
        if isinstance(value, str) and _HASH.fullmatch(value):
            return value
        return self._key.hash(value)


def _ms(text: str) -> int:
    moment = datetime.fromisoformat(text).replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)
