"""What values look like that tell of people: an e-mail address, an IP address, free text …"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from eventlogging.ledger.sentence import grouped

MOST_LOOKED_AT = 2_000  # distinct values of one field
_MOST_CHARS = 2_000  # of one value
_OFTEN = 0.1  # the share of values from which on a look that chance may give counts
_FREE_CHARS, _FREE_BLANKS = 25, 3
_LONGEST_SHORT_TEXT = 100
_LONG_NUMBER = 10**9
_TIMES_MS = (10**12, 3 * 10**12)  # 2001 to 2065, in milliseconds
_TIMES_S = (10**9, 3 * 10**9)

_MAIL = re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+")
_IP4 = re.compile(r"(?<![\d.])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)"
                  r"(?![\d.])", re.ASCII)  # fmt: skip
_IP6 = re.compile(r"[0-9A-Fa-f:]{3,39}(?:%\w+)?", re.ASCII)
_PHONE = re.compile(r"(?:\+|00)?\(?\d[\d ()./-]{6,20}\d", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d|\d\d?[./]\d\d?[./]\d{2,4}", re.ASCII)
_UUID = re.compile(r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}", re.ASCII)
_HEX = re.compile(r"(?=[0-9A-Fa-f]*\d)(?=[0-9A-Fa-f]*[A-Fa-f])[0-9A-Fa-f]{16,}", re.ASCII)
_DIGITS = re.compile(r"\d{9,}", re.ASCII)
_QUERY = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s?#]+\?\S+|/[^\s?#]*\?\w+=\S+", re.ASCII)
_HASH = re.compile(r"[0-9a-f]{6}:[0-9a-f]{32}", re.ASCII)

_LOOKS = {
    "mail": "looks like an e-mail address",
    "ip": "looks like an IP address",
    "phone": "looks like a phone number",
    "id": "looks like an id",
    "url": "is an address with a query, which may carry anything",
    "text": "looks like free text",
}
_BY_CHANCE = frozenset({"phone", "id", "text"})

_NAMED: tuple[tuple[frozenset[str], str], ...] = (
    (frozenset({"email", "mail", "emailaddress"}), "an e-mail address"),
    (frozenset({"ip", "ipaddress", "clientip", "remoteaddr"}), "an IP address"),
    (frozenset({"phone", "telephone", "phonenumber", "mobile"}), "a phone number"),
    (
        frozenset({"userid", "username", "sessionid", "deviceid", "visitorid", "clientid",
                   "accountid", "uid", "cookie", "fingerprint", "token"}),
        "an id of a person or a device",
    ),
    (frozenset({"firstname", "lastname", "surname", "fullname", "birthday", "address"}),
     "who somebody is"),
)  # fmt: skip
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+", re.ASCII)


def is_hash(value: Any) -> bool:
    """Whether a value is what privacy has made of another."""
    return isinstance(value, str) and _HASH.fullmatch(value) is not None


def findings(values: Collection[Any], where: str) -> Iterator[str]:
    """Yield what distinct values of a field look like; `where` says which values they are."""
    looked_at = 0
    counts = dict.fromkeys(_LOOKS, 0)
    for value in values:
        if looked_at >= MOST_LOOKED_AT:
            break
        looked_at += 1
        for look in _looks(value):
            counts[look] += 1
    for look, count in counts.items():
        if count and (look not in _BY_CHANCE or count >= _OFTEN * looked_at):
            yield f"{_LOOKS[look]}: {grouped(count)} of {grouped(looked_at)} {where}"


def named_like(name: str) -> str | None:
    """Return what a field's name promises, such as `is named like an e-mail address`."""
    words = [word.casefold() for word in _WORDS.findall(name)]
    whole = "".join(words)
    for names, what in _NAMED:
        if whole in names or names & set(words):
            return f"is named like {what}"
    return None


def takes_any_text(node: Mapping[str, Any]) -> bool:
    """Whether a schema lets people's own words through: a text with no list, form or bound."""
    kinds = node.get("type")
    if "string" not in ([kinds] if isinstance(kinds, str) else kinds or ()):
        return False
    if any(word in node for word in ("enum", "const", "pattern", "format", "$ref", "allOf")):
        return False
    longest = node.get("maxLength")
    return not isinstance(longest, int | float) or longest > _LONGEST_SHORT_TEXT


def _looks(value: Any) -> Iterable[str]:
    if type(value) is str:
        return _looks_of_text(value[:_MOST_CHARS])
    if type(value) is int and abs(value) >= _LONG_NUMBER and not _is_time(value):
        return ("id",)
    return ()


def _is_time(value: int) -> bool:
    return _TIMES_MS[0] <= value < _TIMES_MS[1] or _TIMES_S[0] <= value < _TIMES_S[1]


def _looks_of_text(text: str) -> Iterator[str]:
    if len(text) < 3:
        return
    if "@" in text and _MAIL.search(text):
        yield "mail"
    if (text.count(".") >= 3 and _IP4.search(text)) or (text.count(":") >= 2 and _is_ip6(text)):
        yield "ip"
        return
    if "?" in text and _QUERY.search(text):
        yield "url"
    if _is_id(text):
        yield "id"
    elif _is_phone(text):
        yield "phone"
    elif len(text) >= _FREE_CHARS and text.count(" ") >= _FREE_BLANKS:
        yield "text"


def _is_ip6(text: str) -> bool:
    if not _IP6.fullmatch(text.strip("[]")):
        return False
    try:
        ipaddress.IPv6Address(text.strip("[]"))
    except ValueError:
        return False
    return True


def _is_id(text: str) -> bool:
    if _UUID.search(text) or _HEX.fullmatch(text):
        return True
    return bool(_DIGITS.fullmatch(text)) and not _is_time(int(text[:40]))


def _is_phone(text: str) -> bool:
    if not _PHONE.fullmatch(text) or _DATE.match(text):
        return False
    digits = sum(char.isdigit() for char in text)
    return digits >= 8 and (text[0] == "+" or text.startswith("00") or digits < len(text))
