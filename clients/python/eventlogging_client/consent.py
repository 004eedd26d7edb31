"""Whether somebody has said no, in any of the ways there are."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

COOKIE = "eventlogging_opt_out"
COOKIE_FOR = "eventlogging_opt_out_for"  # names of schemas, with colons between them
VARIABLE = "EVENTLOGGING_OPT_OUT"
_NOTHING = ("", "0")


def said_no(headers: Mapping[str, Any], schema: str = "") -> bool:
    """Whether the headers of a request say no: `DNT`, `Sec-GPC`, or the opt-out cookies.

    With `schema`, also whether they say no to its events alone. For services that log on behalf
    of people: `consent=lambda schema: not said_no(request.headers, schema)`. Also takes the
    environment of a WSGI request.
    """
    cookies = []
    for key, value in headers.items():
        name = str(key).lower().replace("_", "-")
        name = name[5:] if name.startswith("http-") else name
        if name in ("dnt", "sec-gpc") and value == "1":
            return True
        if name == "cookie":
            cookies += str(value).split(";")
    # Not by a parser, which gives up on one bad cookie: a person who said no is believed.
    for cookie in cookies:
        name, _, value = cookie.partition("=")
        if name.strip() == COOKIE and value.strip(' "') not in _NOTHING:
            return True
        if schema and name.strip() == COOKIE_FOR and schema in value.strip(' "').split(":"):
            return True
    return False


def switched_off() -> bool:
    """Whether the environment says that this process sends nothing at all."""
    return os.environ.get(VARIABLE, "").strip() not in _NOTHING
