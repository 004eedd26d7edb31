"""See, while private fields are hashed, whether one of them is an account that opted out."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from eventlogging.intake.seal import PrivacyKey

_MOST_LEAVES = 500  # values that are looked at in an event whose private fields nobody knows


class Watch:
    """Hashes as the privacy key does; `met` says whether an account that opted out went through.

    Who said no while another key was in use is known by that one. Not for several threads.
    """

    def __init__(
        self, key: PrivacyKey, former: Sequence[PrivacyKey], hashes: Collection[str]
    ) -> None:
        self._key = key
        prefixes = {one.partition(":")[0] for one in hashes} if former else set()
        self._former = tuple(one for one in former if one.id in prefixes)
        self._hashes = hashes
        self.met = False

    def hash(self, value: Any) -> str:
        """Return the hash of a value."""
        made = self._key.hash(value)
        if made in self._hashes or any(one.hash(value) in self._hashes for one in self._former):
            self.met = True
        return made

    def look_into(self, event: Any) -> None:
        """Look at every text and number of an event of which nobody knows what is private."""
        for number, value in enumerate(_leaves(event)):
            if self.met or number >= _MOST_LEAVES:
                return
            self.hash(value)


def _leaves(value: Any) -> Iterator[str | int]:
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)
        elif isinstance(one, str) or type(one) is int:
            yield one
