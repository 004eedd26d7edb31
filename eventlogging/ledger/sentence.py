"""The line of truth in words: the sentence that heads pages, mails and the command."""

from __future__ import annotations

from collections.abc import Iterator

from eventlogging.ledger.reading import LineOfTruth


def grouped(number: int) -> str:
    """Return a number with thin spaces between its thousands: `48 211`."""
    return f"{number:,}".replace(",", "\N{THIN SPACE}").replace("-", "\N{MINUS SIGN}")


def sentence(line: LineOfTruth) -> str:
    """Return `48 211 sent = 47 902 valid + 188 invalid + 121 duplicates · 0 unexplained`.

    Of the parts behind `valid`, those that are not 0 are named.
    """
    parts = " + ".join(_parts(line))
    return f"{grouped(line.sent)} sent = {parts} · {grouped(line.residual)} unexplained"


def _parts(line: LineOfTruth) -> Iterator[str]:
    yield f"{grouped(line.valid)} valid"
    duplicates = "duplicate" if line.duplicate == 1 else "duplicates"
    for number, word in (
        (line.invalid, "invalid"),
        (line.duplicate, duplicates),
        (line.sampled_out, "sampled out"),
        (line.suppressed, "suppressed"),
        (line.pending, "pending"),
    ):
        if number:
            yield f"{grouped(number)} {word}"
