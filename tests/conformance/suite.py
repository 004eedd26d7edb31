"""The official JSON-Schema-Test-Suite, read from the source distribution that carries it."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

RELEASE = "jsonschema==4.26.0"
SHA256 = "0c26707e2efad8aa1bfc5b7ce170f3fccc2e4918ff85989ba9ffa9facb2be326"
ARCHIVE = RELEASE.replace("==", "-") + ".tar.gz"
CACHE = Path(__file__).parents[2] / ".cache" / "json-schema-test-suite"
FOLDERS = {  # draft, as the gate names it → the suite's folder
    "draft4": "draft4",
    "draft6": "draft6",
    "draft7": "draft7",
    "2019-09": "draft2019-09",
    "2020-12": "draft2020-12",
}
PARTS = ("required", "optional", "formats")


class NoSuiteError(Exception):
    """The suite is not here and could not be downloaded."""


@dataclass(frozen=True, slots=True)
class Case:
    """One schema with its tests: (description, value, whether it is valid)."""

    draft: str
    part: str
    file: str
    name: str
    schema: Any
    tests: tuple[tuple[str, Any, bool], ...]


@dataclass(frozen=True, slots=True)
class Suite:
    """All cases, and the documents that some of them would fetch, by path."""

    cases: tuple[Case, ...]
    remotes: Mapping[str, Any]


def load(cache: Path = CACHE) -> Suite:
    """Return the suite, downloaded once. Raises NoSuiteError."""
    archive = cache / ARCHIVE
    if not _is_whole(archive):
        _download(archive)
    documents = {}
    with tarfile.open(archive) as tar:
        for member in tar:
            path = PurePosixPath(*PurePosixPath(member.name).parts[1:])
            content = tar.extractfile(member)
            if content and path.suffix == ".json" and path.parts[0] == "json":
                documents[path.relative_to("json")] = json.loads(content.read())
    remotes = {
        str(path.relative_to("remotes")): document
        for path, document in documents.items()
        if path.parts[0] == "remotes"
    }
    return Suite(tuple(_cases(documents)), remotes)


def _cases(documents: Mapping[PurePosixPath, Any]) -> Iterator[Case]:
    for draft, folder in FOLDERS.items():
        home = PurePosixPath("tests", folder)
        for path in sorted(documents):
            if not path.is_relative_to(home):
                continue
            file = str(path.relative_to(home))
            for case in documents[path]:
                tests = ((t["description"], t["data"], t["valid"]) for t in case["tests"])
                yield Case(
                    draft, _part(file), file, case["description"], case["schema"], tuple(tests)
                )


def _part(file: str) -> str:
    if file.startswith("optional/format/"):
        return "formats"
    return "optional" if file.startswith("optional/") else "required"


def _is_whole(archive: Path) -> bool:
    return archive.exists() and hashlib.sha256(archive.read_bytes()).hexdigest() == SHA256


def _download(archive: Path) -> None:
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=archive.parent) as folder:
        wanted = Path(folder, "suite.txt")
        wanted.write_text(f"{RELEASE} --hash=sha256:{SHA256}\n")
        # pip asks the source distribution for its metadata before it hands it out, in an
        # environment of its own; what builds it may come as wheels.
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        options = ["--no-binary", "jsonschema", "--dest", folder, "--requirement", str(wanted)]
        told = subprocess.run([*command, *options], capture_output=True, text=True)
        found = Path(folder, archive.name)
        if told.returncode or not _is_whole(found):
            raise NoSuiteError(f"pip could not download {RELEASE}: {told.stderr.strip()[-600:]}")
        found.replace(archive)
