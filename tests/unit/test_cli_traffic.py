"""Demo traffic: what it sends is right where it should be and wrong where it should be."""

from __future__ import annotations

import json
from collections import Counter
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import jsonschema
import pytest

from eventlogging.cli.traffic import Intent, Parcel, parcels, payloads, spoilt, traffic
from eventlogging.cli.traffic_any import any_payloads
from eventlogging.cli.traffic_starter import MAKERS
from eventlogging.governance.model import Example, SchemaFolder

SCHEMAS = Path(__file__).parents[2] / "schemas"
NOW = 1_795_316_645_678


def starter() -> list[SchemaFolder]:
    """The starter set, read plainly: this is about traffic, not about reading folders."""
    folders = []
    for name in MAKERS:
        home = SCHEMAS / name
        versions = {path.stem: json.loads(path.read_text("utf-8")) for path in home.glob("*.json")}
        examples = tuple(
            Example(path.name, True, json.loads(path.read_text("utf-8")))
            for path in sorted(home.glob("examples/*.pass.json"))
        )
        folders.append(SchemaFolder(name, name, "", (), versions=versions, examples=examples))
    return folders


FOLDERS = starter()
DOCUMENTS = {folder.name: folder.versions[folder.latest] for folder in FOLDERS}


def judge(document: Any) -> Any:
    cls = jsonschema.validators.validator_for(document, jsonschema.Draft202012Validator)
    return cls(document, format_checker=cls.FORMAT_CHECKER)


JUDGES = {name: judge(document) for name, document in DOCUMENTS.items()}


def some(count: int, seed: int = 1) -> list[Parcel]:
    return list(islice(parcels(FOLDERS, seed, lambda: NOW), count))


def is_right(body: dict[str, Any]) -> bool:
    known = JUDGES.get(body.get("schema", ""))
    return known is not None and body["dt"] != "yesterday" and known.is_valid(body["event"])


def test_events_meant_to_be_valid_are_valid_and_the_others_are_not():
    for parcel in some(3000):
        assert is_right(parcel.body) is (parcel.intent is not Intent.INVALID), parcel


def test_each_starter_schema_has_realistic_events_of_its_own():
    made = Counter(parcel.schema for parcel in some(2000) if parcel.intent is Intent.VALID)
    assert set(made) == set(MAKERS)
    assert [name for name, _ in made.most_common()][:2] == ["NavigationTiming", "RecipeUptake"]
    for folder in FOLDERS:
        events = islice(payloads(folder, Random(3), lambda: NOW), 50)
        values = {json.dumps(event, sort_keys=True) for event in events}
        assert len(values) > 10, folder.name


def test_one_in_a_hundred_is_invalid_and_one_a_retry():
    intents = Counter(parcel.intent for parcel in some(2000))
    assert intents == {Intent.VALID: 1960, Intent.INVALID: 20, Intent.RETRY: 20}


def test_a_retry_repeats_an_earlier_valid_event_exactly():
    seen: dict[str, Parcel] = {}
    for parcel in some(1000):
        if parcel.intent is Intent.RETRY:
            earlier = seen[parcel.body["id"]]
            assert (earlier.intent, earlier.body) == (Intent.VALID, parcel.body)
        else:
            assert parcel.body["id"] not in seen
            seen[parcel.body["id"]] = parcel


def test_events_are_wrong_in_several_ways():
    ways: Counter[str] = Counter()
    for parcel in some(10_000):
        if parcel.intent is not Intent.INVALID:
            continue
        body = parcel.body
        if body.get("schema") not in JUDGES:
            ways["unknown schema" if "schema" in body else "no schema"] += 1
        elif body["dt"] == "yesterday":
            ways["malformed capsule"] += 1
        else:
            ways.update(
                {str(e.validator) for e in JUDGES[body["schema"]].iter_errors(body["event"])}
            )
    assert {"unknown schema", "no schema", "malformed capsule"} <= set(ways)
    assert {"type", "required", "enum", "additionalProperties"} <= set(ways)


def test_the_same_seed_gives_the_same_events_but_for_ids_and_times():
    def without_times(body: dict[str, Any]) -> dict[str, Any]:
        kept = {key: value for key, value in body.items() if key not in ("id", "dt")}
        if isinstance(kept.get("event"), dict):
            kept["event"] = {k: v for k, v in kept["event"].items() if k != "timestamp"}
        return kept

    first, second, other = (list(islice(traffic(FOLDERS, seed), 300)) for seed in (7, 7, 8))
    assert [*map(without_times, first)] == [*map(without_times, second)]
    assert [*map(without_times, first)] != [*map(without_times, other)]
    assert not {body["id"] for body in first} & {body["id"] for body in second}


def test_events_happened_just_before_they_are_sent():
    for parcel in some(300):
        if parcel.body["dt"] != "yesterday":
            assert parcel.body["dt"].startswith("2026-11-22T")
            assert "2026-11-22T03:04:00.000Z" <= parcel.body["dt"] <= "2026-11-22T03:04:05.678Z"


def test_steps_of_one_interaction_share_a_sequence_and_follow_each_other():
    activity = next(folder for folder in FOLDERS if folder.name == "AccountActivity")
    steps: dict[str, list[dict[str, Any]]] = {}
    for event in islice(payloads(activity, Random(5), lambda: NOW), 500):
        steps.setdefault(event["seqId"], []).append(event)
    assert any(len(sequence) == 5 for sequence in steps.values())
    for sequence in steps.values():
        times = [event["seqTime"] for event in sequence]
        assert times == sorted(times)
        assert all(event["timestamp"] <= NOW for event in sequence)


INTRICATE = {
    "type": "object",
    "required": ["kind", "when", "size", "code", "tags", "place"],
    "additionalProperties": False,
    "properties": {
        "kind": {"enum": ["a", "b"]},
        "when": {"type": "string", "format": "date-time"},
        "size": {"type": ["integer", "null"], "minimum": 3, "exclusiveMaximum": 9},
        "share": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
        "step": {"type": "integer", "multipleOf": 5, "minimum": 1},
        "code": {"type": "string", "pattern": "^[A-Z]{3}-[0-9]+$"},
        "tags": {"type": "array", "items": {"$ref": "#/$defs/tag"}, "minItems": 1, "maxItems": 4},
        "pair": {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}]},
        "place": {"allOf": [{"$ref": "#/$defs/place"}, {"required": ["city"]}]},
        "either": {"anyOf": [{"type": "boolean"}, {"const": "maybe"}]},
        "address": {"type": "string", "format": "email", "maxLength": 60},
        "name": {"type": "string", "minLength": 30, "maxLength": 32},
    },
    "$defs": {
        "tag": {"type": "string", "minLength": 2, "maxLength": 8},
        "place": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "inside": {"$ref": "#/$defs/place"}},
        },
    },
}


def folder_of(document: dict[str, Any], *examples: Any) -> SchemaFolder:
    passing = tuple(Example(f"{n}.pass.json", True, one) for n, one in enumerate(examples))
    return SchemaFolder("Other", "", "", (), versions={"1.0.0": document}, examples=passing)


def test_any_schema_gets_events_from_its_types_bounds_and_formats():
    example = {"code": "ABC-1"}
    made = list(islice(any_payloads(INTRICATE, [example], Random(1)), 200))
    assert len(made) == 200
    fresh = [event for event in made if event != example]
    assert len(fresh) > 150
    assert all(judge(INTRICATE).is_valid(event) for event in fresh)
    assert {"share", "step", "pair", "either", "address", "name"} <= set().union(*fresh)


def test_a_schema_that_cannot_be_made_up_sends_its_examples():
    document = {"type": "object", "$ref": "/common/page/1.0.0"}
    bodies = list(islice(traffic([folder_of(document, {"page": 1})], 1), 20))
    assert {json.dumps(body.get("event")) for body in bodies} >= {'{"page": 1}'}


def test_a_schema_without_examples_that_cannot_be_made_up_is_left_out():
    document = {
        "type": "object",
        "required": ["x"],
        "properties": {"x": {"pattern": "^Q+$", "type": "string"}},
    }
    assert list(traffic([folder_of(document)], 1)) == []
    both = [folder_of(document), FOLDERS[0]]
    names = {body.get("schema") for body in islice(traffic(both, 1), 40)}
    assert "Other" not in names


def test_a_starter_schema_that_has_moved_on_gets_events_by_its_new_form():
    document = {
        "type": "object",
        "required": ["speed"],
        "properties": {"speed": {"type": "integer"}},
    }
    moved = SchemaFolder("NavigationTiming", "", "", (), versions={"2.0.0": document})
    first = next(iter(traffic([moved], 1)))
    assert "pageId" not in first.get("event", {})


def test_an_open_schema_without_any_rule_is_spoilt_around_the_payload():
    folder = folder_of({"type": "object"}, {"x": 1})
    body = {"schema": "Other", "event": {"x": 1}, "id": "a", "dt": "2026-11-22T03:04:05.678Z"}
    for seed in range(20):
        wrong = spoilt(body, folder, Random(seed))
        odd_name = wrong.get("schema") in (None, "OtherTypo")
        assert odd_name or wrong["dt"] == "yesterday" or wrong["event"] == "click"
    assert body["event"] == {"x": 1}


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_without_schemas_there_is_no_traffic(seed: int):
    assert list(traffic([], seed)) == []
