"""`/metrics`: the figures for Prometheus."""

from __future__ import annotations

import logging

from flask import Flask, Response

from eventlogging.console.parts import Parts
from eventlogging.errors import StoreUnavailable
from eventlogging.metrics import prometheus
from eventlogging.metrics.figures import Figures, Reader

_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_logger = logging.getLogger(__name__)


def register(app: Flask, parts: Parts) -> None:
    """Add the route; its reader remembers what is settled."""
    reader = Reader(parts.database, parts.config.var / "log")

    def read() -> Figures | None:
        try:
            return reader.read()
        except StoreUnavailable as error:
            _logger.warning("metrics without a database: %s", error)
            return None

    @app.get("/metrics")
    def metrics() -> Response:
        return Response(prometheus.text(read), content_type=_TYPE)
