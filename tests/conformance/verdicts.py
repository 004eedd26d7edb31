"""Each test of the suite with what the judges said, and why the gate differs where it does."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.conformance.judges import (
    NOT_FETCHED,
    OWN_METASCHEMA,
    Verdict,
    gate,
    reference,
    registry_of,
)
from tests.conformance.suite import FOLDERS, PARTS, Case, Suite

FORMATS_CHECKED = "formats are always checked"
UNEXPLAINED = "UNEXPLAINED"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one test; `why` is empty where the gate agrees with the suite."""

    case: Case
    test: str
    expected: bool
    gate: Verdict
    reference: Verdict
    why: str

    def __str__(self) -> str:
        case = self.case
        where = f"{case.draft} {case.file}: {case.name}: {self.test}"
        return f"{where}: the suite says {self.expected}, the gate {self.gate}"


def outcomes(suite: Suite) -> Iterator[Outcome]:
    """Yield what came of every test. The reference checks formats where they are tested."""
    registries = {draft: registry_of(suite.remotes, draft) for draft in FOLDERS}
    for case in suite.cases:
        judge = gate(case.schema, case.draft)
        bare = gate(_without_formats(case.schema), case.draft)
        other = reference(
            case.schema,
            case.draft,
            formats=case.part == "formats",
            registry=registries[case.draft],
        )
        for name, value, expected in case.tests:
            verdict = judge(value)
            why = "" if verdict is expected else _why(verdict, bare(value) is expected)
            yield Outcome(case, name, expected, verdict, other(value), why)


def _why(verdict: Verdict, agrees_without_formats: bool) -> str:
    if verdict in (NOT_FETCHED, OWN_METASCHEMA):
        return str(verdict)
    return FORMATS_CHECKED if agrees_without_formats else UNEXPLAINED


def _without_formats(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {key: _without_formats(part) for key, part in schema.items() if key != "format"}
    return [_without_formats(part) for part in schema] if isinstance(schema, list) else schema


def count_rows(found: Iterable[Outcome]) -> list[str]:
    """Return the table of counts: tests, gate agrees, explained, reference agrees."""
    counts: Counter[tuple[str, str, str]] = Counter()
    for outcome in found:
        for draft, part in ((outcome.case.draft, outcome.case.part), ("all", "")):
            counts[draft, part, "tests"] += 1
            counts[draft, part, "agrees"] += not outcome.why
            counts[draft, part, "explained"] += outcome.why not in ("", UNEXPLAINED)
            counts[draft, part, "reference"] += outcome.reference is outcome.expected
    words = ("tests", "agrees", "explained", "reference")
    places = [(draft, part) for draft in FOLDERS for part in PARTS] + [("all", "")]
    return [
        " | ".join([f"| {draft} | {part}", *(str(counts[draft, part, word]) for word in words)])
        + " |"
        for draft, part in places
    ]


def difference_rows(found: Iterable[Outcome]) -> list[str]:
    """Return the table of differences: file, case, drafts, tests in all of them, why."""
    groups: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for outcome in found:
        if outcome.why:
            groups[outcome.case.file, outcome.case.name, outcome.why].append(outcome.case.draft)
    return [
        f"| `{file}` | {name} | {', '.join(d for d in FOLDERS if d in drafts)} "
        f"| {len(drafts)} | {why} |"
        for (file, name, why), drafts in sorted(groups.items())
    ]
