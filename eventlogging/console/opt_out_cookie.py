"""The cookies by which a browser says no, and the token of forms that need no session."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from flask import Request, Response

from eventlogging.collector.request import OPT_OUT_COOKIE, OPT_OUT_FOR_COOKIE
from eventlogging.config import Config
from eventlogging.people import form_token as tokens

_FORM = "form"  # what the token is for
FORM_COOKIE = "eventlogging_form"
PATH = "/opt-out"
_SECONDS = 400 * 86_400  # browsers keep no cookie longer
_MOST_BYTES = 3_500  # of names; a browser drops a cookie of more than 4 096 bytes
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.\-/]{0,63}", re.ASCII)


def say(response: Response, config: Config, *, everything: bool, names: Iterable[str]) -> None:
    """Have the browser say no to everything, or to the schemas of these names, or to nothing.

    Of more names than a cookie can hold it becomes a no to everything.
    """
    value = ":".join(sorted(set(names)))
    everything = everything or len(value) > _MOST_BYTES
    _set(response, config, OPT_OUT_COOKIE, "1" if everything else "")
    _set(response, config, OPT_OUT_FOR_COOKIE, "" if everything else value)


def are_names(texts: Collection[str]) -> bool:
    """Whether all of them are names that a schema may have."""
    return all(_NAME.fullmatch(text) for text in texts)


def form_token(request: Request, key: str) -> tuple[str, str]:
    """Return the token for a form, and the value of the cookie that it goes with."""
    value = _value(request) or tokens.new_value()
    return tokens.token(key, _FORM, value), value


def remember_form(response: Response, config: Config, value: str) -> None:
    """Let the browser keep what the form's token goes with."""
    response.set_cookie(
        FORM_COOKIE, value, path=PATH, httponly=True, samesite="Lax", secure=_is_https(config)
    )


def is_own_form(request: Request, key: str) -> bool:
    """Whether a form comes from our own page, shown in this browser."""
    return tokens.is_right(request.form.get("csrf", ""), key, _FORM, _value(request))


def _set(response: Response, config: Config, name: str, value: str) -> None:
    """Set a cookie, or take it back, so that pages of other sites bring it too where they may."""
    secure = _is_https(config)
    site = "None" if secure else "Lax"
    # One of this host alone may stand there from before the domain was set.
    for domain in dict.fromkeys((None, config.opt_out_domain or None)):
        is_kept = bool(value) and domain == (config.opt_out_domain or None)
        response.set_cookie(
            name, value if is_kept else "", max_age=_SECONDS if is_kept else 0, path="/",
            domain=domain, samesite=site, secure=secure,
        )  # fmt: skip


def _is_https(config: Config) -> bool:
    return config.url.lower().startswith("https:")


def _value(request: Request) -> str:
    value = request.cookies.get(FORM_COOKIE, "")
    return value if tokens.is_value(value) else ""
