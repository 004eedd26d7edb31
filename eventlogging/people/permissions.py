"""Who may do what: one table, from which every page and route decides.

A person has one role of the account (admin, analyst, viewer) and may be a reviewer (of the
roster) and an owner (of the schema in question) besides; a stranger is not signed in.
"""

from __future__ import annotations

from collections.abc import Mapping

ROLES = ("stranger", "viewer", "analyst", "owner", "reviewer", "admin")

_EVERYONE = frozenset(ROLES)
_SIGNED_IN = _EVERYONE - {"stranger"}

PERMISSIONS: Mapping[str, frozenset[str]] = {
    "see_schemas": _EVERYONE,  # names, documents, owners, settings, counts
    "see_live": _SIGNED_IN,  # what arrives now: verdicts and paths, without values
    "see_reviews": _SIGNED_IN,
    "propose": _SIGNED_IN,  # begin a draft, edit one's own, send it to review, comment
    "make_test_key": _SIGNED_IN,
    "see_people": _SIGNED_IN,
    "see_jobs": _SIGNED_IN,
    "read_events": frozenset({"analyst", "owner", "admin"}),
    "read_refused": frozenset({"analyst", "owner", "reviewer", "admin"}),
    "edit_any_draft": frozenset({"owner", "admin"}),
    "change_settings": frozenset({"owner", "admin"}),  # sampling, deprecation
    "decide": frozenset({"reviewer", "admin"}),  # approve or return; never one's own
    "ask_extension": frozenset({"owner", "admin"}),  # have events kept longer for a while
    "hold": frozenset({"admin"}),  # keep all of a schema on legal grounds, and end that
    "see_audit": frozenset({"reviewer", "analyst", "admin"}),
    "erase_people": frozenset({"admin"}),  # find, export and erase one person
    "see_outbox": frozenset({"admin"}),  # mails hold sign-in links
    "manage_people": frozenset({"admin"}),
    "manage_tokens": frozenset({"admin"}),
    "run_jobs": frozenset({"admin"}),
}


def may(roles: frozenset[str], action: str) -> bool:
    """Whether somebody with these roles may do it. Raises KeyError for an unknown action."""
    return bool(PERMISSIONS[action] & roles)


def roles_needed(action: str) -> list[str]:
    """Return the roles that may do it, in the order of `ROLES`, for people to read."""
    return [role for role in ROLES if role in PERMISSIONS[action]]
