"""What is known of a request around its events: who, from where, when, and whether they said no."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Context:
    """`received` is milliseconds since the epoch; `scopes` what the sender's token allows.

    `request_id` is what the sender calls the request, unchecked. `test_key` names the test key
    that the events come with: they are judged, and stay out of every sum and table of production.
    `opted_out_of` are names of schemas that the person said no to, having said yes to others.
    `id_seed` is what ids are made from where events name none, so that the same request, read
    again, gives the same ids.
    """

    received: int
    user_agent: str = ""
    origin: str = ""
    scopes: frozenset[str] = frozenset()
    opted_out: bool = False
    opted_out_of: frozenset[str] = frozenset()
    client: str | None = None
    request_id: str = ""
    test_key: str = ""
    id_seed: str = ""

    @property
    def origin_host(self) -> str | None:
        """The host of the page that sent the event, where the browser says so."""
        _, separator, rest = self.origin.partition("://")
        return rest.partition(":")[0][:255] or None if separator else None
