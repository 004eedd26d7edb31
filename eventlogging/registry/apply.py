"""Bring the registry to what the governance folders say, or change nothing at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.errors import GovernanceError
from eventlogging.governance.model import Governance, SchemaFolder, meaning
from eventlogging.registry import audit, counter, stored, write
from eventlogging.registry.change import setting_problems
from eventlogging.registry.export import held_documents
from eventlogging.registry.judge import disproofs, whole_document
from eventlogging.registry.order import publishing_order
from eventlogging.registry.proposal import Proposal
from eventlogging.registry.publish import Published, publish_in, put_settings, same_examples
from eventlogging.registry.settings import Settings, merged
from eventlogging.registry.state import put_state
from eventlogging.registry.stored import StoredSchema
from eventlogging.schema.version import Version
from eventlogging.store.database import Database
from eventlogging.store.fixed import governance as documents


def apply(
    database: Database, governance: Governance, who: str, *, prune: bool = False,
    dry_run: bool = False,
) -> list[str]:  # fmt: skip
    """Make the registry say what `governance` says; return what changed, in sentences.

    Published versions stay for ever, and what only the database holds is left alone; `prune`
    removes reviewers', alerts' and purge documents that the folders lack. `dry_run` writes
    nothing. Raises GovernanceError with every problem at once, StoreUnavailable; nothing is
    written then.
    """
    with database.write() as connection:
        counter.lock(connection)
        change = _Change(connection, who)
        change.schemas(governance)
        change.documents(governance, prune)
        if change.problems:
            raise GovernanceError(change.problems)
        if change.done and not dry_run:
            counter.move(connection)
        if dry_run:
            connection.rollback()
    return change.done


@dataclass
class _Change:
    """One application under way: what was done, what is wrong."""

    connection: sa.Connection
    who: str
    done: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)  # schemas of which a version is refused

    def schemas(self, governance: Governance) -> None:
        folders = governance.schemas
        sources = {
            (name, version): document
            for name, folder in folders.items()
            for text, document in folder.versions.items()
            if (version := Version.parse(text)) is not None
        }
        order, circle = publishing_order(sources)
        if circle:
            way = " → ".join(f"{name}/{version}" for name, version in circle)
            self.problems.append(f"schemas/{circle[0][0]}:1: schemas refer to each other: {way}")
        before = {name: stored.stored_schema(self.connection, name) for name in folders}
        for name, version in order:
            if name not in self.broken:
                self._version(folders[name], version, before[name])
        for name, folder in sorted(folders.items()):
            if name not in self.broken and not circle:
                self._beside(folder, before[name])

    def _version(self, folder: SchemaFolder, version: Version, before: StoredSchema | None) -> None:
        """Publish one version of a folder, unless it is published and says the same."""
        path = f"schemas/{folder.name}/{version}.json"
        source = folder.versions[str(version)]
        standing = before.versions.get(version) if before else None
        if standing is not None:
            if not self._says_the_same(source, standing):
                self.problems.append(
                    f"{path}:1: differs from {version} as it was published, and published "
                    "versions never change; restore it and add a new version"
                )
                self.broken.add(folder.name)
            return
        published = self._publish(folder, version, source)
        found = published.assessment
        if published.created:
            level = found.level.name.lower()
            what = f"version {version} added ({level})"
            what = what if found.standing else f"schema added with {version}"
            self.done.append(f"{folder.name}: {what}")
            return
        self.problems += [f"{path}:1: {text}" for text in (*found.problems, *found.conflicts)]
        self.broken.add(folder.name)

    def _publish(
        self, folder: SchemaFolder, version: Version, source: Mapping[str, Any]
    ) -> Published:
        revision = next((n for n, text in folder.revisions.items() if text == str(version)), None)
        proposal = Proposal(
            folder.name,
            source,
            version=str(version),
            revision=revision,
            override=folder.overrides.get(str(version)),
            **_stated(folder),
        )
        return publish_in(self.connection, proposal, self.who, list(folder.versions.values()))

    def _says_the_same(self, source: Mapping[str, Any], standing: stored.StoredVersion) -> bool:
        if meaning(source) == meaning(standing.source):
            return True
        document, problems, _ = whole_document(source, partial(stored.document_of, self.connection))
        return not problems and meaning(document) == meaning(standing.document)

    def _beside(self, folder: SchemaFolder, before: StoredSchema | None) -> None:
        """Bring settings, state, revisions and examples to what the folder says."""
        standing = stored.stored_schema(self.connection, folder.name)
        if standing is None:
            return
        where = f"schemas/{folder.name}/schema.toml:1:"
        settings, problems = merged(_stated(folder), Settings(folder.title))
        problems += setting_problems(standing, settings)
        self.problems += [f"{where} {text}" for text in problems]
        if problems:
            return
        old = before.settings if before else settings
        put_settings(self.connection, standing, settings, self.who)
        for name, (was, now) in old.changes_to(settings).items():
            self.done.append(f"{folder.name}: {name} {_shown(was)} → {_shown(now)}")
        self._state(folder, standing)
        self._revisions(folder, standing, where)
        self._examples(folder, standing, before)

    def _state(self, folder: SchemaFolder, standing: StoredSchema) -> None:
        """Put the schema into the state that the folder states, if it states any."""
        if folder.state is None or folder.state == standing.state:
            return
        put_state(self.connection, folder.name, standing.state, folder.state, self.who)
        self.done.append(f"{folder.name}: state {standing.state} → {folder.state}")

    def _revisions(self, folder: SchemaFolder, standing: StoredSchema, where: str) -> None:
        known = {v.revision: v.version for v in standing.versions.values() if v.revision}
        for revision, text in sorted(folder.revisions.items()):
            version = Version.parse(text)
            own = standing.versions.get(version) if version else None
            if version is None or own is None or known.get(revision) == version:
                continue
            if revision in known or own.revision is not None:
                was = known.get(revision) or f"revision {own.revision}"
                self.problems.append(f"{where} revision {revision} cannot be {text}; it is {was}")
                continue
            write.set_revision(self.connection, folder.name, version, revision)
            detail = {"version": text, "revision": revision}
            audit.record(self.connection, self.who, "revision", folder.name, detail)
            self.done.append(f"{folder.name}: revision {revision} is {text}")

    def _examples(
        self, folder: SchemaFolder, standing: StoredSchema, before: StoredSchema | None
    ) -> None:
        if str(standing.latest) != folder.latest:
            return  # they speak of an older version; `only_registered` says so
        document = standing.versions[standing.latest].document
        wrong = [
            f"schemas/{folder.name}/examples:1: {text}"
            for text in disproofs(document, folder.examples)
        ]
        self.problems += wrong
        if wrong or same_examples(folder.examples, standing.examples):
            return
        write.write_examples(self.connection, folder.name, folder.examples)
        if before is not None:
            names = {
                "old": [example.name for example in standing.examples],
                "new": [example.name for example in folder.examples],
            }
            audit.record(self.connection, self.who, "examples", folder.name, names)
            self.done.append(f"{folder.name}: examples changed")

    def documents(self, governance: Governance, prune: bool) -> None:
        held = held_documents(self.connection)
        for key, value in sorted(governance.documents.items()):
            path = "/".join(key)
            if key not in held:
                self._insert(key, value)
                self.done.append(f"{path}: added")
            elif meaning(held[key]) != meaning(value):
                self._delete(key)
                self._insert(key, value)
                self.done.append(f"{path}: changed")
            else:
                continue
            detail = {"old": held.get(key), "new": value}
            audit.record(self.connection, self.who, "governance", path, detail)
        for key in sorted(set(held) - set(governance.documents)) if prune else ():
            self._delete(key)
            path = "/".join(key)
            audit.record(self.connection, self.who, "governance", path, {"old": held[key]})
            self.done.append(f"{path}: removed")

    def _insert(self, key: tuple[str, str], value: Any) -> None:
        self.connection.execute(
            sa.insert(documents).values(
                folder=key[0],
                name=key[1],
                document=write.as_json(value),
                updated_at=clock.iso(clock.now_ms()),
            )
        )

    def _delete(self, key: tuple[str, str]) -> None:
        c = documents.c
        self.connection.execute(sa.delete(documents).where(c.folder == key[0], c.name == key[1]))


def _stated(folder: SchemaFolder) -> dict[str, Any]:
    return {
        "title": folder.title,
        "description": folder.description,
        "owners": list(folder.owners),
        "sampling": {"rate": folder.sampling_rate, "unit": folder.sampling_unit},
        "privacy": dict(folder.privacy),
        "producers": folder.producers,
        "origins": list(folder.origins),
        "fill_defaults": folder.fill_defaults,
        "readers": folder.readers,
    }


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(value) or "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={how}" for key, how in sorted(value.items())) or "none"
    text = str(value)
    return text if len(text) <= 60 else text[:59] + "…"
