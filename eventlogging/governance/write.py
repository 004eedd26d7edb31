"""Write the four governance folders, touching only files that would say something else."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import tomli_w

from eventlogging.errors import GovernanceError
from eventlogging.governance import rules, schemas
from eventlogging.governance.files import read_text
from eventlogging.governance.model import (
    DEFAULT_FILL_DEFAULTS,
    DEFAULT_READERS,
    DEFAULT_STATE,
    FOLDERS,
    Governance,
    SchemaFolder,
    field_of,
    meaning,
)
from eventlogging.governance.syntax import parse_json, parse_toml, plain
from eventlogging.schema.names import name_problems
from eventlogging.schema.version import Version


def write_governance(root: Path, governance: Governance) -> list[Path]:
    """Write all files of `governance` below `root`, and return those that changed.

    A file that already says the same stays as it is, with its comments and order; nothing is
    removed. A settings file that states the schema's state goes on to state it. Raises
    GovernanceError, before anything is written, where a name cannot be a file's, and where a
    file cannot be written.
    """
    texts = dict(rendered(governance))
    problems = [*_bad_names(governance), *_links_outside(root, texts)]
    if problems:
        raise GovernanceError(problems)
    texts.update(_with_their_state(root, governance))
    changed: list[Path] = []
    for path, text in sorted(texts.items()):
        if not _says(root, path, text):
            try:
                _replace((root / path).resolve(), text)
            except OSError as error:
                why = error.strerror or error
                raise GovernanceError([f"{path}:1: cannot be written: {why}"]) from error
            changed.append(root / path)
    return changed


def rendered(governance: Governance) -> Iterator[tuple[str, str]]:
    """Yield path (relative to the root) and text of every file, in their stable form."""
    for name, folder in sorted(governance.schemas.items()):
        at = f"schemas/{name}"
        yield f"{at}/{schemas.SETTINGS}", tomli_w.dumps(settings_table(folder))
        for version in schemas.in_order(folder.versions):
            yield f"{at}/{version}.json", _json(folder.versions[version])
        for example in folder.examples:
            yield f"{at}/{schemas.EXAMPLES}/{example.name}", _json(example.payload)
    for (folder_name, inside), value in sorted(governance.documents.items()):
        text = value if isinstance(value, str) else tomli_w.dumps(_sorted(plain(value)))
        yield f"{folder_name}/{inside}", text


def _with_their_state(root: Path, governance: Governance) -> Iterator[tuple[str, str]]:
    """Yield path and text of those settings whose file states a state that `governance` leaves out.

    Left as it is, such a file would retire a schema anew that people have put back into use.
    """
    for name, folder in governance.schemas.items():
        path = f"schemas/{name}/{schemas.SETTINGS}"
        if folder.state is None and _states_a_state(root, path):
            stated = replace(folder, state=DEFAULT_STATE)
            yield path, tomli_w.dumps(settings_table(stated))


def _states_a_state(root: Path, path: str) -> bool:
    present = read_text(root, path) if (root / path).is_file() else None
    if not isinstance(present, str):
        return False
    source, _ = parse_toml(path, present)
    return source is not None and isinstance(source.value, dict) and "state" in source.value


def settings_table(folder: SchemaFolder) -> dict[str, Any]:
    """Return what schema.toml says of a folder; what is empty, or rarely said, is left out."""
    table: dict[str, Any] = {
        "title": folder.title,
        "description": folder.description,
        "owners": list(folder.owners),
        "producers": folder.producers,
    }
    if folder.origins:
        table["origins"] = list(folder.origins)
    if folder.fill_defaults != DEFAULT_FILL_DEFAULTS:
        table["fill_defaults"] = folder.fill_defaults
    if folder.readers != DEFAULT_READERS:
        table["readers"] = folder.readers
    if folder.state is not None:
        table["state"] = folder.state
    table["sampling"] = {"rate": float(folder.sampling_rate), "unit": folder.sampling_unit}
    if folder.privacy:
        table["privacy"] = {field_of(key): folder.privacy[key] for key in sorted(folder.privacy)}
    if folder.revisions:
        table["revisions"] = {str(key): folder.revisions[key] for key in sorted(folder.revisions)}
    if folder.overrides:
        table["overrides"] = {
            key: folder.overrides[key] for key in schemas.in_order(folder.overrides)
        }
    return table


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list) else value


def _says(root: Path, path: str, text: str) -> bool:
    """Say whether the file is there and means what `text` means."""
    present = read_text(root, path) if (root / path).is_file() else None
    if not isinstance(present, str):
        return False
    if not path.endswith((".json", ".toml")):
        return present == text.replace("\r\n", "\n")
    here, wanted = _value(path, present), _value(path, text)
    return here is not None and here == wanted


_KNOWN = frozenset(
    {"title", "description", "owners", "producers", "origins", "sampling", "privacy"}
    | {"fill_defaults", "readers", "state", "revisions", "overrides"}
)


def _value(path: str, text: str) -> str | None:
    source, problems = (parse_toml if path.endswith(".toml") else parse_json)(path, text)
    if source is None or problems:
        return None
    if not path.endswith(f"/{schemas.SETTINGS}"):
        return meaning(source.value)
    try:
        settings = schemas.settings_of(source.value)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None  # not well-formed, so it says something else
    return meaning(settings) if set(source.value) <= _KNOWN else None


def _replace(target: Path, text: str) -> None:
    """Put the text in place in one step, so that a reader sees the old file or the new one."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=".", suffix=".new")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        mode = target.stat().st_mode & 0o777 if target.exists() else 0o644
        Path(temporary).chmod(mode)
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _bad_names(governance: Governance) -> Iterator[str]:
    for name, folder in sorted(governance.schemas.items()):
        at = f"schemas/{name}"
        for text in name_problems(name):
            yield f"{at}:1: {text}"
        if schemas.EXAMPLES in name.split("/") or name.casefold() == schemas.RESERVED:
            yield f"{at}:1: {name!r} cannot be a folder's name here; rename the schema"
        for version in folder.versions:
            if Version.parse(version) is None:
                yield f"{at}:1: {version!r} is not a version; use major.minor.patch"
        for example in folder.examples:
            ending = ".pass.json" if example.passes else ".fail.json"
            if not _plain_path(example.name, 1) or not example.name.endswith(ending):
                yield f"{at}:1: the example {example.name!r} should be a file name, <text>{ending}"
    for folder_name, inside in sorted(governance.documents):
        path = f"{folder_name}/{inside}"
        known = folder_name in FOLDERS and folder_name != "schemas"
        if not known or not _plain_path(inside, 99) or rules.misplaced(path):
            yield f"{path}:1: is not a file of the governance folders; leave it out"


def _plain_path(text: str, most: int) -> bool:
    parts = PurePosixPath(text).parts
    whole = text == "/".join(parts) and 0 < len(parts) <= most
    return whole and not any(part.startswith(".") or "\\" in part or "\0" in part for part in parts)


def _links_outside(root: Path, paths: Mapping[str, str]) -> Iterator[str]:
    home = root.resolve()
    for path in sorted(paths):
        if not (root / path).resolve().is_relative_to(home):
            yield f"{path}:1: lies behind a link that leads outside; put a folder there instead"
