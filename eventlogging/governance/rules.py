"""Check the rules in reviewers/, alerts/ and purge/ against their form and against the schemas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from eventlogging.governance import metaschema, purge_rules
from eventlogging.governance.model import pointer_of
from eventlogging.governance.problems import Found, did_you_mean
from eventlogging.governance.purge_rules import Fields
from eventlogging.governance.schemas import Draft
from eventlogging.governance.syntax import KeyPath, Source

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
    default = sources.get("purge/default.toml")
    days = purge_rules.default_days(default.value if default is not None else {})
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
            own = None if inside == "default.toml" else drafts.get(inside.removesuffix(".toml"))
            yield from _check_purge(source, own, days)


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


def _check_purge(
    source: Source, draft: Draft | None, default: Mapping[str, int]
) -> Iterator[Found]:
    value = source.value
    found = [*purge_rules.wrong_days(value, default), *purge_rules.wrong_names(value)]
    if draft is not None and draft.fields_known:
        stated = draft.settings.value.get("privacy") if draft.settings is not None else None
        privacy = stated if isinstance(stated, dict) else {}
        private = {pointer_of(key): str(treatment) for key, treatment in privacy.items()}
        documents = list(draft.whole.values())
        found += purge_rules.wrong_fields(value, Fields(draft.name, documents, private))
    for at, text in found:
        yield source.found(at, text)


def _tables(value: Any) -> list[dict[str, Any]]:
    items = value if isinstance(value, list) else []
    return [item if isinstance(item, dict) else {} for item in items]


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
