"""How fast this host's log grows, and how fast it is loaded: samples in a small file."""

from __future__ import annotations

import json
import logging
from pathlib import Path

from eventlogging import clock
from eventlogging.alerts.figures import Growth

_KEEP_MS = 3 * 3_600_000
_DAYS = 2
_FILE = "log-growth.json"
_MINUTE_MS = 60_000
_logger = logging.getLogger(__name__)


class Samples:
    """Samples of the last hours, by minute, in the data folder: jobs processes come and go.

    Each is [time in ms, {day: bytes in its folder of the log}, bytes that wait to be loaded].
    """

    def __init__(self, var: Path) -> None:
        self._path = var / _FILE
        self._samples: list[tuple[int, dict[str, int], int]] = []
        try:
            self._samples = [(s[0], s[1], s[2]) for s in json.loads(self._path.read_text("utf-8"))]
        except FileNotFoundError:
            pass
        except (OSError, ValueError, IndexError, TypeError) as error:
            _logger.warning("%s is begun anew: %s", self._path, error)

    def add(self, now_ms: int, log_folder: Path, waiting: int) -> None:
        """Take one now. Raises OSError where the log cannot be read or the file not written."""
        days = [clock.day(now_ms - back * clock.DAY_MS) for back in range(_DAYS)]
        sizes = {day: _size(log_folder / day) for day in days}
        kept = [s for s in self._samples if now_ms - _KEEP_MS <= s[0] < now_ms]
        self._samples = [*kept, (now_ms, sizes, waiting)]
        draft = self._path.with_suffix(".new")
        draft.write_text(json.dumps(self._samples), "utf-8")
        draft.replace(self._path)

    def growth(self, now_ms: int, minutes: int) -> Growth | None:
        """Return what came and what was stored in a window that ends now, None: not known."""
        start = now_ms - minutes * _MINUTE_MS
        # Samples are a minute apart, more or less: one from about when the window begins.
        before = [s for s in self._samples if abs(s[0] - start) <= _MINUTE_MS]
        if not before or not self._samples:
            return None
        first = min(before, key=lambda sample: abs(sample[0] - start))
        return _between(first, self._samples[-1])

    def waiting(self) -> list[tuple[int, int]]:
        """Return (time in ms, bytes that waited) of the last hours."""
        return [(at, waiting) for at, _, waiting in self._samples]


def _between(
    first: tuple[int, dict[str, int], int], last: tuple[int, dict[str, int], int]
) -> Growth:
    oldest = min(first[1])
    accepted = sum(
        max(0, size - first[1].get(day, 0)) for day, size in last[1].items() if day >= oldest
    )
    stored = max(0, accepted - (last[2] - first[2]))
    return Growth(accepted, stored, last[2])


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*.jsonl"))
