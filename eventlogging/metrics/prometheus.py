"""The figures as Prometheus reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from eventlogging.ledger.reading import OUTCOMES, SENT
from eventlogging.metrics.figures import Figures


def text(read: Callable[[], Figures | None]) -> bytes:
    """Return the exposition of what `read` gives; None: the database does not answer."""
    registry = CollectorRegistry()
    registry.register(_Once(read()))
    return generate_latest(registry)


class _Once(Collector):
    def __init__(self, figures: Figures | None) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        up = 0 if self._figures is None else 1
        yield _gauge("database_up", "Whether the database answered just now", up)
        if self._figures is not None:
            yield from _families(self._figures)


def _families(figures: Figures) -> Iterator[Metric]:
    events = CounterMetricFamily(
        "eventlogging_events",
        "Events by schema and what became of them; sent is the sum of the others and of pending",
        labels=("schema", "outcome"),
    )
    pending = GaugeMetricFamily(
        "eventlogging_events_pending", "Events that wait for their table", labels=("schema",)
    )
    for line in figures.lines:
        for outcome in (SENT, *OUTCOMES):
            events.add_metric((line.schema, outcome), getattr(line, outcome))
        pending.add_metric((line.schema,), line.pending)
    yield events
    yield pending
    lag = figures.lag
    yield _gauge("events_unexplained", "Events sent and not accounted for: 0", figures.residual)
    yield _gauge("lag_seconds", "Age of the oldest event not loaded yet", lag.age_seconds or 0)
    yield _gauge("log_waiting_bytes", "Bytes of the log not loaded yet", lag.bytes)
    yield _gauge("log_free_bytes", "Free bytes on the log's disk", figures.free_bytes)
    yield _gauge("parked_lines", "Lines whose table is in trouble", lag.parked_lines)
    success = GaugeMetricFamily(
        "eventlogging_job_last_success_timestamp_seconds", "Last success", labels=("job",)
    )
    failure = GaugeMetricFamily(
        "eventlogging_job_last_failure_timestamp_seconds", "Last failure", labels=("job",)
    )
    for name, state in sorted(figures.jobs.items()):
        success.add_metric((name,), state.succeeded_at)
        failure.add_metric((name,), state.failed_at)
    yield success
    yield failure
    mails = GaugeMetricFamily("eventlogging_mails", "Mails by state", labels=("state",))
    for state_of, number in sorted(figures.mails.items()):
        mails.add_metric((state_of,), number)
    yield mails


def _gauge(name: str, help: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"eventlogging_{name}", help, value=value)
