"""Whatever a governance file holds, reading gives the folders or the problems, nothing else."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path
from typing import Any

import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from eventlogging.errors import GovernanceError
from eventlogging.governance import metaschema, read_governance, write_governance
from tests.unit.governance_folders import folder, one_schema

KINDS = {
    "schema": "schemas/Clicks/schema.toml",
    "roster": "reviewers/roster.toml",
    "alerts_default": "alerts/default.toml",
    "alerts_rule": "alerts/Clicks.toml",
    "purge_default": "purge/default.toml",
    "purge_rule": "purge/Clicks.toml",
}


def _keys(schema: dict[str, Any]) -> set[str]:
    keys = set(schema.get("properties", {}))
    for below in schema.get("properties", {}).values():
        keys |= _keys(below) | _keys(below.get("items", {}))
    return keys


KEYS = sorted(set().union(*(_keys(metaschema.load(kind)) for kind in KINDS)))
LEAVES = (
    st.integers(-1, 500)
    | st.booleans()
    | st.floats(allow_nan=True)
    | st.sampled_from(["action", "userId", "/page/id", "hmac", "day", "1.0.0", "a@b.org", "", "\n"])
    | st.dates()
)
VALUES = st.recursive(
    LEAVES,
    lambda below: (
        st.lists(below, max_size=3)
        | st.dictionaries(st.sampled_from(KEYS) | st.text("aU/*.", max_size=3), below, max_size=4)
    ),
    max_leaves=10,
)
TABLES = st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=5)
ONE_LINE = re.compile(r"[^\n]+:\d+: [^\n]+")


@given(st.sampled_from(sorted(KINDS)), TABLES)
@settings(max_examples=80, deadline=None)
def test_any_toml_is_read_or_told(kind: str, table: dict[str, Any]) -> None:
    _read_or_told({KINDS[kind]: tomli_w.dumps(table)})


JSON = ["schemas/Clicks/1.1.0.json", "schemas/Clicks/examples/x.fail.json"]


@given(st.sampled_from(JSON), VALUES)
@settings(max_examples=60, deadline=None)
def test_any_json_is_read_or_told(path: str, value: Any) -> None:
    _read_or_told({path: json.dumps(value, default=str)})


@given(st.sampled_from([*KINDS.values(), "alerts/emails/throughput.txt"]), st.binary(max_size=60))
@settings(max_examples=60, deadline=None)
def test_any_bytes_are_read_or_told(path: str, data: bytes) -> None:
    _read_or_told({path: data})


def _read_or_told(files: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as name:
        root = folder(Path(name) / "a", one_schema(files))
        try:
            governance = read_governance(root)
        except GovernanceError as error:
            assert error.problems
            assert all(ONE_LINE.fullmatch(line) for line in error.problems)
        else:
            assert write_governance(root, governance) == []
            write_governance(Path(name) / "b", governance)
            assert read_governance(Path(name) / "b") == governance
