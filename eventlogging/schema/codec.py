"""Payloads as rows and back: columns and `event_more` together give back exactly what came.

`event_more` is a sparse document laid over what the columns give: undeclared properties,
explicit nulls, empty objects, and each value that its column would change. Where a column
cannot hold the value it holds the nearest useful one, or NULL.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import orjson

from eventlogging.schema.columns import ColumnPlan, Kind
from eventlogging.schema.walk import tokens_of

Encoder = Callable[[dict[str, Any]], tuple[list[Any], str | None]]
Decoder = Callable[[Sequence[Any], str | None], dict[str, Any]]

# A stored value, and whether the column gives back exactly what came.
_Stored = tuple[Any, bool]
_Encode = Callable[[Any], _Stored]
_Decode = Callable[[Any], Any]

_INT64 = 2**63
_EXACT_INT = 2**53  # the largest integers that a DOUBLE holds without a gap
_EXACT_TIME = re.compile(r"([1-9]\d{3}-\d\d-\d\d)T(\d\d:\d\d:\d\d\.\d{3})Z", re.ASCII)
_ANY_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+-])(\d\d):(\d\d))", re.ASCII
)


def compile_encoder(plan: ColumnPlan) -> Encoder:
    """Return the function payload → (values in the order of `plan.columns`, `event_more`).

    Values are None, int (a boolean is 0 or 1), float or str; times are
    `YYYY-MM-DD HH:MM:SS.mmm`, JSON is compact text. Any JSON object can be encoded, valid or not.
    """
    size = len(plan.columns)
    tree = _tree(plan, _encoding)

    def encode(payload: dict[str, Any]) -> tuple[list[Any], str | None]:
        values: list[Any] = [None] * size
        more = _take(payload, tree, values)
        return values, orjson.dumps(more).decode() if more else None

    return encode


def compile_decoder(plan: ColumnPlan) -> Decoder:
    """Return the function (values, `event_more`) → payload, the inverse of the encoder.

    Values may be what SQLite gives (0 and 1, times as text) or PyMySQL (datetime objects).
    """
    tree = _tree(plan, lambda kind, length: (_DECODERS[kind],))

    def decode(values: Sequence[Any], more: str | None) -> dict[str, Any]:
        payload = _build(tree, values)
        return _lay_over(payload, orjson.loads(more), tree) if more else payload

    return decode


# A tree mirrors the declared objects: key → (column index, function, …) or a tree.
_Tree = dict[str, Any]


def _tree(plan: ColumnPlan, leaf: Callable[[Kind, int | None], tuple[Any, ...]]) -> _Tree:
    root: _Tree = {}
    for index, column in enumerate(plan.columns):
        *above, last = tokens_of(column.pointer)
        node = root
        for key in above:
            node = node.setdefault(key, {})
        node[last] = (index, *leaf(column.kind, column.length))
    return root


def _take(payload: dict[str, Any], tree: _Tree, values: list[Any]) -> dict[str, Any]:
    """Put what the tree knows into `values`; return the sparse rest."""
    more: dict[str, Any] = {}
    for key, value in payload.items():
        node = tree.get(key)
        if type(node) is tuple:
            index, encode, plain, least, most = node
            kind = type(value)
            # Most values go into their column as they are; asking here saves a call for each.
            if kind is plain and (len(value) <= most if kind is str else least <= value <= most):
                values[index] = value
                continue
            if value is not None:
                values[index], exact = encode(value)
                if exact:
                    continue
            more[key] = value
        elif node is None or type(value) is not dict or not value:
            more[key] = value
        else:
            rest = _take(value, node, values)
            if rest:
                more[key] = rest
    return more


def _build(tree: _Tree, values: Sequence[Any]) -> dict[str, Any]:
    payload: dict[str, Any] = {}
    for key, node in tree.items():
        if type(node) is tuple:
            value = values[node[0]]
            if value is not None:
                payload[key] = node[1](value)
        else:
            inner = _build(node, values)
            if inner:
                payload[key] = inner
    return payload


def _lay_over(payload: dict[str, Any], more: dict[str, Any], tree: _Tree) -> dict[str, Any]:
    for key, value in more.items():
        node = tree.get(key)
        if type(node) is dict and type(value) is dict and key in payload:
            _lay_over(payload[key], value, node)
        else:
            payload[key] = value
    return payload


def _encoding(kind: Kind, length: int | None) -> tuple[_Encode, type | None, int, int]:
    """Return how a column takes values: the function for any of them, and which it takes as
    they are: those of a type (None: no type) between two bounds, of a text's length."""
    if kind is Kind.VARCHAR:
        return _varchar(length or 0), str, 0, length or 0
    plain, least, most = _PLAIN.get(kind, (None, 0, 0))
    return _ENCODERS[kind], plain, least, most


_PLAIN: dict[Kind, tuple[type, int, int]] = {
    Kind.BIGINT: (int, -_INT64, _INT64 - 1),
    Kind.TEXT: (str, 0, _INT64),
}


def _varchar(limit: int) -> _Encode:
    def varchar(value: Any) -> _Stored:
        if type(value) is str:
            return (value, True) if len(value) <= limit else (value[:limit], False)
        return None, False

    return varchar


def _boolean(value: Any) -> _Stored:
    return (int(value), True) if type(value) is bool else (None, False)


def _bigint(value: Any) -> _Stored:
    if type(value) is int:
        return (value, True) if -_INT64 <= value < _INT64 else (None, False)
    if type(value) is float and value.is_integer() and -_INT64 <= value < _INT64:
        return int(value), False
    return None, False


def _double(value: Any) -> _Stored:
    if type(value) is float:
        return value, not value.is_integer()  # a whole number reads back as an int
    if type(value) is int:
        return float(value), -_EXACT_INT <= value <= _EXACT_INT
    return None, False


def _text(value: Any) -> _Stored:
    return (value, True) if type(value) is str else (None, False)


def _json(value: Any) -> _Stored:
    return orjson.dumps(value).decode(), True


def _datetime(value: Any) -> _Stored:
    if type(value) is not str:
        return None, False
    match = _EXACT_TIME.fullmatch(value)
    if match is None:
        return _near_time(value), False
    try:
        datetime.fromisoformat(value)
    except ValueError:  # a leap second, or no time at all
        return _near_time(value), False
    return f"{match[1]} {match[2]}", True


def _near_time(value: str) -> str | None:
    """Return the UTC instant of a date-time text, cut to milliseconds, or None."""
    match = _ANY_TIME.fullmatch(value)
    if match is None:
        return None
    date, minutes, seconds, fraction, sign, hours_off, minutes_off = match.groups()
    leap = seconds == "60"
    millis = "999" if leap else ((fraction or "") + "000")[:3]
    try:
        moment = datetime.fromisoformat(f"{date}T{minutes}:{'59' if leap else seconds}.{millis}")
        if sign:
            offset = timedelta(hours=int(hours_off), minutes=int(minutes_off))
            moment = moment - offset if sign == "+" else moment + offset
    except (ValueError, OverflowError):
        return None
    if moment.year < 1000:
        return None
    return moment.strftime("%Y-%m-%d %H:%M:%S.") + f"{moment.microsecond // 1000:03d}"


_ENCODERS: dict[Kind, _Encode] = {
    Kind.BOOLEAN: _boolean,
    Kind.BIGINT: _bigint,
    Kind.DOUBLE: _double,
    Kind.TEXT: _text,
    Kind.DATETIME: _datetime,
    Kind.JSON: _json,
}


def _number(value: Any) -> Any:
    return int(value) if type(value) is float and value.is_integer() else value


def _time(value: Any) -> str:
    text = value.isoformat(" ", "milliseconds") if isinstance(value, datetime) else str(value)
    return f"{text[:10]}T{(text[11:] + '.000')[:12]}Z"


_DECODERS: dict[Kind, _Decode] = {
    Kind.BOOLEAN: bool,
    Kind.BIGINT: int,
    Kind.DOUBLE: _number,
    Kind.VARCHAR: str,
    Kind.TEXT: str,
    Kind.DATETIME: _time,
    Kind.JSON: orjson.loads,
}
