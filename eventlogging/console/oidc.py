"""Sign in by an OpenID provider: code flow with PKCE, state and nonce, by Authlib."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from authlib.common.errors import AuthlibBaseError
from authlib.integrations.flask_client import OAuth
from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    make_response,
    render_template,
    request,
    session,
)

from eventlogging.config import Config
from eventlogging.console import sign_in
from eventlogging.console.parts import Parts
from eventlogging.people import provider

_NEXT = "oidc_next"
_SECONDS = 10  # that the provider may take for an answer
_logger = logging.getLogger(__name__)


def register(app: Flask, parts: Parts) -> None:
    """Add the way out to the provider and back; asks it nothing before somebody goes there."""
    pages = Blueprint("oidc", __name__)
    client = _client(app, parts.config)

    @pages.get("/sign-in/oidc")
    def go() -> Response:
        if client is None:
            abort(404)
        for name in [name for name in session if name.startswith("_state_")]:
            session.pop(name)  # one way out at a time: cookies are small
        session[_NEXT] = sign_in.local_path(request.args.get("next", "/"))
        try:
            answer: Response = client.authorize_redirect(f"{parts.config.url}/sign-in/oidc/back")
        except Exception as error:  # whatever its answer breaks; these have no base in common
            return _unreachable(parts.config, error)
        return answer

    @pages.get("/sign-in/oidc/back")
    def back() -> Response:
        if client is None:
            abort(404)
        path = str(session.get(_NEXT, "/"))
        try:
            claims = _claims(client, parts.config)
        except AuthlibBaseError as error:
            return _refused(_words(error, parts.config), 400)
        except Exception as error:  # as above
            return _unreachable(parts.config, error)
        entry = provider.enter(parts.database, parts.config, claims)
        if entry.person is None:
            return _refused(entry.problem, 403)
        with parts.database.write() as connection:
            secret = sign_in.begin(connection, entry.person.email)
        sign_in.remember(secret)
        return sign_in.onwards(path)

    app.register_blueprint(pages)


def _client(app: Flask, config: Config) -> Any:
    if not config.oidc_issuer:
        return None
    oauth = OAuth(app)
    return oauth.register(
        name="oidc",
        client_id=config.oidc_client_id,
        client_secret=config.oidc_client_secret,
        server_metadata_url=f"{config.oidc_issuer.rstrip('/')}/.well-known/openid-configuration",
        client_kwargs={
            "scope": "openid email profile",
            "code_challenge_method": "S256",
            "default_timeout": _SECONDS,
        },
    )


def _claims(client: Any, config: Config) -> Mapping[str, Any]:
    """Return what the provider says of who came back; raises what Authlib and requests raise."""
    issuer = {"iss": {"essential": True, "values": _spellings(config.oidc_issuer)}}
    token = client.authorize_access_token(claims_options=issuer)
    claims: dict[str, Any] = dict(token.get("userinfo") or {})
    if claims.get("sub") and not claims.get("email"):
        more = dict(client.userinfo(token=token))
        if more.get("sub") == claims["sub"]:  # else the answer is about somebody else
            claims = {**more, **claims}
    return claims


def _spellings(issuer: str) -> list[str]:
    return [issuer.rstrip("/"), f"{issuer.rstrip('/')}/"]


def _words(error: AuthlibBaseError, config: Config) -> str:
    if error.error == "access_denied":
        return "You did not let the provider tell us who you are, or it did not let you in."
    if error.error == "mismatching_state":
        return (
            f"This sign-in was not begun in this browser, or too long ago. Begin at {config.url} "
            "and allow cookies for this site."
        )
    _logger.warning("the OpenID provider refused: %s", error)
    return f"The provider refused the sign-in ({str(error.error)[:60]}). Its operators can say why."


def _refused(problem: str, status: int) -> Response:
    page = render_template("sign_in_refused.html", problem=problem)
    return make_response(page, status)


def _unreachable(config: Config, error: Exception) -> Response:
    _logger.warning("the OpenID provider %s does not do its part: %s", config.oidc_issuer, error)
    host = urlsplit(config.oidc_issuer).netloc
    return _refused(f"The provider {host} gives no usable answer now. Try again in a moment, or "
                    "sign in with a password.", 502)  # fmt: skip
