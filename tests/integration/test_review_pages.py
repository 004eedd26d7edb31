"""Reviews in the browser: what waits for whom, the evidence, the decision; and every attack."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from eventlogging.registry import write
from eventlogging.review import drafts
from eventlogging.store.fixed import governance
from tests.console import BROWSER, CLICK, House
from tests.forms import Form
from tests.people import browser_of, signed_in
from tests.reviews import ANSWERS, REQUEST, URL, kept, mails

PM, ADA, ROOT = "pm@example.org", "ada@example.org", "root@example.org"
CHECKLIST = "# Check\n\n- [ ] The title says it.\n- [ ] Bounds are `maxLength`.\n"
NARROW = {
    **CLICK, "properties": {**CLICK["properties"], "count": {"type": "integer", "maximum": 10}}
}  # fmt: skip


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House("", tmp_path / "var")
    with house.platform.database.write() as connection:
        for name, text in (("request.md", REQUEST), ("checklist.md", CHECKLIST)):
            connection.execute(
                governance.insert().values(
                    folder="reviewers", name=name, updated_at="", document=write.as_json(text)
                )
            )
    yield house
    house.close()


@pytest.fixture
def pm(house: House) -> FlaskClient:
    return browser_of(house, PM)


@pytest.fixture
def ada(house: House) -> FlaskClient:
    return browser_of(house, ADA, reviewer=True)


def body(schema: Any = CLICK, **more: Any) -> dict[str, Any]:
    examples = [{"name": "usual", "passes": True, "payload": {"target": "menu"}}]
    owners = ["team@example.org", PM]
    return {
        "schema": schema, "title": "Clicks", "description": "Somebody clicked.", "owners": owners,
        "examples": examples, **more,
    }  # fmt: skip


def proposed(house: House, name: str = "Click", **more: Any) -> int:
    database = house.platform.database
    begun = drafts.begin(database, name, body(**more), PM)
    saved = drafts.save(database, begun.id, 1, begun.body, ANSWERS, PM, base_url=URL)
    revision = saved.draft.revision
    sent = drafts.send_to_review(database, begun.id, revision, PM, base_url=URL)
    assert sent.done, sent.problems
    return begun.id


def look(client: FlaskClient, path: str) -> str:
    answer = client.get(path, headers=BROWSER)
    assert answer.status_code == 200, answer.text
    return answer.text


def decided(
    client: FlaskClient, number: int, do: str, text: str = "", *, forged: bool = False, **more: Any
) -> TestResponse:
    page = look(client, f"/reviews/{number}")
    wanted = "decision" if do in ("approve", "return") and not forged else ""
    if wanted:
        form = Form(page, wanted)
        form.fields["text"] = text
        for name, value in more.items():
            form.fields.poplist(name)
            if value is not None:
                form.fields[name] = value
        return form.send(client, do)
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found
    revision = re.search(r'name="revision" value="(\d+)"', page)
    data = {"csrf": found[1], "do": do, "text": text, "revision": revision[1] if revision else "0"}
    return client.post(f"/reviews/{number}", data={**data, **more}, headers=BROWSER)


def test_empty_lists_teach(pm: FlaskClient) -> None:
    page = look(pm, "/reviews")
    assert "No proposal waits for a decision" in page
    assert "Describe an event in a form" in page
    assert "Yours to decide" not in page


def test_a_proposal_waits_for_its_reviewer_by_name(
    house: House, pm: FlaskClient, ada: FlaskClient
) -> None:
    number = proposed(house)
    assert "<h1>Click 1.0.0 waits for" in look(ada, f"/reviews/{number}")
    assert "1 proposal waits for you" in look(ada, "/reviews")
    page = look(pm, "/reviews")
    assert "1 proposal waits for a decision" in page
    assert page.count(f"/reviews/{number}") == 2  # among their own, and among all


def test_a_review_shows_all_its_evidence(house: House, pm: FlaskClient, ada: FlaskClient) -> None:
    house.publish()
    house.send({"schema": "Click", "event": {"target": "a", "count": 900}})
    page = look(ada, f"/reviews/{proposed(house, schema=NARROW)}")
    assert "How often people click." in page  # the answers
    assert "<b>2.0.0</b>" in page
    assert "after 1.0.0, major" in page
    assert "event_target" in page
    assert "logEvent" in page
    assert "curl -sS" in page
    assert "urllib" in page
    assert "The title says it." in page
    assert "<code>maxLength</code>" in page
    assert "publish" in page and "checked" in page
    assert 'hx-get="/reviews/1/dry-run"' in page
    assert 'href="/reviews/1/privacy"' in page


def test_the_dry_run_and_the_privacy_cost_are_pages_of_their_own(
    house: House, pm: FlaskClient, ada: FlaskClient
) -> None:
    house.publish()
    house.send(
        {"schema": "Click", "event": {"target": "a", "count": 900}},
        {"schema": "Click", "event": {"target": "somebody@example.net", "count": 1}},
    )
    number = proposed(house, schema=NARROW)
    run = look(ada, f"/reviews/{number}/dry-run")
    assert "Of 2 events of the last 7 days, 1 now valid would be refused" in run
    assert "900" in run  # a sample, for a reviewer
    assert "Samples are shown to" in look(
        browser_of(house, "v@example.org"), f"/reviews/{number}/dry-run"
    )
    cost = look(ada, f"/reviews/{number}/privacy")
    assert "/target" in cost
    assert "rows and" in cost


def test_approving_publishes_at_once(house: House, pm: FlaskClient, ada: FlaskClient) -> None:
    number = proposed(house)
    answer = decided(ada, number, "approve", "Every field serves the question.")
    assert answer.status_code == 303
    page = look(ada, f"/reviews/{number}")
    assert "<h1>Click 1.0.0 is published" in page
    assert "Every field serves the question." in page
    assert house.client.get("/v1/schemas/Click/1.0.0").status_code == 200
    assert "Decided lately" in look(pm, "/reviews")
    assert any("published" in subject for subject in mails(house.platform.database, PM))


def test_without_the_tick_it_waits_and_its_author_publishes(
    house: House, pm: FlaskClient, ada: FlaskClient
) -> None:
    number = proposed(house)
    assert decided(ada, number, "approve", "Good.", publish=None).status_code == 303
    page = look(pm, f"/reviews/{number}")
    assert "is approved and waits to be published" in page
    assert decided(pm, number, "publish").status_code == 303
    assert kept(house.platform.database, number).state == "published"


def test_a_returned_one_comes_back_with_the_reason(
    house: House, pm: FlaskClient, ada: FlaskClient
) -> None:
    number = proposed(house)
    assert decided(ada, number, "return", "").status_code == 400  # a reason is required
    assert decided(ada, number, "return", "Close the object.").status_code == 303
    assert "<h1>Click 1.0.0 was returned to Pm" in look(pm, f"/reviews/{number}")
    assert "Close the object." in look(pm, f"/reviews/{number}")
    page = Form(look(pm, f"/drafts/{number}"), "editor")
    assert page.send(pm, "send", s_closed="on").status_code == 303
    assert kept(house.platform.database, number).state == "proposed"


def test_a_decision_about_a_draft_that_changed_is_refused_with_the_change(
    house: House, pm: FlaskClient, ada: FlaskClient
) -> None:
    number = proposed(house)
    page = Form(look(ada, f"/reviews/{number}"), "decision")
    edit = Form(look(pm, f"/drafts/{number}"), "editor")
    assert edit.send(pm, "save", s_title="Other clicks").status_code == 303
    page.fields["text"] = "Good as it is."
    answer = page.send(ada, "approve")
    assert answer.status_code == 400
    assert "your decision is about a former revision" in answer.text
    assert "Other clicks" in answer.text
    assert "Good as it is." in answer.text  # not lost
    assert kept(house.platform.database, number).state == "proposed"


def test_nobody_decides_on_their_own(house: House, ada: FlaskClient) -> None:
    browser_of(house, PM, reviewer=True)
    mine = signed_in(house, PM)
    number = proposed(house)
    page = look(mine, f"/reviews/{number}")
    assert "somebody else decides" in page
    assert 'id="decision"' not in page
    answer = decided(mine, number, "approve", "x", forged=True)
    assert answer.status_code == 400
    assert kept(house.platform.database, number).state == "proposed"


def test_only_reviewers_and_admins_decide(house: House, pm: FlaskClient, ada: FlaskClient) -> None:
    number = proposed(house)
    viewer = browser_of(house, "viewer@example.org")
    assert 'id="decision"' not in look(viewer, f"/reviews/{number}")
    refused = decided(viewer, number, "approve", "x", forged=True)
    assert refused.status_code == 403
    assert "a reviewer or an admin" in refused.text
    assert decided(viewer, number, "withdraw", "x").status_code == 403
    admin = browser_of(house, ROOT, "admin")
    assert decided(admin, number, "approve", "Good.").status_code == 303


def test_comments_stand_in_the_thread(house: House, pm: FlaskClient, ada: FlaskClient) -> None:
    number = proposed(house)
    assert decided(ada, number, "comment", "Why is <b>count</b> there?").status_code == 303
    page = look(pm, f"/reviews/{number}")
    assert "Why is &lt;b&gt;count&lt;/b&gt; there?" in page
    assert decided(ada, number, "comment", " ").status_code == 400


def test_a_withdrawn_one_is_closed(house: House, pm: FlaskClient, ada: FlaskClient) -> None:
    number = proposed(house)
    assert decided(pm, number, "withdraw").status_code == 303
    page = look(pm, f"/reviews/{number}")
    assert "was withdrawn" in page
    assert "Edit it" not in page
    assert pm.get(f"/drafts/{number}", headers=BROWSER).location == f"/reviews/{number}"


def test_strangers_find_no_reviews(house: House, pm: FlaskClient, ada: FlaskClient) -> None:
    number = proposed(house)
    stranger = house.app.test_client()
    for path in ("", f"/{number}", f"/{number}/dry-run", f"/{number}/privacy", "/99"):
        assert stranger.get(f"/reviews{path}", headers=BROWSER).status_code == 404
    assert stranger.post(f"/reviews/{number}", headers=BROWSER).status_code == 404
    assert ada.get("/reviews/99", headers=BROWSER).status_code == 404
    assert ada.post(f"/reviews/{number}", data={"do": "approve"}).status_code == 400  # no token
    assert decided(ada, number, "nonsense", "x").status_code == 400


ATTACKS = (
    "<script>alert(1)</script>", "\"'><img src=x onerror=alert(1)>", "</textarea><script>x()",
    "'\" onmouseover=alert(1) x='", "`<b>code</b>`", "{{ 7*7 }}{% raw %}", "</title><svg/onload=x>",
    "]]><!--", "javascript:alert(1)", "&lt;b&gt;", "</code></pre><iframe src=//evil.example>",
)  # fmt: skip
ATTACK = " ".join(ATTACKS)
EVIL: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": ATTACK,
    "description": ATTACK,
    "$comment": ATTACK,
    "type": "object",
    "required": [ATTACK],
    "properties": {
        ATTACK: {"type": "string", "description": ATTACK, "enum": [ATTACK, *ATTACKS[:5]]},
        **{text: {"type": "object", "description": text, "properties": {text: {"title": text,
           "type": "integer", "x-<script>": text}}} for text in ATTACKS},
        "pattern": {"type": "string", "pattern": "^<script>$", "default": ATTACK, "maxLength": 90},
        "union": {"oneOf": [{"const": text} for text in ATTACKS]},
    },
    "$defs": {text: {"description": text} for text in ATTACKS},
}  # fmt: skip
ALLOWED = {
    "script src": {"/static/vendor/htmx-2.min.js", "/static/page.js", "/static/draft.js"},
}


def assert_harmless(page: str) -> None:
    """Nothing of an attack stands in the page as markup: its raw form is nowhere in it."""
    for raw in ("<script>", "<img", "onerror=alert(1)>", "<b>code", "<svg/", "<iframe", "<!--",
                "</textarea><script", "x='", "49{%"):  # fmt: skip
        assert raw not in page, (raw, page[max(0, page.find(raw) - 300) : page.find(raw) + 200])
    for tag in re.findall(r"<[a-zA-Z][^>]*>", page):
        assert not re.search(r"\son\w+\s*=", re.sub(r'"[^"]*"', '""', tag)), tag
        assert "javascript:" not in unescape(
            "".join(re.findall(r'(?:href|src|action)="([^"]*)"', tag))
        )
    scripts = re.findall(r"<script[^>]*>", page)
    assert all(re.search(r'src="([^"]+)"', tag) for tag in scripts), scripts


def test_a_schema_whose_every_string_is_an_attack_stays_text(
    house: House, pm: FlaskClient, ada: FlaskClient
) -> None:
    evil = body(
        EVIL, title=ATTACK[:255], description=ATTACK, privacy={ATTACKS[0]: "hmac"},
        examples=[
            {"name": "usual", "passes": True, "payload": {ATTACK: ATTACK, "pattern": "<script>"}},
            {"name": "bad", "passes": False, "payload": {text: text for text in ATTACKS}},
        ],
    )  # fmt: skip
    made = house.client.post(
        "/v1/schemas/Evil?publish=true", json=evil, headers={"Authorization": "Bearer let-me-in"}
    )
    assert made.status_code == 201, made.text
    house.send(
        {"schema": "Evil", "event": {ATTACK: ATTACK, "pattern": "<script>"}},
        {"schema": "Evil", "event": {ATTACK: "no"}},
    )
    database = house.platform.database
    fields = {**EVIL["properties"], ATTACK: {"type": "string", "enum": [ATTACKS[2]]}}
    changed = {**EVIL, "required": [*EVIL["required"], ATTACKS[1]], "properties": fields}
    begun = drafts.begin(database, "Evil", {**evil, "schema": changed}, PM)
    answers = dict.fromkeys(ANSWERS, ATTACK)
    saved = drafts.save(database, begun.id, 1, begun.body, answers, PM, base_url=URL)
    number = begun.id
    assert saved.saved
    pages = [
        look(pm, path)
        for path in (
            "/drafts/new?schema=Evil", f"/drafts/{number}", f"/drafts/{number}?view=json",
            "/drafts/new", "/reviews",
        )
    ]  # fmt: skip
    page = Form(pages[1], "editor")
    assert page.fields["s-description"].replace("\r\n", "\n") == ATTACK
    for do in ("json", "add", "example-make", "dry-run", "up:2", "save", "send"):
        pages.append(page.send(pm, do, s_title=ATTACK).text)
    other = browser_of(house, ROOT, "admin")
    theirs = Form(look(other, f"/drafts/{number}"), "editor")
    theirs.send(other, "save", s_description=ATTACK + "!", s_owners="team@example.org <b>@x")
    pages.append(page.send(pm, "save", s_description="mine" + ATTACK).text)
    broken = Form(look(pm, f"/drafts/{number}?view=json"), "editor")
    for text in ATTACKS:
        pages.append(broken.send(pm, "check", document=text).text)
        pages.append(broken.send(pm, "check", document=f'{{"type": "{text[:9]}", "a": [').text)
    for path in ("", "/dry-run", "/privacy"):
        pages.append(look(ada, f"/reviews/{number}{path}"))
    decided(ada, number, "comment", ATTACK)
    pages.append(look(ada, f"/reviews/{number}"))
    pages.append(look(ada, "/reviews"))
    pages.append(decided(ada, number, "withdraw", ATTACK).text)
    for attack in ATTACKS:
        pages.append(pm.get("/drafts/new", query_string={"schema": attack}, headers=BROWSER).text)
    for shown in pages:
        assert_harmless(shown)
