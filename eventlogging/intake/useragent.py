"""The coarse user agent of a sender; the raw header is never kept."""

from __future__ import annotations

import re
from typing import NamedTuple

from ua_parser import parse

_BOT = re.compile(r"bot\b|crawl|spider|slurp|^curl/|^wget/|python|^go-http|^java/|headless", re.I)
_CUT = 64
AGENT_LIMIT = 1000  # characters; longer ones are crafted to be slow to parse


class UserAgent(NamedTuple):
    """What the capsule keeps; None where nothing was said or recognised."""

    browser: str | None = None
    major: str | None = None
    os: str | None = None
    device: str | None = None
    is_bot: bool | None = None


def coarse(header: str) -> UserAgent:
    """Return the coarse form of a User-Agent header."""
    if not header:
        return UserAgent()
    header = header[:AGENT_LIMIT]
    result = parse(header)
    device = result.device.family[:_CUT] if result.device else None
    return UserAgent(
        browser=result.user_agent.family[:_CUT] if result.user_agent else None,
        major=(result.user_agent.major or "")[:16] or None if result.user_agent else None,
        os=result.os.family[:_CUT] if result.os else None,
        device=device,
        is_bot=device == "Spider" or bool(_BOT.search(header)),
    )
