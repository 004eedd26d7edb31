"""Whether a document may become a schema: every problem at once, in bounded time.

`check_document` runs on what an author wrote and again on what `references.resolve` made
of it; references to registered schemas are let through, for `resolve` to judge.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any
from urllib.parse import unquote

import jsonschema_rs

from eventlogging.schema.draft import draft_of
from eventlogging.schema.effort import effort_problems
from eventlogging.schema.gate import CHECKED_FORMATS, MAX_UNIQUE, compile_gate, texts_only
from eventlogging.schema.patterns import MAX_COSTLY_TEXT, pattern_risk
from eventlogging.schema.shape import shape_problems
from eventlogging.schema.walk import Tokens, follow, pointer, subschemas, tokens_of, whole

__all__ = ["CHECKED_FORMATS", "check_document", "compile_gate", "draft_of"]

MAX_SUBSCHEMAS = 3000  # the reference library takes about 0.15 ms for each
MAX_PATTERNS = 200  # compiling one takes up to a millisecond
MAX_PROBLEMS = 100

_METASCHEMAS: Mapping[str, str] = {  # the reference library's classes
    "draft4": "Draft4Validator",
    "draft6": "Draft6Validator",
    "draft7": "Draft7Validator",
    "2019-09": "Draft201909Validator",
    "2020-12": "Draft202012Validator",
}
_BASE_WORDS = (
    "$anchor", "$dynamicAnchor", "$dynamicRef", "$recursiveAnchor", "$recursiveRef",
)  # fmt: skip


def check_document(document: Any) -> tuple[list[str], list[str]]:
    """Return (problems, warnings), each a sentence that begins with a JSON pointer.

    With no problems the document can be published, once `references.resolve` has made it
    stand alone. At most 100 of each.
    """
    problems = shape_problems(document)
    if problems:
        return problems, []
    if not isinstance(document, dict):
        return ["(root): a schema is a JSON object"], []
    draft = draft_of(document)
    if draft is None:
        return [f"/$schema: {document['$schema']!r:.100} is not a draft known here; {_KNOWN}"], []
    schemas = list(subschemas(document))
    if len(schemas) > MAX_SUBSCHEMAS:
        return [f"(root): {len(schemas)} subschemas; at most {MAX_SUBSCHEMAS} are taken"], []
    problems = list(_metaschema_problems(document, draft))
    problems += root_problems(document)
    problems += base_problems(schemas, draft)
    problems += reference_problems(document, schemas)
    problems += _bound_problems(schemas)
    pattern_problems, warnings = _pattern_findings(schemas)
    problems += pattern_problems
    warnings += _warnings(schemas, draft)
    if not problems:
        problems = effort_problems(document, draft)
    if not problems and not any(_registered(schema) for _, schema in schemas):
        problems = _gate_problems(document)
    return problems[:MAX_PROBLEMS], warnings[:MAX_PROBLEMS]


_KNOWN = (
    "use http://json-schema.org/draft-04/schema#, draft-06, draft-07, "
    "https://json-schema.org/draft/2019-09/schema or https://json-schema.org/draft/2020-12/schema"
)


def _metaschema_problems(document: Mapping[str, Any], draft: str) -> Iterator[str]:
    # Loaded here, for it takes a second, and few processes ever judge a schema.
    import jsonschema
    from jsonschema_specifications import REGISTRY  # type: ignore[import-untyped]

    validator = getattr(jsonschema, _METASCHEMAS[draft])
    judge = validator(validator.META_SCHEMA, registry=REGISTRY)
    try:
        for error in sorted(
            islice(judge.iter_errors(document), MAX_PROBLEMS), key=lambda e: str(e.json_path)
        ):
            place = pointer([str(step) for step in error.absolute_path]) or "(root)"
            yield f"{place}: {_cut(error.message)}"
    except RecursionError:
        yield "(root): nested too deeply to be checked"


def root_problems(document: Mapping[str, Any]) -> list[str]:
    """Return why the root cannot describe an event, which is always a JSON object."""
    kind = document.get("type")
    if kind == "object" or (kind is None and isinstance(document.get("allOf"), list)):
        return []
    return ['/type: an event is a JSON object, so the schema says "type": "object"']


def base_problems(schemas: list[tuple[Tokens, Mapping[str, Any]]], draft: str) -> Iterator[str]:
    """Yield each keyword that would change what a reference means."""
    for path, schema in schemas:
        for word in _BASE_WORDS:
            if word in schema:
                yield f'{pointer((*path, word))}: not taken; point with "$ref": "#/$defs/…"'
        word = "id" if draft == "draft4" else "$id"
        if path and isinstance(schema.get(word), str):
            yield f"{pointer((*path, word))}: only the root may have one; remove it"
        if path and "$schema" in schema:
            yield f"{pointer((*path, '$schema'))}: only the root says its draft; remove it"


def reference_problems(
    root: Mapping[str, Any], schemas: list[tuple[Tokens, Mapping[str, Any]]]
) -> Iterator[str]:
    """Yield each reference that leads to no schema, here or in the registry."""
    places = {path for path, _ in schemas}
    for path, schema in schemas:
        reference = schema.get("$ref")
        if not isinstance(reference, str):
            continue  # the metaschema says so
        place = pointer((*path, "$ref"))
        if reference == "#" or reference.startswith("#/"):
            found, target = follow(root, reference)
            if not found:
                yield f"{place}: {_cut(reference)!r} names nothing in this document"
            elif not isinstance(target, bool) and tokens_of(unquote(reference[1:])) not in places:
                yield f"{place}: {_cut(reference)!r} names no schema; put one under $defs"
        elif not reference.startswith("/") or reference.startswith("//"):
            yield (
                f"{place}: {_cut(reference)!r} is neither in this document (#/$defs/name) nor a "
                "registered schema (/name/1.0.0); nothing is ever fetched"
            )


def _registered(schema: Mapping[str, Any]) -> bool:
    return isinstance(schema.get("$ref"), str) and schema["$ref"].startswith("/")


def _bound_problems(schemas: list[tuple[Tokens, Mapping[str, Any]]]) -> Iterator[str]:
    for path, schema in schemas:
        options = schema.get("enum")
        if isinstance(options, list):
            nested = sum(isinstance(option, (dict, list)) for option in options)
            if nested > 100:
                yield f"{pointer((*path, 'enum'))}: {nested} objects or arrays; at most 100"
        if schema.get("uniqueItems") is True and not texts_only(schema):
            most = whole(schema.get("maxItems"))
            if most is None or most > MAX_UNIQUE:
                yield (
                    f"{pointer((*path, 'uniqueItems'))}: comparing items takes time that grows "
                    f"with their square; add maxItems, at most {MAX_UNIQUE}"
                )


def _pattern_findings(
    schemas: list[tuple[Tokens, Mapping[str, Any]]],
) -> tuple[list[str], list[str]]:
    problems, warnings = [], []
    found = list(_patterns(schemas))
    if len({pattern for _, pattern, _, _ in found}) > MAX_PATTERNS:
        return [f"(root): {len(found)} patterns; at most {MAX_PATTERNS} are taken"], []
    for place, pattern, schema, is_key in found:
        risk = pattern_risk(pattern)
        if risk.problem:
            problems.append(f"{place}: {_cut(pattern)!r}: {risk.problem}")
            continue
        if not risk.costly:
            continue
        why = "uses look-around or back-references" if risk.backtracks else "is large"
        longest = whole(schema.get("maxLength"))
        if is_key:
            problems.append(f"{place}: this pattern {why}, which names of properties may not")
        elif longest is None or longest > MAX_COSTLY_TEXT:
            problems.append(
                f"{place}: this pattern {why}; add maxLength, at most {MAX_COSTLY_TEXT}, beside it"
            )
        elif risk.backtracks:
            warnings.append(
                f"{place}: this pattern {why}; a text that needs too many steps is refused"
            )
    return problems, warnings


def _patterns(
    schemas: list[tuple[Tokens, Mapping[str, Any]]],
) -> Iterator[tuple[str, str, Mapping[str, Any], bool]]:
    for path, schema in schemas:
        pattern = schema.get("pattern")
        if isinstance(pattern, str):
            yield pointer((*path, "pattern")), pattern, schema, False
        named = schema.get("patternProperties")
        for key in named if isinstance(named, dict) else ():
            yield pointer((*path, "patternProperties", key)), key, schema, True


def _warnings(schemas: list[tuple[Tokens, Mapping[str, Any]]], draft: str) -> Iterator[str]:
    for path, schema in schemas:
        form = schema.get("format")
        if isinstance(form, str) and form not in CHECKED_FORMATS[draft]:
            yield f"{pointer((*path, 'format'))}: {_cut(form)!r} is not checked in {draft}"
        if schema.get("uniqueItems") is True and "maxItems" not in schema and texts_only(schema):
            yield f"{pointer((*path, 'uniqueItems'))}: without maxItems; consider a bound"


def _gate_problems(document: Mapping[str, Any]) -> list[str]:
    try:
        compile_gate(document, mask=True)
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
        return [f"(root): {_cut(str(error))}"]
    return []


def _cut(text: str) -> str:
    return text if len(text) <= 200 else text[:197] + "…"
