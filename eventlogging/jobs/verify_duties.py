"""The duties of proof: the certificate of what is kept, and the canary that opted out.

Both only look, and may be done twice.
"""

from __future__ import annotations

import logging

import sqlalchemy as sa

from eventlogging.config import Config
from eventlogging.jobs.duties import Result
from eventlogging.platform import Platform
from eventlogging.store.fixed import ledger
from eventlogging.verify import canary
from eventlogging.verify.examine import examine
from eventlogging.verify.sending import answers

_EVERYWHERE = frozenset({"0.0.0.0", "::", ""})  # noqa: S104
_logger = logging.getLogger(__name__)


def verify_retention(platform: Platform, day: str) -> Result:
    """Prove that nothing is left which no rule explains: database, log, backups, receipts.

    Shares no code with what deletes. A finding makes the run failed.
    """
    certificate = examine(platform)
    if certificate.is_clean:
        return Result("done", certificate.sentence)
    for one in certificate.findings:
        _logger.warning("retention-verify: %s", one.sentence)
    lines = [f"{one.sentence} ({one.mend})" for one in certificate.findings]
    return Result("failed", "\n".join([certificate.sentence, *lines]))


def fly_canary(platform: Platform, day: str) -> Result:
    """Send by every route as somebody who opted out, and search everything for traces of it.

    Begins on the day after the first event: nothing is sent into an installation that nobody uses.
    """
    first = _first_day(platform)
    if first is None or first > day:
        return Result(
            "done",
            f"nothing to try yet: no event had come by the end of {day}; the canary begins later",
        )
    schema = canary.public_schema(platform)
    if schema is None:
        return Result("done", "nothing to try yet: no schema is public, that just anybody may send")
    tried = addresses(platform.config)
    url = next((one for one in tried if answers(one)), None)
    if url is None:
        # Whether servers answer, others watch; here nothing was found, and nothing proved.
        return Result("warning", f"no server answers at {' or '.join(tried)}; nothing was tried")
    flight = canary.fly(platform, schema, url)
    return Result("done" if flight.is_clean else "failed", flight.sentence)


def addresses(config: Config) -> list[str]:
    """Return where this host's own server should answer, and then where people reach one."""
    host, port = config.address
    if host in _EVERYWHERE:
        host = "127.0.0.1" if host != "::" else "::1"
    own = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    return list(dict.fromkeys([own, config.url]))


def _first_day(platform: Platform) -> str | None:
    with platform.database.read() as connection:
        found = connection.execute(sa.select(sa.func.min(ledger.c.minute))).scalar()
    return str(found)[:10] if found else None
