"""Who is asking: a bearer token, and what it opens."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Request, Response

from eventlogging.console.errors import answer
from eventlogging.console.parts import Parts
from eventlogging.people import readers
from eventlogging.registry import tokens
from eventlogging.registry.model import RegisteredSchema

_REALM = 'Bearer realm="EventLogging"'


@dataclass(frozen=True)
class Holder:
    """Who holds a token, as the audit names them, and its scopes."""

    who: str
    scopes: frozenset[str]


def holder_of(request: Request, parts: Parts) -> Holder | None:
    """Return the holder of the request's bearer token, or None where it has no good one.

    Tokens are looked up in the database, so that a revoked one is refused at once; raises
    StoreUnavailable.
    """
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    secret = secret.strip()
    if scheme.lower() != "bearer" or not secret:
        return None
    if tokens.is_admin_token(parts.config.admin_token, secret):
        return Holder("admin token", frozenset(tokens.SCOPES) - {tokens.TEST})
    with parts.database.read() as connection:
        known = tokens.find(connection, secret)
    return Holder(f"token {known.name}", known.expanded) if known else None


def refusal_to_read(holder: Holder | None, schema: RegisteredSchema | None) -> Response | None:
    """Return the answer to somebody whose token does not open a schema's single events.

    The scope `read` opens those of all schemas but of those whose `readers` are their owners:
    these are opened by `admin` alone.
    """
    if schema is None or not readers.is_narrow(schema.readers):
        return refusal(holder, "read")
    return refusal(holder, "admin", readers.why_narrow(schema.name, schema.owners))


def refusal(holder: Holder | None, scope: str, why: str = "") -> Response | None:
    """Return the answer to somebody whose token does not open `scope`, or None: it does."""
    if holder is None:
        text = "send a token: Authorization: Bearer …; make one with: eventlogging token create"
        response = answer(401, "unauthorized", [text])
        response.headers["WWW-Authenticate"] = _REALM
        return response
    if scope not in holder.scopes:
        because = f": {why}" if why else ""
        response = answer(403, "forbidden", [f"this token lacks the scope {scope!r}{because}"])
        response.headers["WWW-Authenticate"] = (
            f'{_REALM}, error="insufficient_scope", scope="{scope}"'
        )
        return response
    return None
