"""Who may read a schema's single events: the table of roles, narrowed by its setting `readers`.

It concerns single events and the values of refused ones; counts, aggregates and what remains of
stripped events are for all whom the table names.
"""

from __future__ import annotations

from collections.abc import Sequence

from eventlogging.governance.model import DEFAULT_READERS

_READING = frozenset({"read_events", "read_refused"})
_NEVER_OUT = frozenset({"owner", "admin"})


def is_narrow(readers: str) -> bool:
    """Whether this value of `readers` leaves out people who read other schemas' events.

    A value that is not known does: a mistake shall show too little.
    """
    return readers != DEFAULT_READERS


def keeps_out(roles: frozenset[str], action: str, readers: str) -> bool:
    """Whether a schema's `readers` forbids an action to somebody with these roles."""
    return action in _READING and is_narrow(readers) and not roles & _NEVER_OUT


def in_words(readers: str) -> str:
    """Return who is shown what refused events hold, as people read it."""
    everybody = "owners, analysts, reviewers and admins"
    return "its owners and admins alone" if is_narrow(readers) else everybody


def why_narrow(name: str, owners: Sequence[str]) -> str:
    """Return why events of a schema with narrow `readers` are not shown, and whom to ask."""
    return (
        f'{name} says readers = "owners": its single events are for its owners and admins alone. '
        f"Ask {' or '.join(owners)}."
    )
