"""Look at everything, and certify that nothing is left which no rule explains."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.errors import StoreUnavailable
from eventlogging.platform import Platform
from eventlogging.receipts import chain
from eventlogging.verify import ages, books, catalogue, files, receipts, rules, stripped
from eventlogging.verify.certificate import Certificate, Finding


def examine(platform: Platform, *, today: date | None = None, grace_days: int = 1) -> Certificate:
    """Look at the database's catalogue, its rows, the log, the backups and the receipts.

    A day of grace: what is due goes once a day. Deletes and changes nothing. Raises
    StoreUnavailable; whatever else cannot be looked at is a finding.
    """
    look = _Look(platform, today or date.fromisoformat(clock.day(clock.now_ms())), grace_days)
    look.at_everything()
    return Certificate(clock.iso(clock.now_ms()), tuple(look.findings), look.looked)


class _Look:
    """One look at everything, with what it finds."""

    def __init__(self, platform: Platform, today: date, grace_days: int) -> None:
        self._platform = platform
        self._database = platform.database
        self._today = today
        self._grace = grace_days
        self.findings: list[Finding] = []
        self.looked: dict[str, int] = {}

    def at_everything(self) -> None:
        with self._database.read() as connection:
            known = rules.read_rules(connection)
            there = catalogue.read_catalogue(connection)
        self.looked["tables"] = len(there.tables)
        today, grace, looked = self._today, self._grace, self.looked
        self._database_check("the catalogue", lambda c: catalogue.unexplained(c, there, known))
        self._database_check(
            "the age of rows", lambda c: ages.old_rows(c, there, known, today, grace, looked)
        )
        self._database_check("drills", lambda c: catalogue.left_of_drills(c, grace))
        self._database_check("the age of rows", lambda c: ages.passing_rows(c, today))
        database = self._database
        self._check(
            "stripped tables", lambda: stripped.wrong_content(database, there, known, looked)
        )
        self._database_check("aggregates", lambda c: books.small_cells(c, known, looked))
        self._database_check("keys", lambda c: books.standing_keys(c, there, known, today, looked))
        self._files(known)
        self._receipts(there, known)

    def _files(self, known: rules.Rules) -> None:
        config, log = self._platform.config, self._platform.log_folder
        today, grace, looked = self._today, self._grace, self.looked
        keep = config.log_keep_days
        self._check("the log", lambda: files.old_log(log, known, keep, today, grace, looked))
        self._check("the log", lambda: files.unsealed_lines(log, known, today, grace, looked))
        keep_backups = config.backup_keep_days
        self._check(
            "backups",
            lambda: files.old_backups(config.var, known, keep_backups, today, grace, looked),
        )
        url = sa.engine.make_url(config.effective_database_url)
        self._check("the data folder", lambda: files.unknown_files(config.var, url, looked))

    def _receipts(self, there: catalogue.Catalogue, known: rules.Rules) -> None:
        folder = chain.folder_of(self._platform.config.var)
        found, wrong = receipts.read_receipts(folder, self.looked)
        erasures, unclear = receipts.erasures_of(found, clock.now_ms(), self._grace)
        self.findings += [*wrong, *unclear]
        self.looked["erasures"] = len(erasures)
        self._check(
            "what was erased",
            lambda: receipts.back_in_tables(self._database, there, known, erasures),
        )
        self._check(
            "what was erased",
            lambda: receipts.back_in_log(self._platform.log_folder, known, erasures),
        )

    def _database_check(
        self, what: str, look: Callable[[sa.Connection], Iterable[Finding]]
    ) -> None:
        def found() -> list[Finding]:
            with self._database.read() as connection:
                return list(look(connection))

        self._check(what, found)

    def _check(self, what: str, look: Callable[[], Iterable[Finding]]) -> None:
        """Take what a check finds; what cannot be looked at is not certified."""
        try:
            self.findings += look()
        except StoreUnavailable:
            raise
        except Exception as error:
            text = f"cannot be looked at: {type(error).__name__}: {error}"
            self.findings.append(Finding("unseen", what, text, "mend what the message names"))
