"""Who is meant: a person as keyed hashes, and whether a text is about them.

Plain ids are for as long as somebody asks; what is kept of a person is hashes alone.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import unquote

import orjson

from eventlogging.errors import EventLoggingError
from eventlogging.intake.seal import PrivacyKey
from eventlogging.platform import Platform

LAST_MOMENT = "9999-12-31T23:59:59.999Z"
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_WORD = re.compile(r"""[^\s"'`,;:=&?|<>(){}\[\]/\\]+""")
_LONGEST_ID = 500
_INT64 = 1 << 63


@dataclass(frozen=True)
class Span:
    """Ids of events of the days from `first` to `last`, of valid ones by `dt`."""

    first: str
    last: str
    ids: frozenset[str] = field(repr=False)


@dataclass(frozen=True)
class Identity:
    """A person: `hashes` under each key in use; `plain` ids where somebody has just given them.

    With `spans` it is a device instead, known by the ids of its events alone. Only what was
    received up to `before` (ISO) is meant.
    """

    hashes: tuple[str, ...]
    keys: tuple[PrivacyKey, ...] = field(repr=False)
    plain: frozenset[str] = field(default=frozenset(), repr=False)
    before: str = LAST_MOMENT
    spans: tuple[Span, ...] = ()

    @cached_property
    def event_ids(self) -> frozenset[bytes]:
        """The ids of all its events, as the log has them."""
        return frozenset(id.encode() for span in self.spans for id in span.ids)

    def ids_on(self, day: str) -> frozenset[str]:
        """Return the ids that events of a day may have."""
        return frozenset().union(
            *(span.ids for span in self.spans if span.first <= day <= span.last)
        )

    def in_sealed(self, text: str) -> bool:
        """Whether a text holds one of the hashes."""
        return any(one in text for one in self.hashes)

    def in_unsealed(self, text: str) -> bool:
        """Whether a text that nobody sealed holds a hash, or the id itself as a whole word."""
        if self.in_sealed(text):
            return True
        if self.plain:
            # Looking for the words takes long, and is needed where the id may stand there encoded.
            likely = "\\" in text or "%" in text or any(id in text for id in self.plain)
            return likely and not self.plain.isdisjoint(words(text))
        return any(key.hash(word) in self.hashes for word in words(text) for key in self.keys)


def keys_of(platform: Platform) -> tuple[PrivacyKey, ...]:
    """Return the privacy keys in use: the present one, and those that once were."""
    former = [one.strip() for one in platform.config.privacy_keys_former.split(",")]
    return (platform.privacy_key, *(PrivacyKey(one) for one in former if one))


def hashes(keys: Sequence[PrivacyKey], ids: Sequence[str]) -> tuple[str, ...]:
    """Return what events hold instead of these ids: as texts, and as numbers where they are some.

    Raises EventLoggingError where there is no id.
    """
    values: list[str | int] = []
    for id in ids_of(ids):
        values.append(id)
        if re.fullmatch(r"-?[1-9]\d*|0", id) and abs(int(id)) < _INT64:
            values.append(int(id))
    return tuple(dict.fromkeys(key.hash(value) for key in keys for value in values))


def ids_of(ids: Sequence[str]) -> tuple[str, ...]:
    """Return ids without blanks around them, each once. Raises EventLoggingError for none."""
    found = tuple(dict.fromkeys(id.strip() for id in ids if id.strip()))
    if not found:
        raise EventLoggingError("say whom: a device or user id, as the events have it")
    if any(len(id) > _LONGEST_ID for id in found):
        raise EventLoggingError(f"an id has at most {_LONGEST_ID} characters")
    return found


def words(text: str) -> set[str]:
    """Return all that may be an id in a text: JSON strings, numbers, parts of addresses."""
    found = set(_words(text))
    if "%" in text:  # the query of a beacon
        found.update(_words(unquote(text)))
    return {word for word in found if len(word) <= _LONGEST_ID}


def _words(text: str) -> Iterator[str]:
    for match in _QUOTED.finditer(text):
        yield match[1]
        if "\\" in match[1]:
            with contextlib.suppress(orjson.JSONDecodeError):
                yield orjson.loads(match[0])
    for match in _WORD.finditer(text):
        yield match[0]
        yield match[0].strip(".")
