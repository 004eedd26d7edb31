"""Whether somebody has said no, in any of the ways there are."""

from __future__ import annotations

import os
from collections.abc import Mapping

COOKIE = "eventlogging_opt_out"
VARIABLE = "EVENTLOGGING_OPT_OUT"
_NOTHING = ("", "0")


def said_no(headers: Mapping[str, str]) -> bool:
    """Whether the headers of a request say no: `DNT`, `Sec-GPC`, or the opt-out cookie.

    For services that log on behalf of people: `consent=lambda: not said_no(request.headers)`.
    """
    found = {str(name).lower(): str(headers[name]) for name in headers}
    if found.get("dnt") == "1" or found.get("sec-gpc") == "1":
        return True
    # Not by a parser, which gives up on one bad cookie: a person who said no is believed.
    for cookie in found.get("cookie", "").split(";"):
        name, _, value = cookie.partition("=")
        if name.strip() == COOKIE and value.strip(' "') not in _NOTHING:
            return True
    return False


def switched_off() -> bool:
    """Whether the environment says that this process sends nothing at all."""
    return os.environ.get(VARIABLE, "").strip() not in _NOTHING
