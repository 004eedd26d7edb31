"""The form's rows against the document: nothing changes but what a row says differently."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from eventlogging.console.form_document import (
    Applied,
    Row,
    apply_rows,
    moved_field,
    name_of,
    path_of,
    rows_of,
    without_field,
)
from eventlogging.governance.model import pointer_of
from tests.strategies import keys, same, schemas, values

SEARCH: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "additionalProperties": False,
    "required": ["query", "page"],
    "properties": {
        "query": {"type": "string", "maxLength": 100, "description": "What was typed."},
        "results": {"type": "integer", "minimum": 0, "multipleOf": 1},
        "kind": {"type": "string", "enum": ["full", "go"]},
        "page": {
            "type": "object",
            "required": ["id"],
            "properties": {"id": {"type": "integer"}, "title.short": {"type": ["string", "null"]}},
        },
        "odd": {"oneOf": [{"type": "integer"}, {"$ref": "#/$defs/word"}]},
    },
    "$defs": {"word": {"type": "string"}},
}
PRIVACY = {"query": "hmac", "/page/id": "drop", "/page/list/*/x": "hmac"}


def row(name: str, document: Any = SEARCH, privacy: Any = PRIVACY) -> Row:
    return next(row for row in rows_of(document, privacy) if row.name == name)


def edited(field: str, **changes: Any) -> Applied:
    rows = rows_of(SEARCH, PRIVACY)
    return apply_rows(
        SEARCH, PRIVACY, [replace(r, **changes) if r.name == field else r for r in rows]
    )


def added(*rows: Row) -> Applied:
    return apply_rows(SEARCH, PRIVACY, [*rows_of(SEARCH, PRIVACY), *rows])


def as_posted(row: Row) -> Row:
    """Return a row as a browser sends it back: other line breaks, none in inputs of one line."""

    def line(text: str) -> str:
        return text.replace("\r", "").replace("\n", "")

    def text(value: str) -> str:
        return value.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")

    return replace(
        row, name=line(row.name), default=line(row.default), pattern=line(row.pattern),
        description=text(row.description), values=text(row.values),
    )  # fmt: skip


def test_each_declared_field_is_a_row_and_what_is_in_an_object_comes_behind_it() -> None:
    names = ["query", "results", "kind", "page", "page.id", "page.title\\.short", "odd"]
    assert [row.name for row in rows_of(SEARCH, PRIVACY)] == names


def test_a_row_says_what_the_document_says_of_its_field() -> None:
    assert row("query") == Row(
        name="query", was="/query", type="text", description="What was typed.", required=True,
        private="hmac", max_length="100",
    )  # fmt: skip
    assert row("results").minimum == "0"
    assert row("results").more == ("multipleOf",)
    assert row("kind").values == "full\ngo"
    assert row("page.id").private == "drop"
    assert row("page.title\\.short").nullable
    assert (row("odd").type, row("odd").more) == ("other", ("oneOf",))


@given(
    document=schemas(),
    privacy=st.dictionaries(keys().map(pointer_of), st.sampled_from(["hmac", "drop"])),
)
@settings(max_examples=150, deadline=None)
def test_a_form_that_nobody_touched_changes_nothing(
    document: dict[str, Any], privacy: dict[str, str]
) -> None:
    before = copy.deepcopy(document)
    applied = apply_rows(document, privacy, [as_posted(r) for r in rows_of(document, privacy)])
    assert json.dumps(applied.document) == json.dumps(before) == json.dumps(document)
    assert applied.privacy == privacy
    assert not applied.problems


@given(document=schemas(), odd=st.dictionaries(st.sampled_from(
    ["required", "properties", "$defs", "allOf", "title", "type", "enum", "description"]
), values(), max_size=4))  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_documents_of_any_form_come_through_untouched(
    document: dict[str, Any], odd: dict[str, Any]
) -> None:
    strange = {**document, **odd, "properties": {**document["properties"], "strange": odd}}
    applied = apply_rows(strange, {}, [as_posted(r) for r in rows_of(strange, {})])
    assert same(applied.document, strange)
    outer = {**document, **odd}
    assert same(apply_rows(outer, {}, rows_of(outer, {})).document, outer)


@given(data=st.data(), document=schemas())
@settings(max_examples=100, deadline=None)
def test_changing_one_row_changes_its_field_alone(data: st.DataObject, document: Any) -> None:
    rows = rows_of(document, {})
    at = data.draw(st.integers(0, len(rows) - 1))
    text = data.draw(st.text("abc ", min_size=1).filter(str.strip))
    assume(rows[at].description != text)
    changed = [replace(r, description=text) if n == at else r for n, r in enumerate(rows)]
    applied = apply_rows(document, {}, changed)
    again = rows_of(applied.document, {})
    assert [r for n, r in enumerate(again) if n != at] == [r for n, r in enumerate(rows) if n != at]
    assert again[at] == changed[at]


@given(data=st.data(), document=schemas(), name=keys().filter(lambda k: k and k == k.strip()))
@settings(max_examples=100, deadline=None)
def test_a_renamed_field_keeps_its_place_and_what_is_said_of_it(
    data: st.DataObject, document: Any, name: str
) -> None:
    rows = rows_of(document, {})
    at = data.draw(st.integers(0, len(rows) - 1))
    above = path_of(rows[at].name)[:-1]
    new = name_of((*above, name))
    assume(new not in [r.name for r in rows] and "\n" not in name and "\r" not in name)
    applied = apply_rows(
        document, {}, [replace(r, name=new) if n == at else r for n, r in enumerate(rows)]
    )
    again = rows_of(applied.document, {})
    assert not applied.problems
    assert applied.places[at] == again[at].was
    assert replace(again[at], name="", was="") == replace(rows[at], name="", was="")
    assert len(again) == len(rows)


def test_a_new_name_goes_along_with_required_and_privacy() -> None:
    applied = edited("query", name="words")
    assert list(applied.document["properties"])[:1] == ["words"]
    assert applied.document["required"] == ["words", "page"]
    assert applied.privacy == {"/words": "hmac", "/page/id": "drop", "/page/list/*/x": "hmac"}


def test_renaming_an_object_takes_along_what_is_in_it() -> None:
    applied = edited("page", name="article")
    assert applied.document["properties"]["article"] == SEARCH["properties"]["page"]
    assert applied.privacy == {
        "query": "hmac", "/article/id": "drop", "/article/list/*/x": "hmac"
    }  # fmt: skip


def test_two_fields_may_exchange_their_names() -> None:
    rows = rows_of(SEARCH, {})
    swap = {"query": "kind", "kind": "query"}
    applied = apply_rows(SEARCH, {}, [replace(r, name=swap.get(r.name, r.name)) for r in rows])
    assert applied.document["properties"]["kind"] == SEARCH["properties"]["query"]
    assert applied.document["required"] == ["kind", "page"]
    assert not applied.problems


def test_a_name_that_is_taken_is_named_and_both_fields_stay() -> None:
    applied = edited("results", name="query")
    assert applied.document == SEARCH
    assert applied.problems == (
        (1, "There is another field `query`; this one is still called `results`."),
    )


def test_an_emptied_name_is_named_and_the_field_stays() -> None:
    applied = edited("results", name=" ")
    assert applied.document == SEARCH
    assert applied.problems[0][1].startswith("A field needs a name")


def test_a_name_with_another_path_moves_the_field_into_that_object() -> None:
    applied = edited("query", name="page.words")
    page = applied.document["properties"]["page"]
    assert page["properties"]["words"] == SEARCH["properties"]["query"]
    assert page["required"] == ["id", "words"]
    assert applied.document["required"] == ["page"]
    assert applied.privacy["/page/words"] == "hmac"


def test_an_object_does_not_move_into_itself() -> None:
    applied = edited("page", name="page.inner.page")
    assert applied.document["properties"]["page"]["properties"]["id"] == {"type": "integer"}
    assert applied.problems


def test_a_new_row_becomes_a_field_and_its_objects_are_made() -> None:
    applied = added(
        Row(name="timing.load", type="integer", required=True, maximum="60000", private="drop")
    )
    assert applied.document["properties"]["timing"] == {
        "type": "object",
        "additionalProperties": False,
        "properties": {"load": {"type": "integer", "maximum": 60000}},
        "required": ["load"],
    }
    assert applied.privacy["/timing/load"] == "drop"
    assert applied.places[-1] == "/timing/load"


def test_a_new_row_that_says_nothing_is_no_field() -> None:
    assert added(Row(), Row(type="integer")).document == SEARCH


def test_a_new_row_without_a_name_or_with_a_taken_one_is_kept_under_another() -> None:
    applied = added(Row(description="No name yet."), Row(name="kind"), Row(name="query.x"))
    names = list(applied.document["properties"])[-3:]
    assert names == ["unnamed", "kind_2", "query_x"]
    assert [text for _, text in applied.problems] == [
        "There is a field `kind` already; this one became `kind_2`.",
        "`query` is no object that holds fields; this one became `query_x`.",
    ]


def test_what_is_no_number_stays_as_it_was_typed() -> None:
    for text, kept in (("lots", "lots"), ("1 000", 1000), ("1e999", "1e999"), ("007", "007")):
        results = edited("results", maximum=text).document["properties"]["results"]
        assert results["maximum"] == kept
    assert "minimum" not in edited("results", minimum="").document["properties"]["results"]


def test_another_type_drops_what_only_the_old_one_could_say() -> None:
    applied = edited("query", type="integer")
    assert applied.document["properties"]["query"] == {
        "type": "integer", "description": "What was typed.",
    }  # fmt: skip
    assert edited("results", type="number").document["properties"]["results"] == {
        "type": "number", "minimum": 0, "multipleOf": 1,
    }  # fmt: skip
    assert edited("query", type="time").document["properties"]["query"]["format"] == "date-time"
    assert edited("query", type="texts").document["properties"]["query"]["items"] == {
        "type": "string"
    }


def test_one_of_these_takes_its_values_one_a_line() -> None:
    applied = edited("query", type="one_of", values="a\r\n b \r\n\r\na")
    assert applied.document["properties"]["query"]["enum"] == ["a", "b"]
    empty = edited("query", type="one_of").document
    assert row("query", empty).type == "one_of"


def test_null_is_allowed_and_refused_again() -> None:
    allowed = edited("kind", nullable=True).document["properties"]["kind"]
    assert allowed == {"type": ["string", "null"], "enum": ["full", "go", None]}
    back = edited("page.title\\.short", nullable=False)
    short = back.document["properties"]["page"]["properties"]["title.short"]
    assert short == {"type": "string"}


def test_an_object_that_becomes_something_else_lets_its_fields_go() -> None:
    applied = edited("page", type="text")
    assert applied.document["properties"]["page"] == {"type": "string"}
    assert "/page/id" not in applied.privacy


def test_defaults_are_texts_of_texts_and_json_of_all_else() -> None:
    assert edited("query", default="true").document["properties"]["query"]["default"] == "true"
    assert edited("results", default="5").document["properties"]["results"]["default"] == 5
    assert edited("results", default="{").document["properties"]["results"]["default"] == "{"


def test_a_field_goes_with_all_that_names_it() -> None:
    document, privacy = without_field(SEARCH, PRIVACY, "/page")
    assert "page" not in document["properties"]
    assert document["required"] == ["query"]
    assert privacy == {"query": "hmac"}
    assert without_field(SEARCH, PRIVACY, "/nowhere") == (SEARCH, PRIVACY)


def test_a_field_moves_among_those_of_its_object() -> None:
    assert list(moved_field(SEARCH, "/results", -1)["properties"])[:2] == ["results", "query"]
    assert list(moved_field(SEARCH, "/odd", 1)["properties"])[-1] == "odd"
    assert list(moved_field(SEARCH, "/query", -1)["properties"])[:1] == ["query"]
    moved = moved_field(SEARCH, "/page/id", 1)["properties"]["page"]
    assert list(moved["properties"]) == ["title.short", "id"]


@given(st.lists(keys(), min_size=1, max_size=4))
def test_names_and_paths_stand_for_each_other(path: list[str]) -> None:
    assert path_of(name_of(path)) == tuple(path)
