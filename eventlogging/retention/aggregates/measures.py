"""What is measured of a cell: sums, quantiles and distinct values that can be merged.

Quantiles are KLL sketches, distinct values HLL sketches, both of Apache DataSketches, whose
bytes other programs of that family read. A sketch of quantiles knows no weights: there is one
for each sample rate, and they are united as weighted points when a figure is asked for.
"""

from __future__ import annotations

import base64
import sys
import zlib
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import log
from typing import Any

from eventlogging.sampling import LEAST_RATE

KLL_K = 400  # a rank is right within 0.7 points of a hundred, with 99 % certainty
HLL_LG_K = 12  # standard error 1.6 %
RANKS: Mapping[str, float] = {"p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95, "p99": 0.99}
_MOST_RATES = 16  # a cell's events of yet another rate go to the sketch of the nearest
_SURE = 2  # standard deviations: 95 %
_MOST = sys.float_info.max


def finite(value: float | None) -> float:
    """Return a sum, or the nearest number that JSON and databases hold where it is beyond them.

    None is what JSON once said of a sum that had become infinite.
    """
    return _MOST if value is None else min(max(value, -_MOST), _MOST)


class Sum:
    """The weighted sum of a field; `count` and `events`: weighted and plain, that had it."""

    __slots__ = ("count", "events", "total")

    def __init__(self) -> None:
        self.total, self.count, self.events = 0.0, 0.0, 0

    def add(self, value: float, weight: float) -> None:
        """Add an event's value."""
        self.total = finite(self.total + finite(value * weight))
        self.count = finite(self.count + weight)
        self.events += 1

    def merge(self, other: Sum) -> None:
        """Add all of another."""
        self.total = finite(self.total + other.total)
        self.count = finite(self.count + other.count)
        self.events += other.events

    def dump(self) -> list[float]:
        """Return it as JSON."""
        return [self.total, self.count, self.events]

    @classmethod
    def load(cls, stored: Sequence[Any]) -> Sum:
        """Return what was dumped."""
        made = cls()
        made.total, made.count = finite(stored[0]), finite(stored[1])
        made.events = int(stored[2])
        return made


class Spread:
    """How a field's values are spread, as one sketch for each sample rate."""

    __slots__ = ("count", "events", "sketches")

    def __init__(self) -> None:
        self.sketches: dict[float, Any] = {}
        self.count, self.events = 0.0, 0

    def add(self, value: float, rate: float) -> None:
        """Add an event's value."""
        sketch = self.sketches.get(rate)
        if sketch is None:
            sketch = self._sketch(rate)
        sketch.update(float(value))
        self.count = finite(self.count + 1 / rate)
        self.events += 1

    def merge(self, other: Spread) -> None:
        """Add all of another."""
        for rate, sketch in other.sketches.items():
            self._sketch(rate).merge(sketch)
        self.count = finite(self.count + other.count)
        self.events += other.events

    def _sketch(self, rate: float) -> Any:
        if rate not in self.sketches:
            if len(self.sketches) >= _MOST_RATES:
                rate = min(self.sketches, key=lambda known: abs(log(known / rate)))
            else:
                self.sketches[rate] = _library().kll_doubles_sketch(KLL_K)
        return self.sketches[rate]

    def quantiles(self, ranks: Sequence[float]) -> list[float | None]:
        """Return the least value that so large a share of all weighted events does not exceed."""
        points = sorted(
            (value, weight / max(rate, LEAST_RATE))
            for rate, sketch in self.sketches.items()
            for value, weight in sketch
        )
        if not points:
            return [None for _ in ranks]
        reached = list(accumulate(weight for _, weight in points))
        total = reached[-1]
        found: list[float | None] = []
        for rank in ranks:
            wanted = rank * total * (1 - 1e-12)
            at = bisect_left(reached, wanted)
            found.append(points[min(at, len(points) - 1)][0])
        return found

    @property
    def rank_error(self) -> float:
        """How far from its rank a quantile may lie, as a share of all; with 99 % certainty."""
        errors = [
            sketch.normalized_rank_error(False)
            for sketch in self.sketches.values()
            if sketch.is_estimation_mode()
        ]
        return max(errors, default=0.0)

    def dump(self) -> dict[str, Any]:
        """Return it as JSON."""
        sketches = {repr(rate): _packed(s.serialize()) for rate, s in self.sketches.items()}
        return {"events": self.events, "count": self.count, "sketches": sketches}

    @classmethod
    def load(cls, stored: Mapping[str, Any]) -> Spread:
        """Return what was dumped."""
        made = cls()
        made.events, made.count = stored["events"], finite(stored["count"])
        kind = _library().kll_doubles_sketch
        made.sketches = {
            float(rate): kind.deserialize(_unpacked(text))
            for rate, text in stored["sketches"].items()
        }
        return made


@dataclass(frozen=True, slots=True)
class Estimate:
    """About how many, and between which two numbers it lies with 95 % certainty."""

    estimate: float
    low: float
    high: float


class Distinct:
    """How many different values a field had. `is_people`: each stands for a person."""

    __slots__ = ("is_people", "sketch")

    def __init__(self, *, is_people: bool = False) -> None:
        self.is_people = is_people
        library = _library()
        self.sketch = library.hll_sketch(HLL_LG_K, library.tgt_hll_type.HLL_8)

    def merge(self, other: Distinct) -> None:
        """Add all of another."""
        library = _library()
        union = library.hll_union(HLL_LG_K)
        union.update(self.sketch)
        union.update(other.sketch)
        self.sketch = union.get_result(library.tgt_hll_type.HLL_8)
        self.is_people = self.is_people or other.is_people

    @property
    def estimate(self) -> Estimate:
        """The figure, with its bounds."""
        sketch = self.sketch
        if sketch.is_empty():
            return Estimate(0.0, 0.0, 0.0)
        low, high = sketch.get_lower_bound(_SURE), sketch.get_upper_bound(_SURE)
        return Estimate(sketch.get_estimate(), low, high)

    def dump(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {"people": self.is_people, "sketch": _packed(self.sketch.serialize_compact())}

    @classmethod
    def load(cls, stored: Mapping[str, Any]) -> Distinct:
        """Return what was dumped."""
        made = cls(is_people=stored["people"])
        made.sketch = _library().hll_sketch.deserialize(_unpacked(stored["sketch"]))
        return made


def _library() -> Any:
    # Loaded when a sketch is first made: it brings numpy, which most processes never need.
    import datasketches

    return datasketches


def _packed(data: bytes) -> str:
    return base64.b64encode(zlib.compress(data)).decode()


def _unpacked(text: str) -> bytes:
    return zlib.decompress(base64.b64decode(text))
