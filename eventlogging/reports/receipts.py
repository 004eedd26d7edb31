"""What reports say of the receipts of an installation."""

from __future__ import annotations

from pathlib import Path

from eventlogging.receipts import chain
from eventlogging.receipts.chain import BrokenChain
from eventlogging.reports.model import Receipts


def read_receipts(var: Path) -> Receipts:
    """Return how many there are in a data folder, and the digest of the newest."""
    try:
        newest = chain.newest(chain.folder_of(var))
    except (BrokenChain, OSError) as error:
        return Receipts(trouble=" ".join(str(error).split()))
    return Receipts(newest.number, newest.digest) if newest is not None else Receipts()
