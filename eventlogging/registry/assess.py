"""Judge a proposal against the registry: everything wrong, the version, the changes, the table."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import sqlalchemy as sa

from eventlogging.governance.fields import declares
from eventlogging.governance.model import Example
from eventlogging.registry import stored
from eventlogging.registry.bump import Bump, bump
from eventlogging.registry.judge import disproofs, whole_document
from eventlogging.registry.proposal import Proposal, examples_of
from eventlogging.registry.settings import Settings, merged
from eventlogging.registry.stored import StoredSchema
from eventlogging.registry.tables import PlannedTable, plan_table, unheld
from eventlogging.schema.columns import Column
from eventlogging.schema.compatibility import Change
from eventlogging.schema.names import name_problems, table_stem
from eventlogging.schema.version import Level, Version
from eventlogging.store.dialect import Dialect

_MOST_REVISION = 10**18
_MOST_REASON = 2000
_UNEXPORTABLE = frozenset({"default", "examples"})  # files and folders of the governance folders


@dataclass(frozen=True)
class Assessment:
    """What became of a proposal when it was held against the registry.

    `problems` (what is wrong with it) and `conflicts` (why its version cannot be published) must
    both be empty for it to be published. What could not be found out is None.
    """

    name: str
    problems: tuple[str, ...]
    conflicts: tuple[str, ...]
    warnings: tuple[str, ...]
    settings: Settings
    bump: Bump | None = None
    document: Mapping[str, Any] | None = None
    revision: int | None = None
    override: str | None = None
    table: PlannedTable | None = None
    examples: tuple[Example, ...] | None = None  # those to keep; None: as they are
    stale_examples: tuple[str, ...] = ()
    standing: StoredSchema | None = None

    @property
    def version(self) -> Version | None:
        """The version that the proposal is, or would become."""
        return self.bump.version if self.bump else None

    @property
    def previous(self) -> Version | None:
        """The version it was compared with."""
        return self.bump.previous if self.bump else None

    @property
    def level(self) -> Level:
        """How much it changes."""
        return self.bump.level if self.bump else Level.NONE

    @property
    def changes(self) -> tuple[Change, ...]:
        """Each change by name."""
        return self.bump.changes if self.bump else ()

    @property
    def identical(self) -> bool:
        """Whether `version` is published and says the same."""
        return bool(self.bump and self.bump.identical)

    @property
    def overrides(self) -> bool:
        """Whether the version is smaller than the change demands, for a stated reason."""
        return bool(self.bump and not self.identical and self.bump.version < self.bump.computed)

    def as_dict(self, dialect: Dialect) -> dict[str, Any]:
        """Return what a proposer reads, as JSON can hold it."""
        found = self.bump
        return {
            "name": self.name,
            "version": str(found.version) if found else None,
            "computed_version": str(found.computed) if found else None,
            "previous": str(found.previous) if found and found.previous else None,
            "level": self.level.name.lower(),
            "identical": self.identical,
            "changes": [
                {
                    "pointer": change.pointer,
                    "level": change.level.name.lower(),
                    "what": change.what,
                    "rule": change.rule,
                }
                for change in self.changes
            ],
            "problems": [*self.problems, *self.conflicts],
            "warnings": list(self.warnings),
            "table": self.table.as_dict(dialect) if self.table else None,
        }


def assess(
    connection: sa.Connection,
    proposal: Proposal,
    alongside: Sequence[Mapping[str, Any]] = (),
) -> Assessment:
    """Hold a proposal against the registry; writes nothing.

    `alongside` are documents of the same schema that are about to be published with it: a field
    that one of them declares may be named in `privacy`.
    """
    unkept = _unkeepable(proposal)
    if unkept:
        return Assessment(proposal.name, (unkept,), (), (), Settings(proposal.name))
    standing = stored.stored_schema(connection, proposal.name)
    problems = [] if standing else list(_name_problems(connection, proposal.name))
    document, wrong, warnings = whole_document(
        proposal.document, partial(stored.document_of, connection)
    )
    problems += wrong
    settings, wrong = _settings(proposal, standing)
    problems += wrong
    given, revision, override, wrong = _numbers(proposal)
    problems += wrong
    examples, wrong = examples_of(proposal.examples)
    problems += wrong
    if document is None or (given is None and proposal.version is not None):
        return Assessment(
            proposal.name, tuple(problems), (), tuple(warnings), settings, standing=standing
        )

    documents = standing.documents() if standing else {}
    problems += _undeclared(settings, [document, *documents.values(), *alongside])
    problems += disproofs(document, examples or ())

    def stiff(version: Version) -> tuple[Change, ...]:
        table, columns = _standing_table(standing, version.major)
        return unheld(document, settings.privacy, table, columns)

    found = bump(proposal.name, documents, document, given, override, stiff)
    problems += _revision_problems(revision, found.version, standing)
    if found.identical:
        problems += [
            f"{change.what}; state a new major version, such as {found.version.raised(Level.MAJOR)}"
            for change in stiff(found.version)
        ]
    name, columns = _standing_table(standing, found.version.major, proposal.name)
    table = plan_table(name, document, settings.privacy, columns)
    kept, stale, notes = _kept_examples(examples, found, document, standing)
    return Assessment(
        name=proposal.name,
        problems=tuple(problems),
        conflicts=found.conflicts,
        warnings=(*warnings, *notes, *_privacy_warnings(settings, found, standing)),
        settings=settings,
        bump=found,
        document=document,
        revision=revision,
        override=override,
        table=table,
        examples=kept,
        stale_examples=stale,
        standing=standing,
    )


def _unkeepable(proposal: Proposal) -> str | None:
    """Return why a proposal is not JSON that a database can keep, whatever it says."""
    try:
        json.dumps(proposal.as_dict(), ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError) as error:  # a lone surrogate is a ValueError too
        return f"the proposal is not JSON in UTF-8: {error}"
    except RecursionError:
        return "the proposal is nested too deeply"
    return None


def _name_problems(connection: sa.Connection, name: str) -> list[str]:
    problems = list(name_problems(name))
    if problems:
        return problems
    if _UNEXPORTABLE & set(name.casefold().split("/")):
        return [f"{name!r} cannot be a folder's name in schemas/; choose another"]
    stem = table_stem(name)
    taken = stored.taken_names(connection, except_for=name)
    mine = (stem, f"{stem}_invalid")
    owner = next((taken[one.casefold()] for one in mine if one.casefold() in taken), None)
    return [f"the name gives the same table as {owner}; choose another"] if owner else []


def _settings(proposal: Proposal, standing: StoredSchema | None) -> tuple[Settings, list[str]]:
    stated = proposal.stated_settings()
    if standing:
        return merged(stated, standing.settings)
    said = proposal.document if isinstance(proposal.document, Mapping) else {}
    title = _text(said.get("title"), 255) or proposal.name[:255]
    blank = Settings(title, _text(said.get("description"), 10_000) or title)
    settings, problems = merged(stated, blank)
    if proposal.owners is None:
        problems.append("owners is missing: the e-mail addresses of those who answer for it")
    return settings, problems


def _text(value: Any, most: int) -> str:
    return value.strip()[:most] if isinstance(value, str) else ""


def _numbers(proposal: Proposal) -> tuple[Version | None, int | None, str | None, list[str]]:
    problems = []
    given = None
    if proposal.version is not None:
        given = Version.parse(proposal.version) if isinstance(proposal.version, str) else None
        if given is None:
            problems.append(f"version is major.minor.patch, not {proposal.version!r}")
    revision = proposal.revision
    if revision is not None and not (
        isinstance(revision, int) and not isinstance(revision, bool)
        and 0 < revision < _MOST_REVISION
    ):  # fmt: skip
        problems.append(f"revision is a whole number above 0, not {revision!r}")
        revision = None
    override = proposal.override
    if override is not None and not (
        isinstance(override, str) and 0 < len(override.strip()) <= _MOST_REASON
    ):
        problems.append(f"override states a reason in 1 to {_MOST_REASON} characters")
        override = None
    return given, revision, override, problems


def _undeclared(settings: Settings, documents: Sequence[Mapping[str, Any]]) -> list[str]:
    return [
        f"privacy names {pointer!r}, which the schema does not declare"
        for pointer in settings.privacy
        if not any(declares(document, pointer) for document in documents)
    ]


def _revision_problems(
    revision: int | None, version: Version, standing: StoredSchema | None
) -> list[str]:
    if revision is None or standing is None:
        return []
    problems = [
        f"revision {revision} is {other.version} already"
        for other in standing.versions.values()
        if other.revision == revision and other.version != version
    ]
    own = standing.versions.get(version)
    if own and own.revision not in (None, revision):
        problems.append(f"{version} is revision {own.revision} already, not {revision}")
    return problems


def _standing_table(
    standing: StoredSchema | None, major: int, name: str = ""
) -> tuple[str, tuple[Column, ...]]:
    """Return the name of a major's table and the columns that stand in it."""
    if standing and major in standing.tables:
        table, plan = standing.tables[major]
        return table, plan.columns
    stem = standing.stem if standing else table_stem(name)
    return f"{stem}_{major}", ()


def _kept_examples(
    examples: tuple[Example, ...] | None,
    found: Bump,
    document: Mapping[str, Any],
    standing: StoredSchema | None,
) -> tuple[tuple[Example, ...] | None, tuple[str, ...], list[str]]:
    """Return the examples to keep (None: as they are), those that go, and what to say of it."""
    if standing and found.version < standing.latest:
        if examples:
            return None, (), ["examples are kept for the latest version; these were only checked"]
        return None, (), []
    if examples is not None or standing is None or found.identical:
        return examples, (), []
    still = tuple(one for one in standing.examples if not disproofs(document, [one]))
    stale = tuple(one.name for one in standing.examples if one not in still)
    notes = [
        f"the example {name!r} of {standing.latest} no longer holds and goes; propose another"
        for name in stale
    ]
    return (still if stale else None), stale, notes


def _privacy_warnings(settings: Settings, found: Bump, standing: StoredSchema | None) -> list[str]:
    """Say which tables of other majors stay as they were although a field is now treated."""
    if standing is None or standing.settings.privacy == settings.privacy:
        return []
    return [
        f"{change.what}; there the field goes into event_more"
        for major, (table, plan) in standing.tables.items()
        if major != found.version.major
        for change in unheld(
            standing.latest_of(major).document, settings.privacy, table, plan.columns
        )
    ]
