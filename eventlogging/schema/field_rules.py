"""What changed in the fields of an object and the items of an array.

Fields may be added as optional and become optional, objects may open; all
else is major. `compare` is the comparison of two subschemas, for recursion.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from eventlogging.schema.change_rules import Change, Spot, label
from eventlogging.schema.local_refs import Place, is_closed, is_open
from eventlogging.schema.version import Level

Compare = Callable[[Place, Place, Spot], list[Change]]

_IN_PLACE = frozenset({"allOf", "anyOf", "oneOf", "if", "dependentSchemas", "$ref", "$dynamicRef"})
_CAVEAT = "; events that already sent it undeclared in another form will be refused"


def field_changes(compare: Compare, old: Place, new: Place, at: Spot) -> Iterator[Change]:
    """Yield what changed in the fields of an object, declared and undeclared."""
    yield from _declared(compare, old, new, at)
    yield from _required(old, new, at)
    yield from _patterns(compare, old, new, at)
    yield from _remaining(compare, old, new, at, "additionalProperties", "undeclared fields")
    yield from _remaining(compare, old, new, at, "unevaluatedProperties", "undeclared fields")
    yield from _dependent(old, new, at)


def item_changes(compare: Compare, old: Place, new: Place, at: Spot) -> Iterator[Change]:
    """Yield what changed in the items of an array: place by place, then those that follow."""
    was, rest_was = _item_schemas(old)
    now, rest_now = _item_schemas(new)
    for index in range(max(len(was), len(now))):
        before = was[index] if index < len(was) else rest_was
        after = now[index] if index < len(now) else rest_now
        yield from compare(before, after, at.field(str(index)))
    yield from compare(rest_was, rest_now, at.each())
    yield from _remaining(compare, old, new, at, "unevaluatedItems", "further items")


def _declared(compare: Compare, old: Place, new: Place, at: Spot) -> Iterator[Change]:
    was, now = old.get("properties", {}), new.get("properties", {})
    for name in was:
        spot = at.field(name)
        if name in now:
            yield from compare(old.child(was[name]), new.child(now[name]), spot)
        else:
            what = f"the field {label(spot.pointer)} is gone"
            yield Change(spot.pointer, Level.MAJOR, what, "field_removed")
    for name in now:
        if name not in was:
            yield _added(compare, old, new, at, name)


def _added(compare: Compare, old: Place, new: Place, at: Spot, name: str) -> Change:
    spot = at.field(name)
    field = label(spot.pointer)
    schema = new.child(new.get("properties")[name])
    if name in new.get("required", ()):
        if is_open(schema) and name in old.get("required", ()):
            what = f"{field}, required before, is now declared"
            return Change(spot.pointer, Level.MINOR, what, "field_declared")
        what = f"the new field {field} is required"
        return Change(spot.pointer, Level.MAJOR, what, "field_added_required")
    if is_closed(schema):
        return Change(spot.pointer, Level.MAJOR, f"{field} is now refused", "field_refused")
    what = f"the new optional field {field} may be sent"
    if not _fits_what_was_sent(compare, old, schema, spot):
        what += _CAVEAT
    return Change(spot.pointer, Level.MINOR, what, "field_added_optional")


def _fits_what_was_sent(compare: Compare, old: Place, schema: Place, spot: Spot) -> bool:
    """Tell whether all values the field could have, while undeclared, suit its schema."""
    if is_open(schema):
        return True
    if old.get("patternProperties"):
        return False
    rest = old.child(old.get("additionalProperties", True))
    if "additionalProperties" not in old.node and not _IN_PLACE & set(old.node):
        rest = old.child(old.get("unevaluatedProperties", True))
    return is_closed(rest) or covers(compare, schema, rest, spot)


def covers(compare: Compare, wide: Place, narrow: Place, at: Spot) -> bool:
    """Tell whether `wide` accepts all that `narrow` accepts."""
    return all(change.level <= Level.MINOR for change in compare(narrow, wide, at))


def _required(old: Place, new: Place, at: Spot) -> Iterator[Change]:
    declared_was, declared_now = old.get("properties", {}), new.get("properties", {})
    was, now = set(old.get("required", ())), set(new.get("required", ()))
    for name in sorted(now - was):
        if name in declared_was or name not in declared_now:  # else told as a new required field
            spot = at.field(name)
            what = f"{label(spot.pointer)} is now required"
            yield Change(spot.pointer, Level.MAJOR, what, "required_added")
    for name in sorted(was - now):
        if name in declared_now or name not in declared_was:  # else told as gone
            spot = at.field(name)
            what = f"{label(spot.pointer)} is no longer required"
            yield Change(spot.pointer, Level.MINOR, what, "required_removed")


def _patterns(compare: Compare, old: Place, new: Place, at: Spot) -> Iterator[Change]:
    """Families of fields named by a pattern: a new one may also narrow declared fields."""
    was, now = old.get("patternProperties", {}), new.get("patternProperties", {})
    for pattern in sorted({*was, *now}):
        where = f"fields of {label(at.pointer)} named like {pattern!r}"
        if pattern not in now:
            yield Change(at.pointer, Level.MAJOR, f"{where} are gone", "pattern_field_removed")
        elif pattern in was:
            yield from compare(old.child(was[pattern]), new.child(now[pattern]), at.each())
        elif is_open(new.child(now[pattern])):
            yield Change(at.pointer, Level.MINOR, f"{where} may be sent", "pattern_field_added")
        else:
            what = f"{where} now have a form of their own"
            yield Change(at.pointer, Level.MAJOR, what, "pattern_field_added")


def _remaining(
    compare: Compare, old: Place, new: Place, at: Spot, keyword: str, noun: str
) -> Iterator[Change]:
    """What fields (or items) that nothing else declares may hold: opening is wider."""
    was, now = (side.child(side.get(keyword, True)) for side in (old, new))
    if (is_open(was) and is_open(now)) or (is_closed(was) and is_closed(now)):
        return
    where = label(at.pointer)
    if is_open(now) or is_closed(was):
        what = f"{where} may now hold {noun}"
        yield Change(at.pointer, Level.MINOR, what, "object_opened")
    elif is_closed(now):
        what = f"{where} may no longer hold {noun}"
        yield Change(at.pointer, Level.MAJOR, what, "object_closed")
    else:
        yield from compare(was, now, at.each())


def _dependent(old: Place, new: Place, at: Spot) -> Iterator[Change]:
    """Fields that must come along with another: more of them is narrower."""
    was, now = old.get("dependentRequired", {}), new.get("dependentRequired", {})
    for name in sorted({*was, *now}):
        before, after = set(was.get(name, ())), set(now.get(name, ()))
        field = label(at.field(name).pointer)
        if more := sorted(after - before):
            what = f"{field} now needs {', '.join(more)} beside it"
            yield Change(at.pointer, Level.MAJOR, what, "dependent_required_added")
        if less := sorted(before - after):
            what = f"{field} no longer needs {', '.join(less)} beside it"
            yield Change(at.pointer, Level.MINOR, what, "dependent_required_removed")


def _item_schemas(place: Place) -> tuple[list[Place], Place]:
    """Return the schemas of the first items and that of the rest, in each draft's spelling."""
    items = place.get("items", True)
    first = place.get("prefixItems", ()) if place.draft == "2020-12" else ()
    if isinstance(items, list):
        first, items = items, place.get("additionalItems", True)
    return [place.child(schema) for schema in first], place.child(items)
