"""Whether stripping by another rule would leave more of an event, or leave it for longer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import inf
from typing import Any

from eventlogging.governance.model import field_of, pointer_of
from eventlogging.governance.syntax import KeyPath
from eventlogging.registry.own_document import Problem
from eventlogging.retention.buckets import TIMES
from eventlogging.retention.policy import Kept, Scrub

_ADMIN = "only an admin keeps more of them for good"


def longer(
    old: Scrub | None, new: Scrub, keep_days: int, table: Mapping[str, Any]
) -> Iterator[Problem]:
    """Yield what stripped events would keep that goes sooner as things stand.

    `table` is the document's that `new` was made of, to name the place in it. `keep_days` is for
    how long whole events are kept as things stand: what goes by then is kept no longer, whatever
    it is.
    """
    until = _days(new)
    if until <= keep_days:
        return
    would = "for good" if until == inf else f"for {until:g} days"
    if old is None:
        yield (
            ("scrub",),
            f"parts of events would be kept {would} that go after {keep_days} days now; {_ADMIN}, "
            f"so let them go by then (`scrub.keep_days` of at most {keep_days}), or ask for an "
            "extension, which has an end",
        )
        return
    if until > _days(old):
        yield (
            ("scrub", "keep_days"),
            f"stripped events would be kept {would} instead of {_days(old):g} days; {_ADMIN}",
        )
    for kept in new.fields:
        if not any(_holds(one, kept) for one in old.fields):
            yield (
                _place(table, kept),
                f"{field_of(kept.pointer)!r} would remain of stripped events as it does not now; "
                f"{_ADMIN}",
            )
    for name in new.capsule:
        if name not in old.capsule:
            yield (
                ("scrub", "capsule"),
                f"{name!r} would remain of stripped events as it does not now; {_ADMIN}",
            )


def _place(table: Mapping[str, Any], kept: Kept) -> KeyPath:
    names = table.get(kept.how, ())
    for number, name in enumerate(names):
        if pointer_of(name) == kept.pointer:
            return "scrub", kept.how, name if kept.how == "bucket" else number
    return ("scrub",)


def _days(scrub: Scrub) -> float:
    return inf if scrub.keep_days is None else scrub.keep_days


def _holds(old: Kept, new: Kept) -> bool:
    """Whether all that one leaves of a field can be told from what the other leaves."""
    if old.how == "keep":
        return new.pointer == old.pointer or new.pointer.startswith(f"{old.pointer}/")
    if (old.pointer, old.how) != (new.pointer, new.how):
        return False
    return old.bucket == new.bucket or _is_coarser(new.bucket, old.bucket)


def _is_coarser(one: float | str | None, other: float | str | None) -> bool:
    if isinstance(one, int | float) and isinstance(other, int | float):
        return one > other and one % other == 0
    if one in TIMES and other in TIMES:
        return TIMES.index(str(one)) > TIMES.index(str(other))
    return False
