"""Validation: the reference implementation `jsonschema` against the gate, µs an event."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jsonschema

from benchmarks.events import ROOT
from benchmarks.figures import Figure, compare, spread
from benchmarks.section import Options, Section
from eventlogging.governance.model import SchemaFolder
from eventlogging.governance.read import read_governance
from eventlogging.intake.gate import Gate

_Call = Callable[[Any], Any]


def measure(options: Options, folder: Path) -> Section:
    """Return the ratio for all six starter schemas together, and for each of them."""
    del folder
    schemas = list(read_governance(ROOT).schemas.values())
    took: dict[tuple[str, str, str], list[float]] = {}
    for round_ in range(options.rounds):
        options.say(f"validation: round {round_ + 1}")
        for schema in schemas:
            _round(schema, options.seconds / 20, took)
    names = [schema.name for schema in schemas]
    figures = [
        _figure("all six, valid", [took[name, "valid", "ours"] for name in names],
                [took[name, "valid", "theirs"] for name in names]),
        _figure("all six, refused, with every reason",
                [took[name, "refused", "ours"] for name in names],
                [took[name, "refused", "theirs"] for name in names]),
    ]  # fmt: skip
    for name in names:
        ours, theirs = took[name, "valid", "ours"], took[name, "valid", "theirs"]
        figures.append(_figure(f"{name}, valid", [ours], [theirs]))
    raw = {f"{name}, {kind}, {whose}": values for (name, kind, whose), values in took.items()}
    compiling = [_seconds_to_compile(schema) * 1000 for schema in schemas]
    figures.append(Figure("validation", "compile one version", "ms", spread(compiling)))
    return Section(figures, {"us": raw})


def _round(
    schema: SchemaFolder, seconds: float, took: dict[tuple[str, str, str], list[float]]
) -> None:
    document = schema.versions[schema.latest]
    gate = Gate(document)
    kind = jsonschema.validators.validator_for(document)
    reference = kind(document, format_checker=kind.FORMAT_CHECKER)
    valid = [example.payload for example in schema.examples if example.passes]
    refused = [example.payload for example in schema.examples if not example.passes]
    # First that they agree, else the comparison says nothing.
    assert all(gate.is_valid(payload) and reference.is_valid(payload) for payload in valid)
    assert not any(gate.is_valid(payload) or reference.is_valid(payload) for payload in refused)
    calls: tuple[tuple[str, str, Sequence[Any], _Call], ...] = (
        ("valid", "ours", valid, gate.is_valid),
        ("valid", "theirs", valid, reference.is_valid),
        ("refused", "ours", refused, lambda payload: _why(gate, payload, schema.privacy)),
        ("refused", "theirs", refused, lambda payload: list(reference.iter_errors(payload))),
    )
    for outcome, whose, payloads, call in calls:
        micro = _us(call, payloads, seconds)
        took.setdefault((schema.name, outcome, whose), []).append(micro)


def _why(gate: Gate, payload: Any, privacy: Any) -> Any:
    return None if gate.is_valid(payload) else gate.problems(payload, privacy)


def _us(call: _Call, payloads: Sequence[Any], seconds: float) -> float:
    """Return the microseconds that one call takes, on average over about `seconds`."""
    calls = 0
    begin = now = time.perf_counter()
    while now - begin < seconds:
        for payload in payloads:
            call(payload)
        calls += len(payloads)
        now = time.perf_counter()
    return (now - begin) / calls * 1e6


def _figure(name: str, ours: list[list[float]], theirs: list[list[float]]) -> Figure:
    def means(several: list[list[float]]) -> list[float]:
        return [sum(values) / len(values) for values in zip(*several, strict=True)]

    # The other way round, so that more is better: how many times faster ours is.
    figure = compare("validation", name, "µs", means(theirs), means(ours))
    return Figure(
        "validation", f"{name}: times faster", "µs",
        spread(means(ours)), spread(means(theirs)), figure.ratio,
    )  # fmt: skip


def _seconds_to_compile(schema: SchemaFolder) -> float:
    begin = time.perf_counter()
    Gate(schema.versions[schema.latest])
    return time.perf_counter() - begin
