"""`check_eventlogging`: the plugin for Icinga and Nagios; asks a server over HTTP alone."""

from __future__ import annotations

import argparse
import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import nagiosplugin
from prometheus_client.parser import text_string_to_metric_families

_TIMEOUT = 10
_RECENT_SECONDS = 900
_VERIFY = "retention-verify"


class Health(nagiosplugin.Resource):
    """What a server says of itself: readiness, lag, refused share, room, jobs, certificate."""

    name = "EVENTLOGGING"

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    def probe(self) -> Iterator[nagiosplugin.Metric]:
        try:
            ready = self._is_ready()
            values, jobs, certificate = self._metrics()
        except OSError:  # nobody answers, or not in time
            ready, values, jobs, certificate = False, {}, 0, None
        yield nagiosplugin.Metric("ready", 1 if ready else 0, min=0, max=1)
        yield nagiosplugin.Metric("database", values.get("database_up", 0), min=0, max=1)
        if not values.get("database_up"):
            return
        yield nagiosplugin.Metric("lag", round(values["lag_seconds"], 1), "s", min=0)
        yield nagiosplugin.Metric("unexplained", int(values["events_unexplained"]))
        yield nagiosplugin.Metric("parked", int(values["parked_lines"]), min=0)
        yield nagiosplugin.Metric("free", int(values["log_free_bytes"]), "B", min=0)
        yield nagiosplugin.Metric("failed_jobs", jobs, min=0)
        if certificate is not None:
            yield nagiosplugin.Metric("certificate", certificate, min=0)
        yield nagiosplugin.Metric("invalid", self._invalid_share(), "%", min=0, max=100)

    def _is_ready(self) -> bool:
        try:
            return self._get("/readyz").status == 200
        except urllib.error.HTTPError:
            return False

    def _metrics(self) -> tuple[dict[str, float], int, float | None]:
        """Return the figures without labels, how many jobs failed at their last run, and how many
        days ago the last clean certificate was made (None: there is none yet).
        """
        text = self._get("/metrics").read().decode()
        values: dict[str, float] = {}
        last: dict[str, dict[str, float]] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                name = sample.name.removeprefix("eventlogging_")
                if not sample.labels:
                    values[name] = sample.value
                elif "job" in sample.labels:
                    last.setdefault(sample.labels["job"], {})[name] = sample.value
        failed = sum(
            times.get("job_last_failure_timestamp_seconds", 0)
            > times.get("job_last_success_timestamp_seconds", 0)
            for times in last.values()
        )
        clean = last.get(_VERIFY, {}).get("job_last_success_timestamp_seconds", 0)
        days = round((time.time() - clean) / 86_400, 2) if clean else None
        return values, failed, days

    def _invalid_share(self) -> float:
        start = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - _RECENT_SECONDS))
        total = json.load(self._get(f"/v1/ledger?start={start}"))["total"]
        return round(100 * total["invalid"] / total["sent"], 2) if total["sent"] else 0.0

    def _get(self, path: str) -> Any:
        return urllib.request.urlopen(f"{self._url}{path}", timeout=_TIMEOUT)  # noqa: S310


class Words(nagiosplugin.Summary):
    """One line that says what matters."""

    def ok(self, results: nagiosplugin.Results) -> str:
        lag = results["lag"].metric
        return f"ready, lag {lag.valueunit}, 0 unexplained" if lag else "ready"

    def problem(self, results: nagiosplugin.Results) -> str:
        return ", ".join(str(result) for result in results.most_significant)


@nagiosplugin.guarded
def main() -> None:
    """Check a server: exit 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN."""
    parser = argparse.ArgumentParser(
        "check_eventlogging", description="Check an EventLogging server, for Icinga and Nagios."
    )
    add = parser.add_argument
    add("--url", default="http://127.0.0.1:8080", help="the server's address")
    for name, warning, critical, what in (
        ("lag", "60", "300", "seconds that the oldest event waits to be loaded"),
        ("invalid", "5", "20", "percent refused in the last 15 minutes"),
        ("free", "5000000000:", "1000000000:", "bytes free on the log's disk"),
        ("parked", "0", "100000", "lines whose table is in trouble"),
        ("failed-jobs", "0", "5", "jobs whose last run failed"),
        ("certificate", "2", "7", "days since a certificate that nothing is kept too long"),
    ):
        add(f"--{name}-warning", default=warning, metavar="RANGE", help=f"{what}; {warning}")
        add(f"--{name}-critical", default=critical, metavar="RANGE", help=critical)
    asked = parser.parse_args()
    scalar = nagiosplugin.ScalarContext

    def context(name: str, option: str | None = None) -> nagiosplugin.ScalarContext:
        option = option or name
        return scalar(
            name, getattr(asked, f"{option}_warning"), getattr(asked, f"{option}_critical")
        )

    nagiosplugin.Check(
        Health(asked.url),
        scalar("ready", critical="1:1", fmt_metric="{valueunit} of 1 ready"),
        scalar("database", critical="1:1", fmt_metric="{valueunit} of 1 database answers"),
        scalar("unexplained", critical="0:0", fmt_metric="{valueunit} unexplained events"),
        context("lag"),
        context("invalid"),
        context("free"),
        context("parked"),
        context("failed_jobs"),
        context("certificate"),
        Words(),
    ).main(timeout=30)


if __name__ == "__main__":
    main()
