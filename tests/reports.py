"""Reports made by hand, for tests of how they are said."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from eventlogging.reports.causes import Sample, SampleKey
from eventlogging.reports.days import last_days
from eventlogging.reports.model import Cause, Due, Report, SchemaDay, Waiting, line_of

DAY = "2026-11-21"
LONGEST_NAME = "N" * 50
HOSTILE = "</td><script>alert(1)</script>\n\u202eFree money: https://evil.example"


def schema_day(name: str, sent: int = 100, invalid: int = 4, **more: Any) -> SchemaDay:
    counts = {"sent": sent, "valid": sent - invalid, "invalid": invalid}
    history = {
        kind: tuple(counts[kind] for _ in range(14)) for kind in ("valid", "invalid") if sent
    }
    values: dict[str, Any] = {
        "line": line_of(name, counts),
        "day_before": line_of(name, {"sent": 50, "valid": 50}),
        "week_before": line_of(name, counts),
        "owners": ("owner@example.org",),
        "history": history,
        "causes": (Cause("type_mismatch", "/count", "a whole number", invalid, ("", "", 0, 0)),),
        "looked_at": invalid,
    }
    return SchemaDay(**{**values, **more})


def report(*schemas: SchemaDay, **more: Any) -> Report:
    made = Report(
        day=DAY,
        made_at="2026-11-22T00:20:00.000Z",
        complete=True,
        note="",
        days=last_days(DAY, 14),
        schemas=schemas,
        new=(),
        silent=(),
        waiting=Waiting(),
        due=(),
    )
    return replace(made, **more)


def hostile_report() -> tuple[Report, dict[SampleKey, Sample]]:
    """A report in which everything that comes from outside is long or means harm."""
    cause = Cause("type_mismatch", f"/{HOSTILE}", HOSTILE, 4, ("", "", 0, 0))
    silent = schema_day(f"silent {HOSTILE}", sent=0, invalid=0, causes=())
    made = report(
        schema_day(LONGEST_NAME, sent=123_456_789, invalid=12_345_678),
        schema_day(HOSTILE, causes=(cause,)),
        silent,
        complete=False,
        note=HOSTILE,
        new=(HOSTILE,),
        silent=(silent.name,),
        due=tuple(Due("review", HOSTILE, HOSTILE) for _ in range(12)),
    )
    event = '{"target": "' + "x" * 400 + HOSTILE.replace("\n", " ") + '"}'
    sample = Sample("2026-11-21T03:04:05.678Z", "1.0.0", HOSTILE.replace("\n", " "), event, "")
    return made, {(HOSTILE, cause.code, cause.pointer): sample}
