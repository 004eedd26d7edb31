"""Passwords: hashed with argon2, checked in the same time whether there is an account or not."""

from __future__ import annotations

import threading
import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

FEWEST, MOST = 12, 1000  # characters
# Checked where there is no account, or one without a password, so that the answer takes as long.
STAND_IN = (
    "$argon2id$v=19$m=65536,t=3,p=4$f80zlWcnqeEYcKoXVmBdAg"
    "$LT+59a4XsWV+04jFh3HHGm8L9s3TfqfRRgnK26B95m4"
)
_AT_ONCE = 2  # each hash takes 64 MiB while it is computed


class Passwords:
    """Hashes and checks passwords, few at the same time."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher()
        self._room = threading.BoundedSemaphore(_AT_ONCE)

    def hash(self, password: str) -> str:
        """Return what is stored of a password."""
        with self._room:
            return self._hasher.hash(_normal(password))

    def fits(self, stored: str | None, password: str) -> bool:
        """Whether it is the password; takes as long where nothing is stored."""
        with self._room:
            try:
                self._hasher.verify(stored or STAND_IN, _normal(password)[: MOST + 1])
            except (VerificationError, InvalidHashError):
                return False
        return stored is not None

    def is_outdated(self, stored: str) -> bool:
        """Whether a stored hash was made with other parameters than those of today."""
        return self._hasher.check_needs_rehash(stored)


def problem_with(password: str, email: str = "", name: str = "") -> str | None:
    """Return why this cannot be somebody's password, in a sentence; None: it can."""
    plain = _normal(password)
    if len(plain) < FEWEST:
        return f"A password has at least {FEWEST} characters; this one has {len(plain)}."
    if len(plain) > MOST:
        return f"A password has at most {MOST} characters."
    if len(set(plain)) < 4:
        return "This password repeats the same few characters; use several words instead."
    own = {word.casefold() for word in (email, email.partition("@")[0], name) if len(word) > 3}
    left = plain.casefold()
    for word in sorted(own, key=len, reverse=True):
        left = left.replace(word, "")
    if len(left) < FEWEST // 2:
        return "This password is mostly your name or e-mail; use several other words instead."
    return None


def _normal(password: str) -> str:
    """The same text typed on another keyboard is the same password."""
    return unicodedata.normalize("NFKC", password)
