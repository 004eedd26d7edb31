"""What the collector's config says of sampling: asked once a minute, never relied upon."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from eventlogging_client.wire import Trouble, Wire

_FRESH = 60.0
_WAIT = 2.0  # for an answer: the collector samples for us, events need not wait for long
_MOST_BYTES = 8_000_000


class Rates:
    """The sampling rates in force, as far as they are known."""

    def __init__(self) -> None:
        self._rates: Mapping[str, float] = {}
        self._etag = ""
        self._asked: float | None = None

    @property
    def asked(self) -> bool:
        """Whether the collector was asked yet, with or without success."""
        return self._asked is not None

    def stale(self) -> bool:
        """Whether it is time to ask."""
        return self._asked is None or time.monotonic() - self._asked >= _FRESH

    def of(self, schema: str) -> float:
        """The rate of a schema's sample; 1 where none is known, and the collector samples."""
        return self._rates.get(schema, 1.0)

    def read(self, wire: Wire) -> str:
        """Ask the collector; return what went wrong, if anything. What was known stays."""
        try:
            headers = {"If-None-Match": self._etag} if self._etag else {}
            reply = wire.request("GET", "/v1/config", headers=headers, timeout=_WAIT)
            if reply.status == 304:
                return ""
            if reply.status != 200:
                return f"HTTP {reply.status}"
            self._rates = _rates_in(json.loads(reply.body[:_MOST_BYTES]))
            self._etag = reply.headers.get("etag", "")
        except (Trouble, ValueError, RecursionError) as error:
            return str(error) or type(error).__name__
        finally:
            self._asked = time.monotonic()
        return ""


def _rates_in(config: Any) -> Mapping[str, float]:
    """Return the rates below 1; what makes no sense is left to the collector."""
    schemas = config.get("schemas") if isinstance(config, dict) else None
    if not isinstance(schemas, dict):
        raise ValueError("it names no schemas")
    rates = {}
    for name, known in schemas.items():
        sampling = known.get("sampling") if isinstance(known, dict) else None
        rate = sampling.get("rate") if isinstance(sampling, dict) else None
        if isinstance(rate, (int, float)) and not isinstance(rate, bool) and 0 <= rate < 1:
            rates[name] = float(rate)
    return rates
