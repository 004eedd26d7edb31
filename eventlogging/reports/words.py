"""How reports say figures: shares, changes, counts with their noun."""

from __future__ import annotations

from eventlogging.ledger.reading import LineOfTruth
from eventlogging.ledger.sentence import grouped

_NO_BREAK = "\N{NO-BREAK SPACE}"
_MINUS = "\N{MINUS SIGN}"


def share(part: int, whole: int) -> str:
    """Return a percentage with one decimal, which says 0 and 100 only where that is exact."""
    if not whole:
        return "–"
    number = 100 * part / whole
    if 0 < part < whole:
        number = min(max(number, 0.1), 99.9)
    return f"{number:.1f}{_NO_BREAK}%"


def share_invalid(line: LineOfTruth) -> str:
    """Return which share of what was judged is invalid; `–` where nothing was judged."""
    return share(line.invalid, line.valid + line.invalid)


def change(now: int, before: int) -> str:
    """Return how a count changed: `+12 %`, `±0 %`, `× 14`; `–` where there was none before."""
    if not before:
        return "–"
    ratio = now / before
    if ratio >= 10:
        return f"×{_NO_BREAK}{grouped(round(ratio))}"
    percent = round(100 * (ratio - 1))
    sign = "+" if percent > 0 else _MINUS if percent < 0 else "±"
    return f"{sign}{abs(percent)}{_NO_BREAK}%"


def counted(number: int, one: str, many: str) -> str:
    """Return `1 event` or `1 204 events`."""
    return f"{grouped(number)} {one if number == 1 else many}"


def plain(text: object) -> str:
    """Return a text from outside on one line, with nothing unprintable."""
    return " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())
