"""Judge a document by itself: make it stand alone, check it, hold examples against it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from eventlogging.governance.model import Example
from eventlogging.schema.document import check_document, compile_gate
from eventlogging.schema.references import resolve
from eventlogging.schema.walk import locate, pointer

DEFAULT_SCHEMA = "https://json-schema.org/draft/2020-12/schema"
Lookup = Callable[[str, str], Mapping[str, Any] | None]


def whole_document(
    source: Any, lookup: Lookup
) -> tuple[Mapping[str, Any] | None, list[str], list[str]]:
    """Return the document that stands alone (None: there is none), problems and warnings.

    It says its draft, also where the source does not. `lookup(name, version)` gives a
    registered document.
    """
    if not isinstance(source, Mapping):
        return None, ['the schema is a JSON object such as {"type": "object", …}'], []
    problems, warnings = check_document(source)
    document, unresolved = resolve(source, lookup)
    problems = [*problems, *unresolved]
    if document is not None and not problems:
        problems, more = check_document(document)
        warnings = [*warnings, *more]
    texts = list(dict.fromkeys(map(str, problems)))
    words = list(dict.fromkeys(map(str, warnings)))
    if document is None or texts:
        return None, texts, words
    return {"$schema": DEFAULT_SCHEMA, **document}, [], words


def disproofs(document: Mapping[str, Any], examples: Sequence[Example]) -> list[str]:
    """Return a sentence for each example that `document` does not judge as it says."""
    if not examples:
        return []
    gate = compile_gate(document, mask=False)
    wrong = []
    for example in examples:
        if not example.passes:
            if gate.is_valid(example.payload):
                wrong.append(f"example {example.name!r} passes, but says that it fails")
            continue
        for error in gate.iter_errors(example.payload):
            place = pointer(locate(example.payload, error.instance_path)[0]) or "(event)"
            text = error.message if len(error.message) <= 200 else error.message[:199] + "…"
            wrong.append(f"example {example.name!r} does not pass: {place}: {text}")
    return wrong
