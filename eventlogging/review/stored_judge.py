"""Judge stored events by a document that is proposed, as far as what is stored allows it.

What privacy has hashed or dropped before storage cannot be judged any more: problems that rest
on it are left out, and `notes` says of which fields.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import orjson

from eventlogging.governance.fields import declares
from eventlogging.intake.context import Context
from eventlogging.intake.defaults import compile_defaults
from eventlogging.intake.envelope import open_envelope
from eventlogging.intake.in_place import declared, parts_of
from eventlogging.intake.meta import MetaFields, fields_declared
from eventlogging.review.fault_words import Fault, fault_of
from eventlogging.schema.change_rules import label
from eventlogging.schema.draft import draft_of
from eventlogging.schema.faults import first_faults
from eventlogging.schema.gate import compile_gate
from eventlogging.schema.masking import lies_in
from eventlogging.schema.walk import OLD_DRAFTS, Tokens, pointer, tokens_of

_MOST_FAULTS = 20
_MOST_DEFAULTS = 256 * 1024  # bytes that defaults may add to one event
_OF_EVENTGATE = ("$schema", "meta")
_HASH = re.compile(r"[0-9a-f]{6}:[0-9a-f]{32}", re.ASCII)
_ONLY_WORDS = frozenset({"type", "title", "description", "examples", "default", "$comment"})
# Rules that an object keeps or breaks by itself, whatever its private members hold.
_OF_THE_OBJECT = frozenset(
    (
        "type",
        "required",
        "additionalProperties",
        "unevaluatedProperties",
        "maxProperties",
        "propertyNames",
    )
)
_OF_PRESENCE = frozenset({"required", "additionalProperties", "unevaluatedProperties"})
_NOBODY = "00000000-0000-4000-8000-000000000000"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is wrong with an event; without faults it passes, as far as can be said."""

    faults: tuple[Fault, ...] = ()

    @property
    def passes(self) -> bool:
        return not self.faults


_PASSES = Judgement()


class StoredJudge:
    """A proposed document, compiled once, for events that were stored under `privacy`.

    `document` stands alone; `standing` are the documents that the events were judged by;
    `fill_defaults` is the schema's setting. Not for use from several threads.
    """

    def __init__(
        self,
        document: Mapping[str, Any],
        privacy: Mapping[str, str],
        *,
        standing: Sequence[Mapping[str, Any]],
        fill_defaults: str,
        now_ms: int,
    ) -> None:
        hashed = [place for place, rule in privacy.items() if rule == "hmac"]
        dropped = [place for place, rule in privacy.items() if rule == "drop"]
        hashed = [place for place in hashed if declares(document, place)]
        dropped = [place for place in dropped if declares(document, place)]
        ref_is_alone = draft_of(document) in OLD_DRAFTS
        parts = parts_of(document, document, ref_is_alone=ref_is_alone)
        self._laid_off = [field for field in _OF_EVENTGATE if not declared(parts, field)]
        # What the standing versions take off before storage, the proposed one may ask for.
        dropped += [
            f"/{field}"
            for field in _OF_EVENTGATE
            if field not in self._laid_off
            and not any(declares(other, f"/{field}") for other in standing)
        ]
        self._hashed = [tokens_of(place) for place in hashed]
        self._dropped = [tokens_of(place) for place in dropped]
        relaxed, unread = _relaxed(document, self._hashed, self._dropped)
        self._gate = compile_gate(relaxed, mask=True)
        self._meta = fields_declared(document, ref_is_alone=ref_is_alone)
        fill = compile_defaults(document, ref_is_alone=ref_is_alone, max_bytes=_MOST_DEFAULTS)
        self._fill_body = None if fill_defaults == "never" else fill
        self._fill_event = fill if fill_defaults == "always" else None
        self._context = Context(received=now_ms)
        self._notes = dict.fromkeys(
            [
                *(f"{label(place)} is stored as a hash; its values were not judged"
                  for place in unread),
                *(f"{label(place)} is not stored; whether it was sent was not judged"
                  for place in dropped),
            ]
        )  # fmt: skip

    @property
    def notes(self) -> tuple[str, ...]:
        """What could not be judged so far, in sentences."""
        return tuple(self._notes)

    def valid(self, payload: dict[str, Any]) -> Judgement:
        """Judge a stored valid event."""
        if self._gate.is_valid(payload):
            return _PASSES
        if self._fill_event is not None:
            payload = self._fill_event(payload) or payload
            if self._gate.is_valid(payload):
                return _PASSES
        judged = Judgement(self._faults(payload))
        if judged.faults and self._fill_body and not self._fill_event:
            filled = self._fill_body(payload)
            if filled is not None and not self._faults(filled):
                self._notes["defaults are filled into EventGate bodies alone; where one would "
                            "have mended an event, it counts as passing"] = None  # fmt: skip
                return _PASSES
        return judged

    def refused(self, raw: str) -> tuple[Judgement, dict[str, Any]] | None:
        """Judge the kept text of an invalid event; give its payload too. None: no JSON any more."""
        try:
            event = orjson.loads(raw)
        except orjson.JSONDecodeError:
            return None
        if not isinstance(event, dict):
            return None
        envelope = open_envelope(event)
        payload = envelope.payload
        if not isinstance(payload, dict):
            return None
        fill = self._fill_event
        if envelope.whole_body:
            payload = {key: payload[key] for key in payload if key not in self._laid_off}
            if self._meta:
                payload, _ = MetaFields().fill(payload, self._meta, _NOBODY, self._context)
            fill = self._fill_body
        if fill:
            payload = fill(payload) or payload
        if self._gate.is_valid(payload):
            return _PASSES, payload
        return Judgement(self._faults(payload)), payload

    def _faults(self, payload: dict[str, Any]) -> tuple[Fault, ...]:
        """Return what is wrong, without what rests on values that are not stored."""
        errors, unread = first_faults(self._gate, payload, _MOST_FAULTS)
        found: dict[tuple[str, str], Fault] = {}
        skipped = False
        for error in errors:
            for fault in fault_of(error, payload):
                if self._rests_on_private(fault):
                    skipped = True
                else:
                    found.setdefault((fault.pointer, fault.rule), fault)
        if not errors and unread:
            fault = Fault("", "too_many", "is too large to say what is wrong with it")
            return (fault,)
        if skipped and not found:
            return ()
        return tuple(found.values())

    def _rests_on_private(self, fault: Fault) -> bool:
        place = tokens_of(fault.pointer)
        if fault.rule == "required":
            return any(lies_in(place, pattern) for pattern in self._dropped)
        if fault.rule not in _OF_PRESENCE and fault.value is not None:
            if any(lies_in(place, pattern) for pattern in self._hashed):
                return True
            if isinstance(fault.value, str) and _HASH.fullmatch(fault.value):
                return True  # by the privacy of an earlier day
        if fault.rule in _OF_THE_OBJECT:
            return False
        for pattern in (*self._hashed, *self._dropped):
            if lies_in(pattern, place) and place != pattern:
                what = f"{label(fault.pointer)}: the rule {fault.rule!r} looks at private fields; "
                self._notes[what + "it was not judged"] = None
                return True
        return False


def _relaxed(
    document: Mapping[str, Any], hashed: Sequence[Tokens], dropped: Sequence[Tokens]
) -> tuple[dict[str, Any], list[str]]:
    """Return a copy that asks nothing of what is not stored, where that is plainly declared.

    Also the pointers of hashed fields whose values say nothing: all but those that take any text.
    """
    copy = deepcopy(dict(document))
    unread = []
    for place in hashed:
        holder = _holder(copy, place)
        node = holder["properties"][place[-1]] if holder else None
        if isinstance(node, dict) and _takes_any_text(node):
            continue
        unread.append(pointer(place))
        if holder and isinstance(node, dict):
            kinds = node.get("type", "null")
            null = "null" in ([kinds] if isinstance(kinds, str) else kinds)
            holder["properties"][place[-1]] = {} if null else {"not": {"type": "null"}}
    for place in dropped:
        holder = _holder(copy, place)
        if holder and place[-1] in holder.get("required", ()):
            holder["required"] = [name for name in holder["required"] if name != place[-1]]
            if not holder["required"]:
                del holder["required"]
    return copy, unread


def _holder(document: dict[str, Any], place: Tokens) -> dict[str, Any] | None:
    """Return the object schema that declares a field, reached by properties and items alone."""
    node: Any = document
    for step in place[:-1]:
        members = node.get("properties")
        if isinstance(members, dict) and step in members:
            node = members[step]
        elif step == "*" and isinstance(node.get("items"), dict):
            node = node["items"]
        else:
            return None
        if not isinstance(node, dict):
            return None
    members = node.get("properties")
    return node if isinstance(members, dict) and place[-1] in members else None


def _takes_any_text(node: Mapping[str, Any]) -> bool:
    kinds = node.get("type", "string")
    return "string" in ([kinds] if isinstance(kinds, str) else kinds) and set(node) <= _ONLY_WORDS
