"""Who comes in by an OpenID provider: matched by what it calls them, then by invited e-mail."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from eventlogging.config import Config
from eventlogging.people import accounts
from eventlogging.people.model import Person
from eventlogging.registry import audit, counter
from eventlogging.store.database import Database


@dataclass(frozen=True)
class Entry:
    """Who came in; where nobody did, why not and what to do."""

    person: Person | None
    problem: str = ""


def enter(database: Database, config: Config, claims: Mapping[str, Any]) -> Entry:
    """Return whose claims these are; makes and links accounts where the settings let it.

    The claims come from an ID token that was checked. Raises StoreUnavailable.
    """
    subject = _subject(config.oidc_issuer, claims.get("sub"))
    if subject is None:
        return Entry(None, "The provider did not say who you are. Ask its operators.")
    with database.write() as connection:
        counter.lock(connection)  # two first sign-ins at the same time make one account
        known = accounts.find_subject(connection, subject)
        entry = Entry(known) if known else _first_time(connection, config, claims, subject)
        if entry.person is None:
            return entry
        if entry.person.state == "disabled":
            return Entry(None, f"The account of {entry.person.email} is disabled. Ask an admin.")
        email = entry.person.email
        audit.record(connection, email, "sign_in", email, {"by": "OpenID"})
        return entry


def _first_time(
    connection: sa.Connection, config: Config, claims: Mapping[str, Any], subject: str
) -> Entry:
    email, name = accounts.folded(str(claims.get("email") or "")), str(claims.get("name") or "")
    if not accounts.is_email(email):
        return Entry(None, "The provider did not tell your e-mail address, by which people are "
                           "known here. Allow it to, or ask its operators.")  # fmt: skip
    if _is_unverified(claims):
        return Entry(None, f"The provider has not verified that {email} is yours. Verify it "
                           "there, then sign in once more.")  # fmt: skip
    name = name if accounts.name_problem(name) is None else email.partition("@")[0]
    known = accounts.find(connection, email)
    if known is None:
        if not _is_of(email, config.oidc_domains):
            return Entry(None, f"There is no account of {email}. Ask an admin to invite you.")
        accounts.add(connection, email, name, config.oidc_role, email)
    elif known.state == "disabled":
        return Entry(None, f"The account of {email} is disabled. Ask an admin.")
    elif known.subject is not None:
        return Entry(None, f"The account of {email} belongs to somebody else at the provider. "
                           "Ask an admin for a one-time link.")  # fmt: skip
    elif known.state == "active" and claims.get("email_verified") is not True:
        return Entry(None, f"The account of {email} has a password, and the provider does not say "
                           "that it verified this address. Sign in with the password.")  # fmt: skip
    accounts.link_subject(connection, email, subject, name)
    return Entry(accounts.find(connection, email))


def _subject(issuer: str, sub: Any) -> str | None:
    """Return what is stored of the provider's name for somebody: another provider's differs."""
    if not isinstance(sub, str) or not sub:
        return None
    return hashlib.sha256(f"{issuer.rstrip('/')}\n{sub}".encode()).hexdigest()


def _is_unverified(claims: Mapping[str, Any]) -> bool:
    """Whether the provider says of the e-mail address that it is not verified."""
    said = claims.get("email_verified")
    return said is not None and said is not True and str(said).lower() != "true"


def _is_of(email: str, domains: str) -> bool:
    wanted = {domain.strip().lstrip("@").casefold() for domain in domains.split(",")} - {""}
    return email.rpartition("@")[2] in wanted
