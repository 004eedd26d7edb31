"""Take fields out of the rows of one table: from their columns, and from event_more."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from eventlogging.schema.codec import compile_decoder
from eventlogging.schema.columns import Column, ColumnPlan, Kind
from eventlogging.schema.walk import tokens_of

Row = Sequence[Any]
_NUMBERS = (Kind.BIGINT, Kind.DOUBLE)
_TEXTS = (Kind.VARCHAR, Kind.TEXT)
_MOST_CHARS = 255  # of a text that is counted by
_EXACT_INT = 2**53
_NOTHING = object()


@dataclass(frozen=True)
class Taker:
    """How one field is taken from a row, its event_more parsed or None.

    `index`: of its column, where that alone says it as long as there is no event_more; None
    where the table has no such column. `take` gives what was sent, None where nothing was.
    """

    take: Callable[[Row, Mapping[str, Any] | None], Any]
    index: int | None = None
    kind: Kind | None = None
    is_plain: bool = True

    @property
    def number_index(self) -> int | None:
        """The column that holds its numbers as they are."""
        return self.index if self.kind in _NUMBERS else None

    @property
    def text_index(self) -> int | None:
        """The column that holds its texts as they are."""
        return self.index if self.kind in _TEXTS or self.kind is None else None


def related(pointer: str, plan: ColumnPlan) -> list[Column]:
    """Return the columns that a field's value is put together from."""
    return [
        column
        for column in plan.columns
        if column.pointer == pointer
        or column.pointer.startswith(f"{pointer}/")
        or pointer.startswith(f"{column.pointer}/")
    ]


def capsule_taker(index: int | None) -> Taker:
    """Return the taker of an envelope's text."""
    if index is None:
        return Taker(lambda row, more: None)
    return Taker(lambda row, more: row[index], index)


def payload_taker(pointer: str, plan: ColumnPlan, positions: Mapping[str, int]) -> Taker:
    """Return the taker of a payload field; `positions` are column name → index in a row."""
    columns = [column for column in related(pointer, plan) if column.name in positions]
    tokens = tokens_of(pointer)
    if not columns:
        return Taker(lambda row, more: _follow(more, tokens, None))
    if [column.pointer for column in columns] == [pointer]:
        return _of_one(columns[0], positions[columns[0].name], tokens)
    decode = compile_decoder(ColumnPlan(tuple(columns)))
    places = [positions[column.name] for column in columns]

    def take(row: Row, more: Mapping[str, Any] | None) -> Any:
        text = orjson.dumps(more).decode() if more else None
        return _follow(decode([row[place] for place in places], text), tokens, None)

    return Taker(take, is_plain=False)


def _of_one(column: Column, index: int, tokens: Sequence[str]) -> Taker:
    decode = compile_decoder(ColumnPlan((Column("/v", "v", column.kind, column.length),)))

    def take(row: Row, more: Mapping[str, Any] | None) -> Any:
        sent = _follow(more, tokens, _NOTHING)
        if sent is not _NOTHING:
            return sent
        return None if row[index] is None else decode([row[index]], None)["v"]

    return Taker(take, index, column.kind)


def _follow(value: Any, tokens: Sequence[str], default: Any) -> Any:
    for token in tokens:
        if isinstance(value, Mapping):
            if token not in value:
                return default
            value = value[token]
        elif isinstance(value, list) and token.isdecimal() and int(token[:6]) < len(value):
            value = value[int(token[:6])]
        else:
            return default
    return value


def counted_by(value: Any) -> Any:
    """Return a value as cells are told apart by it: 1.0 is 1, what is no scalar its JSON."""
    if isinstance(value, float) and value.is_integer() and abs(value) <= _EXACT_INT:
        return int(value)
    if isinstance(value, list | dict):
        value = orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    return value[:_MOST_CHARS] if isinstance(value, str) else value


def told_apart(value: Any) -> str:
    """Return the text that different values are counted by; that of 1 is not that of "1"."""
    if isinstance(value, str):
        return f"s{value}"
    if isinstance(value, float) and value.is_integer() and abs(value) <= _EXACT_INT:
        value = int(value)
    return "j" + orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def number(value: Any) -> int | float | None:
    """Return a value where it is a number."""
    return value if type(value) in (int, float) else None
