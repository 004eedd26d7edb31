"""The order in which versions must be published, so that each finds what it refers to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any

from eventlogging.schema.version import Version

Key = tuple[str, Version]


def publishing_order(documents: Mapping[Key, Mapping[str, Any]]) -> tuple[list[Key], list[Key]]:
    """Return (name, version) of all documents, each after those that it refers to.

    The versions of a schema keep their order. The second list is a circle of references where
    there is one; no order is right then, and the first list is empty.
    """
    sorter: TopologicalSorter[Key] = TopologicalSorter()
    for key in sorted(documents):
        name, version = key
        earlier = [other for other in documents if other[0] == name and other[1] < version]
        needed = {other for other in references(documents[key]) if other in documents} - {key}
        sorter.add(key, *sorted({*needed, *([max(earlier)] if earlier else [])}))
    try:
        return list(sorter.static_order()), []
    except CycleError as error:
        return [], list(error.args[1])


def references(document: Any) -> Iterator[Key]:
    """Yield (name, version) of every registered schema that a document's `$ref`s name."""
    waiting = [document]
    while waiting:
        value = waiting.pop()
        if isinstance(value, Mapping):
            ref = value.get("$ref")
            if isinstance(ref, str) and ref.startswith("/"):
                name, _, text = ref.partition("#")[0][1:].rpartition("/")
                version = Version.parse(text)
                if version is not None:
                    yield name, version
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
