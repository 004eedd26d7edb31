"""A schema's own retention rule: saved, refused, and what it would do before it is saved."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from eventlogging import clock
from eventlogging.clock import moved
from eventlogging.governance.read import read_governance
from eventlogging.governance.write import write_governance
from eventlogging.registry import audit, counter
from eventlogging.registry.apply import apply
from eventlogging.registry.export import held_documents, registry_governance
from eventlogging.retention import own_policy, plan, preview, remains
from eventlogging.retention.own_policy import Saved, standing
from eventlogging.retention.policy import read_policies
from eventlogging.retention.preview import EVENTS, REFUSED, STRIPPED, UNSEALED, Effect, Moved
from eventlogging.store.fixed import extension, governance, legal_hold, table_day
from tests.console import House

SPEED: dict[str, Any] = {
    "type": "object",
    "required": ["load"],
    "properties": {
        "load": {"type": "integer", "description": "Time until loaded."},
        "site": {"type": "string", "maxLength": 40, "description": "Which site."},
        "seen": {"type": "string", "format": "date-time", "description": "When first seen."},
        "isNew": {"type": "boolean", "description": "Whether new."},
        "userId": {"type": "integer", "description": "Who."},
        "secret": {"type": "string", "description": "Never stored."},
    },
}
SCRUB = {"keep": ["load", "site"], "hash": ["userId"], "capsule": ["host"]}
TABLE, INVALID, SCRUBBED = "Speed_1", "Speed_invalid", "Speed_1_scrubbed"


@pytest.fixture
def house(database_url: str, tmp_path: Path) -> Iterator[House]:
    house = House(database_url, tmp_path / "var")
    house.publish("Speed", SPEED, privacy={"userId": "hmac", "secret": "drop"})
    yield house
    house.close()


def save(
    house: House, document: Mapping[str, Any], schema: str = "Speed", *, longer: bool = False
) -> Saved:
    with house.platform.database.read() as connection:
        since = standing(own_policy.read(connection, schema))
    database = house.platform.database
    return own_policy.save(
        database, schema, document, since, "owner@example.org", may_lengthen=longer
    )


def held(house: House) -> Any:
    with house.platform.database.read() as connection:
        return held_documents(connection).get(("purge", "Speed.toml"))


def number(house: House) -> int:
    with house.platform.database.read() as connection:
        return counter.read(connection)


def put_default(house: House, document: Mapping[str, Any]) -> None:
    row = {"folder": "purge", "name": "default.toml", "updated_at": ""}
    with house.platform.database.write() as connection:
        connection.execute(sa.insert(governance).values(**row, document=json.dumps(document)))


def book(house: House, table: str, days: Mapping[int, int], gone: int = 0) -> None:
    """Put rows into the books: days ago → rows."""
    day = today()
    rows = [
        {"table_name": table, "day": moved(day, -ago), "rows_in": count, "rows_out": gone}
        for ago, count in days.items()
    ]
    with house.platform.database.write() as connection:
        connection.execute(sa.insert(table_day), rows)


def today() -> str:
    return clock.day(clock.now_ms())


def effect(house: House, rule: Mapping[str, Any], day: str | None = None) -> Effect:
    house.platform.registry.refresh()
    schema = house.platform.registry.snapshot.schemas["Speed"]
    with house.platform.database.read() as connection:
        policies = read_policies(connection)
        own = own_policy.read(connection, "Speed")
        then = preview.changed(policies, "Speed", own, rule, own_policy.read_default(connection))
        return preview.effect(connection, schema, policies.of("Speed"), then, day or today())


def whole(moved_rows: tuple[Moved, ...]) -> dict[tuple[str, str], tuple[int, int]]:
    return {(one.table, one.kind): (one.rows, len(one.days)) for one in moved_rows}


def test_a_rule_is_saved_read_recorded_and_removed(house: House) -> None:
    rule = {"keep_days": 30, "scrub": {**SCRUB, "keep_days": 90}}
    assert save(house, rule).done
    assert held(house) == rule
    with house.platform.database.read() as connection:
        policy = read_policies(connection).of("Speed")
        entry = audit.entries(connection, subject="purge/Speed.toml")[0]
    assert policy.keep_days == 30
    assert policy.scrub is not None
    assert (entry.who, entry.action) == ("owner@example.org", "governance")
    assert entry.detail == {"old": None, "new": rule}
    assert save(house, {}, longer=True).done
    assert held(house) is None
    with house.platform.database.read() as connection:
        assert audit.entries(connection, subject="purge/Speed.toml")[0].detail == {"old": rule}


def test_the_collector_learns_of_new_days_and_is_left_alone_otherwise(house: House) -> None:
    house.platform.registry.refresh()
    assert house.platform.registry.snapshot.schemas["Speed"].keep_days == 90
    assert save(house, {"keep_days": 20}).done
    house.platform.registry.refresh()
    assert house.platform.registry.snapshot.schemas["Speed"].keep_days == 20
    before = number(house)
    assert save(house, {"keep_days": 20, "scrub": SCRUB}, longer=True).done
    assert number(house) == before


def test_saving_what_stands_writes_nothing(house: House) -> None:
    assert save(house, {"keep_days": 20}).done
    before = number(house)
    with house.platform.database.read() as connection:
        entries = len(audit.entries(connection))
    assert save(house, {"keep_days": 20}).done
    with house.platform.database.read() as connection:
        assert len(audit.entries(connection)) == entries
    assert number(house) == before


def test_of_two_who_save_the_second_is_told(house: House) -> None:
    database, since = house.platform.database, standing({})
    first = own_policy.save(database, "Speed", {"keep_days": 9}, since, "a", may_lengthen=False)
    second = own_policy.save(database, "Speed", {"keep_days": 8}, since, "b", may_lengthen=True)
    assert first.done
    assert (second.done, second.overtaken) == (False, True)
    assert second.document == held(house) == {"keep_days": 9}


LONGER = [
    ({"keep_days": 91}, "keep_days", "91 days instead of 90"),
    ({"invalid_keep_days": 31}, "invalid_keep_days", "31 days instead of 30"),
    ({"unsealed_keep_days": 8}, "unsealed_keep_days", "8 days instead of 7"),
]


@pytest.mark.parametrize(("rule", "key", "said"), LONGER)
def test_only_an_admin_keeps_anything_longer_for_good(
    house: House, rule: dict[str, int], key: str, said: str
) -> None:
    refused = save(house, rule)
    assert not refused.done
    ((at, text),) = refused.problems
    assert at == (key,)
    assert said in text
    assert "ask for an extension" in text
    assert held(house) is None
    assert save(house, rule, longer=True).done


def test_to_go_back_to_a_longer_default_is_to_keep_longer(house: House) -> None:
    assert save(house, {"keep_days": 30}).done
    assert not save(house, {}).done
    assert held(house) == {"keep_days": 30}
    assert save(house, {"keep_days": 29}).done


MORE = [
    ({**SCRUB, "keep_days": 401}, ("scrub", "keep_days"), "for 401 days instead of 400 days"),
    (SCRUB, ("scrub", "keep_days"), "for good instead of 400 days"),
    ({**SCRUB, "keep": ["load", "site", "seen"]}, ("scrub", "keep", 2), "'seen' would remain"),
    ({**SCRUB, "capsule": ["host", "wiki"]}, ("scrub", "capsule"), "'wiki' would remain"),
    ({**SCRUB, "bucket": {"seen": "hour"}}, ("scrub", "bucket", "seen"), "'seen' would remain"),
]


@pytest.mark.parametrize(("scrub", "key", "said"), MORE)
def test_only_an_admin_leaves_more_of_stripped_events_or_leaves_it_longer(
    house: House, scrub: dict[str, Any], key: tuple[str, ...], said: str
) -> None:
    stands = {"keep_days": 30, "scrub": {**SCRUB, "bucket": {"seen": "day"}, "keep_days": 400}}
    assert save(house, stands, longer=True).done
    wanted = {"keep_days": 30, "scrub": {"keep_days": 400, **scrub}}
    if key == ("scrub", "keep_days") and "good" in said:
        del wanted["scrub"]["keep_days"]  # type: ignore[attr-defined]
    refused = save(house, wanted)
    assert [at for at, _ in refused.problems] == [key]
    assert said in refused.problems[0][1]
    assert held(house) == stands
    assert save(house, wanted, longer=True).done


def test_an_owner_strips_events_where_nothing_of_them_stays_longer(house: House) -> None:
    refused = save(house, {"keep_days": 30, "scrub": SCRUB})
    ((at, text),) = refused.problems
    assert at == ("scrub",)
    assert "for good" in text and "`scrub.keep_days` of at most 90" in text
    assert save(house, {"keep_days": 30, "scrub": {**SCRUB, "keep_days": 90}}).done
    assert not save(house, {"keep_days": 30, "scrub": {**SCRUB, "keep_days": 91}}).done
    less = {"keep": ["load"], "bucket": {"site": "browser"}, "keep_days": 80}
    assert save(house, {"keep_days": 30, "scrub": less}).done
    assert save(house, {"keep_days": 30}).done


def test_a_stated_extension_is_an_admins(house: House) -> None:
    stated = {"keep_days": 180, "until": "2099-01-01", "reason": "R", "asked_by": "a@b.org"}
    refused = save(house, {"extension": stated})
    assert [at for at, _ in refused.problems] == [("extension",)]
    assert save(house, {"extension": stated}, longer=True).done
    assert save(house, {"extension": stated, "keep_days": 80}).done, "it stays as it is"
    assert not save(house, {"keep_days": 80}).done


WRONG = [
    ({"keep_days": 400}, "at most cap_days, which is 365"),
    ({"keep_days": 0}, "at least 1"),
    ({"keep_days": "ninety"}, "a whole number of days"),
    ({"scrub": {"keep": ["userId"]}}, "`scrub.hash`, where it is hashed anew each month"),
    ({"scrub": {"keep": ["secret"]}}, "private in schema.toml"),
    ({"scrub": {"hash": ["secret"]}}, "dropped before it is stored"),
    ({"scrub": {"keep": ["laod"]}}, "did you mean 'load'"),
    ({"scrub": {"keep": ["load"], "keep_days": 90}}, "more than keep_days, which is 90"),
    ({"scrub": {}}, "a table with keep, hash or bucket"),
    ({"aggregate": [{"name": "a", "per": "day"}, {"name": "A", "per": "day"}]}, "rename one"),
    ({"aggregate": [{"name": "a", "per": "day", "sum": ["site"]}]}, "is not a number"),
    ({"cap_days": 900}, "belongs into purge/default.toml"),
]


@pytest.mark.parametrize(("rule", "said"), WRONG)
def test_what_apply_would_refuse_is_refused_for_admins_too(
    house: House, rule: dict[str, Any], said: str
) -> None:
    refused = save(house, rule, longer=True)
    assert not refused.done
    assert any(said in text for _, text in refused.problems), refused.problems
    assert held(house) is None


def test_a_schema_that_is_not_there_has_no_rule(house: House) -> None:
    refused = save(house, {"keep_days": 3}, "Nobody")
    assert not refused.done
    assert "no schema is named" in refused.problems[0][1]
    assert "the rule of all schemas" in str(own_policy.why_not("Default"))
    assert not save(house, {"keep_days": 3}, "default").done


def test_what_is_saved_is_exported_checked_and_applied(house: House, tmp_path: Path) -> None:
    rule = {
        "keep_days": 60,
        "scrub": {**SCRUB, "bucket": {"seen": "day"}, "drop": ["isNew"], "keep_days": 200},
        "aggregate": [{"name": "speed", "per": "day", "capsule": ["host"], "quantiles": ["load"],
                       "distinct": ["userId"], "min_cell": 20}],
    }  # fmt: skip
    saved = save(house, rule, longer=True)
    assert saved.done, saved.problems
    root = tmp_path / "folders"
    root.mkdir()
    database = house.platform.database
    written = write_governance(root, registry_governance(database))
    assert root / "purge/Speed.toml" in written
    assert save(house, {}, longer=True).done
    assert apply(database, read_governance(root), "test") == ["purge/Speed.toml: added"]
    assert held(house) == rule
    assert apply(database, read_governance(root), "test") == []


def test_a_shorter_keep_says_what_goes_as_the_books_have_it(house: House) -> None:
    book(house, TABLE, {0: 5, 29: 7, 30: 11, 31: 13, 90: 17, 91: 19})
    book(house, TABLE, {40: 20}, gone=20)
    book(house, INVALID, {3: 2, 10: 3, 11: 4, 31: 5})
    found = effect(house, {"keep_days": 30, "invalid_keep_days": 10, "unsealed_keep_days": 7})
    assert whole(found.going) == {(TABLE, EVENTS): (30, 2), (INVALID, REFUSED): (4, 1)}
    assert found.going[0].days == (moved(today(), -90), moved(today(), -31))
    assert (found.staying, found.rows_going) == ((), 34)
    assert effect(house, {}) == Effect()


def test_a_longer_keep_says_what_stays(house: House) -> None:
    book(house, TABLE, {90: 17, 91: 19, 120: 2, 121: 3})
    found = effect(house, {"keep_days": 120})
    assert found.going == ()
    assert whole(found.staying) == {(TABLE, EVENTS): (21, 2)}


def test_unsealed_refused_rows_are_counted_in_their_table(house: House) -> None:
    house.accept(b"{broken")  # no schema can be told, so another table
    house.send({"schema": "Speed", "event": {"load": "slow"}}, {"schema": "Speed", "event": []})
    day = moved(today(), 4)
    with house.platform.database.read() as connection:
        query = "SELECT COUNT(*) FROM Speed_invalid WHERE sealed = 0"
        unsealed = connection.exec_driver_sql(query).scalar_one()
    assert unsealed == 1
    found = effect(house, {"unsealed_keep_days": 2}, day)
    assert whole(found.going) == {(INVALID, UNSEALED): (1, 1)}
    both = effect(house, {"unsealed_keep_days": 2, "invalid_keep_days": 3}, day)
    assert whole(both.going) == {(INVALID, REFUSED): (2, 1)}
    save(house, {"unsealed_keep_days": 2})
    assert whole(effect(house, {}, day).staying) == {(INVALID, UNSEALED): (1, 1)}


def test_to_strip_no_more_deletes_what_was_stripped(house: House) -> None:
    assert save(house, {"scrub": SCRUB}, longer=True).done
    book(house, SCRUBBED, {100: 4, 200: 6, 300: 8})
    assert whole(effect(house, {}).going) == {(SCRUBBED, STRIPPED): (18, 3)}
    shorter = effect(house, {"scrub": {**SCRUB, "keep_days": 200}})
    assert whole(shorter.going) == {(SCRUBBED, STRIPPED): (8, 1)}


def test_fields_that_come_and_go_are_told_with_what_is_stripped_already(house: House) -> None:
    assert save(house, {"scrub": SCRUB}, longer=True).done
    book(house, SCRUBBED, {100: 4, 200: 6})
    changed = {"keep": ["isNew"], "hash": ["load"], "bucket": {"site": "browser"}}
    notes = effect(house, {"scrub": changed}).notes
    assert notes == (
        "`load`, `site`, `userId`, `host` also go from 10 events that are stripped already.",
        "`isNew`, `load`, `site`: 2 days are stripped already, and lack that for good.",
    )
    assert save(house, {"scrub": {"bucket": {"load": 10}}}, longer=True).done
    assert effect(house, {"scrub": {"bucket": {"load": 100}}}).notes == (
        "`load`: 10 events that are stripped already are cut once more.",
    )


def test_the_preview_says_what_the_plan_then_holds(house: House) -> None:
    now = clock.now_ms()
    for ago, count in ((0, 1), (12, 2), (40, 3), (100, 4)):
        at = now - ago * clock.DAY_MS
        events = [{"schema": "Speed", "event": {"load": number}} for number in range(count)]
        wrong = [{"schema": "Speed", "event": {"load": "slow"}}, {"schema": "Speed", "event": [1]}]
        house.send(*events, *wrong, received=at)
    rule = {"keep_days": 20, "invalid_keep_days": 30, "unsealed_keep_days": 2, "scrub": SCRUB}
    before = planned(house)
    found = effect(house, rule)
    assert save(house, rule, longer=True).done
    after = planned(house)
    kinds = {EVENTS: "scrub", REFUSED: "invalid", UNSEALED: "unsealed"}
    said = {(one.table, kinds[one.kind]): one.rows for one in found.going}
    more = {key: rows - before.get(key, 0) for key, rows in after.items()}
    more[TABLE, "scrub"] -= before[TABLE, "purge"]
    assert said == {key: rows for key, rows in more.items() if rows}
    assert said[TABLE, "scrub"] == 3
    assert found.staying == ()


def planned(house: House) -> dict[tuple[str, str], int]:
    made = plan.make(house.platform, clock.now_ms(), schema="Speed", kinds=plan.TABLES)
    return {(step.table, step.kind): step.rows or 0 for step in made.steps}


def test_aggregates_that_come_and_go_are_told(house: House) -> None:
    assert save(house, {"aggregate": [{"name": "a", "per": "day"}]}).done
    book(house, TABLE, {60: 4, 10: 6})
    new = [{"name": "b", "per": "day", "capsule": ["wiki"]}]
    since = moved(today(), -60)
    assert effect(house, {"aggregate": new}).notes == (
        f"`b` is computed from {since} on; what is older is gone.",
        "`a` is computed no more.",
    )
    other = [{"name": "a", "per": "day", "sum": ["load"]}]
    assert effect(house, {"aggregate": other}).notes == (f"`a` is computed anew from {since} on.",)


def test_holds_and_extensions_stay_what_they_are(house: House) -> None:
    book(house, TABLE, {20: 5, 40: 7})
    row = {"schemas": '["Speed"]', "first_day": moved(today(), -50), "keep_days": 120,
           "last_day": moved(today(), -30), "until": moved(today(), 30), "reason": "R",
           "why_not_less": "", "state": "granted", "asked_by": "a@b.org", "asked_at": "",
           "decision": ""}  # fmt: skip
    with house.platform.database.write() as connection:
        connection.execute(sa.insert(extension).values(**row))
    assert whole(effect(house, {"keep_days": 10}).going) == {(TABLE, EVENTS): (5, 1)}
    with house.platform.database.write() as connection:
        connection.execute(
            sa.insert(legal_hold).values(schema="Speed", reason="R", placed_by="a", placed_at="")
        )
    assert effect(house, {"keep_days": 10}).going == ()


def test_what_remains_after_which_day_is_said_in_words(house: House) -> None:
    rule = {
        "keep_days": 60,
        "scrub": {**SCRUB, "bucket": {"seen": "day"}, "keep_days": 200},
        "aggregate": [
            {"name": "speed", "per": "day", "capsule": ["browser", "host"], "quantiles": ["load"],
             "fields": ["isNew"]},
            {"name": "people", "per": "day", "distinct": ["userId"]},
            {"name": "all", "per": "day"},
        ],
    }  # fmt: skip
    put_default(house, {"keep_days": 80})
    assert save(house, rule, longer=True).done
    house.platform.registry.refresh()
    fields = remains.leaves(house.platform.registry.snapshot.schemas["Speed"])
    assert {leaf.name: (leaf.kind, leaf.private) for leaf in fields} == {
        "load": ("number", ""), "site": ("text", ""), "seen": ("time", ""),
        "isNew": ("other", ""), "userId": ("number", "hmac"), "secret": ("text", "drop"),
    }  # fmt: skip
    with house.platform.database.read() as connection:
        policies = read_policies(connection)
    policy = policies.of("Speed")
    assert [(one.kind, one.when, one.what) for one in remains.stages(policy, fields)] == [
        ("whole", "Until day 60", "Everything: 5 fields."),
        ("stripped", "From day 61 to 200", "4 of 5 fields, without isNew; userId hashed anew each "
         "month; seen made coarser; with host."),
        ("gone", "From day 201", "Nothing of single events."),
        ("counts", "For good", "speed (p25–p99 of load by browser, host and isNew); "
         "people (different values of userId in all); all (counts in all)."),
    ]  # fmt: skip
    assert remains.heading(policy, fields) == (
        "Speed: events go after 60 days; 4 of 5 fields and speed, people, all stay"
    )
    assert remains.in_a_line(policy, fields) == (
        "60 days, then stripped to 4 of 5 fields until day 200; aggregates: speed, people, all"
    )
    assert remains.in_a_line(policies.default, fields) == "80 days"
    assert [one.when for one in remains.stages(policies.default, fields)] == [
        "Until day 80", "From day 81"
    ]  # fmt: skip
    assert remains.unlisted(policy.scrub, [], fields) == ["isNew"]
    assert remains.unlisted(policy.scrub, ["/isNew"], fields) == []
