"""Generated code: its types say what the schema says, it sends, and no schema can break it."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner
from werkzeug.serving import make_server

from eventlogging.cli.main import cli
from eventlogging.schema import identifiers
from eventlogging.schema.codegen_python import python
from eventlogging.schema.codegen_ts import typescript
from tests.console import House
from tests.hostile_schema import ATTACKS, hostile_document
from tests.intake_server import EXAMPLE, IntakeServer
from tests.node import run_node, stripped
from tests.servers import ROOT, free_port

NAME = "NavigationTiming"
SONG: dict[str, Any] = {
    "type": "object",
    "description": "A song was played.",
    "required": ["title", "kind"],
    "properties": {
        "title": {"type": "string", "description": "Its name.", "maxLength": 80},
        "kind": {"enum": ["song", "video", None, 3]},
        "seconds": {"type": "number", "minimum": 0},
        "plays": {"type": ["integer", "null"]},
        "live": {"const": True},
        "tags": {"type": "array", "items": {"type": "string"}},
        "counts": {"type": "object", "additionalProperties": {"type": "integer"}},
        "user-agent": {"type": "string"},
        "artist": {"$ref": "#/$defs/artist"},
        "guest": {"$ref": "#/$defs/artist"},
        "how": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "integer"}}]},
        "what": {},
        "never": False,
    },
    "$defs": {
        "artist": {
            "type": "object",
            "properties": {"name": {"type": "string"}, "of": {"$ref": "#/$defs/artist"}},
            "required": ["name"],
        }
    },
}


def documents() -> Iterator[tuple[str, dict[str, Any]]]:
    for folder in sorted((ROOT / "schemas").iterdir()):
        if folder.is_dir():
            yield folder.name, json.loads((folder / "1.0.0.json").read_text())
    yield "music/song-played", SONG
    yield "Hostile", hostile_document()
    yield "Empty", {"type": "object"}


def loaded(code: str, folder: Path, name: str = "generated") -> ModuleType:
    (folder / f"{name}.py").write_text(code, "utf-8")
    spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def mypy(folder: Path, *files: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-incremental", "--python-version", "3.11",
         "--config-file", "", *files],
        capture_output=True, text=True, cwd=folder, timeout=110,
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stderr
    return [line for line in done.stdout.splitlines() if "error:" in line]


def test_the_python_of_every_schema_is_typed_through_and_through(tmp_path: Path) -> None:
    files = []
    for number, (name, document) in enumerate(documents()):
        code = python("http://h", name, "1.0.0", document, description=ATTACKS[1])
        compile(code, name, "exec")
        files.append(f"module{number}.py")
        (tmp_path / files[-1]).write_text(code, "utf-8")
    code = python("http://h", "music/song-played", "1.0.0", SONG)
    (tmp_path / "song.py").write_text(code, "utf-8")
    good = (
        'log_music_song_played({"title": "a", "kind": "song", "plays": None, "seconds": 1,',
        ' "artist": {"name": "b", "of": {"name": "c"}}, "user-agent": "d", "how": [1]})',
    )
    wrong = ('{"title": 1, "kind": "song"}', '{"kind": "song"}', '{"title": "a", "kind": "waltz"}',
             '{"title": "a", "kind": 3, "tags": [1]}', '{"title": "a", "kind": 3, "never": 1}',
             '{"title": "a", "kind": 3, "artist": {}}')  # fmt: skip
    uses = ["from song import log_music_song_played", "".join(good)]
    uses += [f"log_music_song_played({event})" for event in wrong]
    (tmp_path / "uses.py").write_text("\n".join(uses), "utf-8")
    errors = mypy(tmp_path, *files, "uses.py")
    lines = [int(error.split(":")[1]) for error in errors if error.startswith("uses.py")]
    assert sorted(set(lines)) == list(range(3, 3 + len(wrong))), errors
    assert len(lines) == len(errors), errors


def test_the_python_types_say_what_the_schema_says(tmp_path: Path) -> None:
    module = loaded(python("http://h", "music/song-played", "1.0.0", SONG), tmp_path)
    event = module.MusicSongPlayedEvent
    assert event.__required_keys__ == {"title", "kind"}
    assert event.__optional_keys__ == set(SONG["properties"]) - {"title", "kind", "never"}
    assert callable(module.log_music_song_played)


def test_the_python_of_a_hostile_schema_holds_its_texts_as_texts(tmp_path: Path) -> None:
    code = python(ATTACKS[2], ATTACKS[3], ATTACKS[4], hostile_document(), description=ATTACKS[1])
    assert code.isascii() or all(ord(char) < 0x3000 or char == "😀" for char in code)
    module = loaded(code, tmp_path, "hostile")
    assert (ATTACKS[3], ATTACKS[4]) == (module.SCHEMA, module.VERSION)
    assert f"{ATTACKS[2]}/v1/events" == module.URL_OF_EVENTS
    events = [value for name, value in vars(module).items() if name.endswith("Event")]
    keys = {key for event in events for key in event.__annotations__}
    assert set(ATTACKS) <= keys | set(events[0].__annotations__)


def test_the_typescript_of_every_schema_is_typescript(tmp_path: Path) -> None:
    for name, document in documents():
        code = typescript("http://h", name, "1.0.0", document, description=ATTACKS[0])
        javascript = stripped(code, tmp_path)
        assert "interface" not in javascript.replace("`interface`", "")
        assert f"export async function log{identifiers.camel(name)}(" in javascript


def test_the_typescript_types_say_what_the_schema_says() -> None:
    code = typescript("http://h", "music/song-played", "1.0.0", SONG, privacy={"/title": "hmac"})
    body = code.split("export interface MusicSongPlayedEvent {\n")[1].split("\n}\n")[0]
    members = [line.strip() for line in re.sub(r"/\*.*?\*/", "", body, flags=re.S).splitlines()]
    assert [line for line in members if line] == [
        "title: string;",
        'kind: "song" | "video" | null | 3;',
        "seconds?: number;",
        "plays?: number | null;",
        "live?: true;",
        "tags?: Array<string>;",
        "counts?: { [key: string]: number };",
        '"user-agent"?: string;',
        "artist?: MusicSongPlayedEventArtist;",
        "guest?: MusicSongPlayedEventArtist;",
        "how?: string | Array<number>;",
        "what?: unknown;",
    ]
    assert "   * Its name.\n   * at most 80 characters\n   * Stored as a hash.\n" in code
    assert "of?: MusicSongPlayedEventArtist;" in code


def test_the_typescript_of_a_hostile_schema_does_what_that_of_a_tame_one_does(
    tmp_path: Path,
) -> None:
    code = typescript(
        ATTACKS[2], ATTACKS[3], ATTACKS[4], hostile_document(), description=ATTACKS[0]
    )
    function = f"log{identifiers.camel(ATTACKS[3])}"
    sent = (
        "const sent: unknown[] = [];\n"
        "globalThis.fetch = (async (url: string, init: RequestInit) => {\n"
        "  sent.push(url, JSON.parse(String(init.body)));\n"
        "  return { status: 201 };\n"
        "}) as unknown as typeof fetch;\n"
        f"const answer = await {function}({{}} as never, {{ dt: 'now' }});\n"
        "console.log(JSON.stringify([answer.accepted, ...sent]));\n"
    )
    assert json.loads(run_node(code + sent, tmp_path, types=True)) == [
        True,
        f"{ATTACKS[2]}/v1/events",
        {"schema": ATTACKS[3], "version": ATTACKS[4], "dt": "now", "event": {}},
    ]


@pytest.mark.parametrize(
    ("name", "camel", "snake"),
    [
        ("NavigationTiming", "NavigationTiming", "navigation_timing"),
        ("analytics/page-view", "AnalyticsPageView", "analytics_page_view"),
        ("HTTPServer2", "HTTPServer2", "http_server_2"),
        ("1st", "X1st", "x_1_st"),
        ("класс", "X", "x_"),
        ("", "X", "x_"),
    ],
)
def test_names_become_identifiers(name: str, camel: str, snake: str) -> None:
    assert (identifiers.camel(name), identifiers.snake(name)) == (camel, snake)


def test_references_without_end_are_cut() -> None:
    definitions: dict[str, Any] = {
        f"d{n}": {"type": "array", "items": {"anyOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2}}
        for n in range(60)
    }
    definitions["loop"] = {"$ref": "#/$defs/loop"}
    definitions["d60"] = {"allOf": [{"$ref": "#/$defs/d0"}, {"$ref": "#/$defs/d60"}]}
    document = {
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/d0"}, "b": {"$ref": "#/$defs/loop"}},
        "$defs": definitions,
    }
    assert len(typescript("http://h", "A", "1.0.0", document)) < 20_000
    compile(python("http://h", "A", "1.0.0", document), "a", "exec")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IntakeServer]:
    server = IntakeServer(tmp_path_factory.mktemp("codegen") / "var")
    server.start()
    yield server
    server.stop()


def test_generated_python_sends_and_explains(server: IntakeServer, tmp_path: Path) -> None:
    document = json.loads((ROOT / "schemas" / NAME / "1.0.0.json").read_text())
    code = python(f"http://127.0.0.1:{server.port}", NAME, "1.0.0", document)
    module = loaded(code, tmp_path)
    answer = module.log_navigation_timing(EXAMPLE)
    assert answer.accepted and not answer.again
    assert server.stored(answer.stamp.id)
    before = server.counted("duplicate")
    assert module.log_navigation_timing(EXAMPLE, stamp=answer.stamp).accepted
    assert server.counted("duplicate") == before + 1
    refused = module.log_navigation_timing({**EXAMPLE, "isAnon": 3})
    assert (refused.accepted, refused.again, refused.code) == (False, False, "type_mismatch")
    assert refused.problems[0]["pointer"] == "/isAnon"
    module.URL_OF_EVENTS = "http://127.0.0.1:9/v1/events"
    assert module.log_navigation_timing(EXAMPLE).again


def test_generated_typescript_sends_and_explains(server: IntakeServer, tmp_path: Path) -> None:
    document = json.loads((ROOT / "schemas" / NAME / "1.0.0.json").read_text())
    code = typescript(f"http://127.0.0.1:{server.port}", NAME, "1.0.0", document)
    uses = (
        f"const event = {json.dumps(EXAMPLE)} as NavigationTimingEvent;\n"
        "const good = await logNavigationTiming(event);\n"
        "await logNavigationTiming(event, good.stamp);\n"
        "const bad = await logNavigationTiming({ ...event, isAnon: 3 } as never);\n"
        "console.log(JSON.stringify([good, bad]));\n"
    )
    before = server.counted("duplicate")
    good, bad = json.loads(run_node(code + uses, tmp_path, types=True))
    assert good["accepted"] and server.stored(good["stamp"]["id"])
    assert server.counted("duplicate") == before + 1
    assert (bad["accepted"], bad["again"], bad["code"]) == (False, False, "type_mismatch")
    assert bad["problems"][0]["pointer"] == "/isAnon"


def codegen(*words: str, **environment: str) -> Any:
    return CliRunner().invoke(cli, ["codegen", *words], env=environment)


def test_the_command_reads_a_governance_folder(tmp_path: Path) -> None:
    done = codegen(NAME, "--lang", "ts", "--governance", str(ROOT), "--url", "https://h.example")
    assert done.exit_code == 0, done.output
    assert "export async function logNavigationTiming(" in done.stdout
    assert '"https://h.example/v1/events"' in done.stdout
    stripped(done.stdout, tmp_path)


def test_the_command_reads_the_database_of_the_settings(server: IntakeServer) -> None:
    settings = {"EVENTLOGGING_VAR": str(server.var), "EVENTLOGGING_LISTEN": "127.0.0.1:7"}
    done = codegen(NAME, "--lang", "python", **settings)
    assert done.exit_code == 0, done.output
    assert "def log_navigation_timing(" in done.stdout
    assert "'http://127.0.0.1:7/v1/events'" in done.stdout


def test_a_file_is_written_once_and_checked_in_ci(tmp_path: Path) -> None:
    file = tmp_path / "navigation_timing.py"
    words = (NAME, "--lang", "python", "--governance", str(ROOT), "--out", str(file))
    assert codegen(*words, "--check").exit_code == 1
    assert not file.exists()
    assert codegen(*words).output == f"{file} written\n"
    assert codegen(*words, "--check").exit_code == 0
    file.write_text("# edited")
    checked = codegen(*words, "--check")
    assert checked.exit_code == 1 and "is not what the schema says now" in checked.output
    assert file.read_text() == "# edited"


@pytest.mark.parametrize(
    ("words", "exit_code", "text"),
    [
        (("NavigationTimin", "--lang", "ts"), 1, "known are NavigationTiming"),
        ((NAME, "--lang", "ts", "--version", "9.0.0"), 1, "published are 1.0.0"),
        ((NAME, "--lang", "ts", "--check"), 2, "--out"),
        ((NAME, "--lang", "cobol"), 2, "--lang"),
        ((NAME,), 2, "--lang"),
        ((NAME, "--lang", "ts", "--out", "/proc/nowhere/x.ts"), 1, "/proc/nowhere/x.ts"),
    ],
)
def test_wrong_use_is_answered_in_one_line(
    words: tuple[str, ...], exit_code: int, text: str
) -> None:
    done = codegen(*words, "--governance", str(ROOT))
    assert done.exit_code == exit_code
    assert text in done.output
    if exit_code == 1:
        assert len(done.output.splitlines()) == 1


def test_without_a_registry_the_command_says_where_else_to_look(tmp_path: Path) -> None:
    (tmp_path / "var").mkdir()
    done = codegen(NAME, "--lang", "ts", EVENTLOGGING_VAR=str(tmp_path / "var"))
    assert done.exit_code == 1
    assert "--url" in done.output and "--governance" in done.output


@pytest.fixture
def registry_url(tmp_path: Path) -> Iterator[str]:
    """The address of a server that has one schema."""
    house = House(f"sqlite:///{tmp_path / 'db'}", tmp_path / "var")
    house.publish("music/song", SONG, description="Songs.", privacy={"title": "hmac"})
    web = make_server("127.0.0.1", free_port(), house.app, threaded=True)
    thread = threading.Thread(target=web.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{web.port}"
    web.shutdown()
    thread.join()
    web.server_close()
    house.close()


def test_the_command_asks_a_server(registry_url: str) -> None:
    done = codegen("music/song", "--lang", "ts", "--url", f"{registry_url}/")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("/**\n * music/song 1.0.0: Songs.\n")
    assert f'"{registry_url}/v1/events"' in done.stdout
    assert "Stored as a hash." in done.stdout
    for words, text in (
        (("music/song", "--version", "3.0.0"), "has no version 3.0.0"),
        (("music/sung",), "no schema is named 'music/sung'"),
        (("../../healthz",), "is no name"),
    ):
        done = codegen(*words, "--lang", "ts", "--url", registry_url)
        assert done.exit_code == 1
        assert text in done.output


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "file:///etc/passwd", "events.example.org"])
def test_an_address_that_gives_no_answer_is_named(url: str) -> None:
    done = codegen(NAME, "--lang", "ts", "--url", url)
    assert done.exit_code == 1
    assert url in done.output
    assert len(done.output.splitlines()) == 1
