"""The OpenAPI description says all that the web process does; asked at random, it keeps to it."""

from __future__ import annotations

import contextlib
import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings, strategies
from hypothesis.errors import Unsatisfiable
from jsonschema import Draft202012Validator
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from eventlogging.config import Config
from eventlogging.console import openapi
from eventlogging.console.app import create_app
from eventlogging.platform import open_platform
from tests.servers import Server

EXAMPLES = 12  # of each operation, mode and token
CHECKS = [not_a_server_error, status_code_conformance, response_schema_conformance]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("openapi") / "var")
    started.start()
    yield started
    assert started.is_alive(), started.output()[-4000:]
    started.stop()
    assert "Traceback" not in started.output()


@pytest.fixture(scope="module")
def document(server: Server) -> Any:
    with urllib.request.urlopen(f"{server.url}/?spec") as answer:
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        return json.load(answer)


@pytest.mark.parametrize("token", ["", "Bearer test-token"], ids=["anyone", "admin"])
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_every_answer_is_one_that_is_described(
    server: Server, document: Any, mode: GenerationMode, token: str
) -> None:
    headers = {"Authorization": token} if token else {}
    asked = 0
    for found in schemathesis.openapi.from_dict(document).get_all_operations():
        operation = found.ok()

        @settings(
            max_examples=EXAMPLES, deadline=None, derandomize=True, database=None,
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(case=operation.as_strategy(generation_mode=mode), is_known=strategies.booleans())
        def ask(case: Any, is_known: bool) -> None:
            nonlocal asked
            asked += 1
            if is_known and "name" in case.path_parameters:
                case.path_parameters["name"] = "RecipeUptake"  # or it would hardly ever be found
            case.call_and_validate(base_url=server.url, headers=headers, checks=CHECKS, timeout=10)

        with contextlib.suppress(Unsatisfiable):  # what takes no input cannot be asked wrongly
            ask()
    assert asked > 5 * EXAMPLES


def test_every_route_of_the_api_is_described(tmp_path: Path) -> None:
    platform = open_platform(Config(var=tmp_path))
    assert openapi.undescribed(create_app(platform)) == []
    platform.database.close()


def test_the_description_is_openapi(document: Any) -> None:
    assert document["openapi"].startswith("3.1.")
    assert document["info"]["title"] == "EventLogging"
    statuses = document["paths"]["/v1/events"]["post"]["responses"]
    assert {"201", "202", "207", "400", "408", "413", "415", "503"} <= statuses.keys()
    assert set(document["paths"]["/v1/schemas/{name}"]) == {"parameters", "get", "post"}
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
