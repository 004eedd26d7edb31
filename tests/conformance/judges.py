"""Who judges a case: the gate, and the reference implementation beside it.

A verdict is True, False, or a text that says why the judge takes no such schema.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping
from typing import Any

import jsonschema
import jsonschema_rs
from jsonschema_specifications import REGISTRY  # type: ignore[import-untyped]
from referencing import Registry, Resource
from referencing.exceptions import Unresolvable
from referencing.jsonschema import (
    DRAFT4,
    DRAFT6,
    DRAFT7,
    DRAFT201909,
    DRAFT202012,
)

from eventlogging.schema.gate import CHECKED_FORMATS, MAX_UNIQUE, compile_gate, texts_only
from eventlogging.schema.patterns import MAX_COSTLY_TEXT, pattern_risk
from eventlogging.schema.walk import subschemas
from tests.conformance.suite import FOLDERS

URIS = {
    "draft4": "http://json-schema.org/draft-04/schema#",
    "draft6": "http://json-schema.org/draft-06/schema#",
    "draft7": "http://json-schema.org/draft-07/schema#",
    "2019-09": "https://json-schema.org/draft/2019-09/schema",
    "2020-12": "https://json-schema.org/draft/2020-12/schema",
}
_REFERENCES = {
    "draft4": jsonschema.Draft4Validator,
    "draft6": jsonschema.Draft6Validator,
    "draft7": jsonschema.Draft7Validator,
    "2019-09": jsonschema.Draft201909Validator,
    "2020-12": jsonschema.Draft202012Validator,
}
_SPECIFICATIONS = {
    "draft4": DRAFT4,
    "draft6": DRAFT6,
    "draft7": DRAFT7,
    "2019-09": DRAFT201909,
    "2020-12": DRAFT202012,
}

NOT_FETCHED = "nothing is fetched"
OWN_METASCHEMA = "a metaschema of one's own"

Verdict = bool | str
Judge = Callable[[Any], Verdict]


def document_of(schema: Any, draft: str) -> dict[str, Any]:
    """Return a schema as the document that registration would make its author write.

    It says its draft, is an object, and has the bounds that costly keywords need; those are
    far beyond what any case of the suite holds, so they change no verdict.
    """
    document = copy.deepcopy(schema) if isinstance(schema, dict) else {"allOf": [schema]}
    document.setdefault("$schema", URIS[draft])
    for _, part in list(subschemas(document)):
        pattern = part.get("pattern")
        if isinstance(pattern, str) and pattern_risk(pattern).costly:
            part.setdefault("maxLength", MAX_COSTLY_TEXT)  # type: ignore[attr-defined]
        if part.get("uniqueItems") is True and not texts_only(part):
            part.setdefault("maxItems", MAX_UNIQUE)  # type: ignore[attr-defined]
    return document


def gate(schema: Any, draft: str) -> Judge:
    """Return how the gate judges by a schema."""
    try:
        validator = compile_gate(document_of(schema, draft), mask=False)
    except (jsonschema_rs.ValidationError, ValueError) as error:
        why = _refusal(error)
        return lambda value: why
    return validator.is_valid


def _refusal(error: Exception) -> str:
    text = str(error)
    if "is not present in a registry and retrieving it failed" in text:
        return NOT_FETCHED
    return OWN_METASCHEMA if text.startswith("unknown draft") else text


def reference(
    schema: Any, draft: str, *, formats: bool, registry: Registry[Any] = REGISTRY
) -> Judge:
    """Return how the `jsonschema` package judges, with the formats that the gate checks or none."""
    make = _REFERENCES[draft]
    known = make.FORMAT_CHECKER.checkers
    checker = jsonschema.FormatChecker(CHECKED_FORMATS[draft] & known.keys())
    checker.checkers = {name: known[name] for name in checker.checkers}
    validator = make(schema, registry=registry, format_checker=checker if formats else None)

    def judge(value: Any) -> Verdict:
        try:
            return bool(validator.is_valid(value))
        except (Unresolvable, re.error) as error:
            return f"{type(error).__name__}: {error}"

    return judge


def registry_of(remotes: Mapping[str, Any], draft: str) -> Registry[Any]:
    """Return what the reference may look up: the suite's documents, as if they were fetched."""
    registry = REGISTRY
    for path, document in remotes.items():
        folder = path.split("/")[0]
        foreign = folder.startswith("draft") and folder != FOLDERS[draft]
        if foreign or (draft == "draft4" and "$id" in document):  # for other drafts only
            continue
        resource = Resource.from_contents(document, default_specification=_SPECIFICATIONS[draft])
        registry = registry.with_resource(f"http://localhost:1234/{path}", resource)
    return registry
