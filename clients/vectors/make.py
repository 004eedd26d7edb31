"""Write the vectors that all clients are held against: python -m clients.vectors.make [FOLDER]."""

from __future__ import annotations

import hashlib
import json
import random
import sys
from pathlib import Path
from typing import Any

from eventlogging.collector.request import context_of, headers_of
from eventlogging.registry.model import Snapshot
from eventlogging.sampling import in_sample

FOLDER = Path(__file__).parent
_RATES = (0, 0.000001, 0.01, 0.1, 0.25, 1 / 3, 0.5, 0.9, 0.999999, 1)
_IDS = (
    "", "a", "b", "ab", "0", "0123456789abcdef", "e0608b4a-cbc1-4c12-b434-f06ed4f9f132",
    "E0608B4A-CBC1-4C12-B434-F06ED4F9F132", "page view", "ÄÖÜß", "日本語", "👩‍🚀",
    "e\u0301", "\u00e9", "a\0b", " a ", "x" * 255,
)  # fmt: skip
_MANY = {"prefix": "unit-", "count": 100_000, "rate": 0.1}

_COOKIES = (
    "", "eventlogging_opt_out=1", "eventlogging_opt_out=0", "eventlogging_opt_out=",
    "eventlogging_opt_out", 'eventlogging_opt_out="1"', 'eventlogging_opt_out="0"',
    "eventlogging_opt_out=00", "eventlogging_opt_out=true", "eventlogging_opt_out=false",
    "eventlogging_opt_out=all", "eventlogging_opt_out= 1 ", "eventlogging_opt_out= 0 ",
    "a=b; eventlogging_opt_out=1", "a=b;eventlogging_opt_out=1;c=d", "a=eventlogging_opt_out=1",
    "no_eventlogging_opt_out=1", "eventlogging_opt_outer=1", "EVENTLOGGING_OPT_OUT=1",
    "bad cookie; =; eventlogging_opt_out=1", "eventlogging_opt_out=0; eventlogging_opt_out=1",
    "eventlogging_opt_out=a=b", "eventlogging_opt_out=0=1",
)  # fmt: skip
_COOKIES_FOR = (
    "eventlogging_opt_out_for=Click", "eventlogging_opt_out_for=Click:RecipeUptake",
    'eventlogging_opt_out_for="Click"', "eventlogging_opt_out_for=", "eventlogging_opt_out_for=:",
    "eventlogging_opt_out_for=a/b:Click.x",
    "eventlogging_opt_out_for=Click; eventlogging_opt_out=0",
    "eventlogging_opt_out_for=Click; eventlogging_opt_out=1", "eventlogging_opt_out_for= Click ",
    "a=b; eventlogging_opt_out_for=Click; eventlogging_opt_out_for=Other",
)  # fmt: skip
_SIGNALS = ("0", "1", "", "unspecified", "null", "2", "11")

_STATUSES = (
    200, 201, 202, 204, 207, 301, 307, 400, 401, 403, 404, 405, 408, 409, 413, 415, 418, 429, 500,
    502, 503, 504, 599,
)  # fmt: skip
_ATTEMPTS = (1, 2, 3, 5, 8, 9, 10, 30, 1000)
_JITTERS = (0, 0.001, 0.25, 0.5, 0.75, 0.999)
_SAID = (
    None, "", "0", "1", "5", "120", "299", "300", "301", "86400", "999999999999999999999", "-1",
    "1.5", "5 ", "soon", "Wed, 21 Oct 2026 07:28:00 GMT", "0x10", "1e3", "٣",
)  # fmt: skip


def sampling() -> dict[str, Any]:
    """Ids and rates, and a digest of 100 000 answers as a text of 0 and 1."""
    bits = "".join(
        "01"[in_sample(f"{_MANY['prefix']}{n}", _MANY["rate"])] for n in range(_MANY["count"])
    )
    return {
        "cases": [{"id": id, "rate": r, "in": in_sample(id, r)} for id in _IDS for r in _RATES],
        "many": {
            **_MANY,
            "in": bits.count("1"),
            "sha256": hashlib.sha256(bits.encode()).hexdigest(),
        },
    }


def ids() -> dict[str, Any]:
    """Tokens and tags of page loads, and the id of each event: 16 bytes of SHA-256 as a UUID."""
    drawn = random.Random(7)  # noqa: S311 - the same with each run, on purpose
    cases = []
    for _ in range(20):
        token, tag = f"{drawn.getrandbits(128):032x}", f"{drawn.getrandbits(64):016x}"
        for k in (0, 1, 9, 10, 99, 12345):
            cases.append({"token": token, "tag": tag, "k": k, "id": event_id(token, tag, k)})
    texts = ["", "a", "ä" * 27, "x" * 55, "x" * 56, "x" * 63, "x" * 64, "x" * 65, "👩‍🚀" * 100]
    digests = [{"text": t, "sha256": hashlib.sha256(t.encode()).hexdigest()} for t in texts]
    return {"cases": cases, "digests": digests}


def event_id(token: str, tag: str, k: int) -> str:
    """Return the id of the k-th event of a page load."""
    digest = hashlib.sha256(f"{token}:{tag}:{k}".encode()).hexdigest()
    return "-".join((digest[:8], digest[8:12], digest[12:16], digest[16:20], digest[20:32]))


def opt_out() -> dict[str, Any]:
    """Signals of a browser, and what they say no to: all, or events `of` some schemas."""
    cases = [{"cookie": cookie} for cookie in _COOKIES + _COOKIES_FOR]
    cases += [{"dnt": signal} for signal in _SIGNALS] + [{"gpc": signal} for signal in _SIGNALS]
    cases += [
        {},
        {"dnt": "0", "gpc": "1"},
        {"dnt": "1", "gpc": "0"},
        {"dnt": "0", "gpc": "0", "cookie": "eventlogging_opt_out=1"},
        {"dnt": "1", "cookie": "eventlogging_opt_out=0"},
    ]
    return {"cases": [{**case, **says_no(case)} for case in cases]}


def says_no(case: dict[str, str]) -> dict[str, Any]:
    """Whether the collector takes these signals for a no, and to which schemas else."""
    names = {"cookie": b"cookie", "dnt": b"dnt", "gpc": b"sec-gpc"}
    raw = [(names[key], value.encode()) for key, value in case.items()]
    context = context_of(headers_of(raw), 0, Snapshot(0), "")
    return {"no": context.opted_out, "of": sorted(context.opted_out_of)}


def retry() -> dict[str, Any]:
    """What an answer's status means, and how many milliseconds pass before the next try."""
    plain = [(attempt, None, jitter) for attempt in _ATTEMPTS for jitter in _JITTERS]
    asked = [(attempt, said, 0.5) for attempt in (1, 4, 10) for said in _SAID]
    return {
        "statuses": [{"status": status, "meaning": _meaning(status)} for status in _STATUSES],
        "delays": [
            {"attempt": a, "retry_after": s, "jitter": j, "ms": _delay(a, s, j)}
            for a, s, j in plain + asked
        ],
    }


def _meaning(status: int) -> str:
    if status == 413:
        return "split"
    return "settled" if status in (201, 202, 207, 400) else "again"


def _delay(attempt: int, said: str | None, jitter: float) -> int:
    """One second, doubled with each try, at least half of it; what was asked; 5 min at most."""
    own = min(300_000, 1000 * 2 ** min(attempt - 1, 20)) * (0.5 + jitter / 2)
    asked = int(said) * 1000 if said and said.isascii() and said.isdigit() else 0
    return min(300_000, max(asked, int(own + 0.5)))


FILES = {"sampling": sampling, "ids": ids, "opt-out": opt_out, "retry": retry}


def write(folder: Path) -> None:
    """Write all files."""
    for name, make in FILES.items():
        (folder / f"{name}.json").write_text(_text(make()), "utf-8")


def _text(content: dict[str, Any]) -> str:
    parts = []
    for key, value in content.items():
        if isinstance(value, dict):
            parts.append(f"  {json.dumps(key)}: {json.dumps(value)}")
        else:
            lines = ",\n".join(f"    {json.dumps(one)}" for one in value)
            parts.append(f"  {json.dumps(key)}: [\n{lines}\n  ]")
    return "{\n" + ",\n".join(parts) + "\n}\n"


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
