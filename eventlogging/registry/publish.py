"""Publish a schema version, or keep it as a proposal: judged and written in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.errors import SchemaRefused, VersionConflict
from eventlogging.registry import audit, counter, owners, write
from eventlogging.registry.assess import Assessment, assess
from eventlogging.registry.proposal import Proposal
from eventlogging.registry.settings import Settings
from eventlogging.registry.stored import StoredSchema
from eventlogging.registry.tables import plan_table
from eventlogging.schema.draft import DEFAULT_DRAFT, draft_of
from eventlogging.schema.version import Version
from eventlogging.store.database import Database
from eventlogging.store.fixed import proposal as proposals


@dataclass(frozen=True)
class Published:
    """What became of a wish to publish.

    `created`: a version is there that was not; `changed`: anything at all was written. Where
    the assessment has problems or conflicts, nothing was.
    """

    version: Version | None
    created: bool
    changed: bool
    assessment: Assessment


def publish(database: Database, proposal: Proposal, who: str) -> Published:
    """Publish a proposal; an identical version is left as it is, and settings stated are set.

    Raises SchemaRefused with every problem, VersionConflict, StoreUnavailable; nothing is
    written then.
    """
    published = try_publish(database, proposal, who)
    if published.assessment.problems:
        raise SchemaRefused([*published.assessment.problems, *published.assessment.conflicts])
    if published.assessment.conflicts:
        raise VersionConflict("; ".join(published.assessment.conflicts))
    return published


def try_publish(database: Database, proposal: Proposal, who: str) -> Published:
    """Publish as `publish` does, but answer problems and conflicts as values."""
    with database.write() as connection:
        counter.lock(connection)
        published = publish_in(connection, proposal, who, living_owner=True)
        if published.changed:
            counter.move(connection)
    return published


def publish_in(
    connection: sa.Connection,
    proposal: Proposal,
    who: str,
    alongside: Sequence[Mapping[str, Any]] = (),
    *,
    living_owner: bool = False,
) -> Published:
    """Publish within the caller's transaction, which holds the counter's lock and moves it.

    `alongside`: see `assess`. `living_owner`: a version is refused where none of its owners can
    be reached. What folders say is applied without: there, people stand behind each line.
    """
    found = assess(connection, proposal, alongside)
    if living_owner and not found.identical and not found.problems:
        nobody = owners.problem(connection, found.name, found.settings.owners)
        found = replace(found, problems=(nobody,)) if nobody else found
    version = found.version
    if found.problems or found.conflicts or version is None or found.bump is None:
        return Published(version, False, False, found)
    changed = _write_settings(connection, found, who)
    if not found.identical:
        _write_version(connection, proposal, found, version, who)
        return Published(version, True, True, found)
    return Published(
        version, False, _write_beside(connection, found, version, who) or changed, found
    )


def _write_settings(connection: sa.Connection, found: Assessment, who: str) -> bool:
    """Put the settings in force; return whether they changed those of a schema that was there."""
    if found.standing is None:
        write.add_schema(connection, found.name, found.settings)
        return False
    # The table of the version that is being published is planned and written with it.
    own = None if found.identical or found.version is None else found.version.major
    return put_settings(connection, found.standing, found.settings, who, except_for=own)


def put_settings(
    connection: sa.Connection, standing: StoredSchema, settings: Settings, who: str,
    except_for: int | None = None,
) -> bool:  # fmt: skip
    """Put settings in force within the caller's transaction; return whether any changed.

    Tables are planned anew where `privacy` changed, those of major `except_for` aside.
    """
    changes = standing.settings.changes_to(settings)
    if not changes:
        return False
    write.update_settings(connection, standing.name, settings)
    detail = {
        name: {"old": _plain(old), "new": _plain(new)} for name, (old, new) in changes.items()
    }
    audit.record(connection, who, "settings", standing.name, detail)
    for major, (table, plan) in standing.tables.items():
        if "privacy" in changes and major != except_for:
            document = standing.latest_of(major).document
            planned = plan_table(table, document, settings.privacy, plan.columns)
            write.write_table(connection, standing.name, major, planned)
    return True


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, tuple) else value


def _write_version(
    connection: sa.Connection, proposal: Proposal, found: Assessment, version: Version, who: str
) -> None:
    assert found.document is not None
    assert found.table is not None
    reason = found.override if found.overrides else None
    write.add_version(
        connection,
        found.name,
        version,
        source=proposal.document,
        document=found.document,
        draft=draft_of(found.document) or DEFAULT_DRAFT,
        revision=found.revision,
        changes=[change.what for change in found.changes],
        override=reason,
        who=who,
    )
    write.write_table(connection, found.name, version.major, found.table)
    if found.examples is not None:
        write.write_examples(connection, found.name, found.examples)
    detail: dict[str, Any] = {
        "version": str(version),
        "previous": str(found.previous) if found.previous else None,
        "level": found.level.name.lower(),
        "changes": [change.what for change in found.changes],
        "table": found.table.name,
    }
    if reason:
        detail["override"] = reason
    if found.stale_examples:
        detail["examples_gone"] = list(found.stale_examples)
    audit.record(connection, who, "publish", found.name, detail)


def _write_beside(connection: sa.Connection, found: Assessment, version: Version, who: str) -> bool:
    """Write what may be said of a version that stands: its revision, the schema's examples."""
    assert found.standing is not None
    changed = False
    own = found.standing.versions[version]
    if found.revision is not None and own.revision is None:
        write.set_revision(connection, found.name, version, found.revision)
        detail: dict[str, Any] = {"version": str(version), "revision": found.revision}
        audit.record(connection, who, "revision", found.name, detail)
        changed = True
    if found.examples is not None and not same_examples(found.examples, found.standing.examples):
        write.write_examples(connection, found.name, found.examples)
        detail = {
            "old": [example.name for example in found.standing.examples],
            "new": [example.name for example in found.examples],
        }
        audit.record(connection, who, "examples", found.name, detail)
        changed = True
    return changed


def same_examples(one: Sequence[Any], other: Sequence[Any]) -> bool:
    """Whether two sets of examples say the same, in whatever order."""

    def key(examples: Sequence[Any]) -> set[tuple[str, bool, str]]:
        return {(e.name, e.passes, write.as_json(e.payload)) for e in examples}

    return key(one) == key(other)


@dataclass(frozen=True)
class Proposed:
    """What became of a proposal; `id` is None where it was not kept."""

    id: int | None
    assessment: Assessment


def propose(database: Database, proposal: Proposal, who: str) -> int:
    """Keep a proposal for review and return its number.

    Raises SchemaRefused with every problem, VersionConflict (also where it is published
    already), StoreUnavailable.
    """
    proposed = try_propose(database, proposal, who)
    found = proposed.assessment
    if found.problems:
        raise SchemaRefused([*found.problems, *found.conflicts])
    if found.conflicts:
        raise VersionConflict("; ".join(found.conflicts))
    if proposed.id is None:
        raise VersionConflict(f"{found.name} {found.version} is published and says the same")
    return proposed.id


def try_propose(database: Database, proposal: Proposal, who: str) -> Proposed:
    """Propose as `propose` does, but answer problems, conflicts and identity as values."""
    with database.write() as connection:
        counter.lock(connection)
        found = assess(connection, proposal)
        if found.problems or found.conflicts or found.identical or found.version is None:
            return Proposed(None, found)
        result = connection.execute(
            sa.insert(proposals).values(
                schema=proposal.name,
                version=str(found.version),
                body=write.as_json(proposal.as_dict()),
                state="proposed",
                proposed_at=clock.iso(clock.now_ms()),
                proposed_by=who[:191],
            )
        )
        number = int((result.inserted_primary_key or (0,))[0])
        detail = {"proposal": number, "version": str(found.version)}
        audit.record(connection, who, "propose", proposal.name, detail)
    return Proposed(number, found)
