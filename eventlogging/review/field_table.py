"""Payloads laid out by field, so that the values of each and of several together can be counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from eventlogging.review.personal import MOST_LOOKED_AT
from eventlogging.schema.walk import escape

_MOST_FIELDS = 300
_MOST_ITEMS = 100  # of one array


@dataclass
class Column:
    """The values of one field, each as the number of the distinct value it is; 0: absent."""

    codes: dict[Any, int] = field(default_factory=dict)
    rows: list[int] = field(default_factory=list)


class FieldTable:
    """Payloads, laid out by field."""

    def __init__(self) -> None:
        self.columns: dict[str, Column] = {}
        self.items: dict[str, dict[Any, None]] = {}
        self.rows = 0
        self._pointers: dict[tuple[str, str], str] = {}

    def add(self, payload: Mapping[str, Any]) -> None:
        self._add("", payload)
        self.rows += 1

    def _add(self, above: str, members: Mapping[str, Any]) -> None:
        for name, value in members.items():
            pointer = self._pointers.get((above, name))
            if pointer is None:
                pointer = f"{above}/{escape(name)}"
                if len(self._pointers) < 10 * _MOST_FIELDS:
                    self._pointers[above, name] = pointer
            kind = type(value)
            if kind is dict and value:
                self._add(pointer, value)
                continue
            if kind is list:
                self._add_items(pointer, value)
                value = orjson.dumps(value)
            elif kind is dict or value is None:
                continue
            column = self.columns.get(pointer)
            if column is None:
                if len(self.columns) >= _MOST_FIELDS:
                    continue
                column = self.columns[pointer] = Column()
            code = column.codes.setdefault(value, len(column.codes) + 1)
            rows = column.rows
            if len(rows) < self.rows:
                rows.extend([0] * (self.rows - len(rows)))
            rows.append(code)

    def _add_items(self, pointer: str, items: Sequence[Any]) -> None:
        place = f"{pointer}/*"
        for item in items[:_MOST_ITEMS]:
            if isinstance(item, dict):
                for name, value in item.items():
                    self._add_item(f"{place}/{escape(name)}", value)
            else:
                self._add_item(place, item)

    def _add_item(self, place: str, value: Any) -> None:
        if not isinstance(value, str | int | float):
            return
        known = self.items.get(place)
        if known is None:
            if len(self.items) >= _MOST_FIELDS:
                return
            known = self.items[place] = {}
        if len(known) < MOST_LOOKED_AT:
            known[value] = None

    def values(self, pointer: str) -> Mapping[Any, Any]:
        """The distinct values of a field; of an array's items where it ends in `*`."""
        column = self.columns.get(pointer)
        return column.codes if column else self.items.get(pointer, {})
