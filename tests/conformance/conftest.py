"""Fixtures: the suite, and what the judges said of it."""

from __future__ import annotations

import os

import pytest

from tests.conformance.suite import NoSuiteError, Suite, load
from tests.conformance.verdicts import Outcome, count_rows, outcomes
from tests.summary import tell


@pytest.fixture(scope="session")
def suite() -> Suite:
    """The official suite. Cannot be downloaded: skipped at home, a failure in CI."""
    try:
        return load()
    except NoSuiteError as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def found(suite: Suite, pytestconfig: pytest.Config) -> list[Outcome]:
    """What came of every test of the suite."""
    every = list(outcomes(suite))
    tell(
        pytestconfig,
        "| draft | part | tests | the gate agrees | explained | the reference agrees |",
        *count_rows(every),
    )
    return every
