"""Reviews on real databases: drafts, turns, decisions, reminders, lost owners, invitations."""

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from eventlogging import clock
from eventlogging.config import Config
from eventlogging.errors import SchemaRefused, UnknownSchema
from eventlogging.jobs.review_duties import look_after_reviews
from eventlogging.jobs.table import JOBS
from eventlogging.platform import open_platform
from eventlogging.registry import audit
from eventlogging.registry.export import registry_governance
from eventlogging.registry.proposal import Proposal
from eventlogging.registry.publish import publish, try_propose, try_publish
from eventlogging.registry.snapshot import read_snapshot
from eventlogging.review import (
    decide,
    drafts,
    invitations,
    lifecycle,
    ownership,
    reminders,
    roster,
    thread,
)
from eventlogging.review.record import Outcome
from eventlogging.store.database import Database
from eventlogging.store.fixed import owner_trouble, proposal, table_day
from eventlogging.store.migrate import migrate
from tests.console import BROWSER, TOKEN, House, csrf
from tests.reviews import (
    ANN,
    ANSWERS,
    BOB,
    CLICK,
    GROUP,
    PASSES,
    PM,
    ROOT,
    URL,
    actions,
    add_person,
    body,
    change_person,
    done,
    draft,
    kept,
    last_mail,
    mails,
    people,
    proposed,
    wider,
)

MONDAY = 1_795_428_000_000  # 2026-11-23 10:00 UTC
DAY = clock.DAY_MS


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    migrate(database)
    people(database)
    yield database
    database.close()


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Moves the clock to a number of milliseconds since the epoch."""

    def to(ms: int) -> None:
        monkeypatch.setattr(clock, "offset_ms", clock.offset_ms + ms - clock.now_ms())

    to(MONDAY)
    return to


def approve(database: Database, id: int, revision: int, who: str = ANN, **more: Any) -> Outcome:
    return decide.approve(database, id, revision, who, "Good.", base_url=URL, **more)


# drafts


def test_a_draft_goes_to_review_and_is_published(database: Database) -> None:
    made = draft(database)
    assert (made.state, made.version, made.revision) == ("draft", "1.0.0", 2)
    sent = done(drafts.send_to_review(database, made.id, 2, PM, base_url=URL))
    assert (sent.state, sent.reviewer) == ("proposed", ANN)
    assert mails(database, ANN) == ["Click 1.0.0 waits for your review"]
    assert f"{URL}/reviews/{made.id}" in last_mail(database, ANN)
    published = done(approve(database, made.id, 2))
    assert published.state == "published"
    assert read_snapshot(database).schemas["Click"].latest == "1.0.0"
    assert actions(database, made.id) == [
        "edit", "edit", "propose", "assign", "approve", "publish",
    ]  # fmt: skip
    assert mails(database, PM) == mails(database, GROUP) == ["Click 1.0.0 is published"]
    with database.read() as connection:
        written = [entry.action for entry in audit.entries(connection, subject="Click")]
    assert written == ["publish", "approve", "assign", "propose", "edit", "edit"]


def test_two_people_edit_at_once_and_the_second_is_told(database: Database) -> None:
    made = draft(database)
    first = drafts.save(database, made.id, 2, body(wider("x")), ANSWERS, BOB, base_url=URL)
    assert first.saved
    mine = body(wider("y"), title="Clicks")
    second = drafts.save(database, made.id, 2, mine, ANSWERS, PM, base_url=URL)
    assert not second.saved
    assert second.overtaken[0].startswith(f"{BOB} saved it at ")
    assert second.overtaken[1:] == ("the field 'x' was added",)
    assert second.draft.revision == 3
    assert drafts.save(database, made.id, 3, mine, ANSWERS, PM, base_url=URL).saved
    with database.read() as connection:
        assert drafts.record.body_of(connection, made.id, 3) == body(wider("x"))


def test_of_two_saves_at_the_same_moment_one_is_kept(database: Database) -> None:
    made = draft(database)
    saved = []

    def save(field: str) -> None:
        saved.append(
            drafts.save(database, made.id, 2, body(wider(field)), ANSWERS, PM, base_url=URL).saved
        )

    together([lambda: save("x"), lambda: save("y"), lambda: save("z")])
    assert sorted(saved) == [False, False, True]
    assert kept(database, made.id).revision == 3


def test_saving_the_same_again_changes_nothing(database: Database) -> None:
    made = draft(database)
    assert drafts.save(database, made.id, 1, made.body, ANSWERS, BOB, base_url=URL).saved
    assert kept(database, made.id) == made


def test_a_draft_of_any_form_is_kept_as_it_came(database: Database) -> None:
    odd = {"schema": ["no", "schema"], "owners": 3, "title": "\ud800\0 ü 😀", "examples": {"x": 1}}
    begun = drafts.begin(database, "Odd", odd, PM)
    assert (begun.body, begun.version) == (odd, "")
    sent = drafts.send_to_review(database, begun.id, 1, PM, base_url=URL)
    assert not sent.done
    assert kept(database, begun.id).state == "draft"
    with pytest.raises(SchemaRefused):
        drafts.begin(database, "no name", {}, PM)
    with pytest.raises(LookupError):
        drafts.save(database, 4711, 1, {}, {}, PM, base_url=URL)


def test_what_a_reviewer_needs_must_be_there(database: Database) -> None:
    begun = drafts.begin(database, "Click", body(examples=None, owners=[PM]), PM)
    sent = drafts.send_to_review(database, begun.id, 1, PM, base_url=URL)
    assert not sent.done
    assert [problem.split(":")[0] for problem in sent.problems] == [
        "an example that passes is missing",
        "the question 'Question' has no answer",
        "the question 'End' has no answer",
        f"the only owner is one person ({PM}); add the address of a group, which answers also "
        "when people leave",
    ]
    fails = [{"name": "no.fail.json", "passes": False, "payload": 1}]
    drafts.save(database, begun.id, 1, body(examples=fails), ANSWERS, PM, base_url=URL)
    sent = drafts.send_to_review(database, begun.id, 2, PM, base_url=URL)
    assert [problem.split(":")[0] for problem in sent.problems] == [
        "an example that passes is missing"
    ]


def test_what_is_published_already_is_not_sent_to_review(database: Database) -> None:
    publish(database, Proposal("Click", CLICK, owners=[GROUP], examples=PASSES), "op")
    made = draft(database)
    sent = drafts.send_to_review(database, made.id, made.revision, PM, base_url=URL)
    assert "is published and says the same" in sent.problems[0]


def test_examples_of_the_published_version_count(database: Database) -> None:
    publish(database, Proposal("Click", CLICK, owners=[GROUP], examples=PASSES), "op")
    assert proposed(database, schema=wider("x"), examples=None).version == "1.1.0"


def test_a_withdrawn_proposal_is_over(database: Database) -> None:
    made = proposed(database)
    assert not drafts.withdraw(database, made.id, 1, PM, base_url=URL).done
    assert done(drafts.withdraw(database, made.id, 2, PM, base_url=URL)).state == "withdrawn"
    assert mails(database, ANN)[-1] == "Click 1.0.0 was withdrawn"
    assert not drafts.save(database, made.id, 2, body(wider("x")), {}, PM, base_url=URL).saved
    assert not drafts.withdraw(database, made.id, 2, PM, base_url=URL).done
    assert not approve(database, made.id, 2).done


def test_proposals_are_found_by_what_they_are(database: Database) -> None:
    click, edit = proposed(database), draft(database, "Edit")
    with database.read() as connection:
        assert [one.id for one in drafts.find_all(connection, states=["draft"])] == [edit.id]
        assert [one.id for one in drafts.find_all(connection, reviewer=ANN)] == [click.id]
        assert [one.id for one in drafts.find_all(connection, schema="Edit", who=PM)] == [edit.id]
        assert len(drafts.find_all(connection, limit=1)) == 1
        assert drafts.find_all(connection, who=BOB) == []


# decisions


def test_nobody_decides_on_their_own(database: Database) -> None:
    made = draft(database)
    assert drafts.save(database, made.id, 2, body(wider("x")), ANSWERS, ANN, base_url=URL).saved
    sent = done(drafts.send_to_review(database, made.id, 3, PM, base_url=URL))
    assert sent.reviewer == BOB
    roster.add(database, "Pm", PM, ["*"], PM)
    for who in (PM, ANN, ANN.upper()):
        refused = approve(database, made.id, 3, who)
        assert refused.problems == (
            "You proposed or edited this yourself; somebody else decides on it.",
        )
    with database.read() as connection:
        assert decide.may_decide(connection, sent, ROOT, True) is None
        assert decide.may_decide(connection, sent, BOB, False) is None
        assert decide.may_decide(connection, sent, GROUP, False) is not None
    assert not approve(database, made.id, 3, GROUP).done
    assert done(approve(database, made.id, 3, ROOT)).state == "published"


def test_a_review_of_a_changed_draft_is_refused_with_the_reason(database: Database) -> None:
    made = proposed(database)
    assert drafts.save(database, made.id, 2, body(wider("x")), ANSWERS, PM, base_url=URL).saved
    for answer in (
        approve(database, made.id, 2),
        decide.give_back(database, made.id, 2, ANN, "No.", base_url=URL),
    ):
        assert not answer.done
        assert answer.problems[0] == "your decision is about a former revision, and was not kept"
        assert answer.problems[2] == "the field 'x' was added"
    assert kept(database, made.id).state == "proposed"
    assert done(approve(database, made.id, 3)).state == "published"


def test_a_decision_has_a_reason(database: Database) -> None:
    made = proposed(database)
    assert not decide.approve(database, made.id, 2, ANN, " \n", base_url=URL).done
    assert not decide.give_back(database, made.id, 2, ANN, "", base_url=URL).done
    assert not decide.give_back(database, made.id, 2, ANN, "x" * 10_001, base_url=URL).done
    assert actions(database, made.id)[-1] == "assign"


def test_a_returned_draft_comes_back_to_who_returned_it(database: Database) -> None:
    made = proposed(database)
    back = done(decide.give_back(database, made.id, 2, BOB, "Too wide.", base_url=URL))
    assert back.state == "returned"
    assert mails(database, PM) == ["Click 1.0.0 was returned: Too wide."]
    assert mails(database, BOB) == []
    assert not approve(database, made.id, 2).done
    assert drafts.save(database, made.id, 2, body(wider("x")), ANSWERS, PM, base_url=URL).saved
    again = done(drafts.send_to_review(database, made.id, 3, PM, base_url=URL))
    assert again.reviewer == BOB
    assert mails(database, BOB) == ["Click 1.0.0 waits for your review"]


def test_an_approved_proposal_is_published_later(database: Database) -> None:
    made = proposed(database)
    approved = done(approve(database, made.id, 2, publish=False))
    assert approved.state == "approved"
    assert "Click" not in read_snapshot(database).schemas
    assert mails(database, PM) == ["Click 1.0.0 is approved and waits to be published"]
    stranger = decide.publish(database, made.id, 2, "x@example.org", base_url=URL)
    assert not stranger.done
    assert done(decide.publish(database, made.id, 2, PM, base_url=URL)).state == "published"
    assert not decide.publish(database, made.id, 2, PM, base_url=URL).done


def test_an_edit_after_the_approval_needs_a_review_again(database: Database) -> None:
    made = proposed(database)
    done(approve(database, made.id, 2, publish=False))
    saved = drafts.save(database, made.id, 2, body(wider("x")), ANSWERS, PM, base_url=URL)
    assert (saved.draft.state, saved.draft.reviewer) == ("proposed", ANN)
    assert mails(database, ANN)[-1] == "Click 1.0.0 was changed after it was approved"
    assert not decide.publish(database, made.id, 3, PM, base_url=URL).done


def test_what_was_published_meanwhile_makes_a_proposal_wait_for_another_look(
    database: Database,
) -> None:
    publish(database, Proposal("Click", CLICK, owners=[GROUP], examples=PASSES), "op")
    made = proposed(database, schema=wider("x"))
    assert made.version == "1.1.0"
    publish(database, Proposal("Click", wider("y")), "op")
    late = approve(database, made.id, 2)
    assert not late.done
    assert "1.1.0 of Click was published after this was sent to review" in late.problems[0]
    assert "this is 2.0.0 (major)" in late.problems[0]
    assert late.draft.version == kept(database, made.id).version == "2.0.0"
    assert mails(database, PM)[-1].startswith("Click 2.0.0 needs another look")
    published = done(approve(database, made.id, 2))
    assert published.version == "2.0.0"


def test_an_approval_does_not_outlive_another_publication(database: Database) -> None:
    publish(database, Proposal("Click", CLICK, owners=[GROUP], examples=PASSES), "op")
    made = proposed(database, schema=wider("x"))
    done(approve(database, made.id, 2, publish=False))
    publish(database, Proposal("Click", wider("y")), "op")
    assert not decide.publish(database, made.id, 2, PM, base_url=URL).done
    assert kept(database, made.id).state == "proposed"


def test_of_two_approvals_at_once_the_second_looks_again(database: Database) -> None:
    publish(database, Proposal("Click", CLICK, owners=[GROUP], examples=PASSES), "op")
    one = proposed(database, schema=wider("x"))
    other = proposed(database, schema=wider("y"))
    outcomes: dict[int, Outcome] = {}

    def run(id: int) -> None:
        outcomes[id] = approve(database, id, 2)

    together([lambda: run(one.id), lambda: run(other.id)])
    assert sorted(outcome.done for outcome in outcomes.values()) == [False, True]
    assert sorted(read_snapshot(database).schemas["Click"].versions) == ["1.0.0", "1.1.0"]


def test_comments_reach_those_concerned(database: Database) -> None:
    made = proposed(database)
    assert thread.comment(database, made.id, ANN, " Why? \n", base_url=URL).done
    assert mails(database, PM) == [f"Click 1.0.0: a comment by {ANN}"]
    assert mails(database, ANN) == ["Click 1.0.0 waits for your review"]
    assert not thread.comment(database, made.id, ANN, "  ", base_url=URL).done
    with database.read() as connection:
        last = thread.entries(connection, made.id)[-1]
    assert (last.who, last.action, last.revision, last.text) == (ANN, "comment", 2, "Why?")


# turns


def test_turns_go_round(database: Database) -> None:
    reviewers = [proposed(database, name).reviewer for name in ("One", "Two", "Three", "Four")]
    assert reviewers == [ANN, BOB, ANN, BOB]


def test_who_is_away_gets_no_turn_and_loses_the_one_they_have(
    database: Database, set_clock: Callable[[int], None]
) -> None:
    change_person(database, ANN, away_until=clock.day(MONDAY))
    made = proposed(database)
    assert made.reviewer == BOB
    change_person(database, BOB, state="disabled")
    change_person(database, ANN, away_until=None)
    assert reminders.hand_over_all(database, BOB, base_url=URL) == 1
    assert kept(database, made.id).reviewer == ANN
    assert mails(database, ANN) == ["Click 1.0.0 waits for your review"]
    assert mails(database, BOB) == ["Click 1.0.0 waits for your review"]  # no more to the disabled
    roster.remove(database, ANN, ROOT)
    assert reminders.look(database, base_url=URL).handed_over == 1
    assert kept(database, made.id).reviewer == ROOT


def test_a_reviewer_who_edits_gives_the_turn_on(database: Database) -> None:
    made = proposed(database)
    saved = drafts.save(database, made.id, 2, body(wider("x")), ANSWERS, ANN, base_url=URL)
    assert (saved.draft.reviewer, saved.draft.revision) == (BOB, 3)
    assert not approve(database, made.id, 3, ANN).done
    assert done(approve(database, made.id, 3, BOB)).state == "published"


def test_after_two_working_days_a_reminder_and_after_four_the_next_one(
    database: Database, set_clock: Callable[[int], None]
) -> None:
    set_clock(MONDAY + 3 * DAY)  # Thursday 10:00
    made = proposed(database)
    set_clock(MONDAY + 7 * DAY - 60_000)  # Monday, a minute before it is due
    assert reminders.look(database, base_url=URL) == reminders.Looked()
    set_clock(MONDAY + 7 * DAY + 60_000)
    assert reminders.look(database, base_url=URL).reminded == 1
    assert reminders.look(database, base_url=URL) == reminders.Looked()
    assert mails(database, ANN)[-1] == "Click 1.0.0 still waits for your review"
    assert "on 2026-12-02." in last_mail(database, ANN)
    set_clock(MONDAY + 9 * DAY + 60_000)  # Wednesday
    assert reminders.look(database, base_url=URL).handed_over == 1
    assert reminders.look(database, base_url=URL) == reminders.Looked()
    assert kept(database, made.id).reviewer == BOB
    assert mails(database, ANN)[-1] == "Click 1.0.0 is no longer yours to review"
    assert mails(database, BOB) == ["Click 1.0.0 waits for your review"]
    # Bob has two working days of his own; then an admin has it, for Ann had her turn.
    set_clock(MONDAY + 10 * DAY)
    assert reminders.look(database, base_url=URL) == reminders.Looked()
    set_clock(MONDAY + 16 * DAY)
    assert reminders.look(database, base_url=URL).handed_over == 1
    assert kept(database, made.id).reviewer == ROOT
    assert actions(database, made.id)[2:] == [
        "propose", "assign", "remind", "hand_over", "hand_over",
    ]  # fmt: skip


def test_looks_at_the_same_time_remind_once(
    database: Database, set_clock: Callable[[int], None]
) -> None:
    made = proposed(database)
    set_clock(MONDAY + 2 * DAY + 60_000)
    together([lambda: reminders.look(database, base_url=URL)] * 3)
    assert actions(database, made.id).count("remind") == 1
    assert len(mails(database, ANN)) == 2


def test_with_nobody_left_the_proposal_waits_and_admins_are_told_once(database: Database) -> None:
    roster.remove(database, ANN, ROOT)
    change_person(database, BOB, state="disabled")
    made = draft(database)
    assert drafts.save(database, made.id, 2, body(wider("x")), ANSWERS, ROOT, base_url=URL).saved
    sent = done(drafts.send_to_review(database, made.id, 3, PM, base_url=URL))
    assert (sent.state, sent.reviewer) == ("proposed", None)
    for _ in range(2):
        assert reminders.look(database, base_url=URL).nobody == 1
    assert mails(database, ROOT) == ["Nobody can review Click 1.0.0"]
    change_person(database, BOB, state="active")
    assert reminders.look(database, base_url=URL).assigned == 1
    assert kept(database, made.id).reviewer == BOB


def test_a_proposal_of_the_api_takes_its_place(database_url: str, tmp_path: Path) -> None:
    house = House(database_url, tmp_path / "var", public_url=URL)
    database = house.platform.database
    people(database)
    answer = house.client.post("/v1/schemas/Click", json=body(), headers=TOKEN)
    assert answer.status_code == 201
    assert answer.json is not None
    made = kept(database, answer.json["proposal"])
    assert (made.state, made.reviewer, made.revision) == ("proposed", ANN, 1)
    assert actions(database, made.id) == ["propose", "assign"]
    assert f"{URL}/reviews/{made.id}" in last_mail(database, ANN)
    assert done(approve(database, made.id, 1)).state == "published"
    house.close()


def test_a_proposal_that_nobody_received_is_found_by_the_next_look(database: Database) -> None:
    kept_as = try_propose(database, Proposal("Click", CLICK, owners=[GROUP]), "token ci").id
    assert kept_as is not None
    assert reminders.look(database, base_url=URL).assigned == 1
    assert reminders.look(database, base_url=URL) == reminders.Looked()
    made = kept(database, kept_as)
    assert (made.reviewer, made.updated_by) == (ANN, "token ci")
    late = approve(database, made.id, 1)
    assert late.problems == ("an example that passes is missing: add an event as it will be sent",)


# the roster


def test_the_roster_is_the_governance_document(database: Database) -> None:
    assert roster.add(database, "Cy", "Cy@Example.org", ["Click", "a/"], ROOT) == ()
    document = registry_governance(database).documents["reviewers", "roster.toml"]
    assert isinstance(document, dict)
    assert document["reviewers"][-1] == {
        "name": "Cy", "email": "cy@example.org", "areas": ["Click", "a/"],
        "consented": clock.day(clock.now_ms()),
    }  # fmt: skip
    with database.read() as connection:
        assert roster.is_reviewer(connection, "CY@example.org")
    assert roster.set_areas(database, "cy@example.org", ["*"], ROOT) == ()
    assert roster.add(database, "Cy", "cy@example.org", ["*"], ROOT) != ()
    for wrong in (("", "a@x", ["*"]), ("A", "ax", ["*"]), ("A", "a@x", []), ("A", "a@x", ["1"])):
        assert roster.add(database, *wrong, ROOT) != ()
    assert roster.set_areas(database, "cy@example.org", ["?"], ROOT) != ()
    assert roster.remove(database, "CY@example.org", ROOT) == ()
    assert roster.remove(database, "cy@example.org", ROOT) != ()
    with database.read() as connection:
        assert [one.email for one in roster.roster(connection)] == [ANN, BOB]
        changed = audit.entries(connection, subject="reviewers/roster.toml")
    assert len(changed) == 5


# invitations


def first_event(database: Database, table: str = "Click_1") -> None:
    with database.write() as connection:
        connection.execute(
            sa.insert(table_day).values(
                table_name=table, day="2026-11-23", rows_in=1, rows_out=0
            )
        )  # fmt: skip


def test_the_first_valid_event_invites_once_those_who_are_no_reviewers(database: Database) -> None:
    made = proposed(database, owners=[GROUP, BOB])
    done(approve(database, made.id, 2))
    proposed(database, "Other", owners=["other@example.org"])
    assert invitations.invite(database, "key", base_url=URL) == []
    first_event(database, "Click_invalid")
    assert invitations.invite(database, "key", base_url=URL) == []
    first_event(database)
    assert invitations.invite(database, "key", base_url=URL) == [PM, GROUP]
    assert invitations.invite(database, "key", base_url=URL) == []
    assert mails(database, PM)[-1].startswith("Click has its first valid event")
    text = last_mail(database, PM)
    token = text.partition(invitations.PATH)[2].split()[0]
    assert invitations.read_token("key", token) == PM
    with database.read() as connection:
        assert not roster.is_reviewer(connection, PM)


def test_only_a_yes_adds_to_the_roster(database: Database) -> None:
    done(approve(database, proposed(database).id, 2))
    first_event(database)
    invitations.invite(database, "key", base_url=URL)
    assert invitations.accept(database, "x@example.org") == ("x@example.org was not invited",)
    assert invitations.decline(database, GROUP) == ()
    assert invitations.decline(database, GROUP) == ()
    assert invitations.accept(database, PM) == ()
    assert invitations.accept(database, PM) == ()
    assert invitations.decline(database, PM) != ()
    with database.read() as connection:
        added = roster.find(connection, PM)
        assert not roster.is_reviewer(connection, GROUP)
    assert added == roster.Reviewer("Pm", PM, ("*",), clock.day(clock.now_ms()))
    assert roster.remove(database, PM, ROOT) == ()
    assert invitations.accept(database, PM) == ()  # an old link adds nobody again
    with database.read() as connection:
        assert not roster.is_reviewer(connection, PM)


def test_invitations_at_the_same_time_are_mailed_once(database: Database) -> None:
    done(approve(database, proposed(database).id, 2))
    first_event(database)
    invited: list[str] = []
    together([lambda: invited.extend(invitations.invite(database, "key", base_url=URL))] * 3)
    assert sorted(invited) == [PM, GROUP]


def test_an_invitation_is_answered_on_its_page(database_url: str, tmp_path: Path) -> None:
    house = House(database_url, tmp_path / "var", public_url=URL)
    database = house.platform.database
    people(database)
    house.publish(owners=[GROUP, PM])
    assert "0 invited" in look_after_reviews(house.platform, "2026-11-23").detail
    house.send({"schema": "Click", "event": {"target": 1}})
    assert "0 invited" in look_after_reviews(house.platform, "2026-11-23").detail
    house.send({"schema": "Click", "event": {"target": "menu"}})
    assert "2 invited" in look_after_reviews(house.platform, "2026-11-23").detail
    path = last_mail(database, PM).partition(f"Answer yes or no: {URL}")[2].split()[0]
    page = house.page(path)
    assert "Will you review other schemas?" in page
    assert f'value="{PM.partition("@")[0].title()}"' in page
    with database.read() as connection:
        assert not roster.is_reviewer(connection, PM)
    answer = {"csrf": csrf(page), "answer": "yes", "name": "Pm P", "areas": "1nvalid"}
    assert house.client.post(path, data=answer, headers=BROWSER).status_code == 400
    answer["areas"] = "Click, analytics/"
    assert "You are a reviewer since" in house.client.post(path, data=answer, headers=BROWSER).text
    with database.read() as connection:
        added = roster.find(connection, PM)
    assert added is not None
    assert (added.name, added.areas) == ("Pm P", ("Click", "analytics/"))
    other = last_mail(database, GROUP).partition(f"Answer yes or no: {URL}")[2].split()[0]
    answer = {"csrf": csrf(house.page(other)), "answer": "no"}
    assert "You said no" in house.client.post(other, data=answer, headers=BROWSER).text
    assert house.client.get(f"{path}x", headers=BROWSER).status_code == 404
    assert house.client.post(path, data={"answer": "no"}, headers=BROWSER).status_code in (400, 403)
    house.close()


# owners


def test_an_owner_who_cannot_be_reached_is_asked_about(
    database: Database, set_clock: Callable[[int], None]
) -> None:
    done(approve(database, proposed(database).id, 2))
    before = len(mails(database, GROUP))
    with database.write() as connection:
        assert ownership.note_trouble(connection, PM.upper(), "bounced") == ["Click"]
        assert ownership.note_trouble(connection, PM, "bounced") == []
        assert ownership.living_owners(connection, "Click") == [GROUP]
        assert [one.why for one in ownership.troubles(connection, "Click")] == [
            "mail to it comes back"
        ]
    assert ownership.look(database, base_url=URL) == 1
    assert ownership.look(database, base_url=URL) == 0
    assert mails(database, GROUP)[before:] == [f"Click: its owner {PM} cannot be reached"]
    set_clock(MONDAY + 2 * DAY + 60_000)
    asked = len(mails(database, ANN))
    assert ownership.look(database, base_url=URL) == 1
    assert ownership.look(database, base_url=URL) == 0
    assert mails(database, ANN)[asked:] == [
        "Click: an owner cannot be reached, and nobody took their place"
    ]
    with database.write() as connection:
        assert ownership.clear_trouble(connection, PM) == ["Click"]
        assert ownership.living_owners(connection, "Click") == [GROUP, PM]


def test_a_disabled_account_is_noticed_and_its_return_too(database: Database) -> None:
    done(approve(database, proposed(database).id, 2))
    change_person(database, PM, state="disabled")
    assert ownership.look(database, base_url=URL) == 1
    change_person(database, PM, state="active")
    assert ownership.look(database, base_url=URL) == 0
    with database.read() as connection:
        assert ownership.troubles(connection) == []


def test_a_former_owner_is_no_trouble(database: Database) -> None:
    done(approve(database, proposed(database).id, 2))
    with database.write() as connection:
        ownership.note_trouble(connection, PM, "bounced")
    publish(database, Proposal("Click", CLICK, owners=[GROUP]), "op")
    with database.read() as connection:
        assert ownership.troubles(connection) == []
    assert ownership.look(database, base_url=URL) == 0
    with database.read() as connection:
        assert connection.execute(sa.select(owner_trouble)).first() is None


def test_a_schema_without_a_living_owner_cannot_publish(database: Database) -> None:
    done(approve(database, proposed(database, owners=[GROUP]).id, 2))
    waiting = proposed(database, schema=wider("x"), owners=[GROUP])
    with database.write() as connection:
        ownership.note_trouble(connection, GROUP, "bounced")
    assert ownership.look(database, base_url=URL) == 2
    assert mails(database, ANN)[-1] == "Click: no owner can be reached"
    said = "no owner of Click can be reached: team@example.org (mail to it comes back)"
    refused = approve(database, waiting.id, 2)
    assert refused.problems == (f"{said}; name another owner",)
    over_api = try_publish(database, Proposal("Click", wider("y")), "op")
    assert over_api.assessment.problems == refused.problems
    assert read_snapshot(database).schemas["Click"].latest == "1.0.0"
    fresh = drafts.begin(database, "New", body(owners=[GROUP]), PM)
    sent = drafts.send_to_review(database, fresh.id, 1, PM, base_url=URL)
    assert "no owner of New can be reached" in "".join(sent.problems)
    saved = drafts.save(
        database,
        waiting.id,
        2,
        body(wider("x"), owners=["new@example.org"]),
        ANSWERS,
        PM,
        base_url=URL,
    )
    assert saved.saved
    assert done(approve(database, waiting.id, 3)).version == "1.1.0"


# deprecated and retired


def test_a_deprecated_schema_takes_events_and_a_retired_one_refuses_them(
    database_url: str, tmp_path: Path
) -> None:
    house = House(database_url, tmp_path / "var")
    database = house.platform.database
    house.publish()
    event = {"schema": "Click", "event": {"target": "a"}}

    def outcome() -> tuple[str, str]:
        verdict = house.accept(json.dumps(event).encode()).verdicts[0]
        return str(verdict.outcome), verdict.code

    words = {"who": "owner@example.org", "reason": "It has an end.", "base_url": URL}
    assert lifecycle.deprecate(database, "Click", **words) == lifecycle.Moved("deprecated", True)
    assert outcome() == ("valid", "")
    assert "Click" in house.client.get("/v1/config").json["schemas"]  # type: ignore[index]
    assert not lifecycle.deprecate(database, "Click", **words).done
    assert lifecycle.retire(database, "Click", **{**words, "reason": " "}).problems
    assert lifecycle.retire(database, "Click", **words).done
    assert outcome() == ("invalid", "schema_retired")
    house.platform.registry.refresh()
    assert "Click" not in house.client.get("/v1/config").json["schemas"]  # type: ignore[index]
    made = drafts.begin(database, "Click", body(wider("x")), PM)
    sent = drafts.send_to_review(database, made.id, 1, PM, base_url=URL)
    assert "Click is retired" in "".join(sent.problems)
    assert lifecycle.revive(database, "Click", **words).state == "published"
    assert outcome() == ("valid", "")
    with pytest.raises(UnknownSchema):
        lifecycle.retire(database, "Other", **words)
    with database.read() as connection:
        written = [entry.action for entry in audit.entries(connection, subject="Click")]
    moves = [action for action in written if action in ("deprecate", "retire", "revive")]
    assert moves == ["revive", "retire", "deprecate"]
    house.close()


def test_owners_are_told_of_the_end_of_their_schema(database: Database) -> None:
    done(approve(database, proposed(database).id, 2))
    lifecycle.retire(database, "Click", PM, "Question answered.", base_url=URL)
    assert mails(database, GROUP)[-1] == "Click is retired"
    assert "> Question answered." in last_mail(database, GROUP)
    assert mails(database, PM)[-1] != "Click is retired"


# the job


def test_the_job_of_reviews_does_it_all(
    database: Database, tmp_path: Path, set_clock: Callable[[int], None]
) -> None:
    platform = open_platform(Config(var=tmp_path / "var", database_url=database.url))
    job = next(job for job in JOBS if job.name == "reviews")
    assert job.duty is look_after_reviews
    assert str(job.trigger) == "daily at 07:00 UTC"
    proposed(database)
    set_clock(MONDAY + 2 * DAY + 60_000)
    result = job.duty(platform, clock.day(MONDAY))
    assert (result.outcome, result.detail) == (
        "done", "0 assigned, 1 reminded, 0 handed over, 0 asked about owners, 0 invited",
    )  # fmt: skip
    add_person(database, "x@example.org", state="disabled")
    for email in (ANN, BOB, ROOT):
        change_person(database, email, state="disabled")
    assert job.duty(platform, clock.day(MONDAY)).outcome == "warning"
    with database.read() as connection:
        assert connection.execute(sa.select(proposal.c.reviewer)).scalar() is None
    platform.database.close()


def together(tasks: list[Callable[[], Any]]) -> None:
    """Run all at the same time; raise what any of them raised."""
    failures: list[BaseException] = []
    gate = threading.Barrier(len(tasks))

    def run(task: Callable[[], Any]) -> None:
        gate.wait()
        try:
            task()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(task,)) for task in tasks]
    for thread_ in threads:
        thread_.start()
    for thread_ in threads:
        thread_.join(60)
    if failures:
        raise failures[0]
