"""The intake's addresses with the methods each takes: for the collector, and for what lists them.

HEAD is taken where GET is, and OPTIONS everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping

EVENTS = "/v1/events"
TEST_EVENTS = "/v1/_test/events"
BEACON = "/beacon/event"
FORWARD = "/v1/forward"
FORWARD_REGISTRY = "/v1/forward/registry"
EDGE = "/v1/edge"
WSAPI_CONTEXT = "/wsapi/session_context"
WSAPI_DATA = "/wsapi/interaction_data"
HEALTHZ = "/healthz"
READYZ = "/readyz"

METHODS: Mapping[str, tuple[str, ...]] = {
    EVENTS: ("POST",),
    TEST_EVENTS: ("GET",),
    BEACON: ("GET", "POST"),
    FORWARD: ("POST",),
    FORWARD_REGISTRY: ("GET",),
    EDGE: ("POST",),
    WSAPI_CONTEXT: ("GET",),
    WSAPI_DATA: ("POST",),
    HEALTHZ: ("GET",),
    READYZ: ("GET",),
}


def takes(path: str, method: str) -> bool:
    """Whether an address of the intake takes a method."""
    return (method if method != "HEAD" else "GET") in METHODS[path]


def allowed(path: str) -> str:
    """Return the methods of an address as `Allow` lists them."""
    return ", ".join((*METHODS[path], "OPTIONS"))
