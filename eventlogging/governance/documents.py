"""Judge the schema documents of all folders, and the examples against them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from eventlogging.governance.problems import Found
from eventlogging.governance.schemas import Draft
from eventlogging.governance.syntax import KeyPath, Source, dotted
from eventlogging.schema.document import check_document, compile_gate
from eventlogging.schema.references import Lookup, resolve


@dataclass
class Judged:
    """What was found in documents and examples; warnings hinder nothing."""

    problems: list[Found] = field(default_factory=list)
    warnings: list[Found] = field(default_factory=list)


def judge(drafts: Mapping[str, Draft]) -> Judged:
    """Return every problem of every version's document, and of the latest version's examples.

    Puts each document without problems into its draft's `whole`.
    """
    judged = Judged()

    def lookup(name: str, version: str) -> Mapping[str, Any] | None:
        draft = drafts.get(name)
        return draft.documents.get(version) if draft is not None else None

    for _, draft in sorted(drafts.items()):
        for version, source in sorted(draft.versions.items()):
            if source is None or not isinstance(source.value, dict):
                continue
            document, problems, warnings = _standing_alone(source.value, lookup)
            judged.problems += [_located(source, text) for text in problems]
            judged.warnings += [_located(source, text) for text in warnings]
            if document is not None:
                draft.whole[version] = document
        if draft.latest in draft.whole:
            judged.problems += _check_examples(draft, draft.whole[draft.latest])
    return judged


def _standing_alone(
    written: Mapping[str, Any], lookup: Lookup
) -> tuple[dict[str, Any] | None, list[str], list[str]]:
    """Return (the document with references resolved, problems, warnings); None with problems."""
    problems, warnings = check_document(written)
    if problems:
        return None, problems, warnings
    document, problems = resolve(written, lookup)
    if document is not None and not problems:
        problems, more = check_document(document)
        warnings = [*warnings, *more]
    return (None if problems else document), problems, warnings


def _check_examples(draft: Draft, document: Mapping[str, Any]) -> Iterator[Found]:
    gate = compile_gate(document, mask=False)
    for file, source in sorted(draft.examples.items()):
        if source is None:
            continue
        try:
            passes = gate.is_valid(source.value)
            errors = [] if passes or file.endswith(".fail.json") else gate.iter_errors(source.value)
        except ValueError as error:  # nested beyond what the gate follows
            yield Found(source.path, 1, f"cannot be judged: {error}")
            continue
        if passes and file.endswith(".fail.json"):
            text = f"passes version {draft.latest}, though its name says fail; rename or break it"
            yield Found(source.path, 1, text)
        for problem in errors:
            at = tuple(problem.instance_path)
            where = dotted(at) or "the event"
            text = f"does not pass version {draft.latest}: {where}: {_cut(problem.message)}"
            yield source.found(at, text)


def _located(source: Source, text: str) -> Found:
    """Put a problem at the line of the JSON pointer that its text begins with, else at line 1."""
    pointer = text.partition(": ")[0] if text.startswith("/") else ""
    return source.found(_path(source.value, pointer), text)


def _path(value: Any, pointer: str) -> KeyPath:
    """Return the path of the deepest value that the pointer reaches."""
    path: list[str | int] = []
    for token in pointer.split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict) and name in value:
            path.append(name)
            value = value[name]
        elif isinstance(value, list) and name.isdecimal() and int(name) < len(value):
            path.append(int(name))
            value = value[int(name)]
        else:
            break
    return tuple(path)


def _cut(message: str) -> str:
    return message if len(message) <= 200 else message[:199] + "…"
