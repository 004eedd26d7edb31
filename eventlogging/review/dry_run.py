"""The dry run: what a proposed schema would have said to the events of the last days."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from eventlogging import clock
from eventlogging.ledger.reading import lines_of_truth
from eventlogging.ledger.sentence import grouped
from eventlogging.registry.judge import whole_document
from eventlogging.registry.model import RegisteredSchema, Snapshot
from eventlogging.review import samples
from eventlogging.review.fault_words import Fault, kind_of
from eventlogging.review.lookup import lookup_in
from eventlogging.review.masking import shown
from eventlogging.review.stored_judge import StoredJudge
from eventlogging.schema.change_rules import label
from eventlogging.schema.masking import lies_in
from eventlogging.schema.walk import tokens_of
from eventlogging.store.database import Database

# The codes of events that the schema itself refused; others stay refused whatever it says.
_BY_SCHEMA = frozenset(
    ("type_mismatch", "missing_field", "undeclared_field", "value_not_allowed", "out_of_bounds",
     "bad_format", "schema_mismatch")
)  # fmt: skip
_MOST_REASONS = 20
_MOST_SAMPLES = 5
_MOST_VALUES = 1_000  # that are counted
_MOST_LISTED = 3  # reasons in the sentence, values in a reason
_INVALID_PART = 5  # one part in so many of the sample is for invalid events, where both are many


@dataclass(frozen=True)
class Reason:
    """Why events that are valid now would be refused: `sentence` says it of a field.

    `count` of the newly refused events have it, which is `share` of them (0 to 1). What events
    hold stands in two fields alone: `sample` is one of them as JSON, private values masked, and
    `values` are the most frequent of values that are not listed.
    """

    pointer: str
    sentence: str
    count: int
    sample: str
    share: float = 0.0
    rule: str = ""
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class DryRun:
    """What a proposed schema would have said to past events.

    `total` events that were judged came in the last `days`; `looked_at` of them were held against
    the proposal: `valid_now` stored as valid and `refused_now` as invalid. `complete` is False
    where the time ran out, `sampled` True where not every stored event was looked at. `notes` say
    what could not be judged; `problems` why nothing was, for a document that is none.
    """

    days: int
    total: int
    looked_at: int
    complete: bool
    valid_now: int
    refused_now: int
    newly_refused: int
    newly_valid: int
    reasons: tuple[Reason, ...] = ()
    newly_valid_samples: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    sampled: bool = False
    known: bool = True

    @property
    def sentence(self) -> str:
        """The answer, such as `Of 48 211 events of the last 7 days, 430 now valid would be …`."""
        if self.problems:
            return "Not run: the schema itself has problems"
        if not self.known:
            return "Nothing to run it on: no version of this schema is published yet"
        if not self.looked_at:
            if self.total:
                return f"None of {self._events(self.total)} was kept to be looked at"
            return f"Nothing to run it on: no event came in the last {self.days} days"
        return f"Of {self._looked_at()}, {self._refused()}; {self._passed()}"

    def _refused(self) -> str:
        if not self.newly_refused:
            return "none now valid would be refused"
        named = " · ".join(
            f"{percent(reason.share)} {reason.sentence}" for reason in self.reasons[:_MOST_LISTED]
        )
        return f"{grouped(self.newly_refused)} now valid would be refused: {named}"

    def _passed(self) -> str:
        if not self.newly_valid:
            return "no invalid one would pass"
        ones = "one" if self.newly_valid == 1 else "ones"
        return f"{grouped(self.newly_valid)} invalid {ones} would pass"

    def _looked_at(self) -> str:
        if self.sampled or not self.complete:
            return f"a sample of {grouped(self.looked_at)} of {self._events(self.total)}"
        if self.looked_at < self.total:
            return f"{grouped(self.looked_at)} events kept of {self._events(self.total)}"
        return self._events(self.looked_at)

    def _events(self, number: int) -> str:
        events = "event" if number == 1 else "events"
        return f"{grouped(number)} {events} of the last {self.days} days"


def percent(share: float) -> str:
    """Return `98 %`; what is not 0 or 1 is never shown as if it were."""
    if 0 < share < 0.01:
        return "under 1 %"
    return f"{min(round(share * 100), 99) if share < 1 else 100} %"


def dry_run(
    database: Database,
    snapshot: Snapshot,
    name: str,
    document: Any,
    *,
    privacy: Mapping[str, str],
    now_ms: int,
    days: int = 7,
    most: int = 50_000,
    seconds: float = 5.0,
) -> DryRun:
    """Hold the events of the last days against a proposed document.

    `privacy` maps pointers to what would be private under the proposal. At most `most` events
    are looked at, for about `seconds`. Raises StoreUnavailable.
    """
    until = time.monotonic() + seconds
    whole, problems, _ = whole_document(document, lookup_in(snapshot))
    if whole is None:
        return DryRun(days, 0, 0, True, 0, 0, 0, 0, problems=tuple(problems))
    schema = snapshot.schemas.get(name)
    if schema is None:
        return DryRun(days, 0, 0, True, 0, 0, 0, 0, known=False)
    judge = StoredJudge(
        whole,
        schema.privacy,
        standing=[version.document for version in schema.versions.values()],
        fill_defaults=schema.fill_defaults,
        now_ms=now_ms,
    )
    past = samples.Span(now_ms - days * clock.DAY_MS, now_ms + clock.DAY_MS)
    valid = samples.valid_events(database, schema, past)
    invalid = samples.invalid_events(database, schema, past)
    for_invalid = min(invalid.stored, max(most // _INVALID_PART, most - valid.stored))
    run = _Run(judge, frozenset({*privacy, *schema.privacy}))
    # What is left of the time when the valid ones are done is enough for a few of the others.
    run.judge_valid(valid, most - for_invalid, until - seconds / _INVALID_PART)
    run.judge_invalid(invalid, for_invalid, until)
    looked_at = run.valid_now + run.refused_now
    return DryRun(
        days=days,
        total=max(looked_at, _total(database, schema, past)),
        looked_at=looked_at,
        complete=run.complete,
        valid_now=run.valid_now,
        refused_now=run.refused_now,
        newly_refused=run.newly_refused,
        newly_valid=run.newly_valid,
        reasons=run.reasons(),
        newly_valid_samples=tuple(run.newly_valid_samples),
        notes=(*judge.notes, *run.notes()),
        sampled=not (valid.finished and invalid.finished),
    )


def _total(database: Database, schema: RegisteredSchema, past: samples.Span) -> int:
    """Return how many events were judged to be valid or invalid, by the ledger."""
    start = clock.minute(past.start_ms)
    with database.read() as connection:
        lines = lines_of_truth(connection, start=start, schema=schema.name)
    return sum(line.valid + line.invalid for line in lines)


@dataclass
class _Group:
    """The events refused by one rule at one field."""

    words: str
    sample: str
    count: int = 0
    found: Counter[str] = field(default_factory=Counter)  # kinds of values, such as "a text"
    values: Counter[str] = field(default_factory=Counter)

    def most(self, counted: Counter[str]) -> tuple[str, ...]:
        """Return the most frequent, those of the same number in order."""
        return tuple(sorted(counted, key=lambda what: (-counted[what], what))[:_MOST_LISTED])


class _Run:
    """The counts of one dry run."""

    def __init__(self, judge: StoredJudge, private: Collection[str]) -> None:
        self._judge = judge
        self._private = private
        self._places = [tokens_of(pointer) for pointer in private]
        self._groups: dict[tuple[str, str], _Group] = {}
        self._unread = 0
        self.complete = True
        self.valid_now = self.refused_now = 0
        self.newly_refused = self.newly_valid = 0
        self.newly_valid_samples: list[str] = []

    def judge_valid(self, sample: samples.Sample, most: int, until: float) -> None:
        for page in sample.read(most):
            for event in page:
                if time.monotonic() > until:
                    self.complete = False
                    return
                self.valid_now += 1
                judgement = self._judge.valid(event.payload)
                if not judgement.passes:
                    self.newly_refused += 1
                    self._book(event.payload, judgement.faults)

    def judge_invalid(self, sample: samples.Sample, most: int, until: float) -> None:
        for page in sample.read(most):
            for event in page:
                if time.monotonic() > until:
                    self.complete = False
                    return
                self.refused_now += 1
                if event.code not in _BY_SCHEMA:
                    continue
                judged = self._judge.refused(event.raw)
                if judged is None:
                    self._unread += 1
                elif judged[0].passes:
                    self.newly_valid += 1
                    if len(self.newly_valid_samples) < _MOST_SAMPLES:
                        self.newly_valid_samples.append(shown(judged[1], self._private))

    def _book(self, payload: Any, faults: tuple[Fault, ...]) -> None:
        for fault in faults:
            group = self._groups.get((fault.pointer, fault.rule))
            if group is None:
                group = _Group(fault.words, shown(payload, self._private))
                self._groups[fault.pointer, fault.rule] = group
            group.count += 1
            if fault.found:
                group.found[fault.found] += 1
            elif fault.rule == "enum" and not self._is_private(fault.pointer):
                value = _short(fault.value)
                if value in group.values or len(group.values) < _MOST_VALUES:
                    group.values[value] += 1

    def _is_private(self, pointer: str) -> bool:
        place = tokens_of(pointer)
        return any(lies_in(place, own) or lies_in(own, place) for own in self._places)

    def reasons(self) -> tuple[Reason, ...]:
        """Return the reasons, the most frequent first."""
        ordered = sorted(self._groups.items(), key=lambda item: (-item[1].count, item[0]))
        return tuple(
            Reason(
                pointer=pointer,
                sentence=_sentence(pointer, rule, group),
                count=group.count,
                sample=group.sample,
                share=group.count / self.newly_refused,
                rule=rule,
                values=group.most(group.values),
            )
            for (pointer, rule), group in ordered[:_MOST_REASONS]
        )

    def notes(self) -> tuple[str, ...]:
        if not self._unread:
            return ()
        events = "invalid event is" if self._unread == 1 else "invalid events are"
        return (f"{grouped(self._unread)} {events} kept in part only and could not be judged",)


def _sentence(pointer: str, rule: str, group: _Group) -> str:
    if rule == "type":
        found = " or ".join(group.most(group.found))
        return f"{label(pointer)} is {found}, not {group.words}"
    return f"{label(pointer)} {group.words}"


def _short(value: Any) -> str:
    if isinstance(value, dict | list):
        return kind_of(value)
    text = f'"{value}"' if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 40 else f"{text[:39]}…"
