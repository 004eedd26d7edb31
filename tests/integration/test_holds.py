"""Legal holds: placed and lifted once, with a receipt that outlasts a restore."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from eventlogging.receipts import chain
from eventlogging.registry import audit
from eventlogging.retention import holds
from eventlogging.retention.policy import read_policies, read_policy
from eventlogging.store.fixed import extension, governance, legal_hold
from tests.console import House
from tests.retention import days_ago, receipts_of, today


@pytest.fixture
def house(database_url: str, tmp_path: Path) -> Iterator[House]:
    made = House(database_url, tmp_path / "var")
    made.publish()
    yield made
    made.close()


def place(house: House, schema: str = "Click", reason: str = "Case 17") -> holds.Outcome:
    folder = chain.folder_of(house.config.var)
    return holds.place(house.platform.database, folder, schema, "ann@example.org", reason)


def lift(house: House, schema: str = "Click") -> holds.Outcome:
    folder = chain.folder_of(house.config.var)
    return holds.lift(house.platform.database, folder, schema, "bob@example.org")


def is_held(house: House) -> bool:
    with house.platform.database.read() as connection:
        return read_policies(connection).of("Click").held


def test_of_a_held_schema_nothing_is_due(house: House) -> None:
    done = place(house)
    assert done.changed
    assert done.hold is not None
    assert (done.hold.reason, done.hold.placed_by) == ("Case 17", "ann@example.org")
    with house.platform.database.read() as connection:
        policy = read_policies(connection).of("Click")
        entry = audit.entries(connection, subject="Click", limit=1)[0]
    assert not policy.is_due(days_ago(4_000), today())
    assert (entry.action, entry.detail) == ("hold.place", {"reason": "Case 17"})
    assert receipts_of(house, "hold") == [{"schema": "Click", "act": "placed"}]


def test_a_hold_is_placed_once_and_lifted_once(house: House) -> None:
    first = place(house)
    assert place(house, reason="Another") == holds.Outcome(False, first.hold)
    lifted = lift(house)
    assert lifted.changed
    assert lifted.hold is not None
    assert lifted.hold.lifted_by == "bob@example.org"
    assert lift(house) == holds.Outcome(False)
    assert not is_held(house)
    assert [one["act"] for one in receipts_of(house, "hold")] == ["placed", "lifted"]
    assert place(house).changed


def test_one_policy_read_by_itself_is_the_one_among_all(house: House) -> None:
    rules = {"default.toml": {"keep_days": 50}, "Click.toml": {"keep_days": 20}}
    granted = {
        "schemas": '["Click"]', "first_day": days_ago(90), "last_day": today(), "keep_days": 40,
        "until": today(), "reason": "", "why_not_less": "", "state": "granted", "asked_by": "",
        "asked_at": "", "decision": "",
    }  # fmt: skip

    def assert_same() -> None:
        with house.platform.database.read() as connection:
            policies = read_policies(connection)
            for name in ("Click", "(unknown)", "Nobody"):
                assert read_policy(connection, name) == policies.of(name)

    assert_same()
    with house.platform.database.write() as connection:
        for name, rule in rules.items():
            row = {"folder": "purge", "name": name, "updated_at": "", "document": json.dumps(rule)}
            connection.execute(sa.insert(governance), [row])
        connection.execute(sa.insert(extension), [granted])
    assert_same()
    place(house)
    assert_same()
    lift(house)
    assert_same()


@pytest.mark.parametrize("act", [place, lift])
def test_an_unknown_schema_is_not_held(house: House, act: object) -> None:
    done = act(house, "Clack")  # type: ignore[operator]
    assert not done.changed
    assert done.problems == (
        "No schema is named 'Clack'. The list of schemas shows all there are.",
    )
    assert receipts_of(house, "hold") == []


def test_a_hold_needs_a_reason(house: House) -> None:
    assert place(house, reason="  ").problems
    assert not is_held(house)


def test_without_its_receipt_nothing_is_held(house: House) -> None:
    folder = chain.folder_of(house.config.var)
    folder.mkdir(parents=True)
    (folder / chain.FILE).mkdir()
    with pytest.raises(OSError, match="directory"):
        place(house)
    assert not is_held(house)


def test_a_restore_brings_no_hold_to_an_end(house: House) -> None:
    place(house)
    with house.platform.database.write() as connection:
        connection.execute(sa.delete(legal_hold))  # the backup is older than the hold
    receipts = chain.read(chain.folder_of(house.config.var))
    assert holds.replay(house.platform.database, receipts) == ["Click is held again"]
    assert is_held(house)
    assert holds.replay(house.platform.database, receipts) == []


def test_a_restore_brings_no_lifted_hold_back(house: House) -> None:
    place(house)
    lift(house)
    with house.platform.database.write() as connection:
        connection.execute(sa.update(legal_hold).values(lifted_at=None, lifted_by=None))
    receipts = chain.read(chain.folder_of(house.config.var))
    assert holds.replay(house.platform.database, receipts) == ["the hold of Click is lifted again"]
    assert not is_held(house)
