"""`eventlogging collect --to`: an edge without a data folder sends its lines, a server judges."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.edge import line, query
from tests.intake_server import good
from tests.servers import ROOT, Server, wait_until


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("storage") / "var")
    started.start()
    yield started
    started.stop()
    assert "Traceback" not in started.output()


class Shipper:
    """An edge: a log, and the command."""

    def __init__(self, folder: Path, *servers: Server) -> None:
        self.log = folder / "access.log"
        self.state = folder / "state.json"
        self.to = [word for server in servers for word in ("--to", server.url)]
        self.environment = {
            **os.environ,
            "EVENTLOGGING_VAR": str(folder / "var"),
            "EVENTLOGGING_FORWARD_TOKEN": servers[0].token,
            "PYTHONPATH": str(ROOT),
        }

    def write(self, *lines: str) -> None:
        with self.log.open("a") as file:
            file.writelines(lines)

    def start(self, *words: str, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [
                sys.executable, "-m", "eventlogging.cli.main", "collect", "--from", str(self.log),
                "--state", str(self.state), *self.to, *words,
            ],
            env={**self.environment, **environment}, text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def run(self, *words: str, **environment: str) -> tuple[int, str, str]:
        process = self.start(*words, **environment)
        out, err = process.communicate(timeout=60)
        assert "Traceback" not in err
        return process.returncode, out, err

    def offset(self) -> int:
        return int(json.loads(self.state.read_text())["offset"]) if self.state.exists() else 0


@pytest.fixture
def edge(tmp_path: Path, server: Server) -> Shipper:
    return Shipper(tmp_path, server)


def ledger(server: Server) -> dict[str, int]:
    """Outcome → events; the books must hold."""
    done = server.command("ledger", "--wait", "30", "--prove", "--json")
    found: dict[str, int] = {}
    for row in json.loads(done.stdout)["schemas"].values():
        for outcome in ("sent", "valid", "invalid", "duplicate", "sampled_out", "suppressed"):
            found[outcome] = found.get(outcome, 0) + row[outcome]
    return found


def difference(server: Server, before: dict[str, int]) -> dict[str, int]:
    after = ledger(server)
    changed = {name: count - before.get(name, 0) for name, count in after.items()}
    return {name: count for name, count in changed.items() if count}


def test_lines_become_events_and_a_packed_body_is_the_same(edge: Shipper, server: Server) -> None:
    before = ledger(server)
    edge.write(line(), line("?%7B"), "10.9.8.7 is no line of this format\n", "\n")
    code, out, err = edge.run("--json")
    assert (code, err) == (0, "")
    assert json.loads(out) == {
        "lines": 3, "valid": 1, "invalid": 2, "sampled_out": 0, "suppressed": 0, "rest_bytes": 0,
    }  # fmt: skip
    edge.write(line(), line()[:-4])
    code, out, _ = edge.run("--gzip")
    assert code == 0
    assert "1 lines: 1 valid" in out
    assert "not complete yet" in out
    assert out.splitlines()[-1] == "On a storage server: eventlogging ledger --wait 30"
    assert difference(server, before) == {"sent": 4, "valid": 2, "invalid": 2}


def test_a_chunk_that_is_sent_twice_counts_once(edge: Shipper, server: Server) -> None:
    before = ledger(server)
    edge.write(*(line("?%7B" if n % 2 else None, n) for n in range(3000)))
    assert edge.run()[0] == 0
    edge.state.unlink()
    assert edge.run()[0] == 0
    assert difference(server, before) == {"sent": 3000, "valid": 1500, "invalid": 1500}


def test_who_said_no_is_counted_and_nothing_of_it_written(edge: Shipper, server: Server) -> None:
    before = ledger(server)
    words = ["--format", '%q "%{dnt}s" "%{cookie}s" "%u"']
    said = [("1", "-"), ("-", "eventlogging_opt_out=1"), ("-", "1")]
    for n, (dnt, cookie) in enumerate([*said, ("-", "-")]):
        event = query(good(wiki="said9no" if n < 3 else "said9yes"))
        edge.write(f'{event} "{dnt}" "{cookie}" "Agent"\n')
    assert edge.run(*words)[0] == 0
    assert difference(server, before) == {"sent": 4, "valid": 1, "suppressed": 3}
    kept = b"".join(one.read_bytes() for one in server.var.rglob("*") if one.is_file())
    assert b"said9yes" in kept
    assert b"said9no" not in kept


@pytest.mark.timeout(120)
def test_killed_in_mid_file_and_started_again_each_line_counts_once(
    edge: Shipper, server: Server
) -> None:
    before = ledger(server)
    count = 30_000
    edge.write(*(line(None if n % 3 else "?%7B", n) for n in range(count)))
    size = edge.log.stat().st_size
    for share in (0.1, 0.4):
        process = edge.start()
        deadline = time.monotonic() + 60
        while edge.offset() < share * size and time.monotonic() < deadline:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert 0 < edge.offset() < size
    assert edge.run()[0] == 0
    invalid = len(range(0, count, 3))
    assert difference(server, before) == {
        "sent": count, "valid": count - invalid, "invalid": invalid
    }  # fmt: skip


def test_a_follower_waits_for_a_server_that_is_away(tmp_path: Path) -> None:
    own = Server(tmp_path / "own")
    own.start()
    edge = Shipper(tmp_path, own)
    process = edge.start("--follow")
    try:
        edge.write(line())
        wait_until(lambda: edge.offset() > 0, 20)
        first = edge.offset()
        own.kill()
        edge.write(line())
        time.sleep(3)
        assert process.poll() is None
        assert edge.offset() == first
        assert edge.run("--state", f"{edge.state}.other")[0] == 1  # without --follow nobody waits
        own.start()
        wait_until(lambda: edge.offset() > first, 20)
    finally:
        process.terminate()
        _, err = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "does not answer" in err
    assert ledger(own)["valid"] == 2
    own.stop()


@pytest.mark.parametrize(
    ("words", "environment", "code", "says"),
    [
        ([], {"EVENTLOGGING_FORWARD_TOKEN": ""}, 1, "eventlogging token create"),
        ([], {"EVENTLOGGING_FORWARD_TOKEN": "wrong"}, 1, "401"),
        (["--format", "%q%t"], {}, 2, "nothing parts"),
        (["--to", "events.example.org"], {}, 2, "not a URL"),
    ],
)
def test_what_cannot_work_is_told(
    edge: Shipper, words: list[str], environment: dict[str, str], code: int, says: str
) -> None:
    edge.write(line())
    found, _, err = edge.run(*words, **environment)
    assert found == code
    assert says in err
    assert edge.offset() == 0


def test_packing_wants_a_server_to_send_to(edge: Shipper) -> None:
    edge.write(line())
    edge.to = []
    code, _, err = edge.run("--gzip")
    assert code == 2
    assert "--to" in err


def ask(server: Server, token: str, body: bytes, **headers: str) -> tuple[int, Any]:
    values = f"format={quote('%q')}&fingerprint={'0' * 32}&start=0"
    request = urllib.request.Request(
        f"{server.url}/v1/edge?{values}", body, {"Authorization": f"Bearer {token}", **headers}
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def test_only_a_token_that_may_forward_hands_over_lines(server: Server) -> None:
    def token(scope: str) -> str:
        made = server.command("token", "create", scope, "--scope", scope, "--json")
        return str(json.loads(made.stdout)["token"])

    before = ledger(server)
    body = f"{query(good())}\n".encode()
    assert ask(server, "", body)[0] == 401
    produce, forward = token("produce"), token("forward")
    wait_until(lambda: ask(server, forward, body)[0] == 200, 10)
    assert ask(server, produce, body)[0] == 403
    broken = gzip.compress(body)[:-9]
    assert ask(server, forward, broken, **{"Content-Encoding": "gzip"})[0] == 400
    assert difference(server, before) == {"sent": 1, "valid": 1}
