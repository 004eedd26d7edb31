"""The page of jobs, as people with a browser see it."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from eventlogging import clock
from eventlogging.jobs import claims
from eventlogging.jobs.table import JOBS, last_day
from eventlogging.registry import audit
from eventlogging.store.fixed import job_run
from tests.console import BROWSER, House, csrf
from tests.integration.test_console_pages import check_clean, words_of
from tests.people import browser_of

DAILY = JOBS[0]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House("", tmp_path / "var")
    yield house
    house.close()


def run_of(house: House, outcome: str, detail: str) -> None:
    """Put down a run of yesterday's."""
    slot = DAILY.slot(last_day(clock.now_ms()))
    claim = claims.claim(house.platform.database, DAILY.name, slot)
    assert claim is not None
    assert claims.finish(house.platform.database, claim, outcome, detail)


def test_strangers_learn_of_no_jobs_and_viewers_of_all(house: House) -> None:
    assert house.client.get("/jobs", headers=BROWSER).status_code == 404
    page = browser_of(house, "vi@example.org").get("/jobs", headers=BROWSER).text
    for job in JOBS:
        assert f"<code>{job.name}</code>" in page
        assert str(job.trigger) in page
    assert "has not run yet" in page
    assert "Run now</button>" not in page
    check_clean(page)


def test_a_failed_run_is_the_headline_with_what_it_said(house: House) -> None:
    run_of(house, "failed", "line one\n<script>alert(1)</script>")
    page = browser_of(house, "vi@example.org").get("/jobs", headers=BROWSER).text
    assert f"1 of {len(JOBS)} jobs failed when last run" in page
    assert "line one" in page
    assert "&lt;script&gt;" in page
    check_clean(page)


def test_a_run_that_was_given_back_waits(house: House) -> None:
    claim = claims.claim(house.platform.database, DAILY.name, last_day(clock.now_ms()))
    assert claim is not None
    viewer = browser_of(house, "vi@example.org")
    assert "is running" in viewer.get("/jobs", headers=BROWSER).text
    claims.release(house.platform.database, claim)
    page = viewer.get("/jobs", headers=BROWSER).text
    assert "waits, and is tried again by itself" in page


def test_an_admin_runs_a_job_and_sees_how_it_went(house: House) -> None:
    house.sign_in()
    page = house.page("/jobs")
    form = {"csrf": csrf(page)}
    begun = house.client.post(f"/jobs/{DAILY.name}/run", data=form, headers=BROWSER)
    assert begun.status_code == 303
    assert "has begun" in house.page(begun.headers["Location"])
    for _ in range(200):
        with house.platform.database.read() as connection:
            if connection.execute(sa.select(job_run.c.outcome)).scalar() is not None:
                break
        time.sleep(0.05)
    assert "done" in words_of(house.page("/jobs"))
    with house.platform.database.read() as connection:
        kept = audit.entries(connection, subject=DAILY.name)
    assert [(entry.action, entry.detail["for"]) for entry in kept] == [
        ("run_job", last_day(clock.now_ms()))
    ]


def test_a_job_that_runs_already_is_not_begun_again(house: House) -> None:
    house.sign_in()
    claims.claim(house.platform.database, DAILY.name, last_day(clock.now_ms()))
    form = {"csrf": csrf(house.page("/jobs"))}
    again = house.client.post(f"/jobs/{DAILY.name}/run", data=form, headers=BROWSER)
    assert again.status_code == 409
    assert "is running already" in again.text


def test_only_admins_run_jobs_and_only_those_there_are(house: House) -> None:
    path = f"/jobs/{DAILY.name}/run"
    assert house.client.post(path, headers=BROWSER).status_code == 400  # no form was shown
    viewer = browser_of(house, "vi@example.org")
    token = csrf(viewer.get("/jobs", headers=BROWSER).text)
    refused = viewer.post(path, data={"csrf": token}, headers=BROWSER)
    assert refused.status_code == 403
    assert "admin" in refused.text
    house.sign_in()
    form = {"csrf": csrf(house.page("/jobs"))}
    assert house.client.post("/jobs/nope/run", data=form, headers=BROWSER).status_code == 404
