"""Check the rules in reviewers/, alerts/ and purge/ against their form and against the schemas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from eventlogging.governance import metaschema
from eventlogging.governance.fields import overlap, subschemas
from eventlogging.governance.model import DEFAULT_CAP_DAYS, DEFAULT_KEEP_DAYS, pointer_of
from eventlogging.governance.problems import Found, did_you_mean
from eventlogging.governance.schemas import Draft
from eventlogging.governance.syntax import KeyPath, Source, dotted

_REVIEWERS = ("roster.toml", "request.md", "checklist.md")
_EMAILS = "emails/"
_EMAIL_ENDINGS = (".subject.txt", ".txt", ".html")


def misplaced(path: str) -> str | None:
    """Return why a path in reviewers/, alerts/ or purge/ does not belong there (None: it does)."""
    folder, _, inside = path.partition("/")
    if folder == "reviewers":
        listed = ", ".join(_REVIEWERS)
        return None if inside in _REVIEWERS else f"does not belong here; reviewers/ holds {listed}"
    if folder == "alerts" and inside.startswith(_EMAILS):
        name = inside.removeprefix(_EMAILS)
        if "/" not in name and name.endswith(_EMAIL_ENDINGS):
            return None
        return "does not belong here; emails/ holds <rule>.subject.txt, <rule>.txt, <rule>.html"
    if inside.endswith(".toml"):
        return None
    more = ", <Name>.toml and emails/" if folder == "alerts" else " and <Name>.toml"
    return f"does not belong here; {folder}/ holds default.toml{more}"


def check(sources: Mapping[str, Source], drafts: Mapping[str, Draft]) -> Iterator[Found]:
    """Yield the problems of all TOML files outside schemas/; `sources` maps paths to them."""
    days = _default_days(sources.get("purge/default.toml"))
    for path, source in sorted(sources.items()):
        folder, _, inside = path.partition("/")
        if folder == "reviewers":
            yield from metaschema.check("roster", source)
            yield from _check_roster(source)
            continue
        if inside == "default.toml":
            yield from metaschema.check(f"{folder}_default", source)
        else:
            yield from metaschema.check(f"{folder}_rule", source)
            name = inside.removesuffix(".toml")
            if name not in drafts:
                hint = did_you_mean(name, drafts)
                yield Found(path, 1, f"names the schema {name!r}, which is not in schemas/{hint}")
        if folder == "alerts":
            yield from _check_alerts(source)
        else:
            yield from _check_days(source, days)
            draft = drafts.get(inside.removesuffix(".toml"))
            if draft is not None and inside != "default.toml":
                yield from _check_fields(source, draft)


def _check_roster(source: Source) -> Iterator[Found]:
    seen: set[str] = set()
    for index, reviewer in enumerate(_tables(source.value.get("reviewers"))):
        email = reviewer.get("email")
        if isinstance(email, str):
            if email.casefold() in seen:
                yield source.found(
                    ("reviewers", index, "email"), f"{email} stands twice in the roster; keep one"
                )
            seen.add(email.casefold())


def alert_problems(value: Mapping[str, Any]) -> Iterator[tuple[KeyPath, str]]:
    """Yield what is wrong with a schema's own rules, as for alerts/<Name>.toml, with its place."""
    yield from metaschema.problems("alerts_rule", value)
    yield from _wrong_limits(value)


def _check_alerts(source: Source) -> Iterator[Found]:
    for at, text in _wrong_limits(source.value):
        yield source.found(at, text)


def _wrong_limits(value: Mapping[str, Any]) -> Iterator[tuple[KeyPath, str]]:
    for rule, table in value.items():
        if not isinstance(table, dict):
            continue
        for key, number in table.items():
            above = key.replace("rearm_below_", "above_")
            limit = table.get(above)
            if above != key and _number(number) and _number(limit) and number > limit:
                text = f"`{rule}.{key}` is {number}; at most `{above}`, which is {limit}, is right"
                yield (rule, key), text
            below = key.replace("rearm_above_", "below_")
            limit = table.get(below)
            if below != key and _number(number) and _number(limit) and number < limit:
                text = f"`{rule}.{key}` is {number}; at least `{below}`, which is {limit}, is right"
                yield (rule, key), text


def _default_days(source: Source | None) -> dict[str, int]:
    value = source.value if source is not None else {}
    days = {"keep_days": DEFAULT_KEEP_DAYS, "cap_days": DEFAULT_CAP_DAYS}
    return {key: value[key] if _number(value.get(key)) else days[key] for key in days}


def _check_days(source: Source, default: Mapping[str, int]) -> Iterator[Found]:
    value, cap = source.value, default["cap_days"]
    extension, scrub = value.get("extension"), value.get("scrub")
    stated: list[tuple[KeyPath, Any]] = [
        (("keep_days",), value.get("keep_days")),
        (("invalid_keep_days",), value.get("invalid_keep_days")),
    ]
    if isinstance(extension, dict):
        stated.append((("extension", "keep_days"), extension.get("keep_days")))
    for at, days in stated:
        if _number(days) and days > cap:
            text = f"`{dotted(at)}` is {days}; at most cap_days, which is {cap}, is right"
            yield source.found(at, text)
    keep = value.get("keep_days", default["keep_days"])
    for table, name in ((extension, "extension"), (scrub, "scrub")):
        days = table.get("keep_days") if isinstance(table, dict) else None
        if _number(days) and _number(keep) and days <= keep:
            text = f"`{name}.keep_days` is {days}; more than keep_days, which is {keep}, is right"
            yield source.found((name, "keep_days"), text)


def _check_fields(source: Source, draft: Draft) -> Iterator[Found]:
    privacy = draft.settings.value.get("privacy") if draft.settings is not None else None
    private = [pointer_of(key) for key in privacy] if isinstance(privacy, dict) else []
    names: set[str] = set()
    for index, table in enumerate(_tables(source.value.get("aggregate"))):
        name = table.get("name")
        if isinstance(name, str) and name.casefold() in names:
            yield source.found(
                ("aggregate", index, "name"), f"two aggregates are named {name!r}; rename one"
            )
        names.add(name.casefold() if isinstance(name, str) else "")
    for at, field in _named_fields(source.value) if draft.fields_known else ():
        pointer = pointer_of(field)
        where = dotted(at[:-1])
        if not draft.declares(pointer):
            hint = did_you_mean(field, draft.field_names)
            text = f"`{where}` names {field!r}, which no version of {draft.name} declares{hint}"
            yield source.found(at, text)
        for other in private:
            if overlap(pointer, other):
                text = (
                    f"`{where}` would keep {field!r}, which is private in schema.toml; "
                    "leave it out, for a hash still ties one person's events together"
                )
                yield source.found(at, text)
        if at[-2] == "sum" and not _is_number_field(draft, pointer):
            text = f"`{where}` names {field!r}, which is not a number; leave it out"
            yield source.found(at, text)


def _named_fields(value: Mapping[str, Any]) -> Iterator[tuple[KeyPath, str]]:
    places: list[tuple[KeyPath, Any]] = []
    scrub = value.get("scrub")
    if isinstance(scrub, dict):
        places.append((("scrub", "keep"), scrub.get("keep")))
    for index, table in enumerate(_tables(value.get("aggregate"))):
        places += [(("aggregate", index, key), table.get(key)) for key in ("fields", "sum")]
    for at, listed in places:
        for number, field in enumerate(listed if isinstance(listed, list) else ()):
            if isinstance(field, str) and field:
                yield (*at, number), field


def _is_number_field(draft: Draft, pointer: str) -> bool:
    found = [node for document in draft.whole.values() for node in subschemas(document, pointer)]
    types: set[str] = set()
    for node in found:
        stated = node.get("type", [])
        types.update([stated] if isinstance(stated, str) else stated)
    return not found or (bool(types) and types <= {"integer", "number", "null"})


def _tables(value: Any) -> list[dict[str, Any]]:
    items = value if isinstance(value, list) else []
    return [item if isinstance(item, dict) else {} for item in items]


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
