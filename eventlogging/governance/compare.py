"""Tell in sentences what differs between two states of the governance folders."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from eventlogging.governance.model import (
    DEFAULT_STATE,
    Governance,
    SchemaFolder,
    field_of,
    meaning,
)
from eventlogging.governance.problems import shown
from eventlogging.governance.schemas import in_order


def changes(old: Governance, new: Governance) -> list[str]:
    """Return one sentence for each difference, in a stable order; none where both say the same."""
    return [*_schema_changes(old, new), *_document_changes(old, new)]


def _schema_changes(old: Governance, new: Governance) -> Iterator[str]:
    for name in sorted({*old.schemas, *new.schemas}):
        before, after = old.schemas.get(name), new.schemas.get(name)
        if before is None and after is not None:
            versions = ", ".join(in_order(after.versions)) or "no version"
            state = "" if after.state in (None, DEFAULT_STATE) else f", {after.state}"
            yield f"{name}: schema added with {versions}{state}"
        elif after is None:
            yield f"{name}: schema removed"
        elif before is not None:
            for sentence in _folder_changes(before, after):
                yield f"{name}: {sentence}"


def _folder_changes(old: SchemaFolder, new: SchemaFolder) -> Iterator[str]:
    yield from _value_change("title", old.title, new.title)
    if old.description != new.description:
        yield "description changed"
    yield from _list_change("owners", old.owners, new.owners)
    yield from _value_change("producers", old.producers, new.producers)
    yield from _list_change("origins", old.origins, new.origins)
    yield from _value_change("fill_defaults", old.fill_defaults, new.fill_defaults)
    yield from _value_change("readers", old.readers, new.readers)
    if new.state is not None:  # what is not stated is left as it is
        yield from _value_change("state", old.state or DEFAULT_STATE, new.state)
    yield from _value_change("sampling rate", float(old.sampling_rate), float(new.sampling_rate))
    yield from _value_change("sampling unit", old.sampling_unit, new.sampling_unit)
    for pointer in sorted({*old.privacy, *new.privacy}):
        before, after = (side.privacy.get(pointer, "kept as sent") for side in (old, new))
        if before != after:
            yield f"privacy of {field_of(pointer)} {before} → {after}"
    for version in in_order({**old.versions, **new.versions}):
        if version not in old.versions:
            yield f"version {version} added"
        elif version not in new.versions:
            yield f"version {version} removed"
        elif meaning(old.versions[version]) != meaning(new.versions[version]):
            yield f"version {version} has another content"
    for number in sorted({*old.revisions, *new.revisions}):
        before, after = (side.revisions.get(number, "none") for side in (old, new))
        if before != after:
            yield f"revision {number} {before} → {after}"
    for version in in_order({**old.overrides, **new.overrides}):
        before, after = (side.overrides.get(version, "none") for side in (old, new))
        if before != after:
            yield f"override of {version} {before} → {after}"
    mine = {example.name: meaning(example.payload) for example in old.examples}
    theirs = {example.name: meaning(example.payload) for example in new.examples}
    for example in sorted({*mine, *theirs}):
        if mine.get(example) != theirs.get(example):
            yield f"example {example} {_what_happened(example in mine, example in theirs)}"


def _document_changes(old: Governance, new: Governance) -> Iterator[str]:
    for key in sorted({*old.documents, *new.documents}):
        path = "/".join(key)
        before, after = old.documents.get(key), new.documents.get(key)
        if before is None or after is None:
            yield f"{path}: {_what_happened(before is not None, after is not None)}"
        elif isinstance(before, str) or isinstance(after, str):
            if before != after:
                yield f"{path}: text changed"
        else:
            for sentence in _table_changes(before, after, ""):
                yield f"{path}: {sentence}"


def _table_changes(old: Mapping[str, Any], new: Mapping[str, Any], at: str) -> Iterator[str]:
    for key in sorted({*old, *new}):
        name = f"{at}.{key}" if at else key
        before, after = old.get(key), new.get(key)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            yield from _table_changes(before, after, name)
        elif _is_tables(before) or _is_tables(after):
            mine, theirs = _by_name(before), _by_name(after)
            for item in sorted({*mine, *theirs}):
                if item not in mine or item not in theirs:
                    yield f"{name} {item} {_what_happened(item in mine, item in theirs)}"
                else:
                    yield from _table_changes(mine[item], theirs[item], f"{name} {item}")
        elif isinstance(before, list) and isinstance(after, list):
            yield from _list_change(name, before, after)
        elif meaning(before) != meaning(after):
            yield from _entry_change(name, before, after)


def _entry_change(name: str, old: Any, new: Any) -> Iterator[str]:
    if old is None:
        yield f"{name} added{'' if isinstance(new, Mapping) else f' ({shown(new)})'}"
    elif new is None:
        yield f"{name} removed{'' if isinstance(old, Mapping) else f' (was {shown(old)})'}"
    else:
        yield f"{name} {shown(old)} → {shown(new)}"


def _value_change(name: str, old: Any, new: Any) -> Iterator[str]:
    if old != new:
        yield f"{name} {shown(old)} → {shown(new)}"


def _list_change(name: str, old: Sequence[Any], new: Sequence[Any]) -> Iterator[str]:
    mine, theirs = [meaning(item) for item in old], [meaning(item) for item in new]
    gone = [shown(item) for item, text in zip(old, mine, strict=True) if text not in theirs]
    came = [shown(item) for item, text in zip(new, theirs, strict=True) if text not in mine]
    parts = [f"added {', '.join(came)}"] if came else []
    parts += [f"removed {', '.join(gone)}"] if gone else []
    if parts:
        yield f"{name}: {'; '.join(parts)}"
    elif mine != theirs:
        yield f"{name}: order changed"


def _is_tables(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], Mapping)


def _by_name(value: Any) -> dict[str, Mapping[str, Any]]:
    """Return tables of a list by what names them: an address, a name, else their place."""
    items = value if isinstance(value, list) else []
    return {
        str(item.get("email") or item.get("name") or f"number {place}"): item
        for place, item in enumerate(items, 1)
        if isinstance(item, Mapping)
    }


def _what_happened(before: bool, after: bool) -> str:
    if before and after:
        return "changed"
    return "removed" if before else "added"
