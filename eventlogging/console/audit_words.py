"""What the audit holds, as people read it: an act as a verb, its detail in short phrases."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from eventlogging.registry.audit import Entry

_LONGEST = 160
_MOST_PHRASES = 12
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)
ACTS: Mapping[str, str] = {
    "alert.acknowledge": "acknowledged an alert",
    "alert.snooze": "snoozed an alert",
    "answer_invitation": "answered whether to review",
    "approve": "approved a proposal",
    "assign": "gave a proposal to a reviewer",
    "comment": "commented on a proposal",
    "deprecate": "deprecated a schema",
    "draft": "began a draft",
    "edit": "edited a proposal",
    "erasure.ask": "asked that a person be erased",
    "erasure.done": "had a person erased",
    "erasure.export": "took the export of a person",
    "erasure.find": "looked for a person",
    "examples": "changed the examples",
    "extension.ask": "asked to keep events longer",
    "extension.end": "ended a longer keep",
    "extension.grant": "granted a longer keep",
    "extension.refuse": "refused a longer keep",
    "extension.withdraw": "withdrew a wish to keep events longer",
    "governance": "changed a governance document",
    "hand_over": "handed a proposal over",
    "hold.lift": "lifted a legal hold",
    "hold.place": "placed a legal hold",
    "invite_reviewer": "asked somebody to review",
    "mail.retry": "had a mail sent again",
    "owner_back": "found an owner reachable again",
    "owner_trouble": "found an owner unreachable",
    "person.add": "made an account",
    "person.away": "changed days away",
    "person.disable": "disabled an account",
    "person.enable": "enabled an account",
    "person.invite": "sent an invitation",
    "person.name": "changed a name",
    "person.password": "changed a password",
    "person.reset": "sent a link for a new password",
    "person.role": "changed a role",
    "person.welcome": "came in for the first time",
    "propose": "sent a version to review",
    "publish": "published a version",
    "read": "read events",
    "read_events": "read events",
    "read_refused": "read refused events",
    "recheck": "checked a proposal against what is published now",
    "remind": "reminded a reviewer",
    "replay": "had refused events judged again",
    "retire": "retired a schema",
    "return": "returned a proposal",
    "revive": "brought a schema back",
    "revision": "gave a version its revision",
    "run_job": "ran a job by hand",
    "scrub.rule": "set what remains of stripped events",
    "settings": "changed the settings",
    "sign_in": "signed in",
    "sign_out": "signed out",
    "token.create": "made a token",
    "token.revoke": "revoked a token",
    "withdraw": "withdrew a proposal",
}
_FIELDS: Mapping[str, str] = {
    "by": "by",
    "expires_at": "until",
    "examples_gone": "examples gone",
    "was": "before",
}


def act(entry: Entry) -> str:
    """Return what was done, as a verb: `changed a role`."""
    return ACTS.get(entry.action, entry.action.replace("_", " ").replace(".", " "))


def phrases(entry: Entry, *, may_hold: bool) -> list[str]:
    """Return the detail of an entry in short phrases, cut where it is long.

    Why a schema is held, only those read who may hold one.
    """
    detail = entry.detail
    if not isinstance(detail, Mapping):
        return [_short(detail)]
    if entry.action == "hold.place" and not may_hold:
        detail = {name: value for name, value in detail.items() if name != "reason"}
    if "old" in detail or "new" in detail:
        return [_change("", detail)]
    found = [
        _change(f"{_field(name)} ", value)
        if _is_change(value)
        else f"{_field(name)} {_short(value)}"
        for name, value in detail.items()
        if value not in (None, "", [], {})
    ]
    more = len(found) - _MOST_PHRASES
    return [*found[:_MOST_PHRASES], f"and {more} more"] if more > 0 else found


def _is_change(value: Any) -> bool:
    return isinstance(value, Mapping) and value.keys() == {"old", "new"}


def _change(name: str, value: Mapping[str, Any]) -> str:
    old, new = value.get("old"), value.get("new")
    if _is_empty(old):
        return f"{name}set: {_short(new)}"
    if _is_empty(new):
        return f"{name}removed: {_short(old)}"
    return f"{name}{_short(old)} → {_short(new)}"


def _is_empty(value: Any) -> bool:
    return value is None or value in ("", [], {})


def _field(name: str) -> str:
    return _FIELDS.get(name, name.replace("_", " "))


def _short(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        text = ", ".join(value)
    elif isinstance(value, str):
        text = f"{value[:10]} {value[11:16]} UTC" if _TIME.fullmatch(value) else value
    else:
        text = json.dumps(value, ensure_ascii=False)
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
