"""The registry on real databases: publish, settings, tokens, snapshots, apply."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from eventlogging import clock
from eventlogging.errors import (
    GovernanceError,
    RegistryError,
    SchemaRefused,
    StoreUnavailable,
    UnknownSchema,
    VersionConflict,
)
from eventlogging.governance.model import Example, Governance, SchemaFolder
from eventlogging.governance.read import read_governance
from eventlogging.governance.write import write_governance
from eventlogging.registry import audit, tokens
from eventlogging.registry.additions import additions
from eventlogging.registry.apply import apply
from eventlogging.registry.change import change_settings
from eventlogging.registry.export import only_registered, registry_governance
from eventlogging.registry.proposal import Proposal
from eventlogging.registry.publish import propose, publish, try_publish
from eventlogging.registry.snapshot import RegistryCache, read_counter, read_snapshot
from eventlogging.review.lifecycle import retire, revive
from eventlogging.schema.columns import Kind
from eventlogging.store.database import Database
from eventlogging.store.fixed import schema_version
from eventlogging.store.migrate import migrate

OWNERS = ["owner@example.org"]


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    migrate(database)
    yield database
    database.close()


def document(**properties: Any) -> dict[str, Any]:
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }


ONE = document(action={"type": "string", "maxLength": 40}, count={"type": "integer"})
TWO = document(**ONE["properties"], page={"type": "string"})


def edit(doc: Any = ONE, **more: Any) -> Proposal:
    return Proposal("Edit", doc, **{"owners": OWNERS, **more})


def actions(database: Database) -> list[str]:
    with database.read() as connection:
        return [entry.action for entry in reversed(audit.entries(connection))]


# publishing


def test_a_published_schema_is_in_the_snapshot(database: Database) -> None:
    before = read_counter(database)
    proposal = edit(
        title="Edits",
        sampling={"rate": 0.1, "unit": "session"},
        privacy={"action": "hmac"},
        revision=4711,
        examples={"pass": [{"action": "save"}], "fail": [{"action": 1}]},
    )
    done = publish(database, proposal, "pm")
    assert done.created
    snapshot = read_snapshot(database)
    assert snapshot.counter == before + 1
    schema = snapshot.schemas["Edit"]
    assert (schema.title, schema.owners, schema.latest) == ("Edits", tuple(OWNERS), "1.0.0")
    assert (schema.sampling_rate, schema.sampling_unit) == (0.1, "session")
    assert schema.privacy == {"/action": "hmac"}
    assert schema.keep_days == 90
    assert schema.revisions == {4711: "1.0.0"}
    assert schema.invalid_table == "Edit_invalid"
    assert schema.versions["1.0.0"].table == "Edit_1"
    assert schema.versions["1.0.0"].document == ONE
    columns = {c.name: (c.kind, c.length) for c in schema.plans[1].columns}
    assert columns["event_action"] == (Kind.VARCHAR, 64)
    assert columns["event_count"] == (Kind.BIGINT, None)
    assert actions(database) == ["publish"]


def test_a_minor_version_adds_columns_to_the_same_table(database: Database) -> None:
    publish(database, edit(), "pm")
    done = publish(database, edit(TWO), "pm")
    assert str(done.version) == "1.1.0"
    assert done.assessment.changes[0].pointer == "/page"
    schema = read_snapshot(database).schemas["Edit"]
    assert [c.name for c in schema.plans[1].columns] == [
        "event_action",
        "event_count",
        "event_page",
    ]
    assert {v.table for v in schema.versions.values()} == {"Edit_1"}


def test_what_is_published_can_be_created_and_altered_on_this_server(database: Database) -> None:
    first = publish(database, edit(), "pm").assessment.table
    wider = document(**{**TWO["properties"], "action": {"type": "string", "maxLength": 60}})
    second = publish(database, edit(wider), "pm").assessment.table
    assert first is not None
    assert second is not None
    shown = second.as_dict(database.dialect)
    with database.ddl() as connection:
        connection.exec_driver_sql(first.as_dict(database.dialect)["ddl"])
        connection.exec_driver_sql(shown["alter"])
        present = database.dialect.existing_columns(connection, "Edit_1")
    assert "event_page" in present
    if database.dialect.name == "mysql":
        assert present["event_action"] == "varchar(60)"
    again = edit(document(**wider["properties"], last={"type": "boolean"}))
    third = publish(database, again, "pm").assessment.table
    assert third is not None
    assert "event_action" not in third.as_dict(database.dialect)["alter"]


def test_a_major_version_gets_its_own_table(database: Database) -> None:
    publish(database, edit(), "pm")
    done = publish(database, edit(document(action={"type": "integer"})), "pm")
    assert str(done.version) == "2.0.0"
    schema = read_snapshot(database).schemas["Edit"]
    assert schema.versions["2.0.0"].table == "Edit_2"
    assert sorted(schema.plans) == [1, 2]


def test_republishing_the_same_writes_nothing(database: Database) -> None:
    publish(database, edit(), "pm")
    counter = read_counter(database)
    turned = dict(reversed(list(ONE.items())))
    without_draft = {key: value for key, value in ONE.items() if key != "$schema"}
    for again in (ONE, turned, without_draft):
        for version in (None, "1.0.0"):
            done = publish(database, edit(again, version=version), "pm")
            assert done.assessment.identical
            assert not done.created
            assert not done.changed
    assert read_counter(database) == counter
    assert actions(database) == ["publish"]


def test_a_published_version_never_changes(database: Database) -> None:
    publish(database, edit(), "pm")
    with pytest.raises(VersionConflict, match="never changes"):
        publish(database, edit(TWO, version="1.0.0"), "pm")
    assert read_snapshot(database).schemas["Edit"].versions["1.0.0"].document == ONE


def test_a_version_that_is_too_small_needs_a_reason_which_is_kept(database: Database) -> None:
    publish(database, edit(), "pm")
    breaking = document(action={"type": "string", "maxLength": 20}, count={"type": "integer"})
    with pytest.raises(VersionConflict, match="too small"):
        publish(database, edit(breaking, version="1.1.0"), "pm")
    publish(database, edit(breaking, version="1.1.0", override="nothing was ever longer"), "pm")
    with database.read() as connection:
        assert audit.entries(connection)[0].detail["override"] == "nothing was ever longer"
        kept = connection.execute(
            sa.select(schema_version.c.override_reason).where(schema_version.c.minor == 1)
        ).scalar()
    assert kept == "nothing was ever longer"
    plan = read_snapshot(database).schemas["Edit"].plans[1]
    assert plan.columns[0].length == 40  # a column never becomes shorter


def test_no_reason_puts_into_a_column_what_it_cannot_hold(database: Database) -> None:
    publish(database, edit(), "pm")
    other = document(action={"type": "string", "maxLength": 40}, count={"type": "number"})
    done = try_publish(database, edit(other, version="1.1.0", override="please"), "pm")
    assert "cannot hold" in done.assessment.conflicts[0]
    assert str(publish(database, edit(other), "pm").version) == "2.0.0"


def test_every_problem_is_named_at_once(database: Database) -> None:
    proposal = Proposal(
        "Edit",
        document(a={"type": "strong"}, b={"$ref": "http://example.org/x.json"}),
        owners=["nobody"],
        sampling={"rate": 7},
        version="one",
        revision=-1,
        examples=[{"passes": "yes", "payload": 1}],
    )
    with pytest.raises(SchemaRefused) as refused:
        publish(database, proposal, "pm")
    for word in ("/a", "example.org", "nobody", "rate", "'one'", "-1", "passes"):
        assert any(word in problem for problem in refused.value.problems), word
    assert read_snapshot(database).schemas == {}
    assert actions(database) == []


def test_a_new_schema_has_an_owner_and_a_good_name(database: Database) -> None:
    for name in ("1st", "a b", "Edit_1", "invalid", "audit", "examples/x", "x" * 51):
        with pytest.raises(SchemaRefused):
            publish(database, Proposal(name, ONE, owners=OWNERS), "pm")
    with pytest.raises(SchemaRefused, match="owners is missing"):
        publish(database, Proposal("Edit", ONE), "pm")


def test_two_names_may_not_give_the_same_table(database: Database) -> None:
    publish(database, edit(), "pm")
    publish(database, Proposal("page/view", ONE, owners=OWNERS), "pm")
    for name in ("edit", "EDIT", "page_view", "page.View"):
        with pytest.raises(SchemaRefused, match="same table"):
            publish(database, Proposal(name, ONE, owners=OWNERS), "pm")


def test_privacy_of_an_undeclared_field_is_a_problem(database: Database) -> None:
    with pytest.raises(SchemaRefused, match="does not declare"):
        publish(database, edit(privacy={"userId": "hmac"}), "pm")


def test_examples_are_held_against_the_document(database: Database) -> None:
    wrong = {"pass": [{"action": 5}], "fail": [{"action": "save"}]}
    with pytest.raises(SchemaRefused) as refused:
        publish(database, edit(examples=wrong), "pm")
    assert any("/action" in problem for problem in refused.value.problems)
    assert any("says that it fails" in problem for problem in refused.value.problems)


def test_an_example_that_no_longer_holds_goes_with_a_warning(database: Database) -> None:
    publish(database, edit(examples={"pass": [{"action": "save"}], "fail": [{"x": 1}]}), "pm")
    done = publish(database, edit(document(action={"type": "integer"})), "pm")
    assert "1.pass.json" in done.assessment.warnings[0]
    held = registry_governance(database).schemas["Edit"].examples
    assert [example.name for example in held] == ["1.fail.json"]


def test_a_reference_to_a_registered_schema_is_resolved_when_published(database: Database) -> None:
    part = document(city={"type": "string"})
    publish(database, Proposal("common/place", part, owners=OWNERS), "pm")
    refers = document(at={"$ref": "/common/place/1.0.0"})
    publish(database, edit(refers), "pm")
    schema = read_snapshot(database).schemas["Edit"]
    assert "/common/place" not in str(schema.versions["1.0.0"].document)
    assert registry_governance(database).schemas["Edit"].versions["1.0.0"] == refers
    with pytest.raises(SchemaRefused, match="nowhere"):
        publish(database, edit(document(at={"$ref": "/nowhere/1.0.0"})), "pm")


def test_a_revision_names_one_version_for_ever(database: Database) -> None:
    publish(database, edit(), "pm")
    assert publish(database, edit(revision=7), "pm").changed
    with pytest.raises(SchemaRefused, match="revision 7 is"):
        publish(database, edit(TWO, revision=7), "pm")
    with pytest.raises(SchemaRefused, match="revision 7 already"):
        publish(database, edit(revision=8), "pm")


def test_a_proposal_is_kept_and_publishes_nothing(database: Database) -> None:
    counter = read_counter(database)
    number = propose(database, edit(), "pm")
    assert number > 0
    assert read_snapshot(database).schemas == {}
    assert read_counter(database) == counter
    assert actions(database) == ["propose"]


def test_publishers_at_the_same_time_lose_nothing(database_url: str, database: Database) -> None:
    publish(database, edit(), "pm")
    barrier = threading.Barrier(4)
    done: list[str] = []

    def worker(number: int) -> None:
        own = Database(database_url)
        barrier.wait()
        for turn in range(3):
            fields = {f"f{number}_{turn}": {"type": "string"}}
            proposal = Proposal(f"W{number}", document(**fields), owners=OWNERS)
            done.append(str(publish(own, proposal, "pm").version))
            publish(own, edit(document(**ONE["properties"], **fields)), f"w{number}")
        own.close()

    threads = [threading.Thread(target=worker, args=(number,)) for number in range(4)]
    before = read_counter(database)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    snapshot = read_snapshot(database)
    assert len(done) == 12
    assert snapshot.counter == before + 24
    assert len(snapshot.schemas["Edit"].versions) == 13
    assert all(len(snapshot.schemas[f"W{n}"].versions) == 3 for n in range(4))
    assert actions(database).count("publish") == 25


def test_of_two_who_publish_the_same_version_one_wins(
    database_url: str, database: Database
) -> None:
    barrier = threading.Barrier(2)
    results: list[object] = []

    def worker(doc: Any) -> None:
        own = Database(database_url)
        barrier.wait()
        try:
            results.append(publish(own, edit(doc, version="1.0.0"), "pm").created)
        except VersionConflict as conflict:
            results.append(type(conflict))
        own.close()

    threads = [threading.Thread(target=worker, args=(doc,)) for doc in (ONE, TWO)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results, key=str) == [VersionConflict, True]


# settings


def test_settings_change_with_what_was_in_the_audit(database: Database) -> None:
    publish(database, edit(), "pm")
    counter = read_counter(database)
    changed = change_settings(database, "Edit", "owner", sampling={"rate": 0.5}, title="Edits")
    assert changed["sampling_rate"] == (1.0, 0.5)
    assert read_counter(database) == counter + 1
    with database.read() as connection:
        entry = audit.entries(connection, subject="Edit")[0]
    assert entry.detail["sampling_rate"] == {"old": 1.0, "new": 0.5}
    assert entry.who == "owner"
    assert change_settings(database, "Edit", "owner", sampling={"rate": 0.5}) == {}
    assert read_counter(database) == counter + 1


def test_settings_that_cannot_be_are_refused(database: Database) -> None:
    publish(database, edit(), "pm")
    with pytest.raises(UnknownSchema):
        change_settings(database, "Other", "owner", title="x")
    with pytest.raises(SchemaRefused, match="cannot hold"):
        change_settings(database, "Edit", "owner", privacy={"count": "hmac"})
    with pytest.raises(SchemaRefused, match="does not declare"):
        change_settings(database, "Edit", "owner", privacy={"nothing": "drop"})
    assert read_snapshot(database).schemas["Edit"].privacy == {}


def test_a_field_no_longer_dropped_gets_its_column(database: Database) -> None:
    publish(database, edit(privacy={"count": "drop"}), "pm")
    plans = read_snapshot(database).schemas["Edit"].plans
    assert [c.name for c in plans[1].columns] == ["event_action"]
    change_settings(database, "Edit", "owner", privacy={})
    plans = read_snapshot(database).schemas["Edit"].plans
    assert [c.name for c in plans[1].columns] == ["event_action", "event_count"]


def test_a_new_major_may_change_how_a_field_is_treated(database: Database) -> None:
    publish(database, edit(), "pm")
    with pytest.raises(SchemaRefused, match="new major version"):
        publish(database, edit(privacy={"count": "hmac"}), "pm")
    done = publish(database, edit(privacy={"count": "hmac"}, version="2.0.0"), "pm")
    assert done.created
    assert any("Edit_1" in warning for warning in done.assessment.warnings)
    schema = read_snapshot(database).schemas["Edit"]
    kinds = {major: plan.columns[1].kind for major, plan in schema.plans.items()}
    assert kinds == {1: Kind.BIGINT, 2: Kind.VARCHAR}


# snapshots


def test_the_cache_reads_anew_only_when_the_counter_moved(database: Database) -> None:
    cache = RegistryCache(database)
    assert cache.snapshot.counter == -1
    assert cache.age_seconds() == float("inf")
    assert cache.refresh()
    first = cache.snapshot
    assert not cache.refresh()
    assert cache.snapshot is first
    assert cache.age_seconds() < 5
    publish(database, edit(), "pm")
    assert cache.refresh()
    assert "Edit" in cache.snapshot.schemas


def test_the_cache_keeps_its_snapshot_when_the_database_is_gone(database: Database) -> None:
    publish(database, edit(), "pm")
    cache = RegistryCache(database)
    cache.refresh()
    gone = "mysql+pymysql://nobody:x@127.0.0.1:1/none"
    cache._database = Database(gone)
    with pytest.raises(StoreUnavailable):
        cache.refresh()
    assert "Edit" in cache.snapshot.schemas
    cache.refresh_if_older(3600)  # was tried a moment ago


def test_a_registry_that_cannot_be_read_counts_as_unavailable(database_url: str) -> None:
    empty = Database(database_url)
    with pytest.raises(StoreUnavailable):
        RegistryCache(empty).refresh()
    empty.close()


def test_the_purge_rule_says_how_long_events_are_kept(database: Database) -> None:
    publish(database, edit(), "pm")
    publish(database, Proposal("page/view", ONE, owners=OWNERS), "pm")
    rules = {
        ("purge", "default.toml"): {"keep_days": 60},
        ("purge", "page/view.toml"): {"keep_days": 7},
    }
    apply(database, Governance(documents=rules), "ops")
    schemas = read_snapshot(database).schemas
    assert (schemas["Edit"].keep_days, schemas["page/view"].keep_days) == (60, 7)


# tokens


def test_a_token_opens_its_scopes_until_it_is_revoked(database: Database) -> None:
    secret = tokens.create(database, "ci", ["propose", "read"], 30, "ops")
    with database.read() as connection:
        assert tokens.check(connection, secret) == {"propose", "read"}
        assert tokens.check(connection, secret + "x") == frozenset()
        assert secret not in str(tokens.rows(connection))
    assert tokens.check(read_snapshot(database), secret) == {"propose", "read"}
    with pytest.raises(RegistryError, match="exists"):
        tokens.create(database, "ci", ["read"], None, "ops")
    tokens.revoke(database, "ci", "ops")
    assert tokens.check(read_snapshot(database), secret) == frozenset()
    with database.read() as connection:
        assert tokens.check(connection, secret) == frozenset()
    with pytest.raises(RegistryError, match="no live token"):
        tokens.revoke(database, "ci", "ops")
    assert actions(database) == ["token.create", "token.revoke"]


def test_an_admin_token_opens_everything(database: Database) -> None:
    secret = tokens.create(database, "root", ["admin"], None, "ops")
    everything = frozenset(tokens.SCOPES) - {tokens.TEST}  # a test key is for tests alone
    assert tokens.check(read_snapshot(database), secret) == everything


def test_a_token_expires_in_the_cache_too(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tokens.create(database, "ci", ["read"], 1, "ops")
    cache = RegistryCache(database)
    cache.refresh()
    assert tokens.check(cache.snapshot, secret)
    monkeypatch.setattr(clock, "offset_ms", 2 * clock.DAY_MS)
    assert cache.refresh()
    assert not tokens.check(cache.snapshot, secret)


def test_a_token_of_the_wrong_form_is_not_made(database: Database) -> None:
    for name, scopes, days in (
        ("", ["read"], 1),
        ("x", [], 1),
        ("x", ["all"], 1),
        ("x", ["read"], 0),
    ):
        with pytest.raises(RegistryError):
            tokens.create(database, name, scopes, days, "ops")


def test_an_empty_admin_token_opens_nothing() -> None:
    assert not tokens.is_admin_token("", "")
    assert tokens.is_admin_token("s3cret", "s3cret")
    assert not tokens.is_admin_token("s3cret", "s3cre\xe9")


# governance


def folder(name: str = "Edit", **more: Any) -> SchemaFolder:
    held: dict[str, Any] = {
        "title": "Edits",
        "description": "What happens in the editor",
        "owners": tuple(OWNERS),
        "versions": {"1.0.0": ONE},
        **more,
    }
    return SchemaFolder(name=name, **held)


def governance(*folders: SchemaFolder, **documents: Any) -> Governance:
    rules = {("alerts", f"{name}.toml"): rule for name, rule in documents.items()}
    return Governance({one.name: one for one in folders}, rules)


def test_applying_twice_changes_nothing_the_second_time(database: Database) -> None:
    said = governance(
        folder(
            versions={"1.0.0": ONE, "1.1.0": TWO},
            revisions={5: "1.0.0"},
            privacy={"/page": "hmac"},
            fill_defaults="always",
            readers="owners",
            examples=(Example("a.pass.json", True, {"page": "x"}),),
        ),
        default={"window": 5},
    )
    done = apply(database, said, "ops")
    assert any("1.1.0" in line for line in done)
    counter, trail = read_counter(database), actions(database)
    assert apply(database, said, "ops") == []
    assert read_counter(database) == counter
    assert actions(database) == trail
    assert registry_governance(database) == said
    assert only_registered(said, registry_governance(database)) == []


def test_what_was_published_by_hand_is_exported_and_applied_elsewhere(
    database: Database, tmp_path: Any
) -> None:
    publish(database, edit(examples={"pass": [{}]}, revision=3), "pm")
    publish(database, edit(TWO), "pm")
    said = registry_governance(database)
    other = Database(f"sqlite:///{tmp_path / 'other.db'}")
    migrate(other)
    apply(other, said, "ops")
    assert registry_governance(other) == said
    here, there = (read_snapshot(one).schemas["Edit"] for one in (database, other))
    assert here == there
    other.close()


def test_the_folder_wins_over_settings_in_the_database(database: Database) -> None:
    apply(database, governance(folder()), "ops")
    change_settings(
        database, "Edit", "pm", sampling={"rate": 0.5}, owners=["b@example.org"],
        fill_defaults="never", readers="owners",
    )  # fmt: skip
    done = apply(database, governance(folder()), "ops")
    assert any("sampling_rate 0.5 → 1.0" in line for line in done)
    assert any("owners b@example.org → owner@example.org" in line for line in done)
    assert "Edit: fill_defaults never → eventgate" in done
    assert "Edit: readers owners → analysts" in done
    with database.read() as connection:
        detail = audit.entries(connection)[0].detail
    assert detail["owners"]["new"] == OWNERS
    assert detail["fill_defaults"] == {"old": "never", "new": "eventgate"}
    assert detail["readers"] == {"old": "owners", "new": "analysts"}


def test_a_folder_is_written_back_as_it_was_applied(database: Database, tmp_path: Path) -> None:
    never = folder("Never", fill_defaults="never", readers="owners")
    write_governance(tmp_path / "a", governance(folder(), never))
    apply(database, read_governance(tmp_path / "a"), "ops")
    write_governance(tmp_path / "b", registry_governance(database))
    for name in ("Edit", "Never"):
        path = f"schemas/{name}/schema.toml"
        assert (tmp_path / "a" / path).read_text() == (tmp_path / "b" / path).read_text()
    assert write_governance(tmp_path / "a", registry_governance(database)) == []
    assert read_snapshot(database).schemas["Never"].fill_defaults == "never"
    assert read_snapshot(database).schemas["Never"].readers == "owners"


def state_of(database: Database, name: str = "Edit") -> str:
    return read_snapshot(database).schemas[name].state


def test_the_state_that_a_folder_states_is_put_in_force(database: Database) -> None:
    assert apply(database, governance(folder(state="deprecated")), "ops") == [
        "Edit: schema added with 1.0.0",
        "Edit: state published → deprecated",
    ]
    for state, action, line in (
        ("retired", "retire", "Edit: state deprecated → retired"),
        ("deprecated", "deprecate", "Edit: state retired → deprecated"),
        ("published", "revive", "Edit: state deprecated → published"),
    ):
        was, counter = state_of(database), read_counter(database)
        said = governance(folder(state=state))
        assert apply(database, said, "ops", dry_run=True) == [line]
        assert (state_of(database), read_counter(database)) == (was, counter)
        assert apply(database, said, "ops") == [line]
        assert (state_of(database), read_counter(database)) == (state, counter + 1)
        with database.read() as connection:
            entry = audit.entries(connection)[0]
        assert (entry.who, entry.action, entry.subject) == ("ops", action, "Edit")
        assert entry.detail == {"old": was, "new": state}
        assert apply(database, said, "ops") == []
        assert read_counter(database) == counter + 1


def test_a_retired_schema_survives_export_and_a_fresh_database(
    database: Database, tmp_path: Path
) -> None:
    publish(database, edit(), "pm")
    publish(database, edit(TWO), "pm")
    publish(database, Proposal("Other", ONE, owners=OWNERS), "pm")
    assert retire(database, "Edit", "pm", "It has an end.", base_url="").done
    write_governance(tmp_path, registry_governance(database))
    assert 'state = "retired"' in (tmp_path / "schemas/Edit/schema.toml").read_text()
    assert "state" not in (tmp_path / "schemas/Other/schema.toml").read_text()
    assert apply(database, read_governance(tmp_path), "ops") == []
    again = Database(f"sqlite:///{tmp_path / 'again.db'}")
    migrate(again)
    apply(again, read_governance(tmp_path), "ops")
    assert (state_of(again), state_of(again, "Other")) == ("retired", "published")
    assert read_snapshot(again).schemas["Edit"].latest == "1.1.0"
    assert apply(again, read_governance(tmp_path), "ops") == []
    again.close()


def test_a_folder_without_a_state_leaves_a_schema_retired(database: Database) -> None:
    said = governance(folder())
    apply(database, said, "ops")
    assert retire(database, "Edit", "pm", "It has an end.", base_url="").done
    counter, trail = read_counter(database), actions(database)
    assert apply(database, said, "ops") == []
    assert (read_counter(database), actions(database)) == (counter, trail)
    assert apply(database, governance(folder(title="Changes")), "ops") != []
    assert state_of(database) == "retired"
    assert only_registered(said, registry_governance(database)) == [
        "Edit: state retired only in the database"
    ]


def test_a_state_is_not_put_in_force_beside_a_problem(database: Database) -> None:
    apply(database, governance(folder()), "ops")
    with pytest.raises(GovernanceError):
        apply(database, governance(folder(state="retired"), folder("B", owners=("x",))), "ops")
    assert state_of(database) == "published"
    assert "retire" not in actions(database)


def test_a_version_that_differs_from_what_is_published_is_an_error(database: Database) -> None:
    apply(database, governance(folder()), "ops")
    changed = governance(folder(versions={"1.0.0": TWO}), folder("Other"), default={"window": 1})
    with pytest.raises(GovernanceError) as error:
        apply(database, changed, "ops")
    assert error.value.problems[0].startswith("schemas/Edit/1.0.0.json:1: differs")
    assert list(registry_governance(database).schemas) == ["Edit"]
    assert registry_governance(database).documents == {}


def test_all_problems_of_a_folder_are_named_and_nothing_is_written(database: Database) -> None:
    breaking = document(action={"type": "integer"})
    said = governance(
        folder(),
        folder("A", versions={"1.0.0": ONE, "1.1.0": breaking}),
        folder("B", versions={"1.0.0": document(x={"$ref": "/nowhere/1.0.0"})}),
        folder("C", examples=(Example("x.pass.json", True, {"action": 1}),)),
        folder("D", owners=("nobody",)),
    )
    with pytest.raises(GovernanceError) as error:
        apply(database, said, "ops")
    for path in ("A/1.1.0.json", "B/1.0.0.json", "C/", "D/"):
        assert any(problem.startswith(f"schemas/{path}") for problem in error.value.problems), path
    assert read_snapshot(database).schemas == {}
    assert actions(database) == []


def test_schemas_that_refer_to_each_other_are_applied_in_order(database: Database) -> None:
    said = governance(
        folder("A", versions={"1.0.0": document(at={"$ref": "/Z/1.0.0"})}),
        folder("Z", versions={"1.0.0": document(city={"type": "string"})}),
    )
    apply(database, said, "ops")
    assert apply(database, said, "ops") == []
    circle = governance(
        folder("P", versions={"1.0.0": document(q={"$ref": "/Q/1.0.0"})}),
        folder("Q", versions={"1.0.0": document(p={"$ref": "/P/1.0.0"})}),
    )
    with pytest.raises(GovernanceError, match="refer to each other"):
        apply(database, circle, "ops")


def test_what_only_the_database_holds_is_left_alone_and_told(database: Database) -> None:
    apply(database, governance(folder(), folder("Other"), default={"window": 1}), "ops")
    publish(database, edit(TWO), "pm")
    said = governance(folder())
    assert apply(database, said, "ops") == []
    drift = only_registered(said, registry_governance(database))
    assert any("version 1.1.0" in line for line in drift)
    assert any(line.startswith("Other:") for line in drift)
    assert any(line.startswith("alerts/default.toml") for line in drift)
    assert apply(database, said, "ops", prune=True) == ["alerts/default.toml: removed"]
    assert sorted(registry_governance(database).schemas) == ["Edit", "Other"]


def test_a_dry_run_tells_and_writes_nothing(database: Database) -> None:
    counter = read_counter(database)
    assert apply(database, governance(folder()), "ops", dry_run=True)
    assert read_counter(database) == counter
    assert registry_governance(database) == Governance()


def test_a_field_that_a_later_version_declares_may_be_private_from_the_start(
    database: Database,
) -> None:
    said = governance(folder(versions={"1.0.0": ONE, "1.1.0": TWO}, privacy={"/page": "drop"}))
    apply(database, said, "ops")
    plan = read_snapshot(database).schemas["Edit"].plans[1]
    assert [c.name for c in plan.columns] == ["event_action", "event_count"]


def test_a_version_published_by_override_survives_export_and_a_fresh_database(
    database: Database, tmp_path: Path
) -> None:
    publish(database, edit(), "ann")
    reason = "nobody ever sent the count"
    smaller = document(action=ONE["properties"]["action"])
    published = publish(database, edit(smaller, version="1.0.1", override=reason), "ann")
    assert published.created
    write_governance(tmp_path, registry_governance(database))
    again = Database(f"sqlite:///{tmp_path / 'again.db'}")
    migrate(again)
    apply(again, read_governance(tmp_path), "bob")
    assert registry_governance(again).schemas["Edit"].overrides == {"1.0.1": reason}
    assert apply(again, read_governance(tmp_path), "bob") == []
    again.close()


def test_a_start_adds_what_is_new_and_undoes_nothing_that_people_changed(
    database: Database,
) -> None:
    folder = SchemaFolder("Edit", "Edit", "Edits.", tuple(OWNERS), versions={"1.0.0": ONE})
    apply(database, Governance({"Edit": folder}), "start")
    change_settings(database, "Edit", "ann", sampling={"rate": 0.1, "unit": "session"})
    newer = replace(folder, versions={"1.0.0": ONE, "1.1.0": TWO})
    known = registry_governance(database)
    apply(database, additions(Governance({"Edit": newer}), known), "start")
    held = read_snapshot(database).schemas["Edit"]
    assert (held.latest, held.sampling_rate) == ("1.1.0", 0.1)
    known = registry_governance(database)
    assert apply(database, additions(Governance({"Edit": newer}), known), "start") == []


@pytest.mark.parametrize("stated", [None, "published", "deprecated", "retired"])
def test_a_start_leaves_every_schema_in_its_state(database: Database, stated: str | None) -> None:
    held = folder()
    apply(database, governance(held), "start")
    said = governance(replace(held, versions={"1.0.0": ONE, "1.1.0": TWO}, state=stated))
    known = registry_governance(database)
    # Between looking and applying, somebody may retire a schema.
    assert retire(database, "Edit", "ann", "It has an end.", base_url="").done
    apply(database, additions(said, known), "start")
    assert (read_snapshot(database).schemas["Edit"].latest, state_of(database)) == (
        "1.1.0", "retired",
    )  # fmt: skip
    assert apply(database, additions(said, registry_governance(database)), "start") == []
    assert revive(database, "Edit", "ann", "It goes on.", base_url="").done
    assert apply(database, additions(said, registry_governance(database)), "start") == []
    assert state_of(database) == "published"


def test_a_start_adds_a_schema_in_the_state_that_its_folder_states(database: Database) -> None:
    said = governance(folder(state="retired"))
    apply(database, additions(said, registry_governance(database)), "start")
    assert state_of(database) == "retired"
