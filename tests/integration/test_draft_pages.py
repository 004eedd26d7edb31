"""Describing an event in a form: what is entered is kept, judged while typed, and sent on."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from eventlogging.console.form_packing import packed
from eventlogging.registry import write
from eventlogging.review.record import Draft
from eventlogging.store.fixed import governance
from tests.console import BROWSER, House
from tests.forms import Form
from tests.people import browser_of, signed_in
from tests.reviews import REQUEST, kept

PM = "pm@example.org"
TITLE = 'pick ["setting", "title"]'
ANSWERS = {"a_question": "How often people search.", "a_end": "In spring."}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House("", tmp_path / "var")
    with house.platform.database.write() as connection:
        connection.execute(
            governance.insert().values(
                folder="reviewers", name="request.md", updated_at="",
                document=write.as_json(REQUEST),
            )
        )  # fmt: skip
    yield house
    house.close()


@pytest.fixture
def pm(house: House) -> FlaskClient:
    return browser_of(house, PM)


def form(client: FlaskClient, path: str) -> Form:
    answer = client.get(path, headers=BROWSER)
    assert answer.status_code == 200, answer.text
    return Form(answer.text, "editor")


def again(answer: TestResponse) -> Form:
    return Form(answer.text, "editor")


def number_of(answer: TestResponse) -> int:
    assert answer.status_code == 303, answer.text
    found = re.search(r"/(\d+)", answer.location)
    assert found
    return int(found[1])


def described(client: FlaskClient, name: str = "SearchStarted") -> Form:
    """A form with one field and all that a reviewer needs, not yet sent anywhere."""
    page = form(client, f"/drafts/new?schema={name}")
    filled = page.send(
        client, "example-make", s_title="Search started", s_description="A reader searched.",
        s_owners=f"search@example.org\r\n{PM}", rnew_name="query", rnew_max_length="100",
        rnew_required="on", rnew_private="hmac", rnew_description="What was typed.", **ANSWERS,
    )  # fmt: skip
    assert filled.status_code == 200, filled.text
    return again(filled)


def saved(house: House, client: FlaskClient) -> Draft:
    number = number_of(described(client).send(client, "save"))
    return kept(house.platform.database, number)


def problem_at(page: str, place: str) -> str:
    found = re.search(rf'id="problems-{place}">(.*?)</p>', page, re.S)
    assert found is not None, place
    return re.sub(r"<[^>]+>", "", found[1])


def test_a_new_schema_begins_with_its_name(pm: FlaskClient) -> None:
    page = pm.get("/drafts/new", headers=BROWSER).text
    assert "What is the event called?" in page
    assert "Fields" in pm.get("/drafts/new?schema=SearchStarted", headers=BROWSER).text


def test_a_name_that_cannot_be_one_is_named_beside_its_input(pm: FlaskClient) -> None:
    answer = pm.get("/drafts/new?schema=1%20%3Cb%3E", headers=BROWSER)
    assert answer.status_code == 400
    assert 'aria-invalid="true"' in answer.text
    assert 'value="1 &lt;b&gt;"' in answer.text


def test_a_draft_is_saved_with_all_that_was_entered(house: House, pm: FlaskClient) -> None:
    draft = saved(house, pm)
    assert draft.body["schema"]["properties"] == {
        "query": {"type": "string", "maxLength": 100, "description": "What was typed."}
    }
    assert draft.body["schema"]["required"] == ["query"]
    assert draft.body["privacy"] == {"/query": "hmac"}
    assert draft.body["owners"] == ["search@example.org", PM]
    assert draft.body["examples"] == [
        {"name": "a-usual-event", "passes": True, "payload": {"query": "text"}}
    ]
    assert draft.answers["end"] == "In spring."
    assert (draft.state, draft.version, draft.proposed_by) == ("draft", "1.0.0", PM)


def test_saving_an_untouched_form_changes_nothing(house: House, pm: FlaskClient) -> None:
    draft = saved(house, pm)
    number_of(form(pm, f"/drafts/{draft.id}").send(pm, "save"))
    assert kept(house.platform.database, draft.id) == draft


def test_the_next_version_is_filled_with_what_is_published(house: House, pm: FlaskClient) -> None:
    house.publish(examples=[{"name": "one", "passes": True, "payload": {"target": "a"}}])
    page = form(pm, "/drafts/new?schema=Click")
    assert page.fields["r0-name"] == "target"
    assert page.fields["s-title"] == "Click"
    number = number_of(page.send(pm, "save", r1_maximum="10"))
    draft = kept(house.platform.database, number)
    assert draft.version == "2.0.0"
    assert draft.body["schema"]["properties"]["count"] == {"type": "integer", "maximum": 10}
    assert draft.body["examples"][0]["payload"] == {"target": "a"}


def test_the_page_shows_version_changes_and_table_while_typing(
    house: House, pm: FlaskClient
) -> None:
    house.publish()
    page = form(pm, "/drafts/new?schema=Click")
    checked = page.send(pm, "check", r1_name="clicks").text
    assert "<b>2.0.0</b>" in checked
    assert "major: some events that were valid would be refused" in checked
    assert "event_clicks" in checked
    assert "bytes of a row" in checked


def test_fields_are_added_moved_and_removed_by_buttons(house: House, pm: FlaskClient) -> None:
    page = described(pm)
    page = again(page.send(pm, "add"))
    page = again(page.send(pm, "add", rnew_name="page.id", rnew_type="integer"))
    names = [page.fields[f"r{key}-name"] for key in page.fields.getlist("row")]
    assert names == ["query", "page", "page.id", ""]
    page = again(page.send(pm, "up:1"))
    assert page.fields["r0-name"] == "page"
    page = again(page.send(pm, "add:0"))
    assert page.fields["rnew-name"] == "page."
    page = again(page.send(pm, "remove:2", rnew_name="page.title"))
    names = [page.fields[f"r{key}-name"] for key in page.fields.getlist("row")]
    assert names == ["page", "page.id", "page.title"]
    draft = kept(house.platform.database, number_of(page.send(pm, "save")))
    assert "privacy" not in draft.body or draft.body["privacy"] == {}


def test_form_and_json_are_in_step(house: House, pm: FlaskClient) -> None:
    page = again(described(pm).send(pm, "json", r0_max_length="50"))
    document = json.loads(page.fields["document"])
    assert document["properties"]["query"]["maxLength"] == 50
    document["properties"]["results"] = {"oneOf": [{"type": "integer"}, {"type": "null"}]}
    page = again(page.send(pm, "form", document=json.dumps(document)))
    assert page.fields["r1-type"] == "other"
    draft = kept(house.platform.database, number_of(page.send(pm, "save")))
    assert draft.body["schema"] == document
    assert draft.body["title"] == "Search started"


def test_yaml_is_pasted_as_well_as_json(pm: FlaskClient) -> None:
    page = again(described(pm).send(pm, "json"))
    page = again(page.send(pm, "form", document="type: object\nproperties:\n  n: {type: integer}"))
    assert page.fields["r0-name"] == "n"


def test_a_whole_proposal_may_be_pasted(pm: FlaskClient) -> None:
    page = again(described(pm).send(pm, "json"))
    body = {
        "schema": {"type": "object", "properties": {"n": {"type": "integer"}}},
        "title": "Pasted", "privacy": {"n": "drop"},
        "examples": [{"name": "one", "passes": True, "payload": {"n": 5}}],
    }  # fmt: skip
    page = again(page.send(pm, "form", document=json.dumps(body), s_title=page.fields["s-title"]))
    assert page.fields["s-title"] == "Pasted"
    assert page.fields["r0-private"] == "drop"
    assert json.loads(page.fields["e0-payload"]) == {"n": 5}


def test_a_file_may_be_uploaded(pm: FlaskClient) -> None:
    page = again(described(pm).send(pm, "json"))
    data: dict[str, Any] = {**page.fields.to_dict(), "do": "form"}
    data["upload"] = (io.BytesIO(b'{"type": "object", "properties": {"up": {}}}'), "a.json")
    answer = pm.post(page.action, data=data, headers=BROWSER, content_type="multipart/form-data")
    assert again(answer).fields["r0-name"] == "up"


@pytest.mark.parametrize(
    "text",
    ["", "{", '{"a": 1,\n"a": 2}', "a: [", "- 1\n- 2", '"\\ud800"', "[1e999]", "{" * 500, "null",
     "&a [*a]", "<script>", '{"type": "object", "x": "\\ud800"}'],
)  # fmt: skip
def test_any_text_is_read_or_named_by_its_line_and_kept(pm: FlaskClient, text: str) -> None:
    page = again(described(pm).send(pm, "json"))
    answer = page.send(pm, "check", document=text)
    assert answer.status_code == 200
    assert again(answer).fields["document"].replace("\r\n", "\n") == text
    assert re.search(r"line \d+</button>", answer.text), answer.text
    assert page.send(pm, "save", document=text).status_code in (303, 400)


def test_all_problems_of_a_pasted_schema_are_listed_by_line(pm: FlaskClient) -> None:
    page = again(described(pm).send(pm, "json"))
    text = (
        '{"type": "object",\n "properties": {\n  "a": {"type": "txt"},\n'
        '  "b": {"maximum": "x"},\n  "c": {"pattern": "("}}}'
    )
    answer = page.send(pm, "check", document=text).text
    assert [int(n) for n in re.findall(r'data-line="(\d+)"', answer)] == [3, 4, 5]
    yaml = "type: object\nproperties:\n  a:\n    type: txt\n  b:\n    minimum: x\n"
    answer = page.send(pm, "check", document=yaml).text
    assert [int(n) for n in re.findall(r'data-line="(\d+)"', answer)] == [4, 6]


def test_problems_stand_beside_their_field_in_plain_words(pm: FlaskClient) -> None:
    answer = described(pm).send(
        pm, "check", r0_max_length="lots", s_rate="many", s_owners="nobody", e0_payload='{"query":'
    )
    page = answer.text
    assert answer.status_code == 200
    assert "The longest length is a whole number" in problem_at(page, "row-0")
    assert "from 0 to 100" in problem_at(page, "s-rate")
    assert "not an e-mail address" in problem_at(page, "s-owners")
    assert "not JSON yet" in problem_at(page, "example-0")
    fields = again(answer).fields
    assert (fields["r0-max_length"], fields["s-rate"]) == ("lots", "many")
    assert fields["e0-payload"] == '{"query":'


def test_what_is_wrong_is_saved_all_the_same_and_shown_again(house: House, pm: FlaskClient) -> None:
    number = number_of(
        described(pm).send(pm, "save", r0_max_length="lots", s_rate="many", e0_payload="{")
    )
    fields = form(pm, f"/drafts/{number}").fields
    assert (fields["r0-max_length"], fields["s-rate"], fields["e0-payload"]) == (
        "lots",
        "many",
        "{",
    )


def test_two_fields_of_one_name_are_named_and_neither_is_lost(pm: FlaskClient) -> None:
    page = again(described(pm).send(pm, "add"))
    answer = page.send(pm, "save", rnew_name="query", rnew_type="integer")
    assert answer.status_code == 200
    assert "There is a field query already; this one became query_2." in problem_at(
        answer.text, "row-1"
    )
    assert again(answer).fields["r1-type"] == "integer"


def test_a_draft_goes_to_review_only_when_nothing_is_missing(house: House, pm: FlaskClient) -> None:
    answer = described(pm).send(pm, "send", a_end="")
    assert answer.status_code == 400
    assert "not sent to review" in answer.text
    page = again(answer)
    assert page.action.startswith("/drafts/") and page.action != "/drafts/new"
    sent = page.send(pm, "send", a_end="In spring.")
    assert sent.status_code == 303
    assert sent.location.startswith("/reviews/")
    assert kept(house.platform.database, number_of(sent)).state == "proposed"


def test_an_example_that_fails_is_named_beside_it(pm: FlaskClient) -> None:
    page = described(pm).send(pm, "check", e0_payload='{"query": 5}').text
    assert "Does not pass: /query" in problem_at(page, "example-0")


def test_the_dry_run_is_shown_in_the_form(house: House, pm: FlaskClient) -> None:
    house.publish()
    house.send({"schema": "Click", "event": {"target": "a", "count": 900}})
    page = form(pm, "/drafts/new?schema=Click")
    answer = page.send(pm, "dry-run", r1_maximum="10")
    assert "Of 1 event of the last 7 days, 1 now valid would be refused" in answer.text
    assert again(answer).fields["r1-maximum"] == "10"


def test_who_saves_second_sees_what_changed_and_loses_nothing(
    house: House, pm: FlaskClient
) -> None:
    draft = saved(house, pm)
    admin = browser_of(house, "root@example.org", "admin")
    mine, theirs = form(pm, f"/drafts/{draft.id}"), form(admin, f"/drafts/{draft.id}")
    number_of(theirs.send(admin, "save", s_title="Their title", r0_max_length="200"))
    answer = mine.send(pm, "save", s_title="My title", r0_description="Mine.")
    assert answer.status_code == 400
    assert "somebody else saved this draft" in answer.text
    assert "Their title" in answer.text
    page = again(answer)
    assert page.fields["s-title"] == "My title"
    assert page.fields[TITLE] == "mine"
    merged = again(page.send(pm, "merge", **{TITLE: "theirs"}))
    assert merged.fields["s-title"] == "Their title"
    assert merged.fields["r0-max_length"] == "200"
    assert merged.fields["r0-description"] == "Mine."
    number_of(merged.send(pm, "save"))
    assert kept(house.platform.database, draft.id).body["title"] == "Their title"


def test_who_saves_second_may_save_theirs_over_it(house: House, pm: FlaskClient) -> None:
    draft = saved(house, pm)
    admin = browser_of(house, "root@example.org", "admin")
    mine, theirs = form(pm, f"/drafts/{draft.id}"), form(admin, f"/drafts/{draft.id}")
    number_of(theirs.send(admin, "save", s_title="Their title"))
    page = again(mine.send(pm, "save", s_title="My title"))
    number_of(page.send(pm, "overwrite"))
    assert kept(house.platform.database, draft.id).body["title"] == "My title"
    third = again(theirs.send(admin, "save", s_title="Later"))
    assert third.fields["theirs"] == "4"


def test_pieces_that_only_they_changed_are_taken_over_unasked(
    house: House, pm: FlaskClient
) -> None:
    draft = saved(house, pm)
    admin = browser_of(house, "root@example.org", "admin")
    mine, theirs = form(pm, f"/drafts/{draft.id}"), form(admin, f"/drafts/{draft.id}")
    theirs = again(theirs.send(admin, "add"))
    number_of(theirs.send(admin, "save", rnew_name="page.id", rnew_private="drop"))
    page = again(mine.send(pm, "save", r0_name="words"))
    merged = again(page.send(pm, "merge"))
    names = [merged.fields[f"r{key}-name"] for key in merged.fields.getlist("row")]
    assert names == ["words", "page", "page.id"]
    number_of(merged.send(pm, "save"))
    after = kept(house.platform.database, draft.id).body
    assert after["privacy"] == {"/words": "hmac", "/page/id": "drop"}


def test_strangers_find_nothing_and_others_are_told_who_may(house: House, pm: FlaskClient) -> None:
    draft = saved(house, pm)
    path = f"/drafts/{draft.id}"
    stranger = house.app.test_client()
    for address in (path, "/drafts/new", "/reviews", f"/reviews/{draft.id}"):
        assert stranger.get(address, headers=BROWSER).status_code == 404
    other = browser_of(house, "other@example.org")
    refused = other.get(path, headers=BROWSER)
    assert refused.status_code == 403
    assert "a reviewer or an admin" in refused.text
    assert other.post(path, data={"csrf": "the-token"}, headers=BROWSER).status_code == 403
    reviewer = browser_of(house, "ann@example.org", reviewer=True)
    assert reviewer.get(path, headers=BROWSER).location == f"/reviews/{draft.id}"
    assert reviewer.get(f"/reviews/{draft.id}", headers=BROWSER).status_code == 200
    owner = browser_of(house, "search@example.org")
    assert owner.get(f"/reviews/{draft.id}", headers=BROWSER).status_code == 200
    assert browser_of(house, "root@example.org", "admin").get(path).status_code == 200
    assert pm.get("/drafts/99", headers=BROWSER).status_code == 404


def test_forms_without_their_token_or_their_base_are_refused(house: House, pm: FlaskClient) -> None:
    page = described(pm)
    assert page.send(pm, "save", csrf="other").status_code == 400
    for base in (
        "",
        "é",
        "eJx",
        packed([]),
        packed({}),
        packed("x"),
        packed({"schema": "x" * 10**7}),
    ):
        assert page.send(pm, "save", base=base).status_code == 400
    assert page.send(pm, "save", schema="<script>").status_code == 400


def test_any_nonsense_in_a_form_is_answered(house: House, pm: FlaskClient) -> None:
    page = described(pm)
    for do in ("up:9", "down:", "remove:zz", "add:9", "example-remove:9", "json:1", "???", "merge"):
        assert page.send(pm, do).status_code == 200, do
    odd = page.send(
        pm, "check", row=["0", "0", "9", "<b>"], r0_type="<x>", r0_was="/nowhere", e0_was="99",
        s_unit="<u>", s_producers="x" * 300, r0_private="<p>", revision="x", view="<v>",
    )  # fmt: skip
    assert odd.status_code == 200
    assert "<x>" not in odd.text and "<b>" not in odd.text.split("<main")[1].replace(
        "<b>1.0.0</b>", ""
    ).replace("<b>Question.</b>", "").replace("<b>End.</b>", "")


def test_a_document_of_many_fields_is_edited_as_json(pm: FlaskClient) -> None:
    many = {"type": "object", "properties": {f"f{n}": {"type": "boolean"} for n in range(400)}}
    page = again(described(pm).send(pm, "json"))
    answer = page.send(pm, "form", document=json.dumps(many))
    assert again(answer).fields["view"] == "json"


def test_a_draft_is_listed_for_its_author(house: House, pm: FlaskClient) -> None:
    draft = saved(house, pm)
    page = signed_in(house, PM).get("/reviews", headers=BROWSER).text
    assert f"/drafts/{draft.id}" in page
