"""From the lines of an edge log to verdicts: what a beacon's request says, a line says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

from eventlogging import clock
from eventlogging.collector.edge.formats import Format
from eventlogging.collector.edge.percent import event_texts, unquoted
from eventlogging.collector.edge.times import Times
from eventlogging.collector.request import OPT_OUT_COOKIE, OPT_OUT_FOR_COOKIE, said_no
from eventlogging.config import Config
from eventlogging.event import Outcome
from eventlogging.intake import decode
from eventlogging.intake.accept import UNKNOWN_CODES, Accepted, Intake
from eventlogging.intake.context import Context
from eventlogging.intake.seal import PrivacyKey
from eventlogging.log.forwarded import marker_line
from eventlogging.registry.model import Snapshot

_OLDEST_MS = 30 * clock.DAY_MS
_AHEAD_MS = 60_000
_NOTHING = (b"", b"-")
_SAID = ("cookie", "opt-out-for", "dnt", "sec-gpc", "origin")
_NOBODY: frozenset[str] = frozenset()
_NO_FIELDS = b"(a line of an edge log that is not of the format)"  # which may hold an address
_MOST_KNOWN = 4096
_BODY_START = 8192


@dataclass
class Judged:
    """What a chunk becomes: lines of our log, the tally of what was sent, and counts to show."""

    lines: list[bytes] = field(default_factory=list)
    sent: Counter[tuple[str, str]] = field(default_factory=Counter)
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    read: int = 0  # lines that are not blank
    unknown: set[str] = field(default_factory=set)  # schemas and versions that are not known

    def add(self, other: Judged) -> None:
        """Add what follows in the same chunk."""
        self.lines += other.lines
        self.sent += other.sent
        self.outcomes += other.outcomes
        self.read += other.read
        self.unknown |= other.unknown

    def as_batch(self, name: str, start: int) -> list[bytes]:
        """Return the lines for our log, behind the one that tells the chunk from all others."""
        sent = [(minute, schema, count) for (minute, schema), count in self.sent.items()]
        return [marker_line(name, start, len(self.lines), sent), *self.lines]


class Judge:
    """Judges lines of one format by the same intake as requests."""

    def __init__(self, format: Format, config: Config, key: PrivacyKey) -> None:
        self._format = format
        self._config = config
        self._intake = Intake(config, key)
        self._times = Times()
        at = format.at
        self._time_at = at.get("time")
        self._agent_at = at.get("agent")
        self._said_at = [(name, at[name]) for name in _SAID if name in at]
        self._by_number = "number" in at and "edge" in at
        self._seed_at = [at[name] for name in ("edge", "number", "time") if name in at]
        self._said: dict[tuple[bytes, ...], tuple[bool, frozenset[str], str]] = {}
        self._agents: dict[bytes, str] = {}

    def use(self, snapshot: Snapshot) -> None:
        """Judge by this snapshot of the registry from now on."""
        self._intake.use(snapshot)

    def judge(self, data: bytes, start: int, fingerprint: str) -> Judged:
        """Judge the lines that begin at `start` of the log that is known by its fingerprint."""
        judged = Judged()
        now = clock.now_ms()
        lines, rows, texts = self.read(data)
        offset = start
        for line, parts, text in zip(lines, rows, texts, strict=True):
            if parts is not None:
                accepted = self._accept(parts, text, now, fingerprint, offset)
            elif not line.isspace():
                accepted = self._intake.refuse_body("malformed_json", _NO_FIELDS, Context(now))
            else:
                offset += len(line)
                continue
            offset += len(line)
            judged.read += 1
            for verdict in accepted.verdicts:
                judged.outcomes[verdict.outcome] += 1
                judged.lines.append(verdict.line)
                if verdict.code in UNKNOWN_CODES:
                    judged.unknown.add(verdict.schema + verdict.text)
            if accepted.counters:
                judged.lines.append(accepted.counters)
            for key, count in accepted.sent.items():
                judged.sent[key] += count
        return judged

    def read(self, data: bytes) -> tuple[list[bytes], list[Sequence[bytes] | None], list[bytes]]:
        """Return the lines, the fields of each (None: not of the format), and the events' JSON."""
        lines = BytesIO(data if data.endswith(b"\n") else data + b"\n").readlines()
        rows = self._format.rows(lines)
        at = self._format.event_at
        texts = [b"" if row is None else row[at] for row in rows]
        return lines, rows, event_texts(texts) if self._format.is_query else texts

    def _accept(
        self,
        parts: Sequence[bytes],
        body: bytes,
        now: int,
        fingerprint: str,
        offset: int,
    ) -> Accepted:
        received = now if self._time_at is None else self._received(parts, now)
        said = self._what_was_said(parts) if self._said_at else (False, _NOBODY, "")
        opted_out, opted_out_of, origin = said
        agent = self._agent(parts[self._agent_at]) if self._agent_at is not None else ""
        too_large = len(body) > self._config.max_body_bytes
        decoded = None if too_large else decode.decode(body, max_batch=self._config.max_batch)
        seed = ""
        if decoded is None or not _has_own_id(decoded.events):
            seed = self._seed(parts, body, fingerprint, offset)
        context = Context(
            received,
            agent,
            origin,
            opted_out=opted_out,
            opted_out_of=opted_out_of,
            id_seed=seed,
        )
        if decoded is None:
            return self._intake.refuse_body("body_too_large", body[:_BODY_START], context)
        return self._intake.accept_decoded(decoded, body, context)

    def _received(self, parts: Sequence[bytes], now: int) -> int:
        """Return when the edge took the event, where that is plausible, else when we read it."""
        assert self._time_at is not None
        found = self._times.ms(parts[self._time_at])
        if found is None or not now - _OLDEST_MS <= found <= now + _AHEAD_MS:
            return now
        return min(found, now)

    def _agent(self, text: bytes) -> str:
        """Return the User-Agent header; logs hold it as it is, or percent-encoded."""
        found = self._agents.get(text)
        if found is None:
            if len(self._agents) >= _MOST_KNOWN:
                self._agents.clear()
            plain = text if b" " in text else unquoted(text)
            found = "" if text in _NOTHING else plain.decode("latin-1")
            self._agents[text] = found
        return found

    def _what_was_said(self, parts: Sequence[bytes]) -> tuple[bool, frozenset[str], str]:
        """Return whether the person said no, to which schemas, and the page's origin."""
        key = tuple(parts[place] for _, place in self._said_at)
        found = self._said.get(key)
        if found is None:
            if len(self._said) >= _MOST_KNOWN:
                self._said.clear()
            headers = {
                str(name): text.decode("latin-1")
                for (name, _), text in zip(self._said_at, key, strict=True)
                if text not in _NOTHING
            }
            if "cookie" in headers and "=" not in headers["cookie"]:  # of our cookie, the value
                headers["cookie"] = f"{OPT_OUT_COOKIE}={headers['cookie']}"
            if "opt-out-for" in headers:
                only = f"{OPT_OUT_FOR_COOKIE}={headers['opt-out-for']}"
                headers["cookie"] = f"{headers.get('cookie', '')}; {only}"
            found = self._said[key] = (*said_no(headers), headers.get("origin", ""))
        return found

    def _seed(self, parts: Sequence[bytes], body: bytes, fingerprint: str, offset: int) -> str:
        """Return what an event's id is made from that names none: the same at every reading."""
        if self._by_number:
            told = b" ".join(parts[place] for place in self._seed_at)
        else:
            told = f"{fingerprint} {offset}".encode()
        return (told + b" " + body).decode("latin-1")


def _has_own_id(events: Sequence[Any]) -> bool:
    """Whether it is one event that surely names its id."""
    if len(events) != 1 or type(events[0]) is not dict:
        return False
    event = events[0]
    return bool(event.get("id") or event.get("uuid"))
