"""The duties of reports: say each day, and each Monday, what was received. May be done twice."""

from __future__ import annotations

import logging
from datetime import date

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.clock import moved
from eventlogging.jobs.duties import Result
from eventlogging.jobs.not_yet import NotYet
from eventlogging.ledger.sentence import sentence
from eventlogging.platform import Platform
from eventlogging.reports import stored
from eventlogging.reports.days import end_ms, last_days, next_day
from eventlogging.reports.due import Going, week_after
from eventlogging.reports.loaded import not_loaded
from eventlogging.reports.model import Report
from eventlogging.reports.receipts import read_receipts
from eventlogging.reports.send import Sender, send_daily, send_weekly
from eventlogging.reports.validity import compute
from eventlogging.reports.weekly import digest
from eventlogging.reports.words import counted
from eventlogging.retention.policy import read_policies
from eventlogging.retention.standing import going_until, read_standing
from eventlogging.review import roster
from eventlogging.store.database import Database
from eventlogging.store.fixed import ledger

PATIENCE_MS = 6 * 3_600_000  # after a day's end; then its report goes out as things stand
_SUNDAY = 6
_MENDED_DAYS = 7  # so long after, an incomplete report is made again
_logger = logging.getLogger(__name__)


def report_day(platform: Platform, day: str) -> Result:
    """Make the validity report of a day once all of it is loaded, store it, and mail it.

    After six hours it goes out marked incomplete, which makes the run a warning. Of a day that
    is not over, only the figures so far are mailed. Raises NotYet where it has to wait.
    """
    if not _anything(platform, day):
        return Result("done", f"nothing was ever received up to {day}")
    missing = not_loaded(platform.database, platform.log_folder, day)
    is_over = clock.now_ms() >= end_ms(day)
    if missing and is_over and clock.now_ms() < end_ms(day) + PATIENCE_MS:
        raise NotYet(missing)
    report = _compute(platform, day)
    queued = send_daily(_sender(platform), report, _reviewers(platform), final=is_over)
    mails = counted(queued, "mail", "mails")
    if not is_over:
        raise NotYet(f"the day is not over; {mails} with the figures so far queued")
    text = f"{sentence(report.total)}; {mails} queued"
    again = _mend(platform, day)
    if again:
        text += f"; made again, for now all is loaded: {', '.join(again)}"
    if not report.complete:
        _logger.warning("daily-report: %s is incomplete: %s", day, report.note)
        return Result("warning", f"incomplete, {report.note}: {text}")
    return Result("done", text)


def digest_week(platform: Platform, day: str) -> Result:
    """Mail the digest of the seven days up to a Sunday; for other days there is none."""
    if date.fromisoformat(day).weekday() != _SUNDAY:
        return Result("done", f"{day} is no Sunday: a digest tells of the week up to a Sunday")
    if not _anything(platform, day):
        return Result("done", f"nothing was ever received up to {day}")
    week = digest([_stored_or_computed(platform, one) for one in last_days(day, 7)])
    queued = send_weekly(_sender(platform), week)
    return Result("done", f"{sentence(week.total)}; {counted(queued, 'mail', 'mails')} queued")


def _anything(platform: Platform, day: str) -> bool:
    """Whether the house was in use by then: new ones have no past to report."""
    query = sa.select(ledger.c.minute).where(ledger.c.minute < next_day(day)).limit(1)
    with platform.database.read() as connection:
        return connection.execute(query).first() is not None


def _compute(platform: Platform, day: str) -> Report:
    platform.registry.refresh()
    return compute(
        platform.database, platform.registry.snapshot, platform.log_folder, day,
        going=going_by(platform.database, week_after(day)),
        receipts=read_receipts(platform.config.var),
    )  # fmt: skip


def going_by(database: Database, last: str) -> list[Going]:
    """Return what retention deletes or strips up to a day, as the notices to owners say it."""
    with database.read() as connection:
        policies = read_policies(connection)
        stands = read_standing(connection, policies, clock.day(clock.now_ms()))
    return [Going(one.schema, one.rows, one.on) for one in going_until(stands, last)]


def _sender(platform: Platform) -> Sender:
    platform.registry.refresh()
    return Sender(
        platform.database, platform.config, platform.registry.snapshot, platform.session_key
    )


def _reviewers(platform: Platform) -> frozenset[str]:
    with platform.database.read() as connection:
        return frozenset(one.email for one in roster.roster(connection))


def _mend(platform: Platform, day: str) -> list[str]:
    """Make reports again that went out incomplete, where all is loaded now; nothing is mailed."""
    with platform.database.read() as connection:
        days = stored.incomplete_days(connection, moved(day, -_MENDED_DAYS))
    mended = []
    for one in days:
        if one != day and not_loaded(platform.database, platform.log_folder, one) is None:
            report = _compute(platform, one)
            with platform.database.write() as connection:
                stored.keep(connection, report)
            mended.append(one)
    return mended


def _stored_or_computed(platform: Platform, day: str) -> Report:
    with platform.database.read() as connection:
        report = stored.read(connection, day)
    return report or _compute(platform, day)
