"""The pages, as people with a browser see them."""

import json
import re
import shlex
import threading
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from eventlogging import clock
from eventlogging.config import Config
from eventlogging.console.app import create_app
from eventlogging.console.line_view import LineView, share_text
from eventlogging.event import UNKNOWN, Outcome
from eventlogging.ledger.reading import LineOfTruth, lines_of_truth, total
from eventlogging.ledger.sentence import sentence
from eventlogging.platform import open_platform
from eventlogging.registry import sign_in_links
from eventlogging.store.fixed import ledger, owner_trouble, parked, proposal, sign_in_link
from tests.console import BROWSER, CLICK, House, csrf
from tests.people import browser_of

ATTACK = """<script>alert("x")</script>'"><img src=x onerror=alert(1)>{{ 7*7 }}"""
MOST_BYTES = 150_000
HOUR = 3_600_000


@pytest.fixture
def house(database_url: str, tmp_path: Path) -> Iterator[House]:
    house = House(database_url, tmp_path / "var")
    yield house
    house.close()


@pytest.fixture
def small_house(tmp_path: Path) -> Iterator[House]:
    """For what does not depend on the database."""
    house = House("", tmp_path / "var")
    yield house
    house.close()


def book(house: House, schema: str, outcome: str, count: int, day: int = 0) -> None:
    minute = clock.minute(clock.now_ms() - day * clock.DAY_MS)
    row = {"minute": minute, "schema": schema, "version": "9", "outcome": outcome, "reason": ""}
    with house.platform.database.write() as connection:
        connection.execute(sa.insert(ledger).values(**row, count=count, kept=0))


def words_of(page: str) -> str:
    """The text of a page, as it reads."""
    text = unescape(re.sub(r"<[^>]*>", "", page)).replace("\N{NO-BREAK SPACE}", " ")
    return re.sub(r"[ \n]+", " ", text)


class Elements(HTMLParser):
    """All elements of a page with their attributes, as a browser reads them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))


def check_clean(page: str) -> None:
    """Nothing inline that the policy forbids, nothing from elsewhere, no heavier than said."""
    assert len(page.encode()) < MOST_BYTES
    for tag, attributes in Elements(page).found:
        assert tag not in ("style", "img", "iframe", "object", "base")
        assert tag != "script" or attributes.keys() == {"src", "defer"}
        for name, value in attributes.items():
            assert name != "style"
            assert not name.startswith("on")
            if name in ("src", "href", "action"):
                assert value.startswith(("/", "#", "mailto:")), value
                assert not value.startswith("//")


# The overview


def test_an_empty_platform_teaches_with_a_line_that_works(small_house: House) -> None:
    payload = {"target": 'it\'s "quoted" $HOME `x`'}
    small_house.publish(examples=[{"name": "a", "passes": True, "payload": payload}])
    page = small_house.page("/")
    assert "No event has arrived yet" in page
    line = unescape(re.findall(r"<pre[^>]*><code>(curl .*?)</code>", page, re.S)[0])
    words = shlex.split(line)
    assert words[:2] == ["curl", "-sS"]
    assert words[2] == f"{small_house.config.url}/v1/events"
    body = words[words.index("-d") + 1]
    assert json.loads(body)["event"] == payload
    assert [v.outcome for v in small_house.accept(body.encode()).verdicts] == [Outcome.VALID]
    small_house.load()
    assert "1 event sent today" in small_house.page("/")


def test_an_empty_registry_says_how_to_begin(small_house: House) -> None:
    for path in ("/", "/schemas"):
        page = small_house.page(path)
        assert "eventlogging init" in page
        assert "eventlogging apply" in page
        check_clean(page)


def test_the_overview_says_what_the_ledger_says(house: House) -> None:
    house.publish()
    event = {"schema": "Click", "event": {"target": "a"}}
    again = {**event, "id": "the-same"}
    house.send(event, again, again, {"schema": "Click", "event": {}}, {"schema": "No", "event": 1})
    with house.platform.database.read() as connection:
        line = total(lines_of_truth(connection))
    page = house.page("/")
    assert sentence(line) == "5 sent = 2 valid + 2 invalid + 1 duplicate · 0 unexplained"
    assert sentence(line) in words_of(page)
    assert f'aria-label="{sentence(line)}"' in page
    assert "<h1>5 events sent today, 50.0\xa0% valid, 0 unexplained</h1>" in page
    assert 'href="/schemas/Click"' in page
    assert 'href="/schemas/(unknown)"' in page
    assert "Nothing needs attention" in page
    check_clean(page)


def test_what_is_unexplained_is_the_headline(house: House) -> None:
    house.publish()
    house.send({"schema": "Click", "event": {"target": "a"}})
    book(house, "Click", "sent", 3)
    book(house, "Other", "valid", 3)
    page = house.page("/")
    # Too many of one schema do not make up for too few of another.
    assert "<h1>6 events are unexplained</h1>" in page
    assert "3 events of 4 sent today are unexplained" in words_of(page)
    assert "3 events have an outcome today and were never counted as sent" in words_of(page)
    assert "3 events unexplained today" in house.page("/schemas/Click")


def test_waiting_tables_and_many_refusals_need_attention(house: House) -> None:
    house.publish()
    book(house, "Click", "sent", 1100)
    book(house, "Click", "valid", 900)
    book(house, "Click", "invalid", 200)
    book(house, "Few", "sent", 19, day=1)
    book(house, "Few", "invalid", 19, day=1)
    with house.platform.database.write() as connection:
        row = {"segment": "s", "start": 0, "end": 9, "table_name": "Click_1", "lines": 1204}
        since = clock.iso(clock.now_ms())
        connection.execute(sa.insert(parked).values(**row, reason="no room on db7", since=since))
    page = house.page("/")
    assert "1\u2009204 events wait for the table Click_1" in page
    assert "18.2 % invalid today: 200 of 1\u2009100 events were refused" in words_of(page)
    assert "19 events were refused" not in words_of(page)
    assert "no room on db7" not in page
    house.sign_in()
    assert "no room on db7" in house.page("/")


def test_another_day_can_be_looked_at_and_the_table_sorted(house: House) -> None:
    for name, count in (("Aa", 5), ("Bb", 9)):
        book(house, name, "sent", count, day=2)
        book(house, name, "valid", count, day=2)
    day = clock.day(clock.now_ms() - 2 * clock.DAY_MS)
    page = house.page(f"/?day={day}")
    assert f"14 events sent on {day}" in page
    assert page.index("/schemas/Bb") < page.index("/schemas/Aa")
    page = house.page(f"/?day={day}&sort=schema")
    assert page.index("/schemas/Aa") < page.index("/schemas/Bb")
    for query in ("day=tomorrow", "day=2999-01-01", "day=20260101", "sort=colour"):
        answer = house.client.get(f"/?{query}", headers=BROWSER)
        assert answer.status_code == 400
        assert "such as 2026-11-22" in answer.text or "sort is one of" in answer.text


def test_many_schemas_still_make_a_light_page(small_house: House) -> None:
    moment = clock.minute(clock.now_ms())
    rows = [
        {"minute": moment, "schema": f"{'Schema' * 9}{n:04d}", "version": "", "outcome": outcome,
         "reason": "", "count": 1_000_000 + n, "kept": 0}
        for n in range(400)
        for outcome in ("sent", "valid", "duplicate", "pending")
    ]  # fmt: skip
    with small_house.platform.database.write() as connection:
        connection.execute(sa.insert(ledger), rows)
    page = small_house.page("/")
    check_clean(page)
    assert "more schemas had events" in page


def test_a_share_is_never_rounded_to_all_or_nothing() -> None:
    assert share_text(1, 1_000_000) == "0.1\xa0%"
    assert share_text(999_999, 1_000_000) == "99.9\xa0%"
    assert share_text(3, 3) == "100.0\xa0%"
    assert share_text(0, 3) == "0.0\xa0%"
    assert share_text(0, 0) == "–"


def test_the_bar_shows_every_part_and_fills_its_width() -> None:
    line = LineOfTruth("a", 1_000_003, valid=999_990, invalid=1, duplicate=1, suppressed=1)
    view = LineView("today", "2026-11-22", line)
    pieces = view.pieces
    assert [p.kind for p in pieces] == [
        "valid", "invalid", "duplicate", "suppressed", "unexplained",
    ]  # fmt: skip
    assert sum(piece.width for piece in pieces) == view.width
    assert [piece.x for piece in pieces] == [
        sum(before.width for before in pieces[:at]) for at in range(len(pieces))
    ]
    assert not LineView("today", "2026-11-22", LineOfTruth("a")).pieces


def bars_of(page: str) -> dict[str, list[int]]:
    """The table of a page's chart: step of time → its numbers."""
    rows = re.findall(r"<tr data-x=.*?</tr>", page, re.S)
    found = {}
    for row in rows:
        cells = re.findall(r"<t[hd][^>]*>(?:<a[^>]*>)?([^<]+)", row)
        found[cells[0]] = [int(cell.replace("\u2009", "")) for cell in cells[1:]]
    return found


def test_the_chart_has_an_hour_or_a_day_for_each_bar(house: House) -> None:
    book(house, "Click", "valid", 1200)
    book(house, "Click", "invalid", 7)
    book(house, "Click", "duplicate", 3)
    book(house, "Click", "valid", 5, day=3)
    now = clock.now_ms()
    hours = bars_of(page := house.page("/"))
    assert len(hours) == 24
    assert hours[f"{clock.minute(now)[:13]}:00"] == [1200, 7]
    assert 'src="/static/chart.js"' in page
    days = bars_of(page := house.page("/?by=day"))
    assert len(days) == 14
    assert days[clock.day(now - 3 * clock.DAY_MS)] == [5, 0]
    assert days[clock.day(now)] == [1200, 7]
    check_clean(page)
    query = unescape(re.findall(r'href="(/v1/ledger\?[^"]*step=day[^"]*)"', page)[0])
    counted = house.client.get(query).json
    assert counted is not None
    assert counted["total"]["valid"] == 1205
    past = bars_of(house.page(f"/?day={clock.day(now - 3 * clock.DAY_MS)}"))
    assert sum(valid for valid, _ in past.values()) == 5
    assert house.client.get("/?by=year", headers=BROWSER).status_code == 400


def test_a_page_without_figures_loads_no_chart(small_house: House) -> None:
    assert "chart.js" not in small_house.page("/")
    small_house.publish()
    assert "chart.js" not in small_house.page("/schemas/Click")


def test_new_schemas_are_named(small_house: House) -> None:
    small_house.publish("Fresh", CLICK, title="Fresh clicks")
    text = words_of(small_house.page("/"))
    assert "New schemas Fresh Fresh clicks since" in text


def test_what_waits_for_the_visitor_needs_attention(house: House) -> None:
    house.publish()
    now = clock.iso(clock.now_ms())
    with house.platform.database.write() as connection:
        connection.execute(
            sa.insert(proposal).values(
                schema="Click", version="1.1.0", body='{"name": "Click"}', state="proposed",
                proposed_at=now, proposed_by="pm@example.org", reviewer="rev@example.org",
                updated_at=now, updated_by="pm@example.org",
            )
        )  # fmt: skip
        connection.execute(
            sa.insert(owner_trouble).values(
                schema="Click", email="owner@example.org", reason="bounced", since=now
            )
        )
    reviewer = browser_of(house, "rev@example.org", reviewer=True)
    page = reviewer.get("/", headers=BROWSER).text
    assert "Click 1.1.0 waits for your review." in page
    assert 'href="/reviews/1"' in page
    assert "Its owner owner@example.org cannot be reached" in words_of(page)
    other = browser_of(house, "vi@example.org").get("/", headers=BROWSER).text
    assert "waits for your review" not in other
    assert "cannot be reached" not in house.page("/")


# Schemas


def test_the_list_of_schemas_can_be_searched_and_paged(small_house: House) -> None:
    for n in range(105):
        small_house.publish(f"Schema{n:03d}", {"type": "object"}, title=f"Number {n}")
    first = small_house.page("/schemas")
    assert "105 schemas are registered" in first
    assert "Schema000" in first
    assert "Schema100" not in first
    following = re.findall(r'href="([^"]*after=[^"]*)"', first)[0]
    assert "Schema100" in small_house.page(unescape(following))
    found = small_house.page("/schemas?q=number+42")
    assert "Schema042" in found
    assert "1 of 105 schemas match" in found
    for page in (first, found, small_house.page("/schemas?q=nothing-like-it")):
        check_clean(page)


def test_a_schemas_page_says_all_that_is_registered(house: House) -> None:
    house.publish(
        "team/click",
        description="Clicks of people.",
        privacy={"target": "hmac"},
        sampling={"rate": 0.25, "unit": "session"},
        examples=[
            {"name": "good", "passes": True, "payload": {"target": "a"}},
            {"name": "bad", "passes": False, "payload": {"target": 1}},
        ],
    )
    wider = {**CLICK, "properties": {**CLICK["properties"], "more": {"type": "string"}}}
    house.publish("team/click", wider)
    page = house.page("/schemas/team/click")
    text = words_of(page)
    assert "team/click has no events today or yesterday" in text
    for words in (
        "Clicks of people.", "owner@example.org", "25 % of sessions", "90 days",
        "/target replaced by a keyed hash", "team_click_1", "What was clicked.", "VARCHAR(64)",
        "FROM team_click_1", "1.1.0", "1.0.0", "first version", "more", "passes good",
        "is refused bad", "made with the first event", "team_click_invalid",
        "filled into EventGate bodies, not into capsules",
    ):  # fmt: skip
        assert words in text, words
    assert ("SQLite" in text) or ("MariaDB" in text)
    check_clean(page)


@pytest.mark.parametrize(
    ("fill_defaults", "words"),
    [("always", "filled into every event"), ("never", "never filled in")],
)
def test_a_schemas_page_says_which_events_get_defaults(
    small_house: House, fill_defaults: str, words: str
) -> None:
    small_house.publish(fill_defaults=fill_defaults)
    assert words in words_of(small_house.page("/schemas/Click"))


def test_the_query_on_the_page_runs(house: House) -> None:
    house.publish()
    house.send({"schema": "Click", "event": {"target": "a", "count": 3}})
    query = re.findall(r"<code>(SELECT .*?)</code>", house.page("/schemas/Click"), re.S)[0]
    with house.platform.database.read() as connection:
        row = connection.execute(sa.text(unescape(query).rstrip(";"))).mappings().one()
    assert (row["event_target"], row["event_count"]) == ("a", 3)


def test_samples_of_refused_events_are_for_who_is_signed_in(house: House) -> None:
    house.publish()
    bad = [{"schema": "Click", "event": {"target": n, "secret": "of-a-person"}} for n in range(3)]
    house.send(*bad, {"schema": "Click", "event": {}})
    page = house.page("/schemas/Click")
    assert "type_mismatch" in page
    assert "of-a-person" not in page
    assert "Samples of refused events are shown to people who are signed in" in words_of(page)
    house.sign_in()
    page = house.page("/schemas/Click")
    text = words_of(page)
    assert "of-a-person" in text
    assert "All 4 stored refused events" in text
    assert "type_mismatch 3" in text
    assert "/target" in text
    assert page.index("type_mismatch</code> <span") < page.index("missing_field</code> <span")
    check_clean(page)
    place = sa.engine.make_url(house.platform.database.url)
    assert (place.host or str(place.database)) in page


def test_refused_events_are_grouped_by_their_cause(house: House) -> None:
    house.publish()
    start = clock.now_ms() - 3_600_000
    wrong = {"schema": "Click", "event": {"target": 1}, "client": "web/1.0"}
    house.send({**wrong, "client": "web/0.9"}, received=start)
    house.send(wrong, wrong, received=start + 1000)
    house.send({"schema": "Click", "event": {"target": "a", "count": "many"}})
    house.sign_in()
    page = house.page("/schemas/Click")
    text = words_of(page)
    assert "type_mismatch 3 /target a text" in text
    assert "type_mismatch 1 /count a whole number" in text
    assert "web/1.0 2, web/0.9 1" in text
    assert f"First seen{clock.minute(start)} UTC" in text
    assert "GROUP BY code" in text
    check_clean(page)


def test_two_versions_are_compared_in_words(small_house: House) -> None:
    small_house.publish()
    wider = {**CLICK, "properties": {**CLICK["properties"], "more": {"type": "string"}}}
    small_house.publish("Click", wider)
    small_house.publish("Click", {**wider, "required": ["target", "more"]})
    page = small_house.page("/schemas/Click?from=1.0.0&to=2.0.0")
    text = words_of(page)
    assert "From 1.0.0 to 2.0.0" in text
    assert "A major change: events that were valid may be refused." in text
    assert "A minor change" in small_house.page("/schemas/Click?from=1.0.0&to=1.1.0")
    assert "They say the same" in small_house.page("/schemas/Click?from=1.0.0&to=1.0.0")
    check_clean(page)
    for query in ("from=1.0.0", "from=1.0.0&to=9.9.9", f"from={ATTACK}&to=1.0.0"):
        assert small_house.client.get(f"/schemas/Click?{query}").status_code == 400


def test_the_page_has_code_to_paste(small_house: House) -> None:
    example = {"name": "a", "passes": True, "payload": {"target": "</script><b>"}}
    small_house.publish(examples=[example])
    page = small_house.page("/schemas/Click")
    for words in ("The same in JavaScript", "The same in Python", "eventlogging codegen Click"):
        assert words in page
    check_clean(page)
    small_house.publish("Server", CLICK, producers="token", examples=[example])
    assert "The same in JavaScript" not in small_house.page("/schemas/Server")


def test_an_owner_deprecates_retires_and_revives(house: House) -> None:
    house.publish()
    owner = browser_of(house, "owner@example.org")
    path = "/schemas/Click/state"
    page = owner.get(path, headers=BROWSER).text
    check_clean(page)
    form = {"csrf": csrf(page), "reason": "Replaced by Tap."}
    for move, state in (
        ("deprecate", "deprecated"),
        ("retire", "retired"),
        ("revive", "published"),
    ):
        answer = owner.post(path, data={**form, "move": move}, headers=BROWSER)
        assert answer.status_code == 303, answer.text
        assert f"Click is {state}" in owner.get(path, headers=BROWSER).text
    without = owner.post(path, data={**form, "move": "retire", "reason": " "}, headers=BROWSER)
    assert without.status_code == 400
    again = owner.post(path, data={**form, "move": "revive"}, headers=BROWSER)
    assert again.status_code == 400
    assert owner.post(path, data={**form, "move": "burn"}, headers=BROWSER).status_code == 400
    analyst = browser_of(house, "an@example.org", "analyst")
    assert analyst.get(path, headers=BROWSER).status_code == 403
    assert house.client.get(path, headers=BROWSER).status_code == 404


def test_events_of_no_schema_have_a_page(house: House) -> None:
    house.send({"schema": "Nobody", "event": {"a": "of-a-person"}})
    assert "of-a-person" not in house.page(f"/schemas/{UNKNOWN}")
    house.sign_in()
    page = house.page(f"/schemas/{UNKNOWN}")
    assert "unknown_schema" in page
    assert "of-a-person" in page
    check_clean(page)


def test_every_shown_text_is_escaped(house: House) -> None:
    schema: dict[str, Any] = {
        "type": "object",
        "description": ATTACK,
        "properties": {"a<b>": {"type": "string", "description": ATTACK, "enum": ["x", ATTACK]}},
        "additionalProperties": False,
    }
    house.publish(
        "Click",
        schema,
        title=ATTACK,
        description=ATTACK,
        examples=[{"name": "an-attack", "passes": True, "payload": {"a<b>": ATTACK}}],
    )
    wider = {**schema["properties"], f"`{ATTACK}`": {"type": "string"}}
    house.publish("Click", {**schema, "properties": wider})
    house.publish("Click", {**schema, "properties": {}}, override=ATTACK, version="1.2.0")
    house.send(
        {"schema": "Click", "event": {ATTACK: ATTACK}, "webHost": ATTACK, "client": ATTACK},
        {"schema": ATTACK, "event": ATTACK},
    )
    house.sign_in()
    for path in ("/", "/schemas", "/schemas?q=" + ATTACK.replace("&", ""), "/schemas/Click",
                 f"/schemas/{UNKNOWN}", "/schemas?after=" + ATTACK):  # fmt: skip
        page = house.page(path)
        assert "<script>alert" not in page
        assert "<img" not in page
        assert "49{" not in page
        check_clean(page)
    assert "&lt;script&gt;alert" in house.page("/schemas/Click")
    missing = house.client.get(f"/schemas/{ATTACK.replace('?', '')}", headers=BROWSER)
    assert missing.status_code == 404
    assert "<script>alert" not in missing.text
    assert "<img" not in missing.text


def test_a_wide_schema_still_makes_a_light_page(small_house: House) -> None:
    text = "What it means, said at length. " * 20
    fields = {f"field{n:03d}": {"type": "integer", "description": text} for n in range(300)}
    big = {f"field{n:03d}": n for n in range(300)}
    examples = [{"name": f"e{n}", "passes": True, "payload": big} for n in range(12)]
    small_house.publish("Wide", {"type": "object", "properties": fields}, examples=examples)
    payload = {**big, "field000": "x" * 50_000}
    small_house.send({"schema": "Wide", "event": payload}, {"schema": "Wide", "event": big})
    small_house.sign_in()
    page = small_house.page("/schemas/Wide")
    check_clean(page)
    assert "150 more are listed by" in words_of(page)


# Errors


def test_browsers_get_pages_and_programs_json_when_something_is_wrong(small_house: House) -> None:
    for path in ("/nope", "/schemas/No/Such"):
        page = small_house.client.get(path, headers=BROWSER)
        assert page.status_code == 404
        assert page.mimetype == "text/html"
        assert 'href="/schemas"' in page.text
        check_clean(page.text)
        plain = small_house.client.get(path)
        assert plain.status_code == 404
        assert plain.json is not None
        assert plain.json["code"] == "not_found"
    for path in ("/v1/nope", "/v1/schemas/Nope", "/v1/data/Nope"):
        assert small_house.client.get(path, headers=BROWSER).is_json
    assert small_house.client.post("/", headers=BROWSER).status_code == 405


@pytest.mark.parametrize("digits", ["9" * 30, "9" * 5000])
def test_a_number_that_no_row_can_have_is_not_found(small_house: House, digits: str) -> None:
    admin = browser_of(small_house, "root@example.org", "admin")
    for path in ("outbox", "reviews", "drafts", "extensions"):
        assert admin.get(f"/{path}/{digits}", headers=BROWSER).status_code == 404
    form = {"csrf": "the-token", "act": "acknowledge"}
    assert admin.post(f"/alerts/{digits}", data=form, headers=BROWSER).status_code == 404


def test_without_the_database_a_page_says_that_nothing_is_lost(tmp_path: Path) -> None:
    url = "mysql+pymysql://root@127.0.0.1:1/none"
    platform = open_platform(Config(var=tmp_path / "var", database_url=url))
    for path in ("/", "/schemas", "/schemas/Click", "/sign-in/abc"):
        answer = create_app(platform).test_client().get(path, headers=BROWSER)
        assert answer.status_code == 503
        assert "none is lost" in answer.text
        assert answer.headers["Retry-After"]


def test_every_answer_carries_the_strict_policy(small_house: House) -> None:
    for path in ("/", "/schemas", "/nope", "/sign-in/x", "/static/style.css", "/v1/data/Nope"):
        headers = small_house.client.get(path, headers=BROWSER).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
    for name in ("style.css", "page.js", "icon.svg"):
        assert small_house.client.get(f"/static/{name}").status_code == 200


# Sign-in


def new_link(house: House) -> str:
    url = sign_in_links.create_link(house.platform.database, house.config)
    assert url.startswith(f"{house.config.url}/sign-in/")
    return url.removeprefix(house.config.url)


def test_a_link_signs_in_once(house: House) -> None:
    link = new_link(house)
    with house.platform.database.read() as connection:
        kept = connection.execute(sa.select(sign_in_link)).mappings().one()
    assert link.rsplit("/", 1)[-1] not in str(dict(kept))
    for _ in range(3):  # a mail scanner looks first, and uses nothing up
        house.app.test_client().get(link)
        house.app.test_client().head(link)
    page = house.client.get(link, headers=BROWSER)
    assert page.headers["Referrer-Policy"] == "no-referrer"
    check_clean(page.text)
    entered = house.client.post(link, data={"csrf": csrf(page.text)}, headers=BROWSER)
    assert entered.status_code == 303
    assert entered.headers["Location"] == "/"
    cookie = entered.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie
    assert "Sign out" in house.page("/")
    other = house.app.test_client()
    used = other.get(link, headers=BROWSER)
    assert used.status_code == 410
    assert "bin/run" in used.text
    check_clean(used.text)


def test_a_link_is_used_up_by_one_of_many_at_the_same_time(house: House) -> None:
    secret = new_link(house).rsplit("/", 1)[-1]
    won: list[bool] = []
    together = threading.Barrier(6)

    def claim() -> None:
        together.wait()
        with house.platform.database.write() as connection:
            won.append(sign_in_links.claim(connection, secret))

    threads = [threading.Thread(target=claim) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == [False] * 5 + [True]


def test_a_link_expires_after_an_hour(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    link = new_link(house)
    token = csrf(house.client.get(link).text)
    monkeypatch.setattr(clock, "offset_ms", 3_601_000)
    assert house.client.post(link, data={"csrf": token}).status_code == 410
    assert house.client.get(link, headers=BROWSER).status_code == 410
    assert "Sign in" in house.page("/")
    new_link(house)
    with house.platform.database.read() as connection:
        assert len(connection.execute(sa.select(sign_in_link)).all()) == 1


def test_forms_without_their_token_do_nothing(small_house: House) -> None:
    link = new_link(small_house)
    data: list[dict[str, Any]] = [{}, {"csrf": ""}, {"csrf": "wrong"}, {"csrf": "ä\ud7ff"}]
    for form in data:
        assert small_house.client.post(link, data=form, headers=BROWSER).status_code == 400
    small_house.client.get(link)
    for form in data:
        assert small_house.client.post(link, data=form).status_code == 400
    other = csrf(small_house.app.test_client().get(link).text)
    assert small_house.client.post(link, data={"csrf": other}).status_code == 400
    with small_house.platform.database.read() as connection:
        assert sign_in_links.find(connection, link.rsplit("/", 1)[-1])


def test_signing_out_needs_the_form_and_ends_the_session(small_house: House) -> None:
    small_house.publish()
    small_house.sign_in()
    page = small_house.page("/")
    assert small_house.client.post("/sign-out").status_code == 400
    assert "Sign out" in small_house.page("/")
    assert small_house.client.post("/sign-out", data={"csrf": csrf(page)}).status_code == 303
    assert "Sign in" in small_house.page("/")
    assert small_house.client.get("/v1/data/Click").status_code == 401


def test_a_forged_session_opens_nothing(small_house: House, tmp_path: Path) -> None:
    small_house.publish()
    other = House("", tmp_path / "other")
    other.sign_in()
    cookie = other.client.get_cookie("eventlogging_session")
    assert cookie is not None
    small_house.client.set_cookie("eventlogging_session", cookie.value)
    assert "Sign in" in small_house.page("/")
    assert small_house.client.get("/v1/data/Click").status_code == 401
    other.close()


def test_behind_https_the_cookie_is_secure(tmp_path: Path) -> None:
    house = House("", tmp_path / "var", public_url="https://events.example.org/")
    link = sign_in_links.create_link(house.platform.database, house.config)
    assert link.startswith("https://events.example.org/sign-in/")
    path = link.removeprefix("https://events.example.org")
    answer = house.client.get(path, base_url="https://events.example.org")
    assert "Secure" in answer.headers["Set-Cookie"]
    house.close()
