"""What somebody asks of a table of events: days, and a condition on one column."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from eventlogging import clock
from eventlogging.schema.columns import ColumnPlan, Kind
from eventlogging.store.dialect import CAPSULE_COLUMNS, quoted

OPERATORS: Mapping[str, str] = {
    "eq": "is", "contains": "contains", "lt": "is less than", "gt": "is more than",
    "absent": "is absent",
}  # fmt: skip
DEFAULT_DAYS = 7
_MOST_DAYS = 400
_MOST_CHARS = 500
_INT64 = 2**63
# The capsule's kinds, in the words of payload columns; `id` and times of receipt are told apart
# by what is stored.
_CAPSULE_KINDS = {"time": Kind.DATETIME, "boolean": Kind.BOOLEAN, "double": Kind.DOUBLE}
_TEXTS = (Kind.VARCHAR, Kind.TEXT)
_ORDERED = (Kind.BIGINT, Kind.DOUBLE, Kind.DATETIME)
_TRUTH = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


@dataclass(frozen=True)
class Filter:
    """A condition on one column; `value` is what to bind, None where it is absent."""

    column: str
    operator: str  # one of OPERATORS
    value: Any

    def condition(self, name: str = "wanted") -> tuple[str, dict[str, Any]]:
        """Return SQL with a bound value of that name."""
        column = quoted(self.column)
        if self.operator == "absent":
            return f"{column} IS NULL", {}
        if self.operator == "contains":
            # Not LIKE: what it takes for the same letter differs from database to database.
            return f"INSTR({column}, :{name}) > 0", {name: self.value}
        sign = {"eq": "=", "lt": "<", "gt": ">"}[self.operator]
        return f"{column} {sign} :{name}", {name: self.value}

    @property
    def sql(self) -> str:
        """The condition as people copy it."""
        text, _ = self.condition()
        return text.replace("`", "").replace(":wanted", _literal(self.value))


@dataclass(frozen=True)
class Asked:
    """What was asked for: [start, end] as days, and a condition or none."""

    start: str
    end: str
    where: Filter | None

    @property
    def until(self) -> str:
        """The first day that is not part of it any more."""
        return (date.fromisoformat(self.end) + timedelta(days=1)).isoformat()

    @property
    def days(self) -> int:
        """How many days it spans."""
        return (date.fromisoformat(self.end) - date.fromisoformat(self.start)).days + 1

    def detail(self) -> dict[str, Any]:
        """Return what the audit keeps of it; not the value, which may be somebody's."""
        said: dict[str, Any] = {"start": self.start, "end": self.end}
        if self.where is not None:
            said |= {"field": self.where.column, "operator": self.where.operator}
        return said


def columns_of(plan: ColumnPlan) -> dict[str, Kind]:
    """Return the columns that can be filtered by, the payload's first."""
    payload = {column.name: column.kind for column in plan.columns}
    capsule = {name: _CAPSULE_KINDS.get(kind, Kind.VARCHAR) for name, kind in CAPSULE_COLUMNS}
    return payload | capsule


def operators_of(kind: Kind) -> Sequence[str]:
    """Return what can be asked of a column of this kind."""
    if kind in _TEXTS:
        return ("eq", "contains", "absent")
    if kind in _ORDERED:
        return ("eq", "lt", "gt", "absent")
    return ("contains", "absent") if kind is Kind.JSON else ("eq", "absent")


def read_filter(
    arguments: Mapping[str, str], columns: Mapping[str, Kind]
) -> tuple[Asked, dict[str, str]]:
    """Return what the address asks for, and what is wrong with it: field of the form → sentence.

    Where a part is wrong, the default stands for it.
    """
    problems: dict[str, str] = {}
    today = clock.day(clock.now_ms())
    week_ago = (date.fromisoformat(today) - timedelta(days=DEFAULT_DAYS - 1)).isoformat()
    end = _day("end", arguments.get("end", ""), today, problems)
    start = _day("start", arguments.get("start", ""), min(week_ago, end), problems)
    if start > end:
        problems["end"] = f"The last day comes before the first, {start}."
        start = end
    if (date.fromisoformat(end) - date.fromisoformat(start)).days >= _MOST_DAYS:
        problems["start"] = f"At most {_MOST_DAYS} days at once; with less, the answer is faster."
        start = week_ago if week_ago <= end else end
    return Asked(start, end, _condition(arguments, columns, problems)), problems


def _day(name: str, text: str, default: str, problems: dict[str, str]) -> str:
    if not text:
        return default
    try:
        day = date.fromisoformat(text)
        if not date(1970, 1, 2) <= day <= date(9000, 1, 1):
            raise ValueError
        return day.isoformat()
    except ValueError:
        problems[name] = f"This is a day such as {default}, not “{text[:40]}”."
        return default


def _condition(
    arguments: Mapping[str, str], columns: Mapping[str, Kind], problems: dict[str, str]
) -> Filter | None:
    column, operator = arguments.get("field", ""), arguments.get("is", "eq") or "eq"
    text = arguments.get("value", "")
    if not column:
        return None
    kind = columns.get(column)
    if kind is None:
        problems["field"] = f"The table has no column “{column[:80]}”."
        return None
    if operator not in operators_of(kind):
        said = ", ".join(OPERATORS[one] for one in operators_of(kind))
        problems["is"] = f"Of {column}, which is {_word(kind)}, you can ask: {said}."
        return None
    if operator == "absent":
        return Filter(column, operator, None)
    if len(text) > _MOST_CHARS or "\0" in text or not _is_unicode(text):
        problems["value"] = f"A text of at most {_MOST_CHARS} characters."
        return None
    value = text if operator == "contains" else _typed(text, kind)
    if value is None or (operator == "contains" and not text):
        problems["value"] = f"{column} is {_word(kind)}; “{text[:40]}” is not."
        return None
    return Filter(column, operator, value)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _typed(text: str, kind: Kind) -> Any:
    """Return a text as a value of this kind, None where it is none."""
    plain = text.strip()
    if kind is Kind.BOOLEAN:
        return _TRUTH.get(plain.casefold())
    try:
        if kind is Kind.BIGINT:
            whole = int(plain)
            return whole if -_INT64 <= whole < _INT64 else None
        if kind is Kind.DOUBLE:
            number = float(plain)
            return number if math.isfinite(number) else None
        if kind is Kind.DATETIME:
            moment = datetime.fromisoformat(plain.replace(" ", "T"))
            moment = moment.replace(tzinfo=moment.tzinfo or UTC)
            if not 1970 < moment.year < 9000:
                return None
            return clock.sql_time(int(moment.timestamp() * 1000))
    except (ValueError, OverflowError):
        return None
    return text


def _word(kind: Kind) -> str:
    return {
        Kind.BOOLEAN: "true or false",
        Kind.BIGINT: "a whole number",
        Kind.DOUBLE: "a number",
        Kind.DATETIME: "a time such as 2026-11-22T03:04",
        Kind.JSON: "JSON",
    }.get(kind, "a text")


def _literal(value: Any) -> str:
    """Return a value as SQL that both kinds of databases read the same."""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, int | float):
        return repr(value)
    text = str(value)
    if "\\" in text or not text.isprintable():
        # A backslash means one thing to MySQL and another to SQLite; bytes mean the same.
        return f"CAST(x'{text.encode().hex()}' AS CHAR)"
    return "'" + text.replace("'", "''") + "'"
