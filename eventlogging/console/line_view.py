"""The line of truth as pages draw it: a bar, its sentence, and what share is valid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from eventlogging.ledger.reading import LineOfTruth
from eventlogging.ledger.sentence import grouped, sentence

BAR_WIDTH = 1000  # units of the drawing; the page stretches it
_LEAST_WIDTH = 6  # so that a single event can be seen
_ORDER = ("valid", "invalid", "duplicate", "sampled_out", "suppressed", "pending")


@dataclass(frozen=True)
class Piece:
    """One piece of the bar, from `x` on; `kind` names its colour."""

    kind: str
    x: int
    width: int


@dataclass(frozen=True)
class Term:
    """One term of the sentence: `+ 188 invalid`."""

    kind: str
    sign: str
    number: int
    word: str


@dataclass(frozen=True)
class LineView:
    """A line of truth of a UTC day, with the words for it, such as `today`."""

    label: str
    day: str
    line: LineOfTruth
    width: int = BAR_WIDTH

    @property
    def sentence(self) -> str:
        """The sentence as plain text, for those who do not see the bar."""
        return sentence(self.line)

    @property
    def terms(self) -> list[Term]:
        """The sentence in parts; together they read as `sentence` does."""
        return list(_terms(self.line))

    @property
    def pieces(self) -> list[Piece]:
        """The bar, left to right; empty where nothing was sent."""
        return list(_pieces(self.line))

    @property
    def verdict(self) -> str:
        """How much of what was judged is valid, in words."""
        return f"{share_text(self.line.valid, judged(self.line))} valid"


def judged(line: LineOfTruth) -> int:
    """Return how many events were found valid or invalid."""
    return line.valid + line.invalid


def share_text(part: int, whole: int) -> str:
    """Return a percentage with one decimal, which says 0 and 100 only where that is exact."""
    if not whole:
        return "–"
    share = 100 * part / whole
    if 0 < part < whole:
        share = min(max(share, 0.1), 99.9)
    return f"{share:.1f}\N{NO-BREAK SPACE}%"


def _terms(line: LineOfTruth) -> Iterator[Term]:
    words = {
        "duplicate": "duplicate" if line.duplicate == 1 else "duplicates",
        "sampled_out": "sampled out",
    }
    for kind in _ORDER:
        number = getattr(line, kind)
        if number or kind == "valid":
            sign = "=" if kind == "valid" else "+"
            yield Term(kind, sign, number, words.get(kind, kind))
    yield Term("unexplained" if line.residual else "explained", "·", line.residual, "unexplained")


def _pieces(line: LineOfTruth) -> Iterator[Piece]:
    numbers = {kind: max(0, getattr(line, kind)) for kind in _ORDER}
    numbers["unexplained"] = abs(line.residual)
    return pieces_of(numbers)


def pieces_of(numbers: Mapping[str, int]) -> Iterator[Piece]:
    """Yield a bar of these parts, none below 0, left to right; those of 0 are left out."""
    total = sum(numbers.values())
    if not total:
        return
    widths = {
        kind: max(_LEAST_WIDTH, round(BAR_WIDTH * number / total))
        for kind, number in numbers.items()
        if number
    }
    # What the small ones were given, the largest one gives up.
    largest = max(widths, key=lambda kind: widths[kind])
    widths[largest] += BAR_WIDTH - sum(widths.values())
    x = 0
    for kind, width in widths.items():
        yield Piece(kind, x, width)
        x += width


def label_count(number: int, one: str, many: str) -> str:
    """Return `1 event` or `1 204 events`."""
    return f"{grouped(number)} {one if number == 1 else many}"
