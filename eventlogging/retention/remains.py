"""Say in words what remains of a schema's events after which day."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from eventlogging.governance.fields import overlap, subschemas
from eventlogging.governance.model import field_of
from eventlogging.governance.purge_rules import Fields
from eventlogging.ledger.sentence import grouped
from eventlogging.registry.model import RegisteredSchema
from eventlogging.retention.policy import Aggregate, Kept, Policy, Scrub

NUMBER, TIME, TEXT, ANY, OTHER = "number", "time", "text", "any", "other"
_MOST_NAMES = 4


@dataclass(frozen=True)
class Leaf:
    """A payload field as tables have it.

    `kind`: number, time, text, any (no type is stated) or other (such as a list). `private` says
    how schema.toml treats it: hmac, drop, or `inside` where that is so of a part of it.
    """

    pointer: str
    kind: str
    private: str = ""

    @property
    def name(self) -> str:
        """How people name it."""
        return field_of(self.pointer)


@dataclass(frozen=True)
class Stage:
    """A span in the life of events. `kind`: whole, stripped, gone or counts."""

    kind: str
    when: str  # Until day 90 | From day 91 | For good
    what: str


def leaves(schema: RegisteredSchema, named: Iterable[str] = ()) -> tuple[Leaf, ...]:
    """Return the fields of all versions, in the order of the newest table, then what is `named`.

    What privacy drops has no column, and is listed all the same, so that people see that it is
    thought of.
    """
    pointers: dict[str, None] = {}
    for major in sorted(schema.plans, reverse=True):
        plan = schema.plans[major]
        pointers.update(dict.fromkeys([*(one.pointer for one in plan.columns), *plan.overflow]))
    pointers.update(dict.fromkeys([p for p, how in schema.privacy.items() if how == "drop"]))
    pointers.update(dict.fromkeys(named))
    fields = fields_of(schema)
    return tuple(
        Leaf(pointer, _kind(fields, pointer), _private(schema, pointer)) for pointer in pointers
    )


def fields_of(schema: RegisteredSchema) -> Fields:
    """Return the fields of all versions as the checks of purge/ want them."""
    documents = [version.document for version in schema.versions.values()]
    return Fields(schema.name, documents, schema.privacy)


def how(scrub: Scrub | None, pointer: str) -> Kept | None:
    """Return how a field outlives its event, by itself or with what holds it. None: it goes."""
    for kept in scrub.fields if scrub is not None else ():
        if overlap(kept.pointer, pointer):
            return kept
    return None


def unlisted(scrub: Scrub | None, listed: Iterable[str], fields: Sequence[Leaf]) -> list[str]:
    """Return the names of fields that go although nobody said so; `listed`: those in `drop`."""
    said = list(listed)
    return [
        leaf.name
        for leaf in fields
        if leaf.private != "drop"
        and how(scrub, leaf.pointer) is None
        and not any(overlap(pointer, leaf.pointer) for pointer in said)
    ]


def heading(policy: Policy, fields: Sequence[Leaf]) -> str:
    """Return the answer in a line: `Clicks: events go after 90 days; 25 of 28 fields stay`."""
    if policy.held:
        return f"{policy.schema} is held: nothing of it goes"
    staying = [words for words in (_share(policy.scrub, fields), _names_of(policy)) if words]
    after = f"{policy.schema}: events go after {days(policy.keep_days)}"
    return f"{after}; {_and(staying)} stay" if staying else f"{after}; nothing of them stays"


def in_a_line(policy: Policy, fields: Sequence[Leaf]) -> str:
    """Return `90 days, then stripped to 25 of 28 fields; aggregates: speed_per_day`."""
    text = days(policy.keep_days)
    if policy.scrub is not None:
        text += f", then stripped to {_share(policy.scrub, fields) or 'their envelope'}"
        if policy.scrub.keep_days is not None:
            text += f" until day {grouped(policy.scrub.keep_days)}"
    if policy.aggregates:
        one = len(policy.aggregates) == 1
        names = ", ".join(found.name for found in policy.aggregates)
        text += f"; {'aggregate' if one else 'aggregates'}: {names}"
    return text + ("; held: nothing goes" if policy.held else "")


def stages(policy: Policy, fields: Sequence[Leaf]) -> list[Stage]:
    """Return what remains of an event from its first day on, in words."""
    scrub, keep = policy.scrub, policy.keep_days
    all_of = _count(_stored(fields), "field", "fields")
    found = [Stage("whole", f"Until day {grouped(keep)}", f"Everything: {all_of}.")]
    after = f"From day {grouped(keep + 1)}"
    if scrub is not None:
        until = "" if scrub.keep_days is None else f" to {grouped(scrub.keep_days)}"
        found.append(Stage("stripped", after + until, stripped_words(scrub, fields)))
        after = f"From day {grouped((scrub.keep_days or 0) + 1)}"
    if scrub is None or scrub.keep_days is not None:
        found.append(Stage("gone", after, "Nothing of single events."))
    if policy.aggregates:
        counts = "; ".join(aggregate_words(one) for one in policy.aggregates)
        found.append(Stage("counts", "For good", f"{counts}."))
    return found


def refused_words(policy: Policy) -> str:
    """Return how long refused events stay."""
    text = f"Refused events go after {days(policy.invalid_keep_days)}"
    if policy.unsealed_keep_days >= policy.invalid_keep_days:
        return f"{text}."
    sooner = days(policy.unsealed_keep_days)
    return f"{text}; those whose private fields could not be found, after {sooner}."


def stripped_words(scrub: Scrub, fields: Sequence[Leaf]) -> str:
    """Return `25 of 28 fields, without pageId, revId, userId; with host and wiki.`"""
    text = _share(scrub, fields) or "No field"
    gone = [leaf.name for leaf in _stored(fields) if how(scrub, leaf.pointer) is None]
    if gone:
        text += f", without {_some(gone)}"
    for way, words in (("hash", "hashed anew each month"), ("bucket", "made coarser")):
        named = [field_of(one.pointer) for one in scrub.fields if one.how == way]
        text += f"; {_some(named)} {words}" if named else ""
    return text + (f"; with {_and(scrub.capsule)}." if scrub.capsule else ".")


def days(number: int) -> str:
    """Return `1 day` or `90 days`."""
    return f"{grouped(number)} {'day' if number == 1 else 'days'}"


def aggregate_words(one: Aggregate) -> str:
    """Return `speed_per_day (p25–p99 of 3 fields by browser and host)`."""
    what = []
    if one.quantiles:
        what.append(f"p25–p99 of {_fields(one.quantiles)}")
    if one.sum:
        what.append(f"sums of {_fields(one.sum)}")
    if one.distinct:
        what.append(f"different values of {_fields(one.distinct)}")
    by = _and([*one.capsule, *map(field_of, one.fields)])
    return f"{one.name} ({_and(what or ['counts'])}{f' by {by}' if by else ' in all'})"


def _kind(fields: Fields, pointer: str) -> str:
    types = fields.types(pointer) - {"null"}
    if not types:
        return ANY
    if types <= {"integer", "number"}:
        return NUMBER
    if types != {"string"}:
        return OTHER
    nodes = [node for one in fields.documents for node in subschemas(one, pointer)]
    return TIME if any(node.get("format") == "date-time" for node in nodes) else TEXT


def _private(schema: RegisteredSchema, pointer: str) -> str:
    if pointer in schema.privacy:
        return schema.privacy[pointer]
    return "inside" if any(overlap(pointer, other) for other in schema.privacy) else ""


def _stored(fields: Sequence[Leaf]) -> list[Leaf]:
    return [leaf for leaf in fields if leaf.private != "drop"]


def _share(scrub: Scrub | None, fields: Sequence[Leaf]) -> str:
    stored = _stored(fields)
    staying = sum(how(scrub, leaf.pointer) is not None for leaf in stored)
    if not staying:
        return ""
    return f"{grouped(staying)} of {_count(stored, 'field', 'fields')}"


def _names_of(policy: Policy) -> str:
    return _some([one.name for one in policy.aggregates])


def _fields(pointers: Sequence[str]) -> str:
    return field_of(pointers[0]) if len(pointers) == 1 else f"{grouped(len(pointers))} fields"


def _count(items: Sequence[object], one: str, many: str) -> str:
    return f"{grouped(len(items))} {one if len(items) == 1 else many}"


def _some(names: Sequence[str]) -> str:
    """Return the first few names, and how many more there are."""
    if len(names) <= _MOST_NAMES:
        return ", ".join(names)
    return f"{', '.join(names[: _MOST_NAMES - 1])} and {grouped(len(names) - _MOST_NAMES + 1)} more"


def _and(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
