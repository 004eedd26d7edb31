"""Sending: one connection, answers in words, repetition where the collector is busy."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from eventlogging.cli.campaign import Plan, send_all
from eventlogging.cli.demo import demo
from eventlogging.cli.send import send
from eventlogging.cli.sender import Sender, Unreachable, post_events
from eventlogging.cli.traffic import Intent, Parcel
from eventlogging.errors import EventLoggingError

Reply = tuple[int, Any, dict[str, str]]
ROOT = Path(__file__).parents[2]


class Collector:
    """A tiny collector that answers as `reply` says and remembers what it was sent."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str], Any]] = []
        self.connections = 0
        self.hang_up = False  # close each connection after an answer, without a word
        self.reply: Callable[[Any], Reply] = lambda events: accepted(len(events))
        collector = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def setup(self) -> None:
                collector.connections += 1
                super().setup()

            def do_POST(self) -> None:
                data = self.rfile.read(int(self.headers["Content-Length"]))
                events = json.loads(data)
                collector.requests.append((self.path, dict(self.headers), events))
                status, body, headers = collector.reply(events)
                text = (body if isinstance(body, str) else json.dumps(body)).encode()
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(text))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(text)
                self.close_connection = collector.hang_up

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    @property
    def events(self) -> list[Any]:
        return [event for _, _, events in self.requests for event in events]

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def accepted(count: int) -> Reply:
    body = {"accepted": count, "sampled_out": 0, "suppressed": 0, "ids": ["x"] * count}
    return 201, body, {}


def refusal(index: int, event: Any, status: int = 400) -> dict[str, Any]:
    problem = {
        "pointer": "/duration",
        "rule": "type",
        "found": 'the text "x"',
        "expected": "a whole number",
    }
    context = {"errors": [problem], "errorsText": "/duration: a whole number"}
    code = "type_mismatch"
    return {"index": index, "status": status, "code": code, "event": event, "context": context}


def refusing(wrong: Callable[[Any], bool]) -> Callable[[Any], Reply]:
    def reply(events: Any) -> Reply:
        invalid = [refusal(index, event) for index, event in enumerate(events) if wrong(event)]
        if not invalid:
            return accepted(len(events))
        return (400 if len(invalid) == len(events) else 207), {"invalid": invalid, "error": []}, {}

    return reply


BUSY: Reply = (503, {"invalid": [], "error": [refusal(0, None, 503)]}, {"Retry-After": "0"})


@pytest.fixture
def collector() -> Iterator[Collector]:
    server = Collector()
    yield server
    server.stop()


@pytest.fixture
def nowhere() -> str:
    """An address at which nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Result]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EVENTLOGGING_GOVERNANCE", str(ROOT))
    monkeypatch.delenv("EVENTLOGGING_CONFIG", raising=False)

    def command(which: Any, *args: str, input: str | None = None) -> Result:
        return CliRunner().invoke(which, list(args), input=input)

    return command


# The sender


def test_events_are_posted_as_json_with_the_token(collector: Collector):
    answer = post_events(collector.url + "/", [{"schema": "Ä"}], "secret", {"X-Test": "1"})
    assert (answer.status, answer.body["accepted"], answer.busy) == (201, 1, False)
    ((path, headers, events),) = collector.requests
    assert (path, events) == ("/v1/events", [{"schema": "Ä"}])
    assert headers["Authorization"] == "Bearer secret"
    assert (headers["Content-Type"], headers["X-Test"]) == ("application/json", "1")


def test_one_connection_serves_many_requests(collector: Collector):
    with Sender(collector.url) as sender:
        for _ in range(5):
            sender.post([{}])
    assert (len(collector.requests), collector.connections) == (5, 1)
    assert "Authorization" not in collector.requests[0][1]


def test_a_connection_that_was_closed_while_idle_is_made_again(collector: Collector):
    collector.hang_up = True
    with Sender(collector.url) as sender:
        assert [sender.post([{"n": n}]).status for n in range(3)] == [201, 201, 201]
    assert [event["n"] for event in collector.events] == [0, 1, 2]
    assert collector.connections == 3


def test_a_refused_connection_is_told_as_such(nowhere: str):
    with pytest.raises(Unreachable, match="refused"):
        post_events(nowhere, [{}])


@pytest.mark.parametrize("url", ["", "localhost:8080", "ftp://x", "http://", "http://h:port"])
def test_what_is_no_address_is_refused_before_sending(url: str):
    with pytest.raises(EventLoggingError, match="is not an address such as"):
        post_events(url, [{}])


def test_an_answer_that_is_not_json_is_kept_as_text(collector: Collector):
    collector.reply = lambda _: (502, "<h1>Bad gateway</h1>", {"Retry-After": "3"})
    answer = post_events(collector.url, [{}])
    assert (answer.body, answer.retry_after, answer.busy) == ("<h1>Bad gateway</h1>", 3.0, True)
    assert answer.refusals() == []


# The command send


def test_an_event_put_together_from_fields_is_sent(collector: Collector, run: Any):
    fields = (
        "--field",
        "duration=12",
        "--field",
        "ok=true",
        "--field",
        "name=a=b",
        "--field",
        "n=NaN",
    )
    result = run(
        send, "--url", collector.url, "--schema", "NavigationTiming", *fields, "--token", ""
    )
    assert result.exit_code == 0, result.output
    (event,) = collector.events
    assert event["event"] == {"duration": 12, "ok": True, "name": "a=b", "n": "NaN"}
    assert event["schema"] == "NavigationTiming"
    assert len(event["id"]) == 36
    assert "version" not in event
    assert result.stdout.splitlines() == ["1 of 1 accepted, 0 refused", "eventlogging ledger"]


def test_version_and_id_are_sent_when_given(collector: Collector, run: Any):
    run(send, "--url", collector.url, "--schema", "S", "--version", "1.2.0", "--id", "mine")
    (event,) = collector.events
    assert (event["version"], event["id"], event["event"]) == ("1.2.0", "mine", {})


@pytest.mark.parametrize(
    "text",
    ['[{"n": 1}, {"n": 2}]', '{"n": 1}\n{"n": 2}\n', '{"n": 1}\n\n{"n": 2}', '[{"n":1},\n{"n":2}]'],
    ids=["array", "lines", "blank line", "array over lines"],
)
def test_files_hold_events_in_an_array_or_one_a_line(
    collector: Collector, run: Any, tmp_path: Path, text: str
):
    (tmp_path / "events.json").write_text(text, "utf-8")
    assert run(send, "events.json", "--url", collector.url).exit_code == 0
    assert collector.events == [{"n": 1}, {"n": 2}]


def test_a_dash_is_stdin(collector: Collector, run: Any):
    assert run(send, "-", "--url", collector.url, input='{"n": 1}').exit_code == 0
    assert collector.events == [{"n": 1}]


def test_a_file_sent_for_a_schema_holds_payloads_alone(collector: Collector, run: Any):
    example = next((ROOT / "schemas/RecipeUptake/examples").glob("*.pass.json"))
    assert (
        run(send, str(example), "--schema", "RecipeUptake", "--url", collector.url).exit_code == 0
    )
    (event,) = collector.events
    assert (event["schema"], event["event"]) == ("RecipeUptake", json.loads(example.read_text()))


@pytest.mark.parametrize(
    ("args", "stdin", "payloads"),
    [
        (('{"n": 1}',), None, [{"n": 1}]),
        (('{"n": 1}', ' [{"n": 2}, {"n": 3}]'), None, [{"n": 1}, {"n": 2}, {"n": 3}]),
        (("-",), '{"n": 1}\n{"n": 2}\n', [{"n": 1}, {"n": 2}]),
        (("--field", "n=1"), None, [{"n": 1}]),
        (("payload.json",), None, [{"n": 4}]),
    ],
    ids=["text", "texts", "stdin", "fields", "file"],
)
def test_after_the_name_of_a_schema_payloads_stand_alone(
    collector: Collector, run: Any, tmp_path: Path, args: Any, stdin: Any, payloads: Any
):
    (tmp_path / "payload.json").write_text('{"n": 4}')
    result = run(send, "RecipeUptake", *args, "--url", collector.url, input=stdin)
    assert result.exit_code == 0, result.output
    assert [event["event"] for event in collector.events] == payloads
    assert {event["schema"] for event in collector.events} == {"RecipeUptake"}


def test_a_folder_is_no_file_of_events_and_may_be_named_as_its_schema(
    collector: Collector, run: Any, tmp_path: Path
):
    (tmp_path / "RecipeUptake").mkdir()
    result = run(send, "RecipeUptake", '{"n": 1}', "--url", collector.url)
    assert result.exit_code == 0, result.output
    ((event,),) = [events for _, _, events in collector.requests]
    assert (event["schema"], event["event"]) == ("RecipeUptake", {"n": 1})


def test_a_pipe_holds_events_as_a_file_does(collector: Collector, run: Any, tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_text, args=('{"n": 1}',))
    writer.start()
    (tmp_path / "more").write_text('{"n": 2}')
    assert run(send, "pipe", "more", "--url", collector.url).exit_code == 0
    writer.join()
    assert collector.events == [{"n": 1}, {"n": 2}]


def test_whole_events_may_be_given_as_text(collector: Collector, run: Any):
    assert run(send, '{"schema": "S", "event": {}}', "--url", collector.url).exit_code == 0
    assert collector.events == [{"schema": "S", "event": {}}]


def test_each_refused_event_is_explained(collector: Collector, run: Any):
    collector.reply = refusing(lambda event: event["n"] == 2)
    result = run(send, "-", "--url", collector.url, input='[{"n": 1}, {"n": 2}]')
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        "event 1 is refused: type_mismatch",
        '  /duration: expected a whole number, found the text "x"',
        "1 of 2 accepted, 1 refused",
        "eventlogging ledger",
    ]


def test_many_events_go_in_portions_and_keep_their_place(collector: Collector, run: Any):
    collector.reply = refusing(lambda event: event["n"] in (3, 700))
    lines = "\n".join(json.dumps({"n": n}) for n in range(1100))
    result = run(send, "-", "--url", collector.url, "--json", input=lines)
    assert result.exit_code == 1
    assert [len(events) for _, _, events in collector.requests] == [500, 500, 100]
    assert [item["index"] for item in json.loads(result.stdout)["invalid"]] == [3, 700]


def test_the_answer_is_printed_as_json_when_asked(collector: Collector, run: Any):
    result = run(send, "-", "--url", collector.url, "--json", input="{}")
    assert json.loads(result.stdout) == accepted(1)[1]


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ((), "give a FILE, or --schema"),
        (("missing.json",), "missing.json: cannot be read: No such file"),
        (("-",), "-: is not JSON"),
        (("RecipeUptake", '{"n": '), "the JSON given: is not JSON"),
        (("missing.json", "{}"), "missing.json: cannot be read: No such file"),
        (("RecipeUptake", "missing.json"), "missing.json: cannot be read: No such file"),
        (("RecipeUptake",), "RecipeUptake: cannot be read: No such file"),
        (("--schema", "S", "--field", "x"), "is not NAME=VALUE"),
        (("f.json", "--field", "x=1"), "either files or --field"),
        (("f.json", "--id", "x"), "--version and --id go with --schema"),
    ],
)
def test_wrong_use_says_what_would_be_right(run: Any, args: tuple[str, ...], says: str):
    result = run(send, *args, input="{oops")
    assert result.exit_code == 2
    assert says in result.stderr


def test_a_broken_line_is_named(run: Any):
    result = run(send, "-", input='{"n": 1}\n{"n": \n')
    assert result.exit_code == 2
    assert "-:2: is not JSON" in result.stderr


def test_one_id_cannot_name_two_events(run: Any):
    result = run(send, "-", "--schema", "S", "--id", "a", input="[{}, {}]")
    assert (result.exit_code, "there are 2" in result.stderr) == (2, True)


def test_a_busy_collector_and_a_missing_one_are_told_in_one_line(
    collector: Collector, run: Any, nowhere: str
):
    collector.reply = lambda _: (429, {"invalid": [], "error": []}, {"Retry-After": "7"})
    busy = run(send, "-", "--url", collector.url, input="{}")
    assert (busy.exit_code, busy.stdout) == (1, "")
    assert "HTTP 429" in busy.stderr
    assert "try again in 7 s" in busy.stderr
    missing = run(send, "-", "--url", nowhere, input="{}")
    assert missing.exit_code == 1
    assert missing.stderr.count("\n") == 1
    assert "start the server (bin/run)" in missing.stderr


# Sending many


def numbered(count: int) -> Iterator[Parcel]:
    for n in range(count):
        intent = Intent.RETRY if n % 10 == 9 else Intent.VALID
        yield Parcel({"schema": "S", "n": n}, intent, "S")


def deliver(collector_url: str, count: int, said: list[str] | None = None, **plan: Any) -> Any:
    told = said if said is not None else []
    settings = Plan(collector_url, **plan)
    return send_all(numbered(1000), count, settings, lambda name: name, told.append)


def test_all_events_are_sent_over_several_connections(collector: Collector):
    stepped: list[int] = []
    report = send_all(
        numbered(1000), 105, Plan(collector.url, batch=10, connections=3), lambda _: "T",
        lambda _: None, stepped.append,
    )  # fmt: skip
    assert sorted(event["n"] for event in collector.events) == list(range(105))
    assert (report.total().sent, report.total().accepted, report.retries) == (105, 105, 10)
    assert (list(report.schemas), sum(stepped), report.failure) == (["T"], 105, "")
    assert collector.connections <= 3


def test_refused_events_are_counted_by_schema(collector: Collector):
    collector.reply = refusing(lambda event: event["n"] % 5 == 0)
    tally = deliver(collector.url, 50, batch=5).schemas["S"]
    assert (tally.sent, tally.accepted, tally.refused) == (50, 40, 10)
    collector.reply = refusing(lambda event: True)
    assert deliver(collector.url, 50, batch=5).schemas["S"].refused == 50


def test_a_busy_collector_gets_the_same_events_again(collector: Collector):
    answers = iter([BUSY, (429, "", {}), (500, "trouble", {})])
    collector.reply = lambda events: next(answers, None) or accepted(len(events))
    said: list[str] = []
    report = deliver(collector.url, 20, said, batch=10, connections=1)
    assert (report.total().sent, report.total().accepted, report.resent) == (20, 20, 3)
    sent = [[event["n"] for event in events] for _, _, events in collector.requests]
    assert sent == [list(range(10))] * 4 + [list(range(10, 20))]
    (sentence,) = said
    assert "is busy (HTTP 503); the same events are sent again" in sentence


def test_only_the_events_that_met_trouble_are_sent_again(collector: Collector):
    first = iter([(207, {"invalid": [refusal(0, {})], "error": [refusal(2, {}, 503)]}, {})])
    collector.reply = lambda events: next(first, None) or accepted(len(events))
    report = deliver(collector.url, 4, batch=4, connections=1)
    assert [event["n"] for event in collector.events] == [0, 1, 2, 3, 2]
    assert (report.total().sent, report.total().refused) == (4, 1)


def test_sending_gives_up_when_nothing_answers_for_long(nowhere: str):
    report = deliver(nowhere, 20, connections=2, patience=0.5)
    assert report.total().sent == 0
    assert "no answer from" in report.failure
    assert "start the server (bin/run)" in report.failure


@pytest.mark.parametrize(
    ("status", "says"),
    [(413, "lower --batch"), (401, "by --token"), (404, "no EventLogging server")],
)
def test_what_repetition_cannot_mend_ends_the_sending(collector: Collector, status: int, says: str):
    collector.reply = lambda _: (status, {"invalid": [], "error": [refusal(0, {}, status)]}, {})
    report = deliver(collector.url, 100, batch=10)
    assert says in report.failure
    assert len(collector.requests) <= 4


def test_a_rate_is_kept(collector: Collector):
    report = deliver(collector.url, 50, batch=5, rate=100)
    assert 0.45 <= report.seconds < 3


def test_a_fault_in_the_traffic_is_not_swallowed(collector: Collector):
    def broken() -> Iterator[Parcel]:
        yield from numbered(3)
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        send_all(broken(), 50, Plan(collector.url, batch=2), str, lambda _: None)


# The command demo


def test_the_demo_fills_a_platform_and_tells_what_was_answered(collector: Collector, run: Any):
    result = run(demo, "--url", collector.url, "--events", "400", "--seed", "1", "--token", "t")
    assert result.exit_code == 0, result.output
    assert len(collector.events) == 400
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["schema", "sent", "accepted", "refused"]
    assert {"NavigationTiming", "AccountActivity"} <= {line.split()[0] for line in lines if line}
    assert next(line for line in lines if line.startswith("all")).split() == [
        "all",
        "400",
        "400",
        "0",
    ]
    assert any(line.startswith("4 of them were retries on purpose") for line in lines)
    assert lines[-1] == "eventlogging ledger"
    assert collector.requests[0][1]["Authorization"] == "Bearer t"


def test_the_demo_without_a_token_leaves_out_what_only_servers_may_send(
    collector: Collector, run: Any
):
    result = run(demo, "--url", collector.url, "--events", "200", "--token", "", "--json")
    names = set(json.loads(result.stdout)["schemas"])
    assert "NavigationTiming" in names
    assert not names & {"AccountActivity", "ServerSideAccountCreation"}
    assert "left out, for want of a token" in result.stderr


def test_the_demo_without_any_schema_says_how_to_get_some(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("EVENTLOGGING_GOVERNANCE", str(tmp_path))
    result = run(demo, "--events", "10")
    assert result.exit_code == 1
    assert "eventlogging init DIR" in result.stderr


def test_the_demo_that_is_cut_short_says_so_and_fails(collector: Collector, run: Any):
    collector.reply = lambda _: (404, "not here", {})
    result = run(demo, "--url", collector.url, "--events", "50", "--token", "")
    assert result.exit_code == 1
    assert "is no EventLogging server (HTTP 404)" in result.stderr


@pytest.mark.parametrize("command", [demo, send])
def test_help_shows_an_example(run: Any, command: Any):
    assert "Example:  eventlogging" in run(command, "--help").stdout
