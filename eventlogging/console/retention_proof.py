"""What the newest pass and the newest checks of retention came to, by their receipts and runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import sqlalchemy as sa

from eventlogging.jobs.claims import WORST, Run
from eventlogging.receipts import chain
from eventlogging.receipts.chain import BrokenChain, Receipt
from eventlogging.retention.plan import TABLES
from eventlogging.store.fixed import job_run

PASS, CERTIFICATE, CANARY = "retention", "retention-verify", "opt-out-canary"  # jobs
_DAY = len("2026-11-22")  # with which the name of a daily run begins; a host's follows
_FORGETTING = {"purge": "deleted", "scrub": "stripped"}  # kind of receipt → what it did to rows
_NOTHING = "nothing to try yet"  # as such a run says it
_WORDS = {"done": "found nothing wrong", "warning": "ended with a warning",
          "failed": "found something wrong"}  # fmt: skip


@dataclass(frozen=True)
class Pass:
    """A pass over the tables, with what went of this host's log since the one before.

    `rows` maps what was done to how many rows; None where another host did it, whose receipts
    say that. `days` of the log were deleted as a whole.
    """

    at: str
    rows: Mapping[str, int] | None
    days: int


@dataclass(frozen=True)
class Receipts:
    """This host's receipts: how many there are, the digest of the newest, what they say.

    `tables` is the last pass over the tables; `log_days` went in the newest pass of any kind.
    """

    number: int = 0
    digest: str = ""
    trouble: str = ""
    tables: Pass | None = None
    log_days: int = 0


@dataclass(frozen=True)
class Check:
    """The newest run of a job that checks. `kind` is the colour of its outcome."""

    job: str
    at: str | None
    outcome: str | None
    detail: str = ""

    @property
    def words(self) -> str:
        """How it went."""
        if self.at is None:
            return "has not run yet"
        if self.outcome == "done" and self.detail.startswith(_NOTHING):
            return _NOTHING
        return _WORDS.get(self.outcome or "", "is running")

    @property
    def kind(self) -> str:
        """Which colour that has."""
        if self.at is None or self.outcome is None or self.words == _NOTHING:
            return "suppressed"
        return {"done": "valid", "warning": "pending"}.get(self.outcome, "invalid")


def read_receipts(folder: Path) -> Receipts:
    """Return what the receipts say; they are read anew when the file changed."""
    try:
        found = (folder / chain.FILE).stat()
    except FileNotFoundError:
        return Receipts()
    except OSError as error:
        return Receipts(trouble=str(error))
    return _receipts(folder, found.st_mtime_ns, found.st_size)


# Anybody may ask for the page, and a chain of years takes a while to read.
@lru_cache(maxsize=4)
def _receipts(folder: Path, changed: int, size: int) -> Receipts:
    try:
        every = chain.read(folder)
    except (BrokenChain, OSError) as error:
        return Receipts(trouble=str(error))
    if not every:
        return Receipts()
    passes = [at for at, one in enumerate(every) if one.kind == "pass"]
    over_tables = [at for at in passes if _is_over_tables(every[at])]
    days = _log_days(_before_last(every, passes))
    return Receipts(every[-1].number, every[-1].digest, "", _over_tables(every, over_tables), days)


def last_pass(connection: sa.Connection, receipts: Receipts) -> Pass | None:
    """Return the newest pass over the tables, whichever host did it; None where there was none.

    Raises StoreUnavailable.
    """
    c = job_run.c
    query = (
        sa.select(c.started_at, c.finished_at)
        .where(c.job == PASS, c.outcome.in_(("done", "warning")))
        .order_by(c.finished_at.desc())
        .limit(1)
    )
    run, own = connection.execute(query).first(), receipts.tables
    if run is None:
        return own
    if own is None or own.at < run.started_at:
        return Pass(run.finished_at, None, receipts.log_days)
    return Pass(max(own.at, run.finished_at), own.rows, own.days)


def read_check(connection: sa.Connection, job: str) -> Check:
    """Return what the runs of the newest day came to: the worst of all hosts.

    Raises StoreUnavailable.
    """
    c = job_run.c
    newest = connection.execute(sa.select(sa.func.max(c.slot)).where(c.job == job)).scalar()
    if newest is None:
        return Check(job, None, None)
    query = sa.select(job_run).where(c.job == job, c.slot >= newest[:_DAY])
    run = min((Run(**row) for row in connection.execute(query).mappings()), key=_badness)
    return Check(job, run.finished_at or run.started_at, run.outcome, run.detail)


def _badness(run: Run) -> tuple[int, bool]:
    return WORST.index(run.outcome), run.detail.startswith(_NOTHING)


def _is_over_tables(receipt: Receipt) -> bool:
    # Older receipts do not say what was looked for.
    return any(kind in TABLES for kind in receipt.body.get("kinds", TABLES))


def _over_tables(every: Sequence[Receipt], passes: Sequence[int]) -> Pass | None:
    """Return what the last of these passes did, with all since the one before."""
    if not passes:
        return None
    rows: dict[str, int] = {}
    found = _before_last(every, passes)
    for one in found:
        if word := _FORGETTING.get(one.kind):
            gone = int(one.body.get("rows_before", 0)) - int(one.body.get("rows_after", 0))
            rows[word] = rows.get(word, 0) + gone
    return Pass(every[passes[-1]].at, rows, _log_days(found))


def _before_last(every: Sequence[Receipt], passes: Sequence[int]) -> Sequence[Receipt]:
    """Return the receipts before the last of these passes, back to the one before."""
    if not passes:
        return ()
    return every[passes[-2] if len(passes) > 1 else 0 : passes[-1]]


def _log_days(receipts: Sequence[Receipt]) -> int:
    of_log = [one for one in receipts if one.kind == "log" and one.body.get("what") != "blanked"]
    return sum(len(one.body.get("days", ())) for one in of_log)
