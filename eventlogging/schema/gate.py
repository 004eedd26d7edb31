"""The validator that judges events, with every setting that matters made explicit.

By itself jsonschema-rs checks formats in some drafts only, fetches references, and evaluates
all keywords of a schema even after a cheap one has failed, which makes `maxLength` no guard
for `pattern`. Here nothing is fetched, formats are always checked, and costly keywords stand
behind the bound that registration made the author set.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jsonschema_rs

from eventlogging.schema.draft import draft_of
from eventlogging.schema.patterns import MAX_COSTLY_TEXT, engine, pattern_risk
from eventlogging.schema.walk import OLD_DRAFTS, children, subschemas, whole

MAX_UNIQUE = 1000  # items that may be compared for uniqueness, unless they are texts
MASK = "(value)"

_CLASSES = {
    "draft4": jsonschema_rs.Draft4Validator,
    "draft6": jsonschema_rs.Draft6Validator,
    "draft7": jsonschema_rs.Draft7Validator,
    "2019-09": jsonschema_rs.Draft201909Validator,
    "2020-12": jsonschema_rs.Draft202012Validator,
}
_HOME = "json-schema:///schema"
_NUMBERS = {
    "draft4": jsonschema_rs.Draft4,
    "draft6": jsonschema_rs.Draft6,
    "draft7": jsonschema_rs.Draft7,
}

# The formats that the gate checks, by draft; any other is a remark for people.
_FORMATS_4 = frozenset(
    ("date-time", "date", "time", "email", "idn-email", "hostname", "ipv4", "ipv6", "uri", "regex")
)
_FORMATS_6 = _FORMATS_4 | {"uri-reference", "uri-template", "json-pointer"}
_FORMATS_7 = _FORMATS_6 | {"idn-hostname", "iri", "iri-reference", "relative-json-pointer"}
_FORMATS_2019 = _FORMATS_7 | {"duration", "uuid"}
CHECKED_FORMATS: Mapping[str, frozenset[str]] = {
    "draft4": _FORMATS_4,
    "draft6": _FORMATS_6,
    "draft7": _FORMATS_7,
    "2019-09": _FORMATS_2019,
    "2020-12": _FORMATS_2019,
}


def compile_gate(document: Mapping[str, Any], *, mask: bool) -> jsonschema_rs.Validator:
    """Return the validator of a checked document that stands alone.

    With `mask`, messages say `(value)` instead of what the event held. Raises ValueError for
    an unknown draft, jsonschema_rs.ValidationError or ReferencingError for a document that
    was not checked. `is_valid` stops at the first fault; `iter_errors` builds every error
    before it gives the first, so ask it only about events of modest size.
    """
    draft = draft_of(document)
    if draft is None:
        raise ValueError(f"unknown draft {document.get('$schema')!r}")
    risks = [
        pattern_risk(pattern) for _, schema in subschemas(document) for pattern in _patterns(schema)
    ]
    backtracks = any(risk.backtracks for risk in risks)
    edges = any(risk.edges for risk in risks)
    if backtracks and edges:  # the engine of the one does not know the ASCII \b of the other
        raise ValueError(
            r"one pattern uses \b and another look-around or back-references; "
            r"write (?=)\b in place of \b, and maxLength beside it"
        )
    guarded = _guarded(document, draft)
    registry = None
    if edges and draft in OLD_DRAFTS:
        # Their metaschemas take ECMA's spelling only. What stands in a registry is not
        # compared with the metaschema; registration did that with the author's own spelling.
        registry = jsonschema_rs.Registry([(_HOME, guarded)], draft=_NUMBERS[draft])
        guarded = {"$ref": _HOME}
    return _CLASSES[draft](
        guarded,
        registry=registry,
        validate_formats=True,
        ignore_unknown_formats=True,
        offline=True,
        mask=MASK if mask else None,
        pattern_options=engine(backtracks),
        email_options=jsonschema_rs.EmailOptions(),
    )


def texts_only(array: Mapping[str, Any]) -> bool:
    """Whether every item of an array can only be a text (comparing those is cheap)."""
    items = array.get("items")
    if not isinstance(items, dict) or "$ref" in items:  # which makes "type" void in old drafts
        return False
    return items.get("type") == "string" and "prefixItems" not in array


def _patterns(schema: Mapping[str, Any]) -> list[str]:
    named = schema.get("patternProperties")
    found = list(named) if isinstance(named, dict) else []
    pattern = schema.get("pattern")
    return [*found, pattern] if isinstance(pattern, str) else found


def _guarded(schema: Any, draft: str) -> Any:
    """Return a copy of a schema in which costly keywords apply below their bound only."""
    if not isinstance(schema, dict):
        return schema
    copy = dict(schema)
    copy.pop("$schema", None)  # the class of the validator says the draft
    for path, child in children(schema):
        holder: Any = copy
        for index, word in enumerate(path[:-1]):
            if holder[word] is _original(schema, path[: index + 1]):
                holder[word] = holder[word].copy()
            holder = holder[word]
        holder[int(path[-1]) if isinstance(holder, list) else path[-1]] = _guarded(child, draft)
    if draft in OLD_DRAFTS and "$ref" in copy:
        return copy
    named = copy.get("patternProperties")
    if isinstance(named, dict):
        copy["patternProperties"] = {
            pattern_risk(pattern).form or pattern: member for pattern, member in named.items()
        }
    guards = []
    pattern = copy.get("pattern")
    if isinstance(pattern, str):
        risk = pattern_risk(pattern)
        copy["pattern"] = risk.form or pattern
        if risk.costly:
            longest = min(whole(copy.get("maxLength")) or 0, MAX_COSTLY_TEXT)
            costly = {"pattern": copy.pop("pattern")}
            guards.append(_behind("string", "Length", longest, costly, draft))
    if copy.get("uniqueItems") is True and not texts_only(copy):
        del copy["uniqueItems"]
        most = min(whole(copy.get("maxItems")) or 0, MAX_UNIQUE)
        guards.append(_behind("array", "Items", most, {"uniqueItems": True}, draft))
    if guards:
        copy["allOf"] = [*copy.get("allOf", ()), *guards]
    return copy


def _original(schema: Any, path: tuple[str, ...]) -> Any:
    for word in path:
        schema = schema[int(word) if isinstance(schema, list) else word]
    return schema


def _behind(
    kind: str, measure: str, bound: int, costly: dict[str, Any], draft: str
) -> dict[str, Any]:
    if draft in ("draft4", "draft6"):  # no if/then yet
        return {"anyOf": [{"type": kind, f"min{measure}": bound + 1}, costly]}
    return {"if": {f"max{measure}": bound}, "then": costly}
