"""The caps that a schema document must keep before anything else looks at it."""

from __future__ import annotations

import math
from typing import Any

import orjson

from eventlogging.schema.walk import Tokens, pointer

MAX_BYTES = 256 * 1024
MAX_DEPTH = 100
MAX_LIST = 1000  # members of an enum, required, anyOf …
# The reference library compares the members of a mixed list pair by pair, about 1 µs each.
_MAX_PAIRS = 100_000
_DATA = frozenset({"default", "examples", "const"})


def shape_problems(document: Any) -> list[str]:
    """Return why a document is too large, too deep or not JSON (none: go on).

    Never recurses, and stops after as many values as the largest document can hold,
    so that an endless or self-containing value is answered at once.
    """
    problems: list[str] = []
    values = pairs = 0
    waiting: list[tuple[Tokens, Any, bool]] = [((), document, False)]
    while waiting:
        path, value, is_data = waiting.pop()
        values += 1
        if values > MAX_BYTES // 2:
            return [f"the document is larger than {MAX_BYTES // 1024} KiB"]
        if len(path) > MAX_DEPTH:
            return [f"{pointer(path[:4])}: nested more than {MAX_DEPTH} levels deep"]
        kind = type(value)
        if kind is dict:
            for key, member in value.items():
                if type(key) is not str:
                    problems.append(f"{pointer(path)}: the key {key!r} is not a text; quote it")
                    continue
                waiting.append(((*path, key), member, is_data or key in _DATA))
        elif kind is list:
            if len(value) > MAX_LIST and not is_data:
                problems.append(
                    f"{pointer(path)}: {len(value)} members; a list holds at most {MAX_LIST}"
                )
            elif not is_data and not _alike(value):
                pairs += len(value) ** 2
            waiting.extend(((*path, str(i)), member, is_data) for i, member in enumerate(value))
        elif kind is float and not math.isfinite(value):
            problems.append(f"{pointer(path)}: {value} is not a number of JSON")
        elif kind not in (str, int, float, bool, type(None)):
            problems.append(
                f"{pointer(path)}: a {kind.__name__} is not a value of JSON; quote it as a text"
            )
    if pairs > _MAX_PAIRS:
        problems.append("the lists of mixed or nested values are too long together; shorten them")
    return problems[:100] or _size_problems(document)


def _alike(members: list[Any]) -> bool:
    kinds = {type(member) for member in members}
    return kinds <= {str} or kinds <= {int, float}


def _size_problems(document: Any) -> list[str]:
    try:
        size = len(orjson.dumps(document))
    except (TypeError, ValueError, RecursionError) as error:
        return [f"the document is not JSON: {error}"]
    if size > MAX_BYTES:
        return [f"the document is {size} bytes long; at most {MAX_BYTES} are taken"]
    return []
