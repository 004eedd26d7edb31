"""The code to paste: whole as it stands, whatever the example holds; it runs and is judged."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eventlogging.schema import snippets
from tests.hostile_schema import ATTACKS
from tests.intake_server import EXAMPLE, IntakeServer
from tests.node import run_node

NAME = "NavigationTiming"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IntakeServer]:
    server = IntakeServer(tmp_path_factory.mktemp("snippets") / "var")
    server.start()
    yield server
    server.stop()


def url(server: IntakeServer) -> str:
    return f"http://127.0.0.1:{server.port}"


def run(*command: str, **environment: str) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, env=os.environ | environment
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_python_code_sends_an_event_and_says_why_one_is_refused(server: IntakeServer) -> None:
    code = snippets.python(url(server), NAME, "1.0.0", EXAMPLE)
    answer = ast.literal_eval(run(sys.executable, "-c", code))
    assert server.stored(answer["ids"][0])
    assert ast.literal_eval(run(sys.executable, "-c", code))["ids"] != answer["ids"]
    wrong = snippets.python(url(server), NAME, "1.0.0", {**EXAMPLE, "isAnon": "yes"})
    refused = ast.literal_eval(run(sys.executable, "-c", wrong))
    assert refused["invalid"][0]["code"] == "type_mismatch"


def test_the_python_code_uses_a_token_where_one_is_set(server: IntakeServer) -> None:
    example = {"userId": 1, "token": "t", "isSelfMade": True}
    code = snippets.python(url(server), "ServerSideAccountCreation", "1.0.0", example)
    refused = ast.literal_eval(run(sys.executable, "-c", code))
    assert [one["code"] for one in (*refused["invalid"], *refused["error"])] == ["not_allowed"]
    judged = ast.literal_eval(run(sys.executable, "-c", code, EVENTLOGGING_TOKEN="test-token"))
    assert "not_allowed" not in json.dumps(judged)


def test_the_curl_line_sends_an_event(server: IntakeServer) -> None:
    line = snippets.curl(url(server), NAME, "1.0.0", EXAMPLE, token=False)
    answer = json.loads(run("sh", "-c", line))
    assert server.stored(answer["ids"][0])


def test_the_curl_line_carries_a_token_where_one_is_needed(server: IntakeServer) -> None:
    line = snippets.curl(url(server), "ServerSideAccountCreation", "1.0.0", {}, token=True)
    assert "not_allowed" in run("sh", "-c", line, TOKEN="wrong")
    assert "missing_field" in run("sh", "-c", line, TOKEN="test-token")


def test_the_javascript_sends_an_event_and_warns_of_a_refused_one(
    server: IntakeServer, tmp_path: Path
) -> None:
    before = server.counted("valid")
    run_node(snippets.javascript(url(server), NAME, "1.0.0", EXAMPLE), tmp_path)
    assert server.counted("valid") == before + 1
    wrong = snippets.javascript(url(server), NAME, "1.0.0", {"action": "view"})
    warned = run_node(wrong.replace("console.warn", "console.log"), tmp_path)
    assert warned.startswith("missing_field")
    assert "/isAnon" in warned


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_example_full_of_attacks_is_sent_as_it_is(attack: str, tmp_path: Path) -> None:
    name = attack or "name"
    event = {attack: attack, "list": [attack, None, True, 1.5, -3, {}, []], "in": {attack: {}}}
    python = ast.parse(snippets.python("http://h", name, attack, event))
    call = python.body[-1].value.args[0]  # type: ignore[attr-defined]
    assert [ast.literal_eval(argument) for argument in call.args] == [name, attack, event]
    if "\0" not in attack:
        line = snippets.curl("http://h", name, attack, event, token=False)
        words = run("sh", "-c", line.replace("curl", "printf '%s\\0'", 1)).split("\0")
        assert json.loads(words[words.index("-d") + 1]) == {
            "schema": name, "version": attack, "event": event
        }  # fmt: skip


def test_javascript_full_of_attacks_is_sent_as_it_is(tmp_path: Path) -> None:
    events: list[Any] = [{attack: attack, "list": [attack, {}, [], None]} for attack in ATTACKS]
    shown = "".join(
        "{"
        + snippets.javascript("http://h", "A", "1.0.0", event)
        .split("\n}\n", 1)[1]
        .replace("logEvent(", "show(")
        + "}\n"
        for event in events
    )
    code = f"const show = (a, b, event) => console.log(JSON.stringify(event));\n{shown}"
    assert [json.loads(line) for line in run_node(code, tmp_path).split("\n")[:-1]] == events


def test_pasted_into_a_page_the_code_cannot_end_its_script() -> None:
    code = snippets.javascript("http://h", "A", "1.0.0", {"a": "</script><!--"})
    assert "</" not in code.split("logEvent(")[-1]
    assert "<!" not in code
