"""One web process for the whole package; after each case it must be unharmed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.robustness.web import Books, WebServer

HEADER_SECONDS = 1.0
BODY_SECONDS = 1.5
FUZZED = pytest.StashKey[tuple[int, Counter[str]]]()
_BOOKS = pytest.StashKey[Books]()


@pytest.fixture(scope="package")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    """The process that every case of this package is tried on."""
    started = WebServer(
        tmp_path_factory.mktemp("web") / "var",
        EVENTLOGGING_HEADER_SECONDS=str(HEADER_SECONDS),
        EVENTLOGGING_BODY_SECONDS=str(BODY_SECONDS),
    )
    started.start()
    yield started
    started.stop()


@pytest.fixture(scope="package")
def books(web: WebServer, pytestconfig: pytest.Config) -> Books:
    """The books of the package's process."""
    kept = Books(web)
    kept.settle()
    pytestconfig.stash[_BOOKS] = kept
    return kept


@pytest.fixture
def case(books: Books, request: pytest.FixtureRequest) -> Iterator[WebServer]:
    """The process for one case; after it, it must take the next good event."""
    yield books.server
    books.check(request.node.path.stem.removeprefix("test_"), request.node.name)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print how much was tried, and what it cost the process."""
    books, fuzzed = config.stash.get(_BOOKS, None), config.stash.get(FUZZED, None)
    if books or fuzzed:
        terminalreporter.section("robustness")
    if books:
        for kind, count in sorted(books.cases.items()):
            terminalreporter.write_line(f"{count:6} {kind}")
        terminalreporter.write_line(f"{books.cases.total():6} cases in all; {books.told()}")
    if fuzzed:
        bodies, tried = fuzzed
        terminalreporter.write_line(f"{bodies:6} mutated bodies, {tried.total()} events:")
        for ending, count in tried.most_common():
            terminalreporter.write_line(f"{count:10} {ending}")
