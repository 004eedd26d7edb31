"""Whatever a schema and its payload look like: what is read from the table is what was sent."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eventlogging.registry.model import RegisteredSchema
from eventlogging.schema.codec import compile_decoder
from eventlogging.store.dialect import quoted
from tests.loading import Bench
from tests.schemas import registered
from tests.strategies import payloads_for, same, schemas

Documents = list[tuple[dict[str, Any], list[dict[str, Any]]]]
_numbers = itertools.count()


def documents_with_payloads() -> st.SearchStrategy[Documents]:
    """Some schema documents, each with some payloads that fit it."""
    one = schemas().flatmap(
        lambda document: st.tuples(
            st.just(document), st.lists(payloads_for(document), min_size=1, max_size=8)
        )
    )
    return st.lists(one, min_size=1, max_size=6)


@pytest.fixture
def bench(database_url: str, tmp_path: Path) -> Iterator[Bench]:
    made = Bench(database_url, tmp_path / "log")
    yield made
    made.close()


@settings(
    max_examples=50,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(documents_with_payloads())
def test_any_payload_of_any_schema_is_read_back_as_it_was_sent(
    bench: Bench, documents: Documents
) -> None:
    published = [registered(f"S{next(_numbers)}", {"1.0.0": document}) for document, _ in documents]
    bench.registry.know(*published)
    sent = {
        str(uuid.uuid4()): (schema, payload)
        for schema, (_, payloads) in zip(published, documents, strict=True)
        for payload in payloads
    }
    events = [
        {"schema": schema.name, "id": id, "event": payload}
        for id, (schema, payload) in sent.items()
    ]
    accepted = bench.send(*events)
    assert {verdict.text for verdict in accepted.verdicts} == {"valid"}
    bench.loader.drain()
    stored = {id: payload for schema in published for id, payload in read_back(bench, schema)}
    assert stored.keys() == sent.keys()
    for id, (schema, payload) in sent.items():
        assert same(stored[id], payload), (schema.versions["1.0.0"].document, stored[id], payload)
    before = bench.ledger()
    bench.send(*events)
    bench.loader.drain()
    again = {key: n - before.get(key, 0) for key, n in bench.ledger().items()}
    assert {key: n for key, n in again.items() if n} == {
        "sent": len(sent), "duplicate": len(sent)
    }, "what is read back also tells a retry from another event"  # fmt: skip


def read_back(bench: Bench, schema: RegisteredSchema) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the id and the payload of each row of a schema's table."""
    plan = schema.plans[1]
    decode = compile_decoder(plan)
    columns = [quoted(column.name) for column in plan.columns]
    for row in bench.rows(f"{schema.name}_1", ", ".join(["id", *columns, "event_more"])):
        id, *values, more = row.values()
        yield id, decode(values, more)
