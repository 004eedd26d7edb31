"""The gate against the reference implementation, on generated schemas and values."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conformance.judges import document_of, gate, reference
from tests.conformance.near import values_near
from tests.conformance.strategies import json_schemas, json_values
from tests.conformance.suite import FOLDERS
from tests.summary import tell

# In CI the same examples each time: a change is judged by what it changed.
_settings = settings(
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize("draft", FOLDERS)
def test_any_value_is_judged_alike(draft: str, pytestconfig: pytest.Config) -> None:
    verdicts: Counter[bool] = Counter()

    @settings(_settings, max_examples=80)
    @given(json_schemas(draft), st.lists(json_values(), min_size=10, max_size=10))
    def check(schema: Any, values: list[Any]) -> None:
        verdicts.update(judged_alike(draft, schema, values))

    check()
    conclude(pytestconfig, f"{draft}, any values", verdicts)


@pytest.mark.parametrize("draft", FOLDERS)
def test_a_value_near_the_schema_is_judged_alike(draft: str, pytestconfig: pytest.Config) -> None:
    verdicts: Counter[bool] = Counter()

    @settings(_settings, max_examples=50)
    @given(json_schemas(draft), st.data())
    def check(schema: Any, data: st.DataObject) -> None:
        values = [data.draw(values_near(schema)) for _ in range(10)]
        verdicts.update(judged_alike(draft, schema, values))

    check()
    conclude(pytestconfig, f"{draft}, values near the schema", verdicts)


def conclude(config: pytest.Config, what: str, verdicts: Counter[bool]) -> None:
    assert min(verdicts[True], verdicts[False]) >= 25
    valid, invalid = verdicts[True], verdicts[False]
    tell(config, f"generated, {what}: {valid} pairs valid, {invalid} invalid for both")


def judged_alike(draft: str, schema: Any, values: list[Any]) -> Iterator[bool]:
    """Yield the verdict for each value, which must be the reference's too."""
    document = document_of(schema, draft)
    judge, other = gate(document, draft), reference(document, draft, formats=True)
    for value in values:
        verdict, wanted = judge(value), other(value)
        assert verdict is wanted, f"{value!r} by {document!r}: gate {verdict}, not {wanted}"
        yield verdict is True
