"""Read the folders of schemas/: settings, versions and examples, with every problem in them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from eventlogging.governance import metaschema
from eventlogging.governance.fields import declares, field_names
from eventlogging.governance.model import (
    DEFAULT_FILL_DEFAULTS,
    DEFAULT_PRODUCERS,
    DEFAULT_RATE,
    DEFAULT_READERS,
    DEFAULT_UNIT,
    Example,
    SchemaFolder,
    pointer_of,
    version_order,
)
from eventlogging.governance.problems import Found, did_you_mean
from eventlogging.governance.syntax import Source
from eventlogging.schema.names import name_problems, table_stem
from eventlogging.schema.version import Version

EXAMPLES = "examples"
SETTINGS = "schema.toml"
RESERVED = "default"  # purge/default.toml and alerts/default.toml are the rules for all schemas


@dataclass
class Draft:
    """The files of one schema folder while they are read; a value is None where it is broken.

    `whole` holds the documents without problems, references between schemas resolved.
    """

    name: str
    settings: Source | None = None
    has_settings: bool = False
    versions: dict[str, Source | None] = field(default_factory=dict)
    examples: dict[str, Source | None] = field(default_factory=dict)
    whole: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def documents(self) -> dict[str, Mapping[str, Any]]:
        """The versions that hold an object, by version text."""
        return {
            version: source.value
            for version, source in self.versions.items()
            if source is not None and isinstance(source.value, dict)
        }

    @property
    def fields_known(self) -> bool:
        """Whether every version is whole, so that an undeclared field can be told."""
        return bool(self.versions) and len(self.whole) == len(self.versions)

    def declares(self, pointer: str) -> bool:
        """Say whether any version declares the field."""
        return any(declares(document, pointer) for document in self.whole.values())

    @property
    def field_names(self) -> set[str]:
        """The top-level fields of all versions."""
        return {name for document in self.whole.values() for name in field_names(document)}

    @property
    def latest(self) -> str:
        """The highest version's text, also where it is broken; empty where there is none."""
        return max(self.versions, key=version_order, default="")


def place(path: str) -> tuple[str, str, str] | str:
    """Return (schema, kind, file name) of a path below schemas/, or why it does not belong.

    Kind is `settings`, `version` or `example`.
    """
    folder, _, file = path.rpartition("/")
    if not folder:
        return "does not belong here; a schema is a folder with schema.toml and 1.0.0.json"
    parent, _, last = folder.rpartition("/")
    if last == EXAMPLES and parent:
        if file.endswith((".pass.json", ".fail.json")):
            return parent, "example", file
        return "does not belong here; examples are named <anything>.pass.json or .fail.json"
    if EXAMPLES in folder.split("/"):
        return f"does not belong here; a schema's name has no segment {EXAMPLES!r}"
    if file == SETTINGS:
        return folder, "settings", file
    if file.endswith((".pass.json", ".fail.json")):
        return f"does not belong here; move it into {EXAMPLES}/"
    if file.endswith(".json"):
        stem = file.removesuffix(".json")
        if Version.parse(stem):
            return folder, "version", stem
        return f"{stem!r} is not a version; name the file major.minor.patch, such as 1.0.0.json"
    return "does not belong here; a schema folder holds schema.toml, <version>.json and examples/"


def gather(files: list[str], sources: Mapping[str, Source]) -> tuple[dict[str, Draft], list[Found]]:
    """Return the drafts of all schema folders by name; `files` are paths below the root."""
    problems: list[Found] = []
    drafts: dict[str, Draft] = {}
    for path in files:
        placed = place(path.removeprefix("schemas/"))
        if isinstance(placed, str):
            problems.append(Found(path, 1, placed))
            continue
        name, kind, file = placed
        draft = drafts.setdefault(name, Draft(name))
        source = sources.get(path)
        if kind == "settings":
            draft.settings, draft.has_settings = source, True
        elif kind == "version":
            draft.versions[file] = source
        else:
            draft.examples[file] = source
    return drafts, problems


def check(drafts: Mapping[str, Draft]) -> Iterator[Found]:
    """Yield the problems of names, settings and missing parts, once documents are judged."""
    stems: dict[str, list[str]] = defaultdict(list)
    for name in sorted(drafts):
        stems[table_stem(name).casefold()].append(name)
    for names in stems.values():
        for name in names[1:]:
            text = f"the name {name!r} gives the same table as {names[0]!r}; choose another"
            yield Found(f"schemas/{name}/{SETTINGS}", 1, text)
    for name, draft in sorted(drafts.items()):
        where = f"schemas/{name}/{SETTINGS}"
        for text in name_problems(name):
            yield Found(where, 1, text)
        if name.casefold() == RESERVED:
            yield Found(where, 1, f"{name!r} names the rule for all schemas; choose another name")
        if not draft.has_settings:
            yield Found(where, 1, "is missing; add title, description and owners")
        if not draft.versions:
            yield Found(f"schemas/{name}/1.0.0.json", 1, "is missing; a schema has a version")
        for version, source in draft.versions.items():
            if source is not None and not isinstance(source.value, dict):
                found = f"schemas/{name}/{version}.json"
                yield Found(found, 1, "holds no JSON object; a schema is one")
        if draft.settings is not None:
            yield from metaschema.check("schema", draft.settings)
            yield from _check_names_in_settings(draft, draft.settings)


def _check_names_in_settings(draft: Draft, settings: Source) -> Iterator[Found]:
    privacy = settings.value.get("privacy")
    for key in privacy if isinstance(privacy, dict) and draft.fields_known else ():
        if not draft.declares(pointer_of(key)):
            hint = did_you_mean(key, draft.field_names)
            text = f"privacy names {key!r}, which no version of {draft.name} declares{hint}"
            yield settings.found(("privacy", key), text)
    for one, other in _same_field_twice(privacy if isinstance(privacy, dict) else {}):
        yield settings.found(("privacy", other), f"{other!r} is the same field as {one!r}")
    revisions = settings.value.get("revisions")
    for key, version in revisions.items() if isinstance(revisions, dict) else ():
        if isinstance(version, str) and version not in draft.versions:
            text = f"revision {key} names version {version!r}, which is not in this folder"
            yield settings.found(("revisions", key), text + did_you_mean(version, draft.versions))
    overrides = settings.value.get("overrides")
    for version in overrides if isinstance(overrides, dict) else ():
        if version not in draft.versions:
            text = f"overrides names version {version!r}, which is not in this folder"
            yield settings.found(
                ("overrides", version), text + did_you_mean(version, draft.versions)
            )


def _same_field_twice(privacy: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    seen: dict[str, str] = {}
    for key in privacy:
        pointer = pointer_of(key)
        if pointer in seen:
            yield seen[pointer], key
        seen[pointer] = key


def settings_of(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a well-formed schema.toml says, as arguments of SchemaFolder."""
    sampling = value.get("sampling", {})
    return {
        "title": value["title"],
        "description": value["description"],
        "owners": tuple(value["owners"]),
        "sampling_rate": float(sampling.get("rate", DEFAULT_RATE)),
        "sampling_unit": sampling.get("unit", DEFAULT_UNIT),
        "privacy": {pointer_of(key): how for key, how in value.get("privacy", {}).items()},
        "producers": value.get("producers", DEFAULT_PRODUCERS),
        "origins": tuple(value.get("origins", ())),
        "fill_defaults": value.get("fill_defaults", DEFAULT_FILL_DEFAULTS),
        "readers": value.get("readers", DEFAULT_READERS),
        "state": value.get("state"),
        "revisions": {int(key): version for key, version in value.get("revisions", {}).items()},
        "overrides": dict(value.get("overrides", {})),
    }


def built(draft: Draft) -> SchemaFolder:
    """Return the folder of a draft without problems."""
    assert draft.settings is not None
    return SchemaFolder(
        name=draft.name,
        versions={version: draft.documents[version] for version in in_order(draft.versions)},
        examples=tuple(
            Example(file, file.endswith(".pass.json"), source.value)
            for file, source in sorted(draft.examples.items())
            if source is not None
        ),
        **settings_of(draft.settings.value),
    )


def in_order(versions: Mapping[str, Any]) -> list[str]:
    """Return version texts from the lowest to the highest."""
    return sorted(versions, key=version_order)
