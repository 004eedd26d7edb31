"""A person, as pages and duties know them."""

from __future__ import annotations

from dataclasses import dataclass

ROLES = ("admin", "analyst", "viewer")
STATES = ("invited", "active", "disabled")


@dataclass(frozen=True)
class Person:
    """Somebody with an account. `email` is case-folded; `away_until` is their last day away."""

    email: str
    name: str
    role: str  # one of ROLES
    state: str = "active"  # one of STATES
    has_password: bool = False
    subject: str | None = None  # of the OpenID provider
    created_at: str = ""
    seen_at: str | None = None
    away_until: str | None = None
