"""The page of jobs: when each ran, how that went, when it is due again, and running one now."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from flask import Blueprint, Flask, abort, redirect, render_template, request

from eventlogging import clock
from eventlogging.console import sign_in, who
from eventlogging.console.parts import Parts
from eventlogging.errors import EventLoggingError
from eventlogging.jobs import claims
from eventlogging.jobs.claims import Claim, Run
from eventlogging.jobs.not_yet import NotYet
from eventlogging.jobs.runner import perform
from eventlogging.jobs.table import JOBS, Every, Job, Monthly, last_day
from eventlogging.platform import Platform
from eventlogging.registry import audit

_WORDS = {"done": "done", "warning": "done, with a warning", "failed": "failed"}
_KINDS = {"done": "valid", "warning": "pending", "failed": "invalid"}
_MOST_LINES = 40
_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Shown:
    """A job and its last run; times are ISO."""

    job: Job
    run: Run | None
    next: str
    is_running: bool
    is_waiting: bool  # given back: its time has not come, or whoever ran it went away

    @property
    def outcome(self) -> str:
        """How the last run went, in words."""
        if self.run is None:
            return "has not run yet"
        if self.is_running:
            return "is running"
        if self.is_waiting:
            return "waits, and is tried again by itself"
        return _WORDS.get(self.run.outcome or "", self.run.outcome or "")

    @property
    def kind(self) -> str:
        """Which colour that has."""
        if self.run is None or self.is_running:
            return "suppressed"
        return "pending" if self.is_waiting else _KINDS.get(self.run.outcome or "", "pending")

    @property
    def duration(self) -> str:
        """How long it took, in words."""
        if self.run is None or self.run.finished_at is None:
            return ""
        took = _seconds(self.run.finished_at) - _seconds(self.run.started_at)
        if took < 120:
            return f"{took:.1f} s"
        return f"{took / 60:.0f} min" if took < 7200 else f"{took / 3600:.1f} h"

    @property
    def detail(self) -> list[str]:
        """What it came to, the first lines."""
        return self.run.detail.splitlines()[:_MOST_LINES] if self.run is not None else []


def register(app: Flask, parts: Parts) -> None:
    """Add the page to the app."""
    pages = Blueprint("jobs", __name__)

    @pages.get("/jobs")
    def show() -> str:
        return _show(parts)

    @pages.post("/jobs/<name>/run")
    def run(name: str) -> Any:
        return _run(parts, name)

    app.register_blueprint(pages)


def _show(parts: Parts, problem: str | None = None) -> str:
    who.require("see_jobs")
    jobs = shown(claims.last_runs(parts.database), clock.now_ms())
    return render_template(
        "jobs.html", jobs=jobs, problem=problem, begun=request.args.get("begun", "")[:64]
    )


def shown(runs: Mapping[str, Run], now_ms: int) -> list[Shown]:
    """Return all jobs, those that failed first."""
    now = clock.iso(now_ms)
    found = []
    for job in JOBS:
        run = runs.get(job.name)
        is_open = run is not None and run.finished_at is None
        is_waiting = is_open and run is not None and run.lease_until < now
        found.append(Shown(job, run, _next(job, now_ms), is_open and not is_waiting, is_waiting))
    return sorted(found, key=lambda one: one.kind != "invalid")


def _next(job: Job, now_ms: int) -> str:
    """Return when a job is due next, ISO."""
    midnight = now_ms - now_ms % clock.DAY_MS
    if isinstance(job.trigger, Every):
        step = job.trigger.minutes * 60_000
        return clock.iso(now_ms - (now_ms - midnight) % step + step)
    if isinstance(job.trigger, Monthly):
        return clock.iso(job.trigger.next_at(now_ms))
    at = midnight + (job.trigger.hour * 60 + job.trigger.minute) * 60_000
    return clock.iso(at if at > now_ms else at + clock.DAY_MS)


def _slot(job: Job, now_ms: int) -> str:
    """Return the run that “now” stands for: yesterday's, or that of the last moment due."""
    if isinstance(job.trigger, Every | Monthly):
        return job.slot(job.trigger.due(now_ms)[-1])
    return job.slot(last_day(now_ms))


def _run(parts: Parts, name: str) -> Any:
    sign_in.check_csrf()
    person = who.require("run_jobs")
    job = next((job for job in JOBS if job.name == name), None)
    if job is None:
        abort(404, f"No job is named {name!r}. The page of jobs lists all there are.")
    slot = _slot(job, clock.now_ms())
    claim = claims.claim(parts.database, job.name, slot, again=True)
    if claim is None:
        return _show(parts, f"{job.name} for {slot} is running already."), 409
    with parts.database.write() as connection:
        audit.record(connection, person.email, "run_job", job.name, {"for": slot})
    # The claim is a lease: should this process end before the job does, the scheduler takes over.
    thread = threading.Thread(
        target=_perform, args=(cast(Platform, parts), job, claim), name=f"job-{job.name}",
        daemon=True,
    )  # fmt: skip
    thread.start()
    return redirect(f"/jobs?begun={job.name}", 303)


def _perform(platform: Platform, job: Job, claim: Claim) -> None:
    try:
        perform(platform, job, claim)
    except (EventLoggingError, NotYet) as error:
        _logger.warning("%s for %s has to wait: %s", job.name, claim.slot, error)


def _seconds(iso: str) -> float:
    return datetime.fromisoformat(iso).timestamp()
