"""The capsule around an event, as the JSON that its log line holds."""

from __future__ import annotations

import orjson

from eventlogging.intake.context import Context
from eventlogging.intake.envelope import Envelope
from eventlogging.intake.useragent import AGENT_LIMIT, coarse
from eventlogging.registry.model import RegisteredSchema

_MOST_KNOWN = 20_000
_Key = tuple[str | None, str | None, str, float, str | None]


class Capsules:
    """Makes capsules and remembers them, for few differ; a User-Agent header is parsed once."""

    def __init__(self) -> None:
        self._known: dict[_Key, orjson.Fragment] = {}

    def of(
        self, envelope: Envelope, context: Context, schema: RegisteredSchema | None
    ) -> orjson.Fragment:
        """Return the capsule's fields, by the names of their columns, as JSON."""
        rate = envelope.sample_rate
        if schema is not None and schema.sampling_rate < rate:
            rate = schema.sampling_rate
        key = (
            envelope.host or (context.origin_host if context.origin else None),
            envelope.wiki,
            context.user_agent[:AGENT_LIMIT],  # not what a client pleases, for it is remembered
            rate,
            envelope.client or context.client,
        )
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            known = self._known[key] = _made(*key)
        return known


def _made(
    host: str | None, wiki: str | None, user_agent: str, rate: float, client: str | None
) -> orjson.Fragment:
    agent = coarse(user_agent)
    return orjson.Fragment(
        orjson.dumps(
            {
                "host": host,
                "wiki": wiki,
                "user_agent_browser": agent.browser,
                "user_agent_major": agent.major,
                "user_agent_os": agent.os,
                "user_agent_device": agent.device,
                "user_agent_is_bot": agent.is_bot,
                "sample_rate": rate,
                "client": client,
            }
        )
    )
