"""How much a change of schema breaks: known pairs, ways of writing, and soundness by trial."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

import jsonschema
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from eventlogging.schema.compatibility import Change, compare
from eventlogging.schema.version import Level

Schema = dict[str, Any]
NONE, PATCH, MINOR, MAJOR = Level.NONE, Level.PATCH, Level.MINOR, Level.MAJOR
DRAFT_04 = "http://json-schema.org/draft-04/schema#"
DRAFT_07 = "http://json-schema.org/draft-07/schema#"


def closed(required: tuple[str, ...] = (), **fields: Any) -> Schema:
    return opened(required, **fields) | {"additionalProperties": False}


def opened(required: tuple[str, ...] = (), **fields: Any) -> Schema:
    return {"type": "object", "properties": fields, "required": list(required)}


def one(schema: Any, **more: Any) -> Schema:
    return closed(x=schema, **more)


TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer"}
NUMBER: Schema = {"type": "number"}


def text(**more: Any) -> Schema:
    return TEXT | more


def whole(**more: Any) -> Schema:
    return WHOLE | more


def tags(items: Any) -> Schema:
    return {"type": "array", "items": items}


KNOWN = [
    ("nothing changed", one(TEXT), one(TEXT), NONE, []),
    ("a title changed", one(TEXT) | {"title": "A"}, one(TEXT) | {"title": "B"}, PATCH,
     ["text_changed"]),
    ("a field is described", one(TEXT), one(text(description="why")), PATCH, ["text_changed"]),
    ("examples are given", one(TEXT), one(text(examples=["a"])), PATCH, ["text_changed"]),
    ("a default is noted", one(TEXT), one(text(default="a")), PATCH, ["text_changed"]),
    ("a comment is added", one(TEXT), one(TEXT) | {"$comment": "x"}, PATCH, ["text_changed"]),
    ("a field is deprecated", one(TEXT), one(text(deprecated=True)), PATCH, ["text_changed"]),
    ("the $id changed", one(TEXT) | {"$id": "/a/1"}, one(TEXT) | {"$id": "/a/2"}, PATCH,
     ["text_changed"]),
    ("a field called title is removed", closed(title=TEXT), closed(), MAJOR, ["field_removed"]),
    ("an optional field is added to a closed object", one(TEXT), one(TEXT, y=WHOLE), MINOR,
     ["field_added_optional"]),
    ("an optional field is added to an open object", opened(x=TEXT), opened(x=TEXT, y=WHOLE),
     MINOR, ["field_added_optional"]),
    ("a required field is added", one(TEXT), closed(("y",), x=TEXT, y=WHOLE), MAJOR,
     ["field_added_required"]),
    ("a required but undeclared field gets a type", opened(("y",), x=TEXT),
     opened(("y",), x=TEXT, y=WHOLE), MAJOR, ["field_added_required"]),
    ("a required but undeclared field is declared as anything", opened(("y",), x=TEXT),
     opened(("y",), x=TEXT, y={}), MINOR, ["field_declared"]),
    ("a field is removed", one(TEXT, y=TEXT), one(TEXT), MAJOR, ["field_removed"]),
    ("a field is renamed", closed(x=TEXT), closed(z=TEXT), MAJOR,
     ["field_removed", "field_added_optional"]),
    ("a field is forbidden in an open object", opened(), opened(x=False), MAJOR,
     ["field_refused"]),
    ("a forbidden field is accepted", opened(x=False), opened(x=TEXT), MINOR, ["accepted"]),
    ("an optional field becomes required", one(TEXT), closed(("x",), x=TEXT), MAJOR,
     ["required_added"]),
    ("a required field becomes optional", closed(("x",), x=TEXT), one(TEXT), MINOR,
     ["required_removed"]),
    ("a text becomes a whole number", one(TEXT), one(WHOLE), MAJOR, ["type_changed"]),
    ("a whole number becomes a number", one(WHOLE), one(NUMBER), MAJOR, ["integer_to_number"]),
    ("a number becomes a whole number", one(NUMBER), one(WHOLE), MAJOR, ["type_changed"]),
    ("null is allowed", one(TEXT), one({"type": ["string", "null"]}), MINOR, ["type_nullable"]),
    ("null is no longer allowed", one({"type": ["null", "string"]}), one(TEXT), MAJOR,
     ["null_refused"]),
    ("a second type is allowed", one(TEXT), one({"type": ["string", "integer"]}), MAJOR,
     ["type_changed"]),
    ("any type is allowed", one(TEXT), one({}), MAJOR, ["type_changed"]),
    ("a type is demanded", one({}), one(TEXT), MAJOR, ["type_changed"]),
    ("an enum is wider", one(text(enum=["a"])), one(text(enum=["a", "b"])), MINOR,
     ["enum_widened"]),
    ("an enum is narrower", one(text(enum=["a", "b"])), one(text(enum=["a"])), MAJOR,
     ["enum_narrowed"]),
    ("an enum's value is renamed", one(text(enum=["a"])), one(text(enum=["b"])), MAJOR,
     ["enum_narrowed", "enum_widened"]),
    ("an enum is added", one(TEXT), one(text(enum=["a"])), MAJOR, ["enum_added"]),
    ("an enum is dropped", one(text(enum=["a"])), one(TEXT), MINOR, ["enum_removed"]),
    ("a constant becomes an enum", one({"const": "a"}), one({"enum": ["b", "a"]}), MINOR,
     ["enum_widened"]),
    ("true in an enum becomes 1", one({"enum": [True]}), one({"enum": [1]}), MAJOR,
     ["enum_narrowed", "enum_widened"]),
    ("a minimum is lowered", one(whole(minimum=1)), one(whole(minimum=0)), MINOR,
     ["minimum_loosened"]),
    ("a minimum is raised", one(whole(minimum=0)), one(whole(minimum=1)), MAJOR,
     ["minimum_tightened"]),
    ("a minimum is removed", one(whole(minimum=0)), one(WHOLE), MINOR, ["minimum_loosened"]),
    ("a minimum is added", one(WHOLE), one(whole(minimum=0)), MAJOR, ["minimum_tightened"]),
    ("a maximum is raised", one(whole(maximum=5)), one(whole(maximum=9)), MINOR,
     ["maximum_loosened"]),
    ("a maximum is lowered", one(whole(maximum=9)), one(whole(maximum=5)), MAJOR,
     ["maximum_tightened"]),
    ("a bound of numbers excludes its end", one(NUMBER | {"minimum": 0}),
     one(NUMBER | {"exclusiveMinimum": 0}), MAJOR, ["minimum_tightened"]),
    ("a bound of numbers includes its end", one(NUMBER | {"exclusiveMaximum": 1}),
     one(NUMBER | {"maximum": 1}), MINOR, ["maximum_loosened"]),
    ("a text may be longer", one(text(maxLength=100)), one(text(maxLength=300)), MINOR,
     ["max_length_loosened"]),
    ("a text must be shorter", one(text(maxLength=9)), one(text(maxLength=8)), MAJOR,
     ["max_length_tightened"]),
    ("a text must not be empty", one(TEXT), one(text(minLength=1)), MAJOR,
     ["min_length_tightened"]),
    ("an array may be longer", one(tags(TEXT) | {"maxItems": 2}), one(tags(TEXT)), MINOR,
     ["max_items_loosened"]),
    ("an object must have a field", opened(), opened() | {"minProperties": 1}, MAJOR,
     ["min_properties_tightened"]),
    ("a step is halved", one(whole(multipleOf=10)), one(whole(multipleOf=5)), MINOR,
     ["multiple_of_loosened"]),
    ("a step is another", one(whole(multipleOf=10)), one(whole(multipleOf=4)), MAJOR,
     ["multiple_of_tightened"]),
    ("a pattern is removed", one(text(pattern="^a")), one(TEXT), MINOR, ["pattern_removed"]),
    ("a pattern is added", one(TEXT), one(text(pattern="^a")), MAJOR, ["pattern_added"]),
    ("a pattern is changed", one(text(pattern="^a")), one(text(pattern="a")), MAJOR,
     ["pattern_changed"]),
    ("a format is added", one(TEXT), one(text(format="uuid")), MAJOR, ["format_added"]),
    ("a format is removed", one(text(format="uuid")), one(TEXT), MINOR, ["format_removed"]),
    ("a date becomes a time", one(text(format="date")), one(text(format="date-time")), MAJOR,
     ["format_changed"]),
    ("an object is opened", closed(x=TEXT), opened(x=TEXT), MINOR, ["object_opened"]),
    ("an object is opened in so many words", closed(), opened() | {"additionalProperties": True},
     MINOR, ["object_opened"]),
    ("an object is closed", opened(x=TEXT), closed(x=TEXT), MAJOR, ["object_closed"]),
    ("undeclared fields must be texts", opened(), opened() | {"additionalProperties": TEXT},
     MAJOR, ["type_changed"]),
    ("a map's values may be longer", opened() | {"additionalProperties": text(maxLength=1)},
     opened() | {"additionalProperties": TEXT}, MINOR, ["max_length_loosened"]),
    ("items may be null", one(tags(TEXT)), one(tags({"type": ["string", "null"]})), MINOR,
     ["type_nullable"]),
    ("items change type", one(tags(TEXT)), one(tags(WHOLE)), MAJOR, ["type_changed"]),
    ("items must differ", one(tags(TEXT)), one(tags(TEXT) | {"uniqueItems": True}), MAJOR,
     ["unique_items_tightened"]),
    ("items may repeat", one(tags(TEXT) | {"uniqueItems": True}), one(tags(TEXT)), MINOR,
     ["unique_items_loosened"]),
    ("a nested object gains an optional field", one(closed(a=TEXT)), one(closed(a=TEXT, b=TEXT)),
     MINOR, ["field_added_optional"]),
    ("a nested field becomes required", one(closed(a=TEXT)), one(closed(("a",), a=TEXT)), MAJOR,
     ["required_added"]),
    ("the second place of a tuple becomes wider",
     one({"prefixItems": [TEXT, whole(minimum=1)], "items": False}),
     one({"prefixItems": [TEXT, WHOLE], "items": False}), MINOR, ["minimum_loosened"]),
    ("a tuple gains a place", one({"prefixItems": [TEXT], "items": False}),
     one({"prefixItems": [TEXT, TEXT], "items": False}), MINOR, ["accepted"]),
    ("anyOf gains an alternative", one({"anyOf": [TEXT]}), one({"anyOf": [WHOLE, TEXT]}), MINOR,
     ["alternative_added"]),
    ("anyOf loses an alternative", one({"anyOf": [TEXT, WHOLE]}), one({"anyOf": [TEXT]}), MAJOR,
     ["combination_changed"]),
    ("an alternative of anyOf is wider", one({"anyOf": [WHOLE, text(maxLength=1)]}),
     one({"anyOf": [text(maxLength=2), WHOLE]}), MINOR, ["max_length_loosened"]),
    ("alternatives are put in another order", one({"anyOf": [TEXT, WHOLE]}),
     one({"anyOf": [WHOLE, TEXT]}), NONE, []),
    ("oneOf gains an alternative, which may now match twice", one({"oneOf": [WHOLE]}),
     one({"oneOf": [WHOLE, NUMBER]}), MAJOR, ["combination_changed"]),
    ("allOf gains a condition", opened() | {"allOf": [opened(a=TEXT)]},
     opened() | {"allOf": [opened(a=TEXT), opened(("a",))]}, MAJOR, ["combination_changed"]),
    ("a part of allOf gains an optional field", {"allOf": [opened(a=TEXT)]},
     {"allOf": [opened(a=TEXT, b=TEXT)]}, MINOR, ["field_added_optional"]),
    ("what must not be sent grows", one({"not": text(maxLength=1)}),
     one({"not": text(maxLength=2)}), MAJOR, ["keyword_changed"]),
    ("a condition appears", opened(x=TEXT),
     opened(x=TEXT) | {"if": {}, "then": {"required": ["x"]}}, MAJOR,
     ["keyword_changed", "keyword_changed"]),
    ("a field needs another beside it", one(TEXT), one(TEXT) | {"dependentRequired": {"x": ["y"]}},
     MAJOR, ["dependent_required_added"]),
    ("a field needs no other any more", one(TEXT) | {"dependentRequired": {"x": ["y"]}}, one(TEXT),
     MINOR, ["dependent_required_removed"]),
    ("fields named by a pattern get a form", opened(),
     opened() | {"patternProperties": {"^a": TEXT}}, MAJOR, ["pattern_field_added"]),
    ("fields named by a pattern become wider",
     opened() | {"patternProperties": {"^a": text(maxLength=1)}},
     opened() | {"patternProperties": {"^a": TEXT}}, MINOR, ["max_length_loosened"]),
    ("a keyword nobody knows is added", one(TEXT), one(text(fuzzy=1)), MAJOR, ["keyword_changed"]),
    ("another draft", one(TEXT), one(TEXT) | {"$schema": DRAFT_07}, MAJOR, ["draft_changed"]),
    ("the draft is named as what it is by default", one(TEXT),
     one(TEXT) | {"$schema": "http://json-schema.org/draft/2020-12/schema#"}, NONE, []),
    ("another version of a shared schema is referred to", one({"$ref": "/common/page/1.0.0"}),
     one({"$ref": "/common/page/1.1.0"}), MAJOR, ["keyword_changed"]),
    ("a shared schema is referred to as before, beside a new field",
     one({"$ref": "/common/page/1.0.0"}), one({"$ref": "/common/page/1.0.0"}, y=TEXT), MINOR,
     ["field_added_optional"]),
    ("a definition grows wider where it is used",
     one({"$ref": "#/$defs/t"}) | {"$defs": {"t": text(maxLength=1)}},
     one({"$ref": "#/$defs/t"}) | {"$defs": {"t": text(maxLength=2)}}, MINOR,
     ["max_length_loosened"]),
    ("a definition that nobody uses changes", one(TEXT) | {"$defs": {"t": WHOLE}},
     one(TEXT) | {"$defs": {"t": TEXT}}, NONE, []),
    ("what `unevaluatedProperties` counts on is no longer evaluated",
     {"type": "object", "additionalProperties": True, "unevaluatedProperties": False},
     {"type": "object", "unevaluatedProperties": False}, MAJOR, ["keyword_changed"]),
    ("a dynamic reference cannot be followed", one({"$dynamicRef": "#t"}),
     one({"$dynamicRef": "#t"}) | {"title": "T"}, MAJOR, ["text_changed", "keyword_changed"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "level", "rules"), [row[1:] for row in KNOWN], ids=[row[0] for row in KNOWN]
)
def test_a_known_change_has_its_level(old: Schema, new: Schema, level: Level, rules: list[str]):
    for document in (old, new):
        validator(document).check_schema(document)
    found = compare(old, new)
    assert (found.level, [change.rule for change in found.changes]) == (level, rules)


def test_a_change_names_the_field_and_says_in_words_what_happened():
    old = closed(action=text(enum=["open"]), nested=closed(duration=whole(maximum=10)))
    new = closed(
        ("action",),
        action=text(enum=["open", "close"]),
        nested=closed(duration=whole(maximum=20)),
    )
    assert compare(old, new).changes == (
        Change("/action", MINOR, '`action` accepts a new value "close"', "enum_widened"),
        Change(
            "/nested/duration",
            MINOR,
            "maximum of `nested.duration` is loosened: 20, was 10",
            "maximum_loosened",
        ),
        Change("/action", MAJOR, "`action` is now required", "required_added"),
    )


def test_pointers_escape_names_and_mark_each_item():
    old = one(tags(closed(**{"a/b~c": whole(minimum=0)})))
    new = one(tags(closed(**{"a/b~c": WHOLE})))
    (change,) = compare(old, new).changes
    assert change.pointer == "/x/*/a~1b~0c"
    assert change.what == "minimum of `x[].a/b~c` is loosened: none, was 0"


def test_a_field_added_to_an_open_object_comes_with_a_caveat():
    (change,) = compare(opened(x=TEXT), opened(x=TEXT, y=WHOLE)).changes
    assert change.level is MINOR
    assert "already sent it undeclared in another form will be refused" in change.what


@pytest.mark.parametrize(
    ("old", "field"),
    [
        (closed(x=TEXT), WHOLE),
        (opened(x=TEXT), {"description": "anything"}),
        (opened(x=TEXT) | {"additionalProperties": text(maxLength=3)}, TEXT),
        (opened(x=TEXT) | {"unevaluatedProperties": False}, WHOLE),
    ],
    ids=["closed", "anything", "a map of the same", "unevaluated"],
)
def test_there_is_no_caveat_where_nothing_that_was_valid_is_refused(old: Schema, field: Schema):
    new = copy.deepcopy(old)
    new["properties"]["y"] = field
    (change,) = compare(old, new).changes
    assert (change.level, change.what) == (MINOR, "the new optional field `y` may be sent")


def test_draft_4_excludes_a_bound_by_a_flag():
    def limits(**bounds: Any) -> Schema:
        return {"$schema": DRAFT_04, "type": "object", "properties": {"x": NUMBER | bounds}}

    excluded = limits(minimum=0, exclusiveMinimum=True)
    included = limits(minimum=0, exclusiveMinimum=False)
    assert compare(excluded, included).level is MINOR
    assert compare(included, excluded).level is MAJOR
    assert compare(limits(minimum=0), included).level is NONE
    assert compare(limits(exclusiveMinimum=True), limits()).level is NONE


def test_draft_4_does_not_know_const():
    old = {"$schema": DRAFT_04} | one({"const": "a"})
    new = {"$schema": DRAFT_04} | one({"enum": ["a", "b"]})
    assert compare(old, new).level is MAJOR


def test_whole_numbers_above_0_are_those_from_1():
    above, least = {"exclusiveMinimum": 0}, {"minimum": 1}
    assert compare(one(WHOLE | above), one(WHOLE | least)).level is NONE
    assert compare(one(NUMBER | above), one(NUMBER | least)).level is MAJOR


def test_draft_7_ignores_what_stands_beside_a_reference():
    definitions = {"definitions": {"t": TEXT}, "$schema": DRAFT_07}
    old = one({"$ref": "#/definitions/t"}) | definitions
    new = one({"$ref": "#/definitions/t", "maxLength": 1}) | definitions
    assert compare(old, new).level is NONE
    newer = {key: value for key, value in new.items() if key != "$schema"}
    older = {key: value for key, value in old.items() if key != "$schema"}
    assert compare(older, newer).level is MAJOR


def test_order_is_no_change():
    old = closed(("a", "b"), a=text(enum=["x", "y"]), b={"type": ["null", "string"]})
    new = {
        "required": ["b", "a"],
        "additionalProperties": False,
        "properties": {"b": {"type": ["string", "null"]}, "a": {"enum": ["y", "x"]} | TEXT},
        "type": ["object"],
    }
    assert compare(old, new).changes == ()


def test_saying_what_holds_anyway_is_no_change():
    old = opened(a=TEXT, b=tags({}))
    new = opened(a=text(minLength=0), b=tags(True) | {"uniqueItems": False, "minItems": 0.0})
    assert compare(old, new | {"additionalProperties": True}).changes == ()


@pytest.mark.parametrize("container", ["$defs", "definitions"])
def test_moving_a_form_into_the_definitions_is_no_change(container: str):
    money = closed(("amount",), amount=whole(minimum=0), currency=text(pattern="^[A-Z]{3}$"))
    old = closed(price=money, cost=money)
    there = {"$ref": f"#/{container}/money~1held"}
    new = closed(price=there, cost=there) | {container: {"money/held": money}}
    assert compare(old, new).changes == ()
    assert compare(new, old).changes == ()


def test_a_text_beside_a_reference_counts_as_the_fields_own():
    old = one(text(description="a name"))
    new = one({"$ref": "#t", "description": "a name"})
    new |= {"$defs": {"t": text(description="any text") | {"$anchor": "t"}}}
    assert compare(old, new).changes == ()


def test_a_reference_into_an_embedded_schema_is_followed():
    def bundled(limit: int) -> Schema:
        inner: Schema = {"$id": "/common/page/1.0.0", "$ref": "#/$defs/p"}
        inner["$defs"] = {"p": text(maxLength=limit)}
        return one({"$ref": "/common/page/1.0.0#"}) | {"$defs": {"page": inner, "p": WHOLE}}

    (change,) = compare(bundled(1), bundled(2)).changes
    assert (change.pointer, change.rule) == ("/x", "max_length_loosened")


def test_a_recursive_schema_is_compared_once_around():
    def tree(limit: int, **more: Any) -> Schema:
        node = closed(("name",), name=text(maxLength=limit), children=tags({"$ref": "#/$defs/n"}))
        node["properties"] |= more
        return {"type": "object", "$ref": "#/$defs/n", "$defs": {"n": node}}

    assert compare(tree(1), tree(1)).level is NONE
    assert compare(tree(1), tree(2) | {"title": "T"}).level is MINOR
    assert compare(tree(1), tree(2, deny={"not": {"$ref": "#/$defs/n"}})).level is MINOR
    hidden = {"not": {"$ref": "#/$defs/n"}}
    assert compare(tree(1, deny=hidden), tree(2, deny=hidden)).level is MAJOR


def test_a_reference_that_leads_back_to_itself_is_not_followed_for_ever():
    loop = {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}
    assert compare(loop, loop | {"title": "T"}).level >= PATCH
    assert compare(one(TEXT), one({"$ref": "#/$defs/gone"})).level is MAJOR


def test_references_that_explode_count_as_major_within_a_second():
    def chain(limit: int) -> Schema:
        definitions: Schema = {"d0": text(maxLength=limit)}
        for n in range(1, 40):
            ref = {"$ref": f"#/$defs/d{n - 1}"}
            definitions[f"d{n}"] = {"allOf": [ref, ref]}
        return one({"$ref": "#/$defs/d39"}) | {"$defs": definitions}

    (change,) = compare(chain(1), chain(2)).changes
    assert (change.level, change.rule) == (MAJOR, "too_complex")


def test_a_bottomless_schema_counts_as_major():
    def deep(inner: Schema) -> Schema:
        for _ in range(5000):
            inner = {"items": inner}
        return inner

    assert compare(deep(TEXT), deep(WHOLE)).changes[0].rule == "too_complex"


def test_neither_document_is_changed():
    old, new = copy.deepcopy(KNOWN[30][1]), copy.deepcopy(KNOWN[30][2])
    before = json.dumps([old, new])
    compare(old, new)
    assert json.dumps([old, new]) == before


# Soundness by trial: schemas, changed at random, against events.

TEXTS = ("", "a", "ab", "abc", "zz-9", "2026-11-22", "2026-11-22T03:04:05Z", "🙂🙂")
NUMBERS = (-3, 0, 1, 1.0, 1.5, 2, 4, 5, 7, 10)
SCALARS = (None, True, False, *TEXTS, *NUMBERS)
SMALL = st.integers(0, 4)


@st.composite
def leaves(draw: st.DrawFn) -> Any:
    kind = draw(st.sampled_from(["string", "number", "integer", "boolean", "enum", "any"]))
    if kind == "enum":
        return {"enum": draw(st.lists(st.sampled_from(SCALARS), min_size=1, max_size=3))}
    if kind == "any":
        return draw(st.sampled_from([{}, True, {"not": {"type": "null"}}]))
    node: Schema = {"type": draw(st.sampled_from([kind, [kind, "null"]]))}
    bounds = {
        "string": {"minLength": SMALL, "maxLength": SMALL, "pattern": st.sampled_from(["^a", "b"])}
        | {"format": st.sampled_from(["date", "date-time"])},
        "boolean": {},
    }.get(kind, {"minimum": SMALL, "exclusiveMaximum": SMALL, "multipleOf": st.integers(1, 4)})
    return node | draw(st.fixed_dictionaries({}, optional=bounds))


def nodes() -> st.SearchStrategy[Any]:
    def around(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        return st.one_of(objects(inner), arrays(inner), any_of(inner))

    return st.recursive(leaves(), around, max_leaves=5)


@st.composite
def objects(draw: st.DrawFn, inner: st.SearchStrategy[Any]) -> Schema:
    fields = draw(st.dictionaries(st.sampled_from("abc"), inner, max_size=3))
    rest = draw(st.sampled_from([None, False, False, True, {"type": "integer"}]))
    node: Schema = {"type": "object", "properties": fields}
    if names := draw(st.sets(st.sampled_from("abc"), max_size=2)):
        node["required"] = sorted(names)
    return node if rest is None else node | {"additionalProperties": rest}


@st.composite
def arrays(draw: st.DrawFn, inner: st.SearchStrategy[Any]) -> Schema:
    node: Schema = {"type": "array", "items": draw(st.one_of(inner, st.just(False)))}
    optional = {"maxItems": SMALL, "uniqueItems": st.booleans()}
    optional["prefixItems"] = st.lists(inner, min_size=1, max_size=2)
    return node | draw(st.fixed_dictionaries({}, optional=optional))


@st.composite
def any_of(draw: st.DrawFn, inner: st.SearchStrategy[Any]) -> Schema:
    keyword = draw(st.sampled_from(["anyOf", "anyOf", "oneOf", "allOf", "not"]))
    parts = draw(st.lists(inner, min_size=1, max_size=3))
    return {keyword: parts[0] if keyword == "not" else parts}


def places(node: Any) -> list[Schema]:
    """Return every subschema object inside a schema, itself included."""
    if not isinstance(node, dict):
        return []
    found = [node]
    for key, value in node.items():
        if key in ("properties", "patternProperties"):
            found += [place for inner in value.values() for place in places(inner)]
        elif key in ("items", "additionalProperties", "not"):
            found += places(value)
        elif key in ("anyOf", "oneOf", "allOf", "prefixItems"):
            found += [place for inner in value for place in places(inner)]
    return found


def mutate(node: Schema, draw: st.DrawFn) -> None:
    """Change one keyword of a subschema, more often to a wider than to a narrower one."""
    keyword = draw(st.sampled_from(sorted(node) or ["description"]))
    value = node.get(keyword)
    if draw(st.integers(0, 3)) == 0:
        new = draw(st.one_of(leaves(), arrays(leaves()), objects(leaves()), any_of(leaves())))
        node.update(new if isinstance(new, dict) else {})
    elif keyword == "type":
        node["type"] = [value, "null"] if isinstance(value, str) and value != "null" else "string"
    elif keyword == "properties":
        value[draw(st.sampled_from("abcd"))] = draw(leaves())
    elif keyword in ("enum", "anyOf", "oneOf", "allOf", "prefixItems"):
        value.append(draw(st.sampled_from(SCALARS)) if keyword == "enum" else draw(leaves()))
    elif keyword in ("minLength", "minimum"):
        node[keyword] = value + draw(st.sampled_from([-1, -1, 1])) if value else 0
    elif keyword in ("maxLength", "exclusiveMaximum", "maxItems"):
        node[keyword] = value + draw(st.sampled_from([-1, 1, 1])) if value else 1
    else:
        node.pop(keyword, None)


@st.composite
def changed_pairs(draw: st.DrawFn) -> tuple[Schema, Schema]:
    old = draw(st.one_of(objects(nodes()), objects(objects(leaves()))))
    new = copy.deepcopy(old)
    for _ in range(draw(st.integers(1, 2))):
        mutate(draw(st.sampled_from(places(new))), draw)
    if draw(st.booleans()):
        names = sorted(new.get("properties", {}))
        new["$defs"] = {name: new["properties"][name] for name in names}
        new["properties"] = {name: {"$ref": f"#/$defs/{name}"} for name in names}
    return old, new


def validator(schema: Schema) -> Any:
    cls = jsonschema.validators.validator_for(schema, jsonschema.Draft202012Validator)
    return cls(schema, format_checker=cls.FORMAT_CHECKER)


def sample(node: Any, pick: random.Random) -> Any:
    """Return a value that often, not always, suits a schema."""
    if not isinstance(node, dict) or pick.random() < 0.1:
        return pick.choice(SCALARS)
    for keyword in ("anyOf", "oneOf", "allOf"):
        if keyword in node:
            return sample(pick.choice(node[keyword]), pick)
    if "enum" in node:
        return pick.choice(node["enum"])
    kind = node.get("type")
    if kind == "object":
        names = [n for n in "abcd" if n in node.get("required", ()) or pick.random() < 0.5]
        rest = node.get("additionalProperties")
        fields = node["properties"]
        names = [n for n in names if n in fields or rest is not False]
        return {n: sample(fields.get(n, rest), pick) for n in names}
    if kind == "array":
        prefix = node.get("prefixItems", [])
        schemas = [*prefix, *[node["items"]] * pick.randint(0, 2)]
        return [sample(inner, pick) for inner in schemas if inner is not False]
    for _ in range(20):
        value = pick.choice(SCALARS)
        if validator(node).is_valid(value):
            break
    return value


CAVEAT = "already sent it undeclared"


@settings(max_examples=250, deadline=None)
@given(changed_pairs(), st.randoms(use_true_random=False))
@example((one({"not": text(maxLength=1)}), one({"not": text(maxLength=2)})), random.Random(1))
def test_no_event_that_was_valid_is_refused_after_a_minor_change(
    pair: tuple[Schema, Schema], pick: random.Random
):
    old, new = pair
    found = compare(old, new)
    if found.level is MAJOR or any(CAVEAT in change.what for change in found.changes):
        return
    before, after = validator(old), validator(new)
    for _ in range(25):
        event = sample(old, pick)
        valid, still = before.is_valid(event), after.is_valid(event)
        assert still or not valid, (found, event)
        assert found.level > PATCH or valid == still, (found, event)


@settings(max_examples=60, deadline=None)
@given(objects(nodes()))
def test_a_schema_compared_with_itself_written_otherwise_has_not_changed(schema: Schema):
    names = sorted(schema["properties"], reverse=True)
    moved = {key: schema[key] for key in sorted(schema, reverse=True)}
    moved["properties"] = {name: {"$ref": f"#/$defs/{name}"} for name in names}
    moved["$defs"] = {name: schema["properties"][name] for name in names}
    assert compare(schema, moved).changes == ()
    assert compare(moved, schema).changes == ()


@settings(max_examples=100, deadline=None)
@given(changed_pairs())
def test_what_is_minor_one_way_is_never_a_patch_the_other_way(pair: tuple[Schema, Schema]):
    there, back = compare(*pair), compare(*pair[::-1])
    assert (there.level <= PATCH) == (back.level <= PATCH)
