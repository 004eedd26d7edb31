"""From the bytes of a body to events, without losing what a JSON parser hides.

`orjson` keeps the last of duplicate keys and turns integers beyond 64 bits
into floats, silently. Where serialising what was parsed gives back the body,
neither occurred; only otherwise is the body read again, slowly and strictly.
So it is, too, where `orjson` refuses a whole array for one event's sake.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import orjson

from eventlogging.intake.parcel import is_parcel

_BLANKS = b" \n\r\t"
_DIGITS = bytes.maketrans(b"123456789", b"000000000")
_LONG = b"0" * 19  # as many digits as the first number beyond 64 bits has
_INT64 = range(-(2**63), 2**63)
_OF_ONE_EVENT = frozenset({"number_out_of_range", "bad_encoding"})


@dataclass(frozen=True, slots=True)
class Flaw:
    """Stands where a value stood that cannot be taken; `code` says why."""

    code: str


@dataclass(frozen=True, slots=True)
class Body:
    """What a body holds: events in order, or the code of what is wrong with all of it.

    `strict`: it was read the slow way, and an event that is, or holds, a `Flaw` cannot be judged.
    """

    events: tuple[Any, ...] = ()
    is_batch: bool = False
    code: str = ""
    strict: bool = False
    parcel: dict[str, Any] | None = None  # what a client says around its events


class _Flawed(dict[str, Any]):
    """An object that held a key twice."""


def decode(body: bytes, *, max_batch: int) -> Body:
    """Return the events in `body`: one object, an array of them, or a client's parcel."""
    strict = True
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        code = _parse_code(str(error))
        value = _strict(body) if code in _OF_ONE_EVENT else Flaw(code)
    else:
        strict = b"\\u0000" in body or _LONG in body.translate(_DIGITS) or not _same(value, body)
        if strict:
            value = _strict(body)
    if isinstance(value, Flaw):
        return Body(code=value.code)
    said = None
    if type(value) is dict and "events" in value and is_parcel(value):
        said = {key: value[key] for key in ("consent", "counters") if key in value}
        value = value["events"]
        if not value and "counters" in said:
            return Body(is_batch=True, parcel=said)
    if not isinstance(value, list):
        return Body((value,), strict=strict)
    if not value:
        return Body(is_batch=True, code="empty_batch", parcel=said)
    if len(value) > max_batch:
        return Body(is_batch=True, code="batch_too_large", parcel=said)
    return Body(tuple(value), is_batch=True, strict=strict, parcel=said)


def flaw(event: Any, *, max_depth: int, strict: bool = True) -> str:
    """Return the code of what makes an event impossible to take, or an empty text.

    What was not read the slow way can only be no object, or too deep.
    """
    if type(event) is dict and not strict:
        return "" if _is_shallow(event, max_depth) else "too_deep"
    if isinstance(event, Flaw):
        return event.code
    if not isinstance(event, dict):
        return "not_an_event"
    return _flaw_inside(event, max_depth)


def _is_shallow(value: Any, depth: int) -> bool:
    if depth < 0:
        return False
    for item in value.values() if type(value) is dict else value:
        kind = type(item)
        if (kind is dict or kind is list) and not _is_shallow(item, depth - 1):
            return False
    return True


def _flaw_inside(value: Any, depth: int) -> str:
    if depth < 0:
        return "too_deep"
    if isinstance(value, _Flawed):
        return "duplicate_key"
    for item in value.values() if isinstance(value, dict) else value:
        kind = type(item)
        if kind is dict or kind is list or kind is _Flawed:
            if code := _flaw_inside(item, depth - 1):
                return code
        elif kind is str:
            if "\0" in item:
                return "nul_character"
        elif kind is Flaw:
            return str(item.code)
    return ""


def _parse_code(message: str) -> str:
    if "depth" in message:
        return "too_deep"
    if "infinity" in message:
        return "number_out_of_range"
    if "UTF-8" in message or "surrogate" in message:
        return "bad_encoding"
    return "malformed_json"


def _same(value: Any, body: bytes) -> bool:
    """Whether nothing was dropped or changed, blanks aside."""
    try:
        again = orjson.dumps(value)
    except orjson.JSONEncodeError:  # it reads what is nested more deeply than it writes
        return False
    return again == body or again.translate(None, _BLANKS) == body.translate(None, _BLANKS)


def _strict(body: bytes) -> Any:
    """Read the body again with flaws marked where they are."""
    try:
        value = json.loads(
            body.decode(),
            object_pairs_hook=_pairs,
            parse_int=_integer,
            parse_float=_float,
            parse_constant=_constant,
        )
        return _without_surrogates(value) if b"\\u" in body else value
    except RecursionError:
        return Flaw("too_deep")
    except UnicodeDecodeError:
        return Flaw("bad_encoding")
    except ValueError:
        return Flaw("malformed_json")


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    kind = dict if len(content) == len(pairs) else _Flawed
    result = kind(content)
    for key in content:
        if "\0" in key:
            result[key] = Flaw("nul_character")
    return result


def _integer(text: str) -> Any:
    # Python refuses to read numbers of thousands of digits, and nothing beyond 20 can fit.
    if len(text) > 20 or int(text) not in _INT64:
        return Flaw("number_out_of_range")
    return int(text)


def _float(text: str) -> Any:
    number = float(text)
    return number if abs(number) != float("inf") else Flaw("number_out_of_range")


def _constant(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")


def _without_surrogates(value: Any) -> Any:
    """Put flaws where texts hold half of a character; the keys of such fields are mended."""
    if isinstance(value, str):
        return value if _is_text(value) else Flaw("bad_encoding")
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        for key in list(value):
            if _is_text(key):
                value[key] = _without_surrogates(value[key])
            else:
                del value[key]
                value[key.encode("utf-8", "replace").decode()] = Flaw("bad_encoding")
    return value


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
