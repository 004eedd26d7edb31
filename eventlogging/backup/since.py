"""Which receipts a restore goes through again: those that a backup does not know."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from eventlogging import clock
from eventlogging.backup.model import Backup, BackupError
from eventlogging.receipts import chain
from eventlogging.receipts.chain import Receipt

_CLOCKS_MS = 3_600_000  # by which the clocks of two hosts may differ


@dataclass(frozen=True)
class Since:
    """The receipts since a backup, the oldest first.

    `by_time`: the chain here is not the one that the backup was made beside, so that its numbers
    say nothing.
    """

    receipts: tuple[Receipt, ...]
    by_time: bool = False


def receipts_since(var: Path, backup: Backup) -> Since:
    """Return the receipts of this data folder that are younger than a backup.

    Each host has a chain of its own, and one that was lost is begun anew: the number of the
    backup's newest receipt counts where the receipt of that number here is that very one.
    Elsewhere the time of receipts counts, and not all are taken: a hold that was lifted long
    before the backup may have been placed again by another host.

    Raises BackupError where the chain is broken.
    """
    folder = chain.folder_of(var)
    try:
        receipts = chain.read(folder)
    except chain.BrokenChain as error:
        raise BackupError(
            f"{error}; what was erased since the backup cannot be told. Mend or put back "
            f"{folder / chain.FILE} first"
        ) from error
    until = backup.receipts_until
    if not until or (len(receipts) >= until and receipts[until - 1].digest == backup.receipt):
        return Since(tuple(receipts[until:]))
    made_ms = round(datetime.fromisoformat(backup.made_at).timestamp() * 1000)
    first_at = clock.iso(made_ms - _CLOCKS_MS)
    # From the first of them on all: the clock may have been set back later.
    first = next((n for n, one in enumerate(receipts) if one.at >= first_at), len(receipts))
    return Since(tuple(receipts[first:]), by_time=True)
