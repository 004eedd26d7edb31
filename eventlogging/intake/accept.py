"""Accept the events of a body: opt-out, schema, sender, sample, validity, seal.

refused by opt-out        → suppressed    counted, no content
not in the sample         → sampled out   counted, no content
anything wrong            → invalid       kept with its reasons
else                      → valid         kept, sealed

What comes with a test key is judged alike, but for sampling, and kept apart.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass, replace
from typing import Any

from eventlogging import clock
from eventlogging.config import Config
from eventlogging.event import UNKNOWN, Outcome, Problem, Verdict
from eventlogging.intake import decode, explain, lines
from eventlogging.intake.capsules import Capsules
from eventlogging.intake.context import Context
from eventlogging.intake.envelope import Envelope, canonical_id, claimed_name, open_envelope
from eventlogging.intake.meta import MetaFields
from eventlogging.intake.parcel import counters_line
from eventlogging.intake.ready import Ready, ReadySchemas, Unready, forbidden
from eventlogging.intake.refuse import Case, Refusals
from eventlogging.intake.seal import PrivacyKey
from eventlogging.registry.model import RegisteredSchema, Snapshot
from eventlogging.sampling import in_sample

UNKNOWN_CODES = frozenset({"unknown_schema", "unknown_version"})
_RAW_BODY_LIMIT = 8192
_NO = re.compile(rb'"consent"\s*:\s*"?false', re.IGNORECASE)  # in what nobody can read
_FULL_OF_DEFAULTS = Problem(
    "", "default", "more than that", "an event that its schema's defaults do not make too large"
)


@dataclass(frozen=True, slots=True)
class Accepted:
    """All verdicts of one body, the tally of what was sent, and whether it was an array."""

    verdicts: tuple[Verdict, ...]
    sent: dict[tuple[str, str], int]
    is_batch: bool
    counters: bytes = b""  # the log's line of what the client counted
    remark: str = ""  # what is wrong with what the client counted

    @property
    def lines(self) -> list[bytes]:
        """What the log keeps of it."""
        found = [verdict.line for verdict in self.verdicts]
        return [*found, self.counters] if self.counters else found


class Intake:
    """Judges events against a snapshot of the registry. Not for use from several threads."""

    def __init__(self, config: Config, key: PrivacyKey) -> None:
        self._config = config
        former = [one.strip() for one in config.privacy_keys_former.split(",")]
        self._schemas = ReadySchemas(
            key, config.max_event_bytes, [PrivacyKey(one) for one in former if one]
        )
        self._capsules = Capsules()
        self._meta = MetaFields()
        self._refusals = Refusals(self._schemas, self._capsules, config.invalid_stored_per_minute)

    def use(self, snapshot: Snapshot) -> None:
        """Judge by this snapshot from now on. Published versions never change, settings may."""
        known = self._schemas.snapshot
        if snapshot.counter != known.counter or snapshot.opt_outs is not known.opt_outs:
            self._schemas.use(snapshot)

    def accept_body(self, body: bytes, context: Context) -> Accepted:
        """Judge every event of a body; each has its own verdict."""
        decoded = decode.decode(body, max_batch=self._config.max_batch)
        return self.accept_decoded(decoded, body, context)

    def accept_decoded(self, decoded: decode.Body, body: bytes, context: Context) -> Accepted:
        """Judge every event of a body that was read already."""
        if decoded.parcel is not None and decoded.parcel.get("consent") is False:
            context = replace(context, opted_out=True)
        if decoded.code:
            return self.refuse_body(decoded.code, body, context, is_batch=decoded.is_batch)
        sent = self._tally(decoded.events, context)
        verdicts = tuple(
            self._refuse_unread(event, code, context, index)
            if (code := self._flaw(event, decoded, body))
            else self.accept(event, context, index)
            for index, event in enumerate(decoded.events)
        )
        if context.test_key:
            return _of_test_key(verdicts, context, decoded.is_batch)
        counters, remark = self._counters(decoded.parcel, context)
        return Accepted(verdicts, sent, decoded.is_batch, counters, remark)

    def _counters(self, parcel: dict[str, Any] | None, context: Context) -> tuple[bytes, str]:
        if parcel is None or context.opted_out or "counters" not in parcel:
            return b"", ""
        known = self._schemas.snapshot.schemas
        return counters_line(parcel["counters"], context.received, known, UNKNOWN)

    def _flaw(self, event: Any, decoded: decode.Body, body: bytes) -> str:
        """Return the code of what makes an event impossible to take, or an empty text."""
        large = self._config.max_event_bytes
        if len(body) > large and (not decoded.is_batch or len(lines.text_of(event)) > large):
            return "event_too_large"
        return decode.flaw(event, max_depth=self._config.max_depth, strict=decoded.strict)

    def refuse_body(
        self, code: str, body: bytes, context: Context, *, is_batch: bool = False
    ) -> Accepted:
        """Book a body that cannot be read as one invalid event; of who said no, as suppressed."""
        if _NO.search(body):
            context = replace(context, opted_out=True)
        if self._says_no(context, "") and not context.test_key:
            sent = {(clock.minute(context.received), UNKNOWN): 1}
            return Accepted((_suppressed(None, context),), sent, is_batch)
        text = body[:_RAW_BODY_LIMIT].decode("utf-8", "replace").replace("\0", "\ufffd")
        verdict = self._refuse_unread(text, code, context, 0)
        if context.test_key:
            return _of_test_key((verdict,), context, is_batch)
        return Accepted((verdict,), {(clock.minute(context.received), UNKNOWN): 1}, is_batch)

    def _tally(self, events: tuple[Any, ...], context: Context) -> dict[tuple[str, str], int]:
        """Count what was sent, before any rule, under the name each event claims."""
        known = self._schemas.snapshot.schemas
        minute = clock.minute(context.received)
        sent: dict[tuple[str, str], int] = {}
        for event in events:
            name = claimed_name(event)
            key = (minute, name if name in known else UNKNOWN)
            sent[key] = sent.get(key, 0) + 1
        return sent

    def _says_no(self, context: Context, name: str) -> bool:
        """Whether the person said no to events of this schema."""
        if context.opted_out or not context.opted_out_of:
            return context.opted_out
        # What is of no known schema might be of one that the person said no to.
        return name in context.opted_out_of or name not in self._schemas.snapshot.schemas

    def accept(self, event: dict[str, Any], context: Context, index: int = 0) -> Verdict:
        """Judge one event without flaws."""
        envelope = open_envelope(event)
        if not envelope.consent or self._says_no(context, envelope.name):
            return _suppressed(self._schemas.snapshot.schemas.get(envelope.name), context)
        ready = self._schemas.find(envelope)
        if isinstance(ready, Unready):
            schema = self._schemas.snapshot.schemas.get(envelope.name)
            case = Case(event, envelope, schema, ready.version, context, index)
            return self._refuse(case, ready.code, ready.problems)
        if not ready.open_to_all and (problems := forbidden(ready.schema, context)):
            case = Case(event, envelope, ready.schema, ready.version, context, index)
            return self._refuse(case, "not_allowed", problems)
        own_id = envelope.id and canonical_id(envelope.id, ready.name)
        if context.id_seed and not own_id:
            own_id = canonical_id(f"{index} {context.id_seed}", ready.name)
        id = own_id or str(uuid.uuid4())
        if ready.sampling_rate < envelope.sample_rate and not (
            context.test_key or _sampled(ready, envelope, id)
        ):
            line = lines.contentless(
                Outcome.SAMPLED_OUT,
                schema=ready.name,
                version=ready.number,
                received=context.received,
            )
            return Verdict(Outcome.SAMPLED_OUT, ready.name, ready.number, line, id)
        payload: dict[str, Any] = envelope.payload
        made: tuple[str, ...] = ()
        fill = ready.fill_event
        if envelope.whole_body:
            payload = {key: payload[key] for key in payload if key not in ready.laid_off}
            if ready.meta:
                payload, made = self._meta.fill(payload, ready.meta, id, context)
            fill = ready.fill_body
        if fill:
            filled = fill(payload)
            if filled is None:
                case = Case(event, envelope, ready.schema, ready.version, context, index)
                return self._refuse(case, "event_too_large", (_FULL_OF_DEFAULTS,))
            payload = filled
        if not ready.gate.is_valid(payload):
            problems = ready.gate.problems(payload, ready.schema.privacy)
            case = Case(event, envelope, ready.schema, ready.version, context, index)
            return self._refuse(case, explain.code(problems), problems)
        dt = trusted_time(envelope.dt, context.received, ready.back)
        sealed = ready.seal(payload) if ready.seal else payload
        if self._schemas.watch is not None and self._met():
            return _suppressed(ready.schema, context)
        line = lines.valid(
            schema=ready.name,
            version=ready.number,
            id=id,
            dt=dt,
            received=context.received,
            index=index,
            remember=own_id is not None and dt != envelope.dt,
            capsule=self._capsules.of(envelope, context, ready.schema),
            event=sealed,
            made=made if own_id else (),
        )
        return Verdict(Outcome.VALID, ready.name, ready.number, line, id)

    def _met(self) -> bool:
        """Whether an account that opted out was among what was sealed since the last time."""
        watch = self._schemas.watch
        met = watch is not None and watch.met
        if met and watch is not None:
            watch.met = False
        return met

    def _refuse(self, case: Case, code: str, problems: tuple[Problem, ...]) -> Verdict:
        """Return the verdict of refusal, or of suppression where the account opted out."""
        verdict = self._refusals.refuse(case, code, problems)
        if self._schemas.watch is not None and self._met():
            return _suppressed(case.schema, case.context)
        return verdict

    def _refuse_unread(self, event: Any, code: str, context: Context, index: int) -> Verdict:
        """Return the verdict of an event whose content is flawed as a whole."""
        schema = self._schemas.snapshot.schemas.get(claimed_name(event))
        envelope = replace(open_envelope(event), id=None) if isinstance(event, dict) else Envelope()
        if not envelope.consent or self._says_no(context, schema.name if schema else ""):
            return _suppressed(schema, context)
        shown = event if isinstance(event, str) else lines.text_of(event)
        case = Case(shown, envelope, schema, None, context, index, unread=event)
        return self._refuse(case, code, ())


def _of_test_key(verdicts: tuple[Verdict, ...], context: Context, is_batch: bool) -> Accepted:
    """Return the same verdicts with lines that keep them apart, and without a tally."""
    for verdict in verdicts:
        verdict.line = lines.of_test_key(verdict.line, context.test_key)
    return Accepted(verdicts, {}, is_batch)


def _sampled(ready: Ready, envelope: Envelope, id: str) -> bool:
    """Apply what remains to be sampled: the sender may have applied a higher rate already."""
    if envelope.unit_id is not None:
        return in_sample(envelope.unit_id, ready.sampling_rate)
    return in_sample(id, ready.sampling_rate / envelope.sample_rate)


def trusted_time(dt: int | None, received: int, back: int) -> int:
    """Return the client's time where it is plausible, else the time of receipt."""
    if dt is None or not received - back <= dt <= received + clock.DAY_MS:
        return received
    return dt


def _suppressed(schema: RegisteredSchema | None, context: Context) -> Verdict:
    name = schema.name if schema else UNKNOWN
    line = lines.contentless(Outcome.SUPPRESSED, schema=name, version="", received=context.received)
    return Verdict(Outcome.SUPPRESSED, name, "", line)
