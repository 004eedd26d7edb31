"""Read the figures that rules are held against: from the ledger, the log and the disk."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from socket import gethostname

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.alerts.figures import Counts, Figures, JobState, ProofRun, Spans
from eventlogging.alerts.growth import Samples
from eventlogging.alerts.rules import CANARY, VERIFY, Rule
from eventlogging.event import Outcome
from eventlogging.ledger.lag import Lag, read_lag
from eventlogging.ledger.reading import lines_of_truth
from eventlogging.metrics.figures import free_bytes
from eventlogging.platform import Platform
from eventlogging.registry.model import RegisteredSchema
from eventlogging.store.fixed import job_run, ledger, table_day

_MINUTE_MS = 60_000
_WEEK_MS = 7 * clock.DAY_MS
_ALERTS = "alerts"  # the job that asks for this, each minute; its runs are kept for a day
_PROOF_DAYS = 40  # a host whose newest run is older is gone
_BEHIND_SECONDS = 120
_SETTLING_MS = 2 * _MINUTE_MS  # in which what was sent gets its outcome
_BREAK_MS = 10 * _MINUTE_MS  # without a look; a look that takes minutes is none
_HOUR_MS = 60 * _MINUTE_MS
# A span of silence, in minutes, and every how many minutes it is looked at. Long spans are long
# to add up, and a minute more or less does not matter to them.
_SPANS = ((60, 5), (360, 15), (1440, 60))
_VOLUME_AT = 5  # minutes after the hour, and each quarter of an hour after that


def read_figures(
    platform: Platform, rules: Sequence[Rule], jobs: Sequence[JobState] = (), *,
    watched: Iterable[str] = (),
) -> Figures:  # fmt: skip
    """Return the figures that these rules need. Raises StoreUnavailable, and OSError of the log.

    `watched` are schemas with an open alert of silence, which are looked at each time.
    """
    now = clock.now_ms()
    end = now - now % _MINUTE_MS  # whole minutes alone
    by_kind: dict[str, list[Rule]] = defaultdict(list)
    for rule in rules:
        by_kind[rule.kind].append(rule)
    with platform.database.read() as connection:
        lag = read_lag(connection, platform.log_folder)
        percent, what = platform.database.dialect.used_percent(connection)
        return Figures(
            now_ms=now,
            windows={
                minutes: _window(connection, end - minutes * _MINUTE_MS, end)
                for minutes in _windows(by_kind["throughput"] + by_kind["invalid"])
            },
            residual={
                minutes: _residual(connection, end - _SETTLING_MS, minutes)
                for minutes in _windows(by_kind["unexplained"])
            },
            heard=_heard(connection, platform.registry.snapshot.schemas, by_kind["silent"], end),
            rhythm=_rhythm(connection, by_kind["rhythm"], end, bool(set(watched))),
            volume=_volume(connection, by_kind["volume"], end),
            hour=clock.minute(_hour_before(end)),
            behind=(lag.age_seconds or 0.0) > _BEHIND_SECONDS,
            jobs=_judged_as_jobs(jobs, by_kind),
            proofs=_proofs(connection, now) if by_kind["certificate"] else None,
            watched_minutes=_watched(connection, now) if by_kind["certificate"] else 0.0,
            database_percent=percent if by_kind["database"] else None,
            database_what=what,
        )


def _judged_as_jobs(
    jobs: Sequence[JobState], by_kind: Mapping[str, Sequence[Rule]]
) -> tuple[JobState, ...]:
    """Return the jobs that the rule about jobs is about: a proof that fails has its own rule."""
    own = (VERIFY, CANARY) if by_kind["certificate"] else ()
    told = [job for job in jobs if not (job.name in own and job.outcome == "failed")]
    return tuple(told) if by_kind["jobs"] else ()


def _proofs(connection: sa.Connection, now_ms: int) -> tuple[ProofRun, ...]:
    c = job_run.c
    query = (
        sa.select(job_run)
        .where(
            c.job.in_((VERIFY, CANARY)),
            c.finished_at >= clock.iso(now_ms - _PROOF_DAYS * clock.DAY_MS),
        )
        .order_by(c.finished_at)
    )
    newest: dict[tuple[str, str], ProofRun] = {}
    for row in connection.execute(query):
        age = (now_ms - datetime.fromisoformat(row.finished_at).timestamp() * 1000) / clock.DAY_MS
        host = row.slot.partition("@")[2]
        newest[row.job, host] = ProofRun(row.job, row.slot, row.outcome or "", row.detail, age)
    return tuple(newest.values())


def _watched(connection: sa.Connection, now_ms: int) -> float:
    """Return for how many minutes alerts have been looked at without a break, at most a day.

    A platform that was off makes good what it missed before anybody is told.
    """
    since = clock.minute(now_ms - clock.DAY_MS)
    query = (
        sa.select(job_run.c.slot)
        .where(job_run.c.job == _ALERTS, job_run.c.slot >= since)
        .order_by(job_run.c.slot.desc())
    )
    first = now_ms
    for slot in connection.execute(query).scalars():
        moment = round(datetime.fromisoformat(f"{slot}+00:00").timestamp() * 1000)
        if first - moment > _BREAK_MS:
            break
        first = moment
    return max(0.0, (now_ms - first) / _MINUTE_MS)


def read_host_figures(platform: Platform, rules: Sequence[Rule]) -> Figures:
    """Return the figures of this host: its log and its disk. Raises as `read_figures`."""
    now = clock.now_ms()
    with platform.database.read() as connection:
        lag = read_lag(connection, platform.log_folder)
    samples = Samples(platform.config.var)
    samples.add(now, platform.log_folder, lag.bytes)
    minutes = _windows([rule for rule in rules if rule.kind == "stored"])
    found = {span: samples.growth(now, span) for span in minutes}
    return Figures(
        now_ms=now,
        host=gethostname()[:48],
        lag_seconds=lag.age_seconds or _oldest_parked(lag, now) or 0.0,
        waiting_bytes=lag.bytes,
        growth={span: growth for span, growth in found.items() if growth is not None},
        free_bytes=free_bytes(platform.log_folder),
    )


def _oldest_parked(lag: Lag, now_ms: int) -> float | None:
    """Seconds for which lines have waited for a table that cannot take them."""
    if not lag.parked:
        return None
    since = min(datetime.fromisoformat(table.since).timestamp() for table in lag.parked)
    return now_ms / 1000 - since


def _windows(rules: Iterable[Rule]) -> list[int]:
    return sorted({int(rule.values["window_minutes"]) for rule in rules})


def _window(connection: sa.Connection, start_ms: int, end_ms: int) -> dict[str, Counts]:
    lines = lines_of_truth(connection, start=clock.minute(start_ms), end=clock.minute(end_ms))
    return {line.schema: Counts(line.valid, line.invalid) for line in lines}


def _residual(connection: sa.Connection, end_ms: int, minutes: int) -> dict[str, int]:
    start = clock.minute(end_ms - minutes * _MINUTE_MS)
    lines = lines_of_truth(connection, start=start, end=clock.minute(end_ms))
    return {line.schema: line.residual for line in lines if line.residual}


def _heard(
    connection: sa.Connection, schemas: Mapping[str, RegisteredSchema], rules: Sequence[Rule],
    end_ms: int,
) -> dict[str, float | None]:  # fmt: skip
    """Return schema → minutes since its last valid event, of those that ever had one."""
    found: dict[str, float | None] = {}
    c = ledger.c
    for rule in rules:
        start = clock.minute(end_ms - int(rule.values["after_minutes"]) * _MINUTE_MS)
        query = sa.select(sa.func.max(c.minute)).where(
            c.minute >= start, c.schema == rule.schema, c.outcome == str(Outcome.VALID),
            c["count"] > 0,
        )  # fmt: skip
        last = connection.execute(query).scalar()
        if last is not None:
            moment = datetime.fromisoformat(f"{last}+00:00").timestamp() * 1000
            found[rule.schema] = max(0.0, (end_ms - _MINUTE_MS - moment) / _MINUTE_MS)
        elif rule.schema in schemas and _had_events(connection, schemas[rule.schema]):
            found[rule.schema] = None
    return found


def _had_events(connection: sa.Connection, schema: RegisteredSchema) -> bool:
    """Whether it ever had a valid event: one that begins late is not silent."""
    tables = {version.table for version in schema.versions.values()}
    query = sa.select(table_day.c.day).where(
        table_day.c.table_name.in_(tables), table_day.c.rows_in > 0
    )
    return connection.execute(query.limit(1)).first() is not None


def _rhythm(
    connection: sa.Connection, rules: Sequence[Rule], end_ms: int, is_watched: bool
) -> dict[int, dict[str, Spans]]:
    if not rules:
        return {}
    minute = end_ms // _MINUTE_MS
    due = [span for span, every in _SPANS if minute % every == 0]
    if is_watched and _SPANS[0][0] not in due:
        due = [_SPANS[0][0]]
    weeks = max(int(rule.values["weeks"]) for rule in rules)
    names = [rule.schema for rule in rules]
    return {
        span: _spans(connection, names, end_ms - span * _MINUTE_MS, end_ms, weeks) for span in due
    }


def _volume(connection: sa.Connection, rules: Sequence[Rule], end_ms: int) -> dict[str, Spans]:
    if not rules or end_ms // _MINUTE_MS % 15 != _VOLUME_AT:
        return {}
    start = _hour_before(end_ms)
    weeks = max(int(rule.values["weeks"]) for rule in rules)
    return _spans(connection, [rule.schema for rule in rules], start, start + _HOUR_MS, weeks)


def _hour_before(ms: int) -> int:
    return ms - ms % _HOUR_MS - _HOUR_MS


def _spans(
    connection: sa.Connection, names: Sequence[str], start_ms: int, end_ms: int, weeks: int
) -> dict[str, Spans]:
    """Return the valid events of schemas in a span, and in the same one of past weeks."""
    counts = [
        _valid(connection, start_ms - back * _WEEK_MS, end_ms - back * _WEEK_MS)
        for back in range(weeks + 1)
    ]
    return {
        name: Spans(counts[0].get(name, 0), tuple(past.get(name, 0) for past in counts[1:]))
        for name in names
    }


def _valid(connection: sa.Connection, start_ms: int, end_ms: int) -> dict[str, int]:
    c = ledger.c
    query = (
        sa.select(c.schema, sa.func.sum(c["count"]))
        .where(
            c.minute >= clock.minute(start_ms), c.minute < clock.minute(end_ms),
            c.outcome == str(Outcome.VALID),
        )
        .group_by(c.schema)
    )  # fmt: skip
    return {str(name): int(number) for name, number in connection.execute(query)}
