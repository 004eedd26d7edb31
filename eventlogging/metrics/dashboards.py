"""What a schema's figures look like in Graphite: render URLs, and a dashboard of them all."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode

from eventlogging.registry.model import RegisteredSchema

_COLOURS = {"valid": "#0a7d76", "invalid": "#c8401a", "duplicate": "#7a6f8f"}


def render_url(base: str, prefix: str, schema: RegisteredSchema) -> str:
    """Return the address of a schema's chart: valid, invalid and duplicate events a minute."""
    return f"{base.rstrip('/')}/render?{urlencode(_graph(prefix, schema), doseq=True)}"


def dashboard(prefix: str, schemas: Iterable[RegisteredSchema]) -> dict[str, Any]:
    """Return a dashboard of graphite-web, one chart for each schema, then the loader's lag."""
    graphs: list[Any] = []
    for schema in schemas:
        graph = _graph(prefix, schema)
        graphs.append([graph["target"], {**graph, "title": schema.name}, ""])
    lag = {"target": [f"{prefix}.lag_seconds"], "title": "Lag of the loader, seconds"}
    graphs.append([lag["target"], lag, ""])
    return {
        "name": "EventLogging",
        "timeConfig": {"type": "relative", "relativeStartUnits": "days",
                       "relativeStartQuantity": "1", "relativeUntilUnits": "now"},
        "refreshConfig": {"enabled": True, "interval": 60000},
        "graphSize": {"width": 600, "height": 250},
        "defaultGraphParams": {"from": "-24hours", "until": "now"},
        "graphs": graphs,
    }  # fmt: skip


def _graph(prefix: str, schema: RegisteredSchema) -> dict[str, Any]:
    paths = {outcome: f"{prefix}.schema.{schema.stem}.{outcome}" for outcome in _COLOURS}
    return {
        "target": [f'alias({path},"{outcome}")' for outcome, path in paths.items()],
        "colorList": ",".join(_COLOURS.values()),
        "title": schema.name,
        "vtitle": "events a minute",
        "yMin": 0,
        "from": "-24hours",
        "width": 800,
        "height": 300,
    }
