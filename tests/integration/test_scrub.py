"""Stripping on both databases: what remains is right, once, and nothing else is anywhere."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from eventlogging import clock
from eventlogging.clock import moved
from eventlogging.event import Outcome
from eventlogging.ledger.proof import prove
from eventlogging.registry.model import RegisteredSchema
from eventlogging.retention import epochs, scrub, scrub_table
from eventlogging.retention.policy import Policies, Policy, policy_of
from eventlogging.retention.scrub import ScrubRefused, Stripped, narrow, strip_day
from eventlogging.schema.codec import compile_decoder
from eventlogging.store.dialect import quoted
from eventlogging.store.fixed import epoch_key, schema_table, table_day
from tests.console import House
from tests.loading import Bench
from tests.schemas import registered

ROOT = Path(__file__).parent.parent.parent
NAVIGATION = json.loads((ROOT / "schemas/NavigationTiming/1.0.0.json").read_text())
SECRETS = {"pageId": 4_045_551_234, "revId": 7_654_321_098_765, "userId": 3_987_654_321}
DOCUMENT: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "uid": {"type": ["string", "null"]},
        "took": {"type": "integer"},
        "ratio": {"type": ["number", "null"]},
        "when": {"type": "string", "format": "date-time"},
        "agent": {"type": "string"},
        "page": {
            "type": "object",
            "properties": {"id": {"type": "integer"}, "space": {"type": ["string", "null"]}},
        },
    },
}
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture
def bench(database_url: str, tmp_path: Path) -> Iterator[Bench]:
    made = Bench(database_url, tmp_path / "log")
    yield made
    made.close()


def today() -> str:
    return clock.day(clock.now_ms())


def policy(name: str = "Thing", **scrub: Any) -> Policy:
    return policy_of(name, {"scrub": scrub}, {})


def thing(event: dict[str, Any], **capsule: Any) -> dict[str, Any]:
    return {"schema": "Thing", "event": event, "id": str(uuid.uuid4()), **capsule}


def load(bench: Bench, schema: RegisteredSchema, *events: dict[str, Any], back: int = 0) -> str:
    """Store events received some days back; return that day."""
    bench.registry.know(schema)
    received = clock.now_ms() - back * clock.DAY_MS
    accepted = bench.send(*events, received=received)
    assert {verdict.outcome for verdict in accepted.verdicts} == {Outcome.VALID}
    bench.loader.drain()
    return clock.day(received)


def payloads(bench: Bench, schema: RegisteredSchema, rule: Policy) -> list[dict[str, Any]]:
    """What the stripped table of major 1 gives back."""
    assert rule.scrub is not None
    plan = scrub_table.rule_of(schema, "Thing_1", rule.scrub).plan
    decode = compile_decoder(plan)
    names = ", ".join(map(quoted, [*(column.name for column in plan.columns), "event_more"]))
    with bench.database.read() as connection:
        query = sa.text(f"SELECT {names} FROM Thing_1_scrubbed ORDER BY dt, id")
        return [decode(row[:-1], row[-1]) for row in connection.execute(query)]


def everything(bench: Bench, table: str) -> str:
    return repr([dict(row) for row in bench.rows(table)])


def columns(bench: Bench, table: str = "Thing_1_scrubbed") -> set[str]:
    with bench.database.read() as connection:
        return set(bench.database.dialect.existing_columns(connection, table))


def take_out(bench: Bench, table: str, day: str) -> None:
    """Delete a day's events by the book, as a purge does."""
    with bench.database.write() as connection:
        span = {"since": day, "until": moved(day, 1)}
        query = sa.text(f"DELETE FROM {quoted(table)} WHERE dt >= :since AND dt < :until")
        connection.execute(query, span)
        c = table_day.c
        book = sa.update(table_day).where(c.table_name == table, c.day == day)
        connection.execute(book.values(rows_out=c.rows_in))


def navigation(bench: Bench, number: int) -> tuple[RegisteredSchema, Policy, str]:
    """Page views with all that must go, and some whose values no column holds exactly."""
    schema = registered(
        "NavigationTiming",
        {"1.0.0": NAVIGATION},
        privacy={"/userId": "hmac"},
        stem="NavigationTiming",
    )
    example = json.loads(
        (ROOT / "schemas/NavigationTiming/examples").glob("*.pass.json").__next__().read_text()
    )
    events = [
        {"schema": "NavigationTiming", "id": str(uuid.uuid4()), "wiki": "enwiki",
         "event": {**example, **SECRETS, "responseStart": n, "loadEventEnd": float(n)
                   if n % 2 else n}}
        for n in range(number)
    ]  # fmt: skip
    day = load(bench, schema, *events)
    rule = tomllib.loads((ROOT / "purge/NavigationTiming.toml").read_text())
    return schema, policy_of("NavigationTiming", rule, {}), day


def test_timings_remain_exactly_and_pages_and_users_are_nowhere(bench: Bench) -> None:
    schema, rule, day = navigation(bench, 40)
    found = strip_day(bench.database, schema, "NavigationTiming_1", rule, day)
    assert (found.table, found.rows, found.new) == ("NavigationTiming_1_scrubbed", 40, 40)
    raw, left = bench.rows("NavigationTiming_1"), bench.rows(found.table)
    assert rule.scrub is not None
    kept = scrub_table.rule_of(schema, "NavigationTiming_1", rule.scrub).plan.columns
    names = ["version", "sample_rate", "wiki", "host", *(column.name for column in kept)]
    assert {"event_responseStart", "event_loadEventEnd", "event_isAnon"} <= set(names)
    one, other = (
        sorted(tuple(str(row[name]) for name in ("dt", *names)) for row in rows)
        for rows in (raw, left)
    )
    assert one == other
    # 7.0 in a column of whole numbers: event_more says that it was no whole number.
    more = {row["event_more"] for row in left} - {None}
    assert '{"loadEventEnd":7.0}' in more and len(more) == 20
    text = everything(bench, found.table)
    for secret in [*map(str, SECRETS.values()), *SECRETS, *(row["id"] for row in raw)]:
        assert secret not in text
    assert not any(row["event_userId"] in text for row in raw)
    assert "received" not in text and "user_agent" not in text
    assert {"event_responseStart", "wiki", "dt", "id"} <= set(found.columns_filled)
    assert "event_redirecting" not in found.columns_filled or "redirecting" in str(raw)


def test_the_books_hold_before_and_after_the_events_are_gone(bench: Bench) -> None:
    schema, rule, day = navigation(bench, 10)
    strip_day(bench.database, schema, "NavigationTiming_1", rule, day)
    proof = prove(bench.database)
    assert proof.holds, proof.discrepancies
    assert proof.checked["stripped"] == 1 and proof.checked["rows"] == 20
    take_out(bench, "NavigationTiming_1", day)
    assert prove(bench.database).holds
    (one, *_) = bench.rows("NavigationTiming_1_scrubbed", "MIN(id) AS id")
    with bench.database.write() as connection:
        query = sa.text("DELETE FROM NavigationTiming_1_scrubbed WHERE id = :id")
        connection.execute(query, {"id": one["id"]})
    (wrong,) = prove(bench.database).discrepancies
    assert wrong == f"NavigationTiming_1_scrubbed of {day} holds 9, and its book says 10"


def test_stripping_again_adds_nothing_and_late_events_alone_are_added(bench: Bench) -> None:
    schema, rule = registered("Thing", {"1.0.0": DOCUMENT}), policy(keep=["took"], hash=["uid"])
    day = load(bench, schema, *(thing({"uid": "u", "took": n}) for n in range(5)))
    first = strip_day(bench.database, schema, "Thing_1", rule, day)
    again = strip_day(bench.database, schema, "Thing_1", rule, day)
    assert (first.new, again.new, again.rows) == (5, 0, 5)
    assert set(first.columns_filled) == {
        "dt", "id", "version", "sample_rate", "event_took", "hash_uid"
    }  # fmt: skip
    take_out(bench, "Thing_1", day)
    load(bench, schema, thing({"uid": "u", "took": 5}))
    late = strip_day(bench.database, schema, "Thing_1", rule, day)
    assert (late.rows, late.new) == (1, 1)
    found = payloads(bench, schema, rule)
    assert sorted(one["took"] for one in found) == [0, 1, 2, 3, 4, 5]
    assert len({one["uid"] for one in found}) == 1
    assert prove(bench.database).holds


def test_a_day_without_events_leaves_no_table(bench: Bench) -> None:
    schema, rule = registered("Thing", {"1.0.0": DOCUMENT}), policy(keep=["took"])
    nothing = Stripped("Thing_1_scrubbed", 0, 0, ())
    assert strip_day(bench.database, schema, "Thing_1", rule, today()) == nothing
    load(bench, schema, thing({"took": 1}))
    assert strip_day(bench.database, schema, "Thing_1", rule, moved(today(), -1)) == nothing
    assert columns(bench) == set()


def test_hashes_meet_within_a_month_and_not_in_another(bench: Bench) -> None:
    schema, rule = registered("Thing", {"1.0.0": DOCUMENT}), policy(hash=["uid"])
    days = [load(bench, schema, thing({"uid": "u"}), thing({"uid": "u"}), back=40)]
    days.append(load(bench, schema, thing({"uid": "u"})))
    for day in days:
        strip_day(bench.database, schema, "Thing_1", rule, day)
    one, other, later = (found["uid"] for found in payloads(bench, schema, rule))
    assert one == other
    assert one[:7] == days[0][:7] and later[:7] == days[1][:7]
    assert one[8:] != later[8:]


def test_each_bucket_keeps_its_kind(bench: Bench) -> None:
    schema = registered("Thing", {"1.0.0": DOCUMENT})
    rule = policy(
        bucket={"took": 100, "ratio": 0.25, "when": "hour", "agent": "browser"},
        capsule=["user_agent"],
    )
    when = "2026-11-22T03:04:05.678Z"
    event = {"took": 1234, "ratio": 0.8, "when": when, "agent": AGENT, "uid": "u"}
    day = load(bench, schema, thing(event), thing({"took": 2**60 + 1}))
    strip_day(bench.database, schema, "Thing_1", rule, day)
    (row,) = bench.rows("Thing_1_scrubbed WHERE time_when IS NOT NULL")
    assert row["bucket_took"] == 1200 and row["bucket_ratio"] == 0.75
    assert row["time_when"] == "2026-11-22T03" and row["browser_agent"] == "Firefox"
    assert "user_agent_browser" in row and "host" not in row
    assert {"took": (2**60 + 1) // 100 * 100} in payloads(bench, schema, rule)


def test_nested_open_and_null_values_are_cut_to_the_list(bench: Bench) -> None:
    schema, rule = registered("Thing", {"1.0.0": DOCUMENT}), policy(keep=["/page/space", "ratio"])
    event = {
        "ratio": None, "undeclared": {"mail": "ann@example.org"}, "uid": None,
        "page": {"id": 77_777, "space": "x", "undeclared": "ann@example.org"},
    }  # fmt: skip
    day = load(bench, schema, thing(event), thing({"ratio": 1.0, "page": {"space": None}}))
    strip_day(bench.database, schema, "Thing_1", rule, day)
    found = sorted(map(repr, payloads(bench, schema, rule)))
    assert found == [
        "{'page': {'space': 'x'}, 'ratio': None}", "{'ratio': 1.0, 'page': {'space': None}}"
    ]  # fmt: skip
    text = everything(bench, "Thing_1_scrubbed")
    assert "ann@" not in text and "77777" not in text and "uid" not in text


def test_a_wide_schema_keeps_all_its_fields(bench: Bench) -> None:
    fields = [f"f{n}" for n in range(1000)]
    document = {"type": "object", "properties": {name: {"type": "string"} for name in fields}}
    schema, rule = registered("Thing", {"1.0.0": document}), policy(keep=fields[:990])
    day = load(bench, schema, thing({name: name for name in fields}))
    strip_day(bench.database, schema, "Thing_1", rule, day)
    assert payloads(bench, schema, rule) == [{name: name for name in fields[:990]}]
    narrower = policy(keep=fields[:980])
    narrow(bench.database, schema, "Thing_1", narrower)
    assert payloads(bench, schema, narrower) == [{name: name for name in fields[:980]}]
    assert "f985" not in everything(bench, "Thing_1_scrubbed")


def test_a_new_minor_version_adds_its_columns(bench: Bench) -> None:
    wider = {**DOCUMENT, "properties": {**DOCUMENT["properties"], "more": {"type": "integer"}}}
    old = registered("Thing", {"1.0.0": DOCUMENT})
    new = registered("Thing", {"1.0.0": DOCUMENT, "1.1.0": wider})
    rule, both = policy(keep=["took"]), policy(keep=["took", "more"])
    day = load(bench, old, thing({"took": 1}))
    strip_day(bench.database, old, "Thing_1", rule, day)
    # Published, and no event of it yet: the table of events has no such column.
    strip_day(bench.database, new, "Thing_1", both, day)
    load(bench, new, thing({"took": 2, "more": 3}))
    assert strip_day(bench.database, new, "Thing_1", both, day).new == 1
    assert {repr(one) for one in payloads(bench, new, both)} == {
        "{'took': 1}", "{'took': 2, 'more': 3}"
    }  # fmt: skip


def test_older_days_may_follow_younger_ones_and_go_one_by_one(bench: Bench) -> None:
    schema, rule = registered("Thing", {"1.0.0": DOCUMENT}), policy(keep=["took"])
    days = [load(bench, schema, thing({"took": back}), back=back) for back in (2, 9, 5, 0)]
    for day in days:
        strip_day(bench.database, schema, "Thing_1", rule, day)
    assert prove(bench.database).holds
    assert sorted(one["took"] for one in payloads(bench, schema, rule)) == [0, 2, 5, 9]
    take_out(bench, "Thing_1_scrubbed", days[1])
    assert sorted(one["took"] for one in payloads(bench, schema, rule)) == [0, 2, 5]
    assert prove(bench.database).holds


def test_a_rule_that_would_leave_a_private_field_strips_nothing(bench: Bench) -> None:
    schema = registered("Thing", {"1.0.0": DOCUMENT}, privacy={"/uid": "hmac"})
    day = load(bench, schema, thing({"uid": "u"}))
    with pytest.raises(ScrubRefused, match="/uid is private"):
        strip_day(bench.database, schema, "Thing_1", policy(keep=["uid"]), day)
    with pytest.raises(ScrubRefused, match="no \\[scrub\\]"):
        strip_day(bench.database, schema, "Thing_1", policy_of("Thing", {}, {}), day)
    with pytest.raises(ScrubRefused, match="has no table"):
        strip_day(bench.database, schema, "Thing_7", policy(keep=["took"]), day)
    assert columns(bench) == set()


_KILLED = """
import os, signal, sys
from eventlogging.retention import scrub, scrub_table
from eventlogging.store.database import Database
from tests.integration.test_scrub import DOCUMENT, policy
from tests.schemas import registered

scrub_table.PAGE = 10
pages = []

def between(rows):
    pages.append(rows)
    if len(pages) == 3:
        os.kill(os.getpid(), signal.SIGKILL)

schema = registered("Thing", {"1.0.0": DOCUMENT})
rule = policy(keep=["took"], hash=["uid"])
scrub.strip_day(Database(sys.argv[1]), schema, "Thing_1", rule, sys.argv[2], between=between)
"""


def test_killed_in_the_middle_and_repeated_it_strips_each_event_once(bench: Bench) -> None:
    schema, rule = registered("Thing", {"1.0.0": DOCUMENT}), policy(keep=["took"], hash=["uid"])
    day = load(bench, schema, *(thing({"uid": "u", "took": n}) for n in range(95)))
    command = [sys.executable, "-c", _KILLED, bench.database.url, day]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=60)
    assert ended.returncode == -9, ended.stderr
    assert bench.count("Thing_1_scrubbed") == 30
    assert prove(bench.database).holds
    assert strip_day(bench.database, schema, "Thing_1", rule, day).new == 65
    assert sorted(one["took"] for one in payloads(bench, schema, rule)) == list(range(95))
    assert prove(bench.database).holds


def test_a_page_more_or_less_changes_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    schema, rule = registered("Thing", {"1.0.0": DOCUMENT}), policy(keep=["took"])
    at = clock.now_ms()
    day = load(bench, schema, *(thing({"took": n}, dt=clock.iso(at)) for n in range(20)))
    for size in (1, 7, 20):
        monkeypatch.setattr(scrub_table, "PAGE", size)
        assert strip_day(bench.database, schema, "Thing_1", rule, day).rows == 20
    assert bench.count("Thing_1_scrubbed") == 20


def test_a_number_beyond_64_bits_is_cut_like_any_other(bench: Bench) -> None:
    schema = registered("Thing", {"1.0.0": DOCUMENT})
    rule = policy(keep=["uid"], bucket={"ratio": 100, "took": 100})
    day = load(bench, schema, thing({"ratio": 1e20, "took": 1e20}), thing({"ratio": 12345.0}))
    done = strip_day(bench.database, schema, "Thing_1", rule, day)
    assert (done.new, done.emptied) == (2, 0)
    found = payloads(bench, schema, rule)
    assert sorted(map(len, found)) == [1, 2]
    assert {one["ratio"] for one in found} == {1e20, 12300}
    wider = policy(keep=["uid"], bucket={"ratio": 1000, "took": 1000})
    narrow(bench.database, schema, "Thing_1", wider)
    assert {one["ratio"] for one in payloads(bench, schema, wider)} == {1e20, 12000}


def test_a_payload_that_cannot_be_read_is_counted_and_keeps_no_day(bench: Bench) -> None:
    schema, rule = registered("Thing", {"1.0.0": DOCUMENT}), policy(keep=["took"], hash=["uid"])
    day = load(bench, schema, *(thing({"took": n, "uid": "u"}) for n in range(3)))
    with bench.database.write() as connection:
        broken = sa.text("UPDATE Thing_1 SET event_more = :text WHERE event_took = 1")
        connection.execute(broken, {"text": '{"uid": "swordf'})
    done = strip_day(bench.database, schema, "Thing_1", rule, day)
    assert (done.new, done.emptied) == (3, 1)
    assert sorted(map(len, payloads(bench, schema, rule))) == [0, 2, 2]
    assert prove(bench.database).holds


def test_an_event_that_goes_while_it_is_stripped_leaves_no_copy(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    schema, rule = registered("Thing", {"1.0.0": DOCUMENT}), policy(keep=["uid", "took"])
    day = load(bench, schema, *(thing({"took": n, "uid": f"u{n}"}) for n in range(5)))
    real = scrub.key_of

    def erased_meanwhile(*words: Any) -> Any:
        # After a page was read, and before anything of it is written.
        with bench.database.write() as connection:
            connection.execute(sa.text("DELETE FROM Thing_1 WHERE event_took = 3"))
        return real(*words)

    monkeypatch.setattr(scrub, "key_of", erased_meanwhile)
    assert strip_day(bench.database, schema, "Thing_1", rule, day).new == 4
    assert "u3" not in everything(bench, "Thing_1_scrubbed")


def test_what_the_rule_no_longer_lists_goes_from_what_was_stripped(bench: Bench) -> None:
    schema = registered("Thing", {"1.0.0": DOCUMENT})
    wide = policy(keep=["took", "agent", "page"], bucket={"ratio": 10}, capsule=["wiki", "host"])
    event = {"took": 1.0, "agent": "a", "page": {"id": 7, "undeclared": "x"}, "ratio": 77.5}
    day = load(bench, schema, thing(event, wiki="enwiki"))
    strip_day(bench.database, schema, "Thing_1", wide, day)
    slim = policy(keep=["took"], bucket={"ratio": 100}, hash=["uid"], capsule=["host"])
    gone = narrow(bench.database, schema, "Thing_1", slim)
    assert set(gone) == {"wiki", "event_agent", "event_page_id", "event_page_space"}
    assert "undeclared" not in everything(bench, "Thing_1_scrubbed")
    assert narrow(bench.database, schema, "Thing_1", slim) == []
    # The event is stripped already: what is wider now is there for days to come.
    strip_day(bench.database, schema, "Thing_1", slim, day)
    (found,) = payloads(bench, schema, slim)
    assert repr(found) == "{'took': 1.0, 'ratio': 0}"
    assert prove(bench.database).holds


def test_a_field_with_another_treatment_loses_what_it_left_before(bench: Bench) -> None:
    schema = registered("Thing", {"1.0.0": DOCUMENT})
    day = load(bench, schema, thing({"uid": "secret", "took": 2**70 // 2**10}))
    strip_day(bench.database, schema, "Thing_1", policy(keep=["uid", "took"]), day)
    hashed = policy(hash=["uid"], bucket={"took": 10})
    load(bench, schema, thing({"uid": "another", "took": 11}))
    strip_day(bench.database, schema, "Thing_1", hashed, day)
    assert "event_uid" not in columns(bench) and "event_took" not in columns(bench)
    assert "secret" not in everything(bench, "Thing_1_scrubbed")
    found = sorted(map(len, payloads(bench, schema, hashed)))
    assert found == [0, 2]


def test_narrowing_that_was_interrupted_is_finished(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    schema = registered("Thing", {"1.0.0": DOCUMENT})
    day = load(bench, schema, thing({"took": 1.0, "uid": "u", "ratio": 3}))
    strip_day(bench.database, schema, "Thing_1", policy(keep=["took", "uid"]), day)

    def broken(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(scrub_table, "_note", broken)
        with pytest.raises(KeyboardInterrupt):
            narrow(bench.database, schema, "Thing_1", policy(keep=["uid"]))
    assert narrow(bench.database, schema, "Thing_1", policy(keep=["uid"])) == []
    assert "took" not in everything(bench, "Thing_1_scrubbed")


def named(bench: Bench, name: str) -> None:
    """Tell the registry's own tables of a schema's table."""
    with bench.database.write() as connection:
        connection.execute(
            sa.insert(schema_table).values(
                table_name=f"{name}_1", schema=name, major=1, overflow="[]"
            )
        )


def secret_kept(bench: Bench, day: str) -> str | None:
    with bench.database.read() as connection:
        query = sa.select(epoch_key.c.secret).where(epoch_key.c.epoch == day[:7])
        return connection.execute(query).scalar()


def test_a_months_key_is_destroyed_once_all_its_events_are_stripped(bench: Bench) -> None:
    schema, rule = registered("Thing", {"1.0.0": DOCUMENT}), policy(hash=["uid"])
    policies = Policies(policy_of("", {}, {}), {"Thing": rule})
    named(bench, "Thing")
    day = load(bench, schema, thing({"uid": "u"}), back=40)
    strip_day(bench.database, schema, "Thing_1", rule, day)
    assert epochs.key_of(bench.database, day) == epochs.key_of(bench.database, day)
    this = epochs.key_of(bench.database, today())
    # Its events are there still; then they are gone, but the month is not past.
    assert epochs.destroy_past(bench.database, policies, today()) == []
    take_out(bench, "Thing_1", day)
    assert epochs.destroy_past(bench.database, policies, day) == []
    before = epochs.key_of(bench.database, day)
    assert epochs.destroy_past(bench.database, policies, today()) == [day[:7]]
    assert epochs.destroy_past(bench.database, policies, today()) == []
    assert secret_kept(bench, day) is None
    assert epochs.key_of(bench.database, today()) == this
    (row,) = bench.rows(f"epoch_key WHERE epoch = '{day[:7]}'")
    assert row["secret"] is None and row["destroyed_at"] is not None
    if not bench.database.dialect.remote:
        path = Path(str(sa.engine.make_url(bench.database.url).database))
        for file in (path, path.with_name(f"{path.name}-wal")):
            assert before.secret.hex().encode() not in file.read_bytes()


def test_what_comes_after_its_key_was_destroyed_meets_nothing_from_before(bench: Bench) -> None:
    schema, rule = registered("Thing", {"1.0.0": DOCUMENT}), policy(hash=["uid"])
    policies = Policies(policy_of("", {}, {}), {"Thing": rule})
    named(bench, "Thing")
    day = load(bench, schema, thing({"uid": "u"}), back=40)
    strip_day(bench.database, schema, "Thing_1", rule, day)
    take_out(bench, "Thing_1", day)
    assert epochs.destroy_past(bench.database, policies, today())
    load(bench, schema, thing({"uid": "u"}), back=40)
    for new in (1, 0):  # also then, once
        assert strip_day(bench.database, schema, "Thing_1", rule, day).new == new
    one, other = (found["uid"] for found in payloads(bench, schema, rule))
    assert one[:8] == other[:8] and one != other
    assert epochs.destroy_past(bench.database, policies, today()) == []
    take_out(bench, "Thing_1", day)
    assert epochs.destroy_past(bench.database, policies, today()) == [day[:7]]


def test_events_that_nobody_strips_keep_no_key_alive(bench: Bench) -> None:
    schema = registered("Thing", {"1.0.0": DOCUMENT})
    named(bench, "Thing")
    day = load(bench, schema, thing({"uid": "u"}), back=40)
    epochs.key_of(bench.database, day)
    policies = Policies(policy_of("", {}, {}))
    assert epochs.destroy_past(bench.database, policies, today()) == [day[:7]]


def test_all_machines_have_one_key_for_a_month(bench: Bench) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: epochs.key_of(bench.database, "2026-11-22"), range(16)))
    assert len(found) == 1
    with bench.database.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(epoch_key)).scalar() == 1


def test_two_machines_that_strip_the_same_day_strip_each_event_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scrub_table, "PAGE", 5)
    schema, rule = registered("Thing", {"1.0.0": DOCUMENT}), policy(keep=["took"])
    day = load(bench, schema, *(thing({"took": n}) for n in range(60)))

    def one(_: int) -> int:
        return scrub.strip_day(bench.database, schema, "Thing_1", rule, day).new

    with ThreadPoolExecutor(3) as pool:
        assert sum(pool.map(one, range(3))) == 60
    assert bench.count("Thing_1_scrubbed") == 60
    assert prove(bench.database).holds


def test_the_page_of_a_schema_names_its_stripped_table(database_url: str, tmp_path: Path) -> None:
    house = House(database_url, tmp_path / "var")
    house.publish("Thing", DOCUMENT)
    house.send(thing({"took": 1}))
    assert "Thing_1_scrubbed" not in house.page("/schemas/Thing")
    platform = house.platform
    schema = platform.registry.snapshot.schemas["Thing"]
    strip_day(platform.database, schema, "Thing_1", policy(keep=["took"]), today())
    assert "Thing_1_scrubbed" in house.page("/schemas/Thing")
    house.close()
