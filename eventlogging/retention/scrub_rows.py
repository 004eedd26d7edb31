"""Rows of a table of events turned into what their stripped table holds of the payload."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from eventlogging.retention.epochs import EpochKey
from eventlogging.retention.scrub_fields import Stripping
from eventlogging.retention.scrub_table import plain
from eventlogging.schema.codec import compile_decoder, compile_encoder
from eventlogging.schema.columns import Column, ColumnPlan

# (values of the sources, event_more, key) → (values of the rule's plan, event_more)
Rows = Callable[[Sequence[Any], str | None, EpochKey], tuple[list[Any], str | None]]


def compile_rows(rule: Stripping, sources: Sequence[Column]) -> Rows:
    """Return the function that strips the payload columns of one row.

    `sources` are those of the rule's that the table of events has. Values may be what SQLite or
    PyMySQL gives; they come back as the codec's encoder gives them.
    """
    decode = compile_decoder(ColumnPlan(tuple(sources)))
    encode = compile_encoder(rule.plan)
    copied = _copied(rule, sources)

    def through_payload(
        values: Sequence[Any], more: str | None, key: EpochKey
    ) -> tuple[list[Any], str | None]:
        return encode(rule.strip(decode(values, more), key))

    if copied is None:
        return through_payload

    def columns_alone(
        values: Sequence[Any], more: str | None, key: EpochKey
    ) -> tuple[list[Any], str | None]:
        if more is not None:
            return through_payload(values, more, key)
        return [plain(values[index]) for index in copied], None

    return columns_alone


def _copied(rule: Stripping, sources: Sequence[Column]) -> list[int] | None:
    """Return which source each column is a copy of; None where any is not.

    Where there is no `event_more`, a column holds its field exactly, and what is kept as it is
    need not be read and written anew: most events of most schemas.
    """
    index = {column: number for number, column in enumerate(sources)}
    if rule.plan.overflow or rule.changes_inside:
        return None
    if any(column not in index for column in rule.plan.columns):
        return None
    return [index[column] for column in rule.plan.columns]
